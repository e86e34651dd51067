package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"zkwarden/audit/journal"
)

// VerifyOptions say which journal [Verify] checks, and against what.
type VerifyOptions struct {
	Dir   string
	Heads []journal.Head // What others have seen of it.
	Chain string         // The chain id that it has to have; empty for any.
	JSON  bool           // One JSON object instead of text.

	// Progress, if not nil, is a terminal that shows how much is read.
	Progress io.Writer
}

// Verify checks a journal and prints what it proves: which records are intact,
// which of them somebody else vouches for, and which nobody does. The error is
// a [*journal.BrokenError] that names the first place that is wrong, or says
// which head is of no use.
func Verify(ctx context.Context, o VerifyOptions, out io.Writer) error {
	p := verifyProgress{out: o.Progress, began: time.Now()}
	report, err := journal.Verify(ctx, o.Dir, journal.VerifyOptions{Heads: o.Heads, Chain: o.Chain, Progress: p.show})
	p.end()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	text := verdictText
	if o.JSON {
		text = verdictJSON
	}
	if _, writeErr := io.WriteString(out, text(report, err)); writeErr != nil {
		return errors.Join(err, fmt.Errorf("print report: %w", writeErr))
	}
	return err
}

// verdictText says what a sound journal proves, and of any other how much of
// it does.
func verdictText(r journal.Report, err error) string {
	broken, isBroken := errors.AsType[*journal.BrokenError](err)
	isEmpty := r.Last == 0 || r.Last < r.First
	switch {
	case isBroken && isEmpty:
		return fmt.Sprintf("broken: no record is proved\n%s", place(broken))
	case isBroken:
		text := fmt.Sprintf("broken: only the records %d to %d, before the damage, prove each other\n%s", r.First, r.Last, place(broken))
		if broken.Seq == 0 { // It is the head or a cursor, and was found when all records had been read.
			text = fmt.Sprintf("broken: the records %d to %d prove each other, but a file beside them is damaged\n%s", r.First, r.Last, place(broken))
		}
		if r.Witnessed > 0 {
			text += witnessed(r)
		}
		return text
	case err != nil && !errors.Is(err, journal.ErrUnvouched):
		return ""
	case isEmpty:
		return "intact: the journal has no records\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "intact: records %d to %d, %s in %s, chain id %s\n", r.First, r.Last, bytesText(r.Bytes), filesText(r.Segments), r.Chain)
	fmt.Fprintf(&b, "head: %d:%d, hash %s\n", r.Last, r.Check(), r.Hash)
	if r.First > 1 {
		fmt.Fprintf(&b, "removed: records 1 to %d, by retention as record %d says%s\n", r.First-1, r.RemovedBy, unseen(r))
	}
	if r.Torn > 0 {
		fmt.Fprintf(&b, "torn: %d bytes behind the last record, of a line that is being written or that a crash cut short\n", r.Torn)
	}
	if r.Witnessed > 0 {
		b.WriteString(witnessed(r))
	}
	switch {
	case r.Witnessed >= r.Last:
	case r.Witnessed > 0:
		fmt.Fprintf(&b, "unwitnessed: records %d to %d lie behind the last head that someone else has seen\n", max(r.Witnessed+1, r.First), r.Last)
	default:
		fmt.Fprintf(&b, "unwitnessed: records %d to %d; whoever can write the directory can have rewritten all of them. "+
			"Give --head=SEQ:CHECK with values of zkwarden_journal_head_seq and zkwarden_journal_head_check of one moment\n", r.First, r.Last)
	}
	return b.String()
}

// place is the first thing that is wrong, for who keeps the report alone.
func place(b *journal.BrokenError) string {
	return "first damage: " + strings.TrimPrefix(b.Error(), "journal is broken: ") + "\n"
}

func witnessed(r journal.Report) string {
	return fmt.Sprintf("witnessed: everything through record %d is what the head %d was seen with\n", r.Witnessed, r.Witnessed)
}

// unseen warns of a removal that somebody who can write the directory may have
// made up: nobody else has seen the record that vouches for it.
func unseen(r journal.Report) string {
	if r.RemovedBy <= r.Witnessed {
		return ""
	}
	return ", which no head vouches for"
}

// verdict is the report of Verify for programs.
type verdict struct {
	Intact      bool      `json:"intact"`
	Chain       string    `json:"chain,omitempty"`
	Segments    int       `json:"segments"`
	Bytes       int64     `json:"bytes"`
	First       uint64    `json:"first,omitempty"` // Of the records that are sound.
	Last        uint64    `json:"last,omitempty"`
	Hash        string    `json:"hash,omitempty"` // Of the last of them.
	Check       uint64    `json:"check,omitempty"`
	RemovedBy   uint64    `json:"removed_by,omitempty"`  // The retention record that vouches for what is gone before First.
	Witnessed   uint64    `json:"witnessed,omitempty"`   // The last record that a given head vouches for.
	Unwitnessed *seqRange `json:"unwitnessed,omitempty"` // Those that none does.
	TornBytes   int64     `json:"torn_bytes,omitempty"`
	Damage      *damage   `json:"damage,omitempty"`
	Error       string    `json:"error,omitempty"`
}

type seqRange struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// damage is the first place that is wrong.
type damage struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Seq     uint64 `json:"seq,omitempty"`
	Problem string `json:"problem"`
}

func verdictJSON(r journal.Report, err error) string {
	v := verdict{Intact: err == nil, Chain: r.Chain, Segments: r.Segments, Bytes: r.Bytes, RemovedBy: r.RemovedBy, Witnessed: r.Witnessed, TornBytes: r.Torn}
	if r.Last > 0 && r.Last >= r.First {
		v.First, v.Last, v.Hash, v.Check = r.First, r.Last, r.Hash, r.Check()
		if r.Witnessed < r.Last {
			v.Unwitnessed = &seqRange{From: max(r.Witnessed+1, r.First), To: r.Last}
		}
	}
	if broken, ok := errors.AsType[*journal.BrokenError](err); ok {
		v.Damage = &damage{File: broken.File, Line: broken.Line, Seq: broken.Seq, Problem: broken.Problem}
	}
	if err != nil {
		v.Error = err.Error()
	}
	text, _ := json.Marshal(v) // It has no way to fail.
	return string(text) + "\n"
}

// verifyProgress shows how much is read, on a line of its own.
type verifyProgress struct {
	out   io.Writer
	began time.Time
	shown time.Time
}

// glanceAtProgress is how often the line changes.
const glanceAtProgress = 200 * time.Millisecond

func (p *verifyProgress) show(done, total int64) {
	now := time.Now()
	if p.out == nil || total == 0 || now.Sub(p.began) < glanceAtProgress || now.Sub(p.shown) < glanceAtProgress {
		return
	}
	p.shown = now
	rate := float64(done) / now.Sub(p.began).Seconds()
	fmt.Fprintf(p.out, "\r\x1b[K%d%% of %s, %s/s", 100*done/total, bytesText(total), bytesText(int64(rate)))
}

// end clears the line.
func (p *verifyProgress) end() {
	if !p.shown.IsZero() {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func filesText(n int) string {
	if n == 1 {
		return "one segment"
	}
	return fmt.Sprintf("%d segments", n)
}

// bytesText writes a number of bytes as people read it: 12.3 MiB.
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d bytes", n)
	}
	value, unit := float64(n)/(1<<10), 0
	for ; value >= 1<<10; unit++ {
		value /= 1 << 10
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}
