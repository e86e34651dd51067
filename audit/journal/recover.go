package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"zkwarden/audit"
)

// recovered is what the files of a journal prove.
type recovered struct {
	end   position
	chain string // Empty while there is no first record.
	older int64  // Bytes in the segments before the last.
	torn  int64  // Bytes behind the end that a crash left.
	head  *markFile
}

// recoverDir reads the last segment of the journal in dir and checks it
// against itself, the segment before and the head. It changes nothing but
// that it makes the files of a new journal.
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

// openHead opens the head file, which is older than the first segment.
func openHead(dir string, isNew bool) (*markFile, mark, error) {
	path := filepath.Join(dir, "head")
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
		return recovered{end: position{mark: mark{hash: noHash}, segment: 1}}, nil
	}
	if first := segments[0].first; first != 1 {
		return recovered{}, &BrokenError{
			File: segmentPath(dir, 1), Seq: 1,
			Problem: fmt.Sprintf("the file is missing, the first one begins at seq %d", first),
		}
	}
	var found recovered
	prev, n := noHash, len(segments)
	if n > 1 {
		anchor, err := lastHash(dir, segments[n-2], segments[n-1].first)
		if err != nil {
			return recovered{}, err
		}
		prev = anchor
		for _, s := range segments[:n-1] {
			found.older += s.size
		}
	}
	if err := found.scan(dir, segments[n-1], prev, head); err != nil {
		return recovered{}, err
	}
	chain, err := chainID(dir, segments[0], found.end)
	found.chain = chain
	return found, err
}

// lastHash returns the hash of the last line of a segment, which has to be
// the one before the seq next.
func lastHash(dir string, s stored, next uint64) (string, error) {
	r, err := openSegment(dir, s.first, "")
	if err != nil {
		return "", err
	}
	defer r.close()
	for {
		_, err := r.next(s.size)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
	}
	if r.last.seq+1 != next {
		return "", r.broken(false, "the segment ends, but the next one begins at seq %d", next)
	}
	return r.last.hash, nil
}

// scan reads the last segment to its end.
func (found *recovered) scan(dir string, s stored, prev string, head mark) error {
	r, err := openSegment(dir, s.first, prev)
	if err != nil {
		return err
	}
	defer r.close()
	for {
		if r.last.seq == head.seq && r.last != head {
			return &BrokenError{
				File: r.file.Name(), Line: r.line, Seq: head.seq,
				Problem: fmt.Sprintf("the line's hash is %s, but the head says %s", r.last.hash, head.hash),
			}
		}
		if _, err = r.next(s.size); err != nil {
			break
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

// isTorn says whether what stopped r is the last line of the file, as a crash
// can leave it: not whole, and no other line behind it.
func isTorn(err error, r *segmentReader, size int64) bool {
	var broken *BrokenError
	if !errors.As(err, &broken) || !broken.torn {
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

// chainID reads the chain id from the first record.
func chainID(dir string, s stored, end position) (string, error) {
	if end.seq == 0 {
		return "", nil
	}
	r, err := openSegment(dir, s.first, noHash)
	if err != nil {
		return "", err
	}
	defer r.close()
	line, err := r.next(s.size)
	if err != nil {
		return "", err
	}
	e, err := Decode(audit.Line{Seq: s.first, JSON: line})
	if err != nil || e.Chain == "" {
		return "", &BrokenError{File: r.file.Name(), Line: 1, Seq: s.first, Problem: "the first record has no chain id"}
	}
	return e.Chain, nil
}
