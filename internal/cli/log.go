package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

	"zkwarden/audit"
	"zkwarden/audit/journal"
)

// maxDamage is how many broken places Log tells of one by one.
const maxDamage = 10

// LogOptions say which records [Log] prints, and how.
type LogOptions struct {
	Dir    string
	Filter LogFilter
	Limit  int  // The last so many records; 0 for all.
	Follow bool // Go on as the journal grows.
	Diff   bool // Show what changed in the contents.
	JSON   bool // The very lines of the journal.
	Color  bool // Color the text.

	Warnings io.Writer // Where broken places are told of.
}

// Log prints records of a journal, one a line, beside the process that writes
// it or after its death. A record that does not prove itself is not printed:
// Log tells of it in Warnings, goes on behind it, and returns an error at the
// end. It ends without an error when nobody reads out any more.
func Log(ctx context.Context, o LogOptions, out io.Writer) error {
	p := &logPrinter{options: o, out: bufio.NewWriterSize(out, 1<<16)}
	err := p.run(ctx)
	if flushErr := p.out.Flush(); err == nil {
		err = flushErr
	}
	switch {
	case errors.Is(err, syscall.EPIPE):
		return nil
	case err != nil:
		return err
	case p.damage > 0:
		return fmt.Errorf("the journal in %s is broken in %d places: what was printed may not be all, nor what was recorded; zkwarden verify tells more",
			o.Dir, p.damage)
	}
	return nil
}

type logPrinter struct {
	options LogOptions
	out     *bufio.Writer
	damage  int
	event   audit.Event // Of the line that matched last.
	bad     error       // Why that is no event.
}

func (p *logPrinter) run(ctx context.Context) error {
	f := p.options.Filter
	lines := journal.Browse(ctx, p.options.Dir, journal.BrowseOptions{
		From: f.From, To: f.To, Since: f.Since, Until: f.Until,
		Match: p.match, Tail: p.options.Limit, Follow: p.options.Follow,
	})
	for line, err := range lines {
		if err == nil {
			err = p.print(line)
		} else {
			err = p.warn(err)
		}
		if err == nil && p.options.Follow {
			err = p.out.Flush()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// match decodes a line whatever the filter is: one that proves itself and is
// no record all the same is printed by nobody.
func (p *logPrinter) match(line audit.Line) bool {
	p.event, p.bad = journal.Decode(line)
	return p.bad != nil || p.options.Filter.passes(&p.event)
}

// warn tells of damage, and returns every other error.
func (p *logPrinter) warn(err error) error {
	if _, removed := errors.AsType[*journal.RemovedError](err); removed || errors.Is(err, journal.ErrWaiting) {
		fmt.Fprintf(p.options.Warnings, "zkwarden: %s\n", printable(err.Error()))
		return nil
	}
	if _, ok := errors.AsType[*journal.BrokenError](err); !ok {
		return err
	}
	if err := p.out.Flush(); err != nil { // So that the warning stands where the damage is.
		return err
	}
	p.damage++
	switch {
	case p.damage <= maxDamage:
		fmt.Fprintf(p.options.Warnings, "zkwarden: %s\n", printable(err.Error()))
	case p.damage == maxDamage+1:
		fmt.Fprintln(p.options.Warnings, "zkwarden: there is more damage, which is counted only")
	}
	return nil
}

func (p *logPrinter) print(line audit.Line) error {
	if p.bad != nil {
		return p.warn(&journal.BrokenError{File: p.options.Dir, Seq: line.Seq, Problem: p.bad.Error()})
	}
	if p.options.JSON {
		_, err := p.out.Write(append(slices.Clip(line.JSON), '\n'))
		return err
	}
	color, text := logLine(&p.event)
	if err := p.write(color, text); err != nil {
		return err
	}
	if p.options.Diff {
		for _, line := range contentDiff(&p.event) {
			if err := p.write(line.color, line.text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *logPrinter) write(color, text string) error {
	if p.options.Color && color != "" {
		text = color + text + colorReset
	}
	_, err := p.out.WriteString(text + "\n")
	return err
}
