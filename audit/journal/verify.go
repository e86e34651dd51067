package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

const (
	// maxRestarts bounds how often Verify begins again because retention
	// removes what it was about to read.
	maxRestarts = 10
	// progressBytes is how much is read between two reports of progress.
	progressBytes = 4 << 20
)

// VerifyOptions say what [Verify] compares a journal with.
type VerifyOptions struct {
	Heads []Head // What others have seen of it.
	Chain string // The chain id that it has to have; empty for any.

	// Progress, if not nil, is told from time to time how many of how many
	// bytes are read.
	Progress func(done, total int64)
}

// Report is what the files of a journal prove.
type Report struct {
	Chain       string // Empty while there is no record.
	Segments    int
	Bytes       int64  // Of records.
	First, Last uint64 // The seqs of the first and the last record; Last is First-1 when there is none.
	Hash        string // Of the last record.
	Witnessed   uint64 // The last record that one of the given heads vouches for; 0 when none does.
	RemovedBy   uint64 // The retention record that vouches for what is gone before First; 0 when nothing is.
	Torn        int64  // Bytes behind the last record: a line that is being written, or that a crash left.
}

// Check returns the number that zkwarden_journal_head_check shows for the last
// record.
func (r Report) Check() uint64 { return checkOf(r.Hash) }

// ErrNotKept says that a head names a record that retention has removed, so
// that nothing is left to compare it with.
var ErrNotKept = errors.New("retention has removed the record")

// ErrUnvouched says that records before a head that was given are gone, and that
// the retention record which says so lies behind all of those heads: whoever can
// write the directory may have made it up.
var ErrUnvouched = errors.New("no head that was given vouches for the removal")

// Verify reads the journal in dir and checks every record against its own
// hash and the record before it, the names of the segments, the head, the
// cursors and the heads that were given. It changes nothing and takes no lock:
// it works beside the process that owns the journal, on what is there when it
// begins, and on a copy. The error is a [*BrokenError] for the first place that
// is wrong; the report then covers what stands before it. It matches
// [ErrNoJournal] where there is nothing to verify.
func Verify(ctx context.Context, dir string, o VerifyOptions) (Report, error) {
	var err error
	for range maxRestarts {
		v := &verification{dir: dir, options: o}
		if err = v.run(ctx); !errors.Is(err, errVanished) {
			return v.report, err
		}
	}
	return Report{}, fmt.Errorf("verify journal %s, again and again: %w", dir, err)
}

// errVanished says that a segment was listed and is gone, as retention does it,
// or the reverse.
var errVanished = errors.New("segments come and go while they are read")

type verification struct {
	dir       string
	options   VerifyOptions
	report    Report
	head      mark
	noHead    *BrokenError // What is wrong with the file head.
	noCursor  *BrokenError // What is wrong with the file of a cursor.
	witnesses []witness    // Those not met yet.

	newestSegment stored // As it was listed.

	begin    mark // What the first record says of the one before it.
	notKept  error
	newest   mark // The newest anchor before begin.
	last     mark
	read     int64 // Bytes of the segments before the one being read.
	total    int64
	reported int64
}

func (v *verification) run(ctx context.Context) error {
	if err := v.readHead(); err != nil {
		return err
	}
	var err error
	if v.witnesses, v.noCursor, err = gatherWitnesses(v.dir, v.head, v.options.Heads); err != nil {
		return err
	}
	segments, err := listSegments(v.dir)
	if err != nil {
		return err
	}
	v.last = mark{hash: noHash}
	v.report = Report{First: 1, Hash: noHash, Segments: len(segments)}
	for _, s := range segments {
		v.total += s.size
		v.newestSegment = s
	}
	for i, s := range segments {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := v.segment(ctx, s, i == 0, i == len(segments)-1); err != nil {
			return err
		}
	}
	return v.conclude()
}

// readHead reads the file head. Without one the journal is broken, and compared
// with all other witnesses nevertheless.
func (v *verification) readHead() (err error) {
	v.head, v.noHead, err = readHead(v.dir)
	if errors.Is(err, ErrNoJournal) && !errors.Is(err, os.ErrNotExist) && len(v.options.Heads) > 0 {
		v.head, err = mark{hash: noHash}, nil // Somebody has seen records: all of them are gone.
	}
	return err
}

// segment reads one segment as far as it was when it was listed.
func (v *verification) segment(ctx context.Context, s stored, isFirst, isLast bool) error {
	prev := v.last.hash
	if isFirst && s.first > 1 {
		prev = "" // Known only from the anchor, which comes later.
	}
	if !isFirst && s.first != v.last.seq+1 {
		if _, err := os.Stat(segmentPath(v.dir, v.last.seq+1)); err == nil {
			return errVanished // It was made while the directory was listed.
		}
		return missing(v.dir, v.last.seq+1, s.first)
	}
	r, err := openSegment(v.dir, s.first, prev)
	if errors.Is(err, os.ErrNotExist) {
		return errVanished
	}
	if err != nil {
		return err
	}
	defer r.close()
	for {
		line, err := r.next(s.size)
		if errors.Is(err, io.EOF) || isLast && v.endsTorn(err, r, s.size) {
			break
		}
		if err != nil {
			err = v.short(err, r)
		} else {
			err = v.line(r, line, isFirst)
		}
		if err != nil {
			v.report.Bytes += r.off
			return err
		}
		if done := v.read + r.off; done-v.reported >= progressBytes {
			v.progress(done)
			if err := ctx.Err(); err != nil {
				return err
			}
		}
	}
	if !isLast && r.line == 0 {
		return r.broken(false, "the segment is empty, although another one follows")
	}
	v.read += r.off
	v.report.Bytes += r.off
	v.report.Torn = s.size - r.off
	if isLast && v.last.seq < v.head.seq {
		return v.short(r.broken(false, "the journal ends"), r)
	}
	return nil
}

