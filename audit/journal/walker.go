package journal

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// position is the end of the durable records.
type position struct {
	mark
	segment uint64 // First seq of the segment that holds the end.
	size    int64  // Bytes of that segment up to the end.
}

// walker reads durable lines from one place on, through all segments. It may
// go on while the journal grows: each call says how far the journal is then.
type walker struct {
	dir     string
	segment *segmentReader
	sealed  int64 // Size of segment once another one follows it; 0 when not known yet.
}

// openWalker places a walker behind the line after, which it reads, so that
// its hash is known. Nothing at or before begin is there to be read.
func openWalker(dir string, after uint64, begin mark, end position) (*walker, error) {
	switch {
	case after > end.seq:
		return nil, fmt.Errorf("the journal ends at seq %d, before %d", end.seq, after)
	case after < begin.seq:
		return nil, fmt.Errorf("retention removed the records through seq %d, but those behind %d are asked for", begin.seq, after)
	}
	segments, err := listSegments(dir)
	if err != nil {
		return nil, err
	}
	first, prev := begin.seq+1, begin.hash
	for _, s := range segments {
		if s.first <= after && s.first > first {
			first, prev = s.first, ""
		}
	}
	r, err := openSegment(dir, first, prev)
	if err != nil {
		return nil, err
	}
	w := &walker{dir: dir, segment: r}
	for w.last().seq < after {
		if _, err := w.next(end); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

// last is the place behind which the walker stands.
func (w *walker) last() mark { return w.segment.last }

// next returns the next line, valid until the next call, or io.EOF at the end.
func (w *walker) next(end position) ([]byte, error) {
	if w.last().seq == end.seq {
		return nil, io.EOF
	}
	for {
		limit, err := w.limit(end)
		if err != nil {
			return nil, err
		}
		line, err := w.segment.next(limit)
		if !errors.Is(err, io.EOF) {
			return line, err
		}
		if w.segment.first == end.segment {
			return nil, w.segment.broken(false, "the journal ends, although it reached seq %d", end.seq)
		}
		if err := w.advance(); err != nil {
			return nil, err
		}
	}
}

func (w *walker) limit(end position) (int64, error) {
	if w.segment.first == end.segment {
		return end.size, nil
	}
	if w.sealed == 0 {
		size, err := w.segment.size()
		if err != nil {
			return 0, err
		}
		w.sealed = size
	}
	return w.sealed, nil
}

// advance goes to the segment that begins behind the last line.
func (w *walker) advance() error {
	first := w.last().seq + 1
	r, err := openSegment(w.dir, first, w.last().hash)
	if errors.Is(err, os.ErrNotExist) {
		return &BrokenError{File: segmentPath(w.dir, first), Seq: first, Problem: "the segment is missing"}
	}
	if err != nil {
		return err
	}
	w.segment.close()
	w.segment, w.sealed = r, 0
	return nil
}

func (w *walker) close() { w.segment.close() }
