package cli

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"time"

	"zkwarden/audit"
	"zkwarden/audit/policy"
	"zkwarden/audit/txnlog"
	"zkwarden/internal/history"
)

// maxNotes is how many doubts Txnlog tells of: damaged files can raise any
// number.
const maxNotes = 100

// TxnlogOptions say which files [Txnlog] reads, and what it prints of them.
type TxnlogOptions struct {
	Files  []string  // Logs, snapshots and directories of both, of one server.
	Filter LogFilter // Since and Until are about the leader's clock.

	At   *history.Moment    // Print the tree of this moment instead of changes.
	Diff *[2]history.Moment // Print what differs between two instead.

	Stat     bool         // With At: show version, size, owner, times and number of children.
	Contents bool         // Show what changed in the contents, as Diff does anyway.
	Level    policy.Level // How much of contents is shown.
	JSON     bool

	Ensemble   string // Makes the ids of changes those of an auditor of that name; may be empty.
	Generation uint64 // Of the auditor's records; see [audit.Identity].
	KeyFile    string // The auditor's digest key, for digests like its own; may be empty.

	SkipDamaged bool
	Color       bool
	Warnings    io.Writer    // What is doubtful about the answer, and what was passed over.
	Progress    func(string) // Shows a line in place of the one before; may be nil.
}

// Txnlog tells from transaction logs and snapshots what happened to znodes, or
// how the tree was. It asks no server. It ends without an error when nobody
// reads out any more.
func Txnlog(ctx context.Context, o TxnlogOptions, out io.Writer) error {
	key := make([]byte, 32)
	rand.Read(key) // Never fails: the runtime ends the process instead.
	if o.KeyFile != "" {
		var err error
		if key, err = policy.LoadKey(o.KeyFile); err != nil {
			return err
		}
	}
	h, err := history.Open(o.Files)
	if err != nil {
		return err
	}
	p := &txnlogPrinter{options: o, history: h, out: bufio.NewWriterSize(out, 1<<16), began: time.Now(), noted: map[string]bool{}}
	p.policy, p.rule = policy.Unlimited(o.Level, key)
	h.SkipDamaged, h.Note, h.Progress = o.SkipDamaged, p.note, p.progress
	switch {
	case o.At != nil:
		err = p.tree(ctx)
	case o.Diff != nil:
		err = p.diff(ctx)
	default:
		err = p.changes(ctx)
	}
	p.show("")
	if flushErr := p.out.Flush(); err == nil || errors.Is(flushErr, syscall.EPIPE) {
		err = flushErr
	}
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	if _, isDamage := errors.AsType[*txnlog.FileError](err); isDamage {
		return fmt.Errorf("%w; --skip-damaged goes on behind it", err)
	}
	return err
}

type txnlogPrinter struct {
	options TxnlogOptions
	history *history.History
	policy  *policy.Policy
	rule    policy.Rule
	out     *bufio.Writer

	began, shown time.Time
	noted        map[string]bool
}