// endsTorn says whether err is no damage but the end of a journal that is
// being written, or was when its process died.
func (v *verification) endsTorn(err error, r *segmentReader, size int64) bool {
	if v.last.seq < v.head.seq {
		return false
	}
	now, statErr := r.size()
	return isTorn(err, r, size) || statErr == nil && err != nil && now < size // Cut back after a disk refused, to be written again.
}

// short adds to what stands in the place of a line that the head had seen it.
func (v *verification) short(err error, r *segmentReader) error {
	var broken *BrokenError
	if errors.As(err, &broken) && r.last.seq < v.head.seq && broken.Seq <= v.head.seq {
		broken.Problem += fmt.Sprintf(", although the file head says that the journal reached seq %d", v.head.seq)
	}
	return err
}

// line checks what a line has to do with more than the line before it.
func (v *verification) line(r *segmentReader, line []byte, isFirstSegment bool) error {
	if r.line == 1 {
		e, err := r.firstLine(line)
		switch {
		case err != nil:
			return err
		case isFirstSegment:
			v.begin = mark{seq: e.Seq - 1, hash: e.Prev}
			v.report.First, v.report.Chain = e.Seq, e.Chain
		}
		if e.Chain != v.report.Chain {
			return &BrokenError{File: r.file.Name(), Line: 1, Seq: e.Seq, Problem: anotherChain(e.Chain, v.report.Chain)}
		}
		if want := v.options.Chain; want != "" && want != e.Chain {
			return &BrokenError{
				File: r.file.Name(), Line: 1, Seq: e.Seq,
				Problem: fmt.Sprintf("this is another journal, with chain id %s instead of %s", e.Chain, want),
			}
		}
	}
	if isRetention(line) {
		if err := v.retention(r, line); err != nil {
			return err
		}
	}
	v.last = r.last
	v.report.Last, v.report.Hash = r.last.seq, r.last.hash
	return v.meet(r)
}

// retention takes the anchor from a retention record.
func (v *verification) retention(r *segmentReader, line []byte) error {
	e, err := r.firstLine(line)
	if err != nil {
		return err
	}
	anchor, err := parseAnchor(e.Anchor)
	if err != nil {
		return &BrokenError{File: r.file.Name(), Line: r.line, Seq: e.Seq, Problem: err.Error()}
	}
	if anchor == v.begin && v.report.RemovedBy == 0 {
		v.report.RemovedBy = e.Seq
	}
	if anchor.seq <= v.begin.seq {
		v.newest = anchor
	}
	return nil
}

// meet compares the line just read with those who have seen it.
func (v *verification) meet(r *segmentReader) error {
	for len(v.witnesses) > 0 && v.witnesses[0].Seq <= r.last.seq {
		w := v.witnesses[0]
		v.witnesses = v.witnesses[1:]
		switch {
		case w.Seq < r.last.seq && w.Seq != v.begin.seq && w.outside:
			v.notKept = fmt.Errorf("verify the head of record %d: %w", w.Seq, ErrNotKept)
		case w.Seq == r.last.seq && !w.matches(r.last.hash), w.Seq < r.last.seq && w.Seq == v.begin.seq && !w.matches(v.begin.hash):
			return &BrokenError{
				File: r.file.Name(), Line: r.line, Seq: r.last.seq,
				Problem: fmt.Sprintf("it is not record %d as %s knows it: %s, but here the hash is %s (check %d)",
					w.Seq, w.name, w.Head, r.last.hash, checkOf(r.last.hash)),
			}
		case w.outside:
			v.report.Witnessed = w.Seq
		}
	}
	return nil
}

// conclude checks what can be known only at the end.
func (v *verification) conclude() error {
	if v.begin.seq > 0 && v.report.RemovedBy == 0 {
		if v.newest.seq == v.begin.seq {
			return otherBeginning(v.dir, v.newest, v.begin.hash)
		}
		return v.perhapsLater(unvouched(v.dir, v.newest.seq+1, v.begin.seq+1))
	}
	for _, w := range v.witnesses {
		if w.Seq > v.last.seq {
			return &BrokenError{
				File: segmentPath(v.dir, v.last.seq+1), Seq: v.last.seq + 1,
				Problem: fmt.Sprintf("the journal ends at seq %d, but %s has seen record %d", v.last.seq, w.name, w.Seq),
			}
		}
	}
	v.progress(v.read)
	switch removedBy := v.report.RemovedBy; {
	case v.noHead != nil:
		return v.noHead
	case v.noCursor != nil:
		return v.noCursor
	case v.notKept != nil:
		return v.notKept
	case len(v.options.Heads) > 0 && removedBy > v.report.Witnessed:
		return fmt.Errorf("verify the beginning: %w of records 1 to %d, which record %d tells of; give a head of that record or of a later one",
			ErrUnvouched, v.begin.seq, removedBy)
	}
	return nil
}

// perhapsLater returns err, and errVanished with it where the journal has gone on
// since its segments were listed: what vouches for a removal in between may be
// in a record that was not there yet.
func (v *verification) perhapsLater(err error) error {
	segments, listErr := listSegments(v.dir)
	if listErr != nil || len(segments) == 0 {
		return err
	}
	newest := segments[len(segments)-1]
	if newest.first == v.newestSegment.first && newest.size == v.newestSegment.size {
		return err
	}
	return fmt.Errorf("%w: %w", errVanished, err)
}

func (v *verification) progress(done int64) {
	v.reported = done
	if v.options.Progress != nil {
		v.options.Progress(done, v.total)
	}
}
