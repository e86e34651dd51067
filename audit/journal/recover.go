package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// recovered is what the files of a journal prove.
type recovered struct {
	end     position
	began   time.Time // When the segment of end got its first record.
	begin   mark      // The record before the first one.
	prev    string    // What the first record says of it; empty while there is none.
	chain   string    // Empty while there is no first record.
	anchor  string    // The newest, or empty.
	sealed  []sealed  // The segments before that of end.
	removal *removal  // What a crash kept retention from removing.
	torn    int64     // Bytes behind the end that a crash left.
	head    *markFile
}

// recoverDir reads the last segment of the journal in dir, and the first and
// the last line of every other, and checks them against each other, the head
// and what retention says it removed. It changes nothing but that it makes the
// files of a new journal.
func recoverDir(dir string) (recovered, error) {
	segments, err := listSegments(dir)
	if err != nil {
		return recovered{}, err
	}
	head, at, err := openHead(dir, len(segments) == 0)
	if err != nil {
		return recovered{}, err
	}
	found, err := recoverSegments(dir, segments, at)
	if err != nil {
		return recovered{}, errors.Join(err, head.close())
	}
	found.head = head
	return found, nil
}

const headFile = "head"

// openHead opens the head file, which is older than the first segment.
func openHead(dir string, isNew bool) (*markFile, mark, error) {
	path := filepath.Join(dir, headFile)
	f, m, err := openMarkFile(path)
	switch {
	case !errors.Is(err, os.ErrNotExist):
		return f, m, err
	case !isNew:
		return nil, mark{}, &BrokenError{File: path, Problem: "the file is missing, although the journal has records"}
	}
	m = mark{hash: noHash}
	f, err = createMarkFile(path, m)
	return f, m, err
}

func recoverSegments(dir string, segments []stored, head mark) (recovered, error) {
	if len(segments) == 0 {
		if head.seq != 0 {
			return recovered{}, &BrokenError{
				File: segmentPath(dir, 1), Seq: head.seq,
				Problem: "the file is missing, although the head says that there are records",
			}
		}
		return recovered{end: position{mark: mark{hash: noHash}, segment: 1}, begin: mark{hash: noHash}}, nil
	}
	var found recovered
	n := len(segments)
	before, err := survey(dir, segments[:n-1])
	if err != nil {
		return recovered{}, err
	}
	for i, e := range before {
		if i == 0 {
			found.prev = e.prev
		}
		found.sealed = append(found.sealed, sealed{stored: e.stored, last: e.last, began: e.began})
	}
	if err := found.last(dir, segments[n-1], before, head); err != nil {
		return recovered{}, err
	}
	return found, found.locate(dir)
}

// last reads the last segment, and the one before if that has no record: what
// the journal knows of itself is said in the first one and behind it.
func (found *recovered) last(dir string, s stored, before []ends, head mark) error {
	prev := ""
	if s.first == 1 {
		prev = noHash
	}
	if n := len(before); n > 0 {
		if e := before[n-1]; s.first != e.last.seq+1 {
			return missing(dir, e.last.seq+1, s.first)
		}
		prev, found.chain = before[n-1].last.hash, before[n-1].chain
	}
	if err := found.scan(dir, s, prev, head); err != nil {
		return err
	}
	if found.end.size > 0 || len(before) == 0 {
		return nil
	}
	r, err := openSegment(dir, before[len(before)-1].first, "")
	if err != nil {
		return err
	}
	defer r.close()
	for {
		line, err := r.next(before[len(before)-1].size)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = found.learn(r, line)
		}
		if err != nil {
			return err
		}
	}
}

// scan reads the last segment to its end.
func (found *recovered) scan(dir string, s stored, prev string, head mark) error {
	r, err := openSegment(dir, s.first, prev)
	if err != nil {
		return err
	}
	defer r.close()
	for err == nil {
		if r.last.seq == head.seq && r.last.hash != "" && r.last != head {
			return &BrokenError{
				File: r.file.Name(), Line: r.line, Seq: head.seq,
				Problem: fmt.Sprintf("the line's hash is %s, but the head says %s", r.last.hash, head.hash),
			}
		}
		var line []byte
		if line, err = r.next(s.size); err == nil {
			err = found.learn(r, line)
		}
	}
	if !errors.Is(err, io.EOF) && !isTorn(err, r, s.size) {
		return err
	}
	if r.last.seq < head.seq {
		if errors.Is(err, io.EOF) {
			err = r.broken(false, "the journal ends")
		}
		return fmt.Errorf("the head says that the journal reached seq %d: %w", head.seq, err)
	}
	found.end = position{mark: r.last, segment: s.first, size: r.off}
	found.torn = s.size - r.off
	return nil
}