// changes prints what the filter lets pass.
func (p *txnlogPrinter) changes(ctx context.Context) error {
	o := &p.options
	if len(p.history.Logs) == 0 {
		return errors.New("there is no transaction log, only snapshots: --at shows what they hold")
	}
	for c, err := range p.history.Changes(ctx, p.wanted()) {
		if err != nil {
			return err
		}
		c.Observed = c.Time // What the filter looks at.
		if !o.Filter.passes(&c.Event) {
			continue
		}
		c.Describe(p.policy, p.rule)
		if o.JSON {
			err = p.json(&c.Event)
		} else {
			err = p.text(c.Zxid, &c.Event, o.Contents)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wanted is what the history has to keep in mind.
func (p *txnlogPrinter) wanted() history.ChangesOptions {
	o := &p.options
	w := history.ChangesOptions{Ensemble: o.Ensemble, Generation: o.Generation}
	if len(o.Filter.Paths) > 0 {
		w.Wants = o.Filter.wants
	}
	w.Contents = o.JSON || o.Contents || o.Diff != nil
	return w
}

// diff prints what differs between two moments.
func (p *txnlogPrinter) diff(ctx context.Context) error {
	changes, err := p.history.Diff(ctx, p.options.Diff[0], p.options.Diff[1], p.wanted())
	if err != nil {
		return err
	}
	for _, c := range changes {
		c.Describe(p.policy, p.rule)
		if p.options.JSON {
			err = p.json(&c.Event)
		} else {
			c.Exact = nil // None of them is.
			err = p.text(0, &c.Event, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// text prints a change as [Log] prints one, but for the seq.
func (p *txnlogPrinter) text(zxid audit.Zxid, e *audit.Event, contents bool) error {
	var b strings.Builder
	if zxid != 0 {
		at, _ := e.Time.MarshalText() // It has no way to fail.
		fmt.Fprintf(&b, "%s  %s  ", at, zxid)
	}
	if e.Actor != nil {
		e.Actor.Confidence = "" // It is about the client's address, of which a log knows nothing.
	}
	color := logChange(&b, e)
	if err := p.line(color, b.String()); err != nil || !contents {
		return err
	}
	for _, line := range contentDiff(e) {
		if err := p.line(line.color, line.text); err != nil {
			return err
		}
	}
	return nil
}

func (p *txnlogPrinter) line(color, text string) error {
	if p.options.Color && color != "" {
		text = color + text + colorReset
	}
	_, err := p.out.WriteString(text + "\n")
	return err
}

// offline leaves out what only a journal has, and what is not known.
type offline struct {
	*audit.Event
	Seq      *uint64 `json:"seq,omitempty"`
	ID       string  `json:"id,omitempty"`
	Ensemble string  `json:"ensemble,omitempty"`
	Recorder *string `json:"recorder,omitempty"`
	Observed *string `json:"observed,omitempty"`
	Prev     *string `json:"prev,omitempty"`
}

func (p *txnlogPrinter) json(e *audit.Event) error {
	if p.options.KeyFile == "" {
		for _, c := range []*audit.Content{e.Before, e.After} {
			if c != nil {
				c.Digest = "" // Nobody can compare it with anything.
			}
		}
	}
	encoder := json.NewEncoder(p.out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(offline{Event: e, ID: e.ID, Ensemble: e.Ensemble}); err != nil {
		return fmt.Errorf("print change: %w", err)
	}
	return nil
}

// note says each thing once, where the answer stands that it is about.
func (p *txnlogPrinter) note(text string) {
	switch {
	case p.noted[text] || len(p.noted) > maxNotes:
		return
	case len(p.noted) == maxNotes:
		text = "there is more that is doubtful, which is not told one by one"
	}
	p.noted[text] = true
	_ = p.out.Flush() // It keeps its error.
	fmt.Fprintf(p.options.Warnings, "zkwarden: %s\n", printable(text))
}

// progress shows how far a long run is.
func (p *txnlogPrinter) progress(at history.Progress) {
	now := time.Now()
	if p.options.Progress == nil || now.Sub(p.began) < glanceAtProgress || now.Sub(p.shown) < glanceAtProgress {
		return
	}
	p.shown = now
	_ = p.out.Flush() // It keeps its error.
	const cells = 20
	full := cells * (at.File - 1) / at.Files
	p.show(fmt.Sprintf("[%s%s] log %d of %d, %d transactions, %s",
		strings.Repeat("#", full), strings.Repeat(" ", cells-full), at.File, at.Files, at.Transactions, audit.Zxid(at.Zxid)))
}

func (p *txnlogPrinter) show(text string) {
	if p.options.Progress != nil {
		p.options.Progress(text)
	}
}

// ParseMoment parses a zxid with 0x, or a time as [ParseWhen] does.
func ParseMoment(text string, now time.Time) (history.Moment, error) {
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		zxid, err := strconv.ParseUint(digits, 16, 64)
		if err != nil || zxid == 0 {
			return history.Moment{}, fmt.Errorf("%q is no zxid: want 0x and up to 16 hexadecimal digits", text)
		}
		return history.Moment{Zxid: zxid}, nil
	}
	at, err := ParseWhen(text, now)
	if err != nil {
		return history.Moment{}, fmt.Errorf("%w; or a zxid, like 0x10000002a", err)
	}
	return history.Moment{Time: at}, nil
}

// ParseMoments parses A..B.
func ParseMoments(text string, now time.Time) (moments [2]history.Moment, err error) {
	a, b, ok := strings.Cut(text, "..")
	if !ok {
		return moments, fmt.Errorf("%q are no two moments: want A..B, each a zxid or a time", text)
	}
	for i, text := range []string{a, b} {
		if moments[i], err = ParseMoment(text, now); err != nil {
			return moments, err
		}
	}
	return moments, nil
}