// learn takes from a line what the journal says of itself.
func (found *recovered) learn(r *segmentReader, line []byte) error {
	if r.line > 1 && !isRetention(line) {
		return nil
	}
	e, err := r.firstLine(line)
	switch {
	case err != nil:
		return err
	case found.chain != "" && found.chain != e.Chain:
		return &BrokenError{File: r.file.Name(), Line: r.line, Seq: e.Seq, Problem: anotherChain(e.Chain, found.chain)}
	case r.line == 1:
		found.began = e.Observed.Time()
	}
	if found.prev == "" {
		found.prev = e.Prev
	}
	found.chain = e.Chain
	if e.Anchor != "" {
		found.anchor = e.Anchor
	}
	return nil
}

// locate finds where the journal begins, and what a crash kept retention from
// removing: the newest anchor names the last record that is gone, or about to
// go. Without one, nothing may be missing.
func (found *recovered) locate(dir string) error {
	anchor := mark{hash: noHash}
	if found.anchor != "" {
		var err error
		if anchor, err = parseAnchor(found.anchor); err != nil {
			return &BrokenError{File: segmentPath(dir, found.end.segment), Problem: err.Error()}
		}
	}
	first := found.end.segment
	if len(found.sealed) > 0 {
		first = found.sealed[0].first
	}
	switch {
	case first > anchor.seq+1:
		return unvouched(dir, anchor.seq+1, first)
	case first == anchor.seq+1:
		found.begin = anchor
		if found.prev != "" && found.prev != anchor.hash {
			return otherBeginning(dir, anchor, found.prev)
		}
		return nil
	}
	if !slices.ContainsFunc(found.sealed, func(s sealed) bool { return s.last == anchor }) {
		return &BrokenError{
			File: segmentPath(dir, first), Seq: first,
			Problem: fmt.Sprintf("retention has removed the records through %s, but no segment ends there", anchor),
		}
	}
	found.begin = mark{seq: first - 1, hash: found.prev}
	found.removal = &removal{through: anchor}
	return nil
}

// otherBeginning is the error for a first record that does not follow the
// anchor.
func otherBeginning(dir string, anchor mark, prev string) error {
	return &BrokenError{
		File: segmentPath(dir, anchor.seq+1), Line: 1, Seq: anchor.seq + 1,
		Problem: fmt.Sprintf("prev is %s, but the last record that retention removed has the hash %s", prev, anchor.hash),
	}
}

// unvouched is the error for records from one seq up to before another, that
// are missing at the beginning of the journal.
func unvouched(dir string, from, first uint64) error {
	return &BrokenError{
		File: segmentPath(dir, from), Seq: from,
		Problem: fmt.Sprintf("the records %d to %d are missing, and no retention record says that they were removed", from, first-1),
	}
}

// maxTorn is more than a crash can leave behind the last record: a group has no
// more than what may wait and a line.
const maxTorn = 2 * (maxPending + maxLine)

// isTorn says whether what stopped r is the last line of the file, as a crash
// can leave it: not whole, and no other line behind it.
func isTorn(err error, r *segmentReader, size int64) bool {
	var broken *BrokenError
	if !errors.As(err, &broken) || !broken.torn || size-r.off > maxTorn {
		return false
	}
	rest := io.NewSectionReader(r.file, r.off, size-r.off-1) // All but the last byte, which may be its newline.
	chunk := make([]byte, readChunk)
	for {
		n, err := rest.Read(chunk)
		if bytes.IndexByte(chunk[:n], '\n') >= 0 {
			return false
		}
		if err != nil {
			return errors.Is(err, io.EOF)
		}
	}
}
