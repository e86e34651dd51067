package journal

import (
	"errors"
	"io"
	"os"
)

// follow yields what is appended behind the last line, through rotation and
// retention, until ctx ends.
func (b *browser) follow() error {
	for {
		r, err := b.current()
		if err != nil {
			return err
		}
		if r == nil {
			if err := b.pause(); err != nil {
				return err
			}
			continue
		}
		err = b.followSegment(r)
		r.close()
		if err != nil {
			return err
		}
	}
}

// current opens the segment that holds the next line, behind the last one, or
// returns nil while there is none.
func (b *browser) current() (*segmentReader, error) {
	segments, err := listSegments(b.dir)
	if err != nil || len(segments) == 0 {
		return nil, err
	}
	if next := b.last.seq + 1; segments[0].first > next {
		if err := b.removed(); err != nil {
			return nil, err
		}
	}
	first := segments[0].first
	for _, s := range segments {
		if s.first <= b.last.seq+1 {
			first = s.first
		}
	}
	if first == b.last.seq+1 {
		return b.open(first)
	}
	r, err := openSegment(b.dir, first, "")
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return r, b.forward(r)
}

// forward goes behind the last line that was yielded.
func (b *browser) forward(r *segmentReader) error {
	size, err := r.size()
	for err == nil && r.last.seq < b.last.seq {
		var broken *BrokenError
		if _, err = r.next(size); errors.As(err, &broken) {
			err = r.skip(b.ctx, size) // It was told of before.
		}
	}
	if errors.Is(err, io.EOF) {
		return r.broken(false, "the journal ends, although the records through seq %d were read before", b.last.seq)
	}
	if err == nil && b.last.hash != "" && b.last != r.last {
		return r.broken(false, "the records before it are not those that were read")
	}
	return err
}

// followSegment yields lines until the segment is closed and read.
func (b *browser) followSegment(r *segmentReader) error {
	for {
		_, err := os.Stat(segmentPath(b.dir, r.last.seq+1))
		closed := err == nil && r.line > 0 // Before the size is asked for: what comes behind it stands in the next segment.
		size, err := r.size()
		if err != nil {
			return err
		}
		if size < r.off {
			return r.broken(false, "the file was cut back from %d to %d bytes behind what was read", r.off, size)
		}
		r.lo, r.hi = 0, 0 // What was there of a line may have been written anew.
		if err := b.readTo(r, size, closed); err != nil {
			return err
		}
		if closed {
			return nil
		}
		if err := b.pause(); err != nil {
			return err
		}
		gone, err := b.overtaken(r)
		if gone || err != nil {
			return err
		}
	}
}

// overtaken says whether the segment was removed while it was read, and the
// one behind it too.
func (b *browser) overtaken(r *segmentReader) (bool, error) {
	if _, err := os.Stat(r.file.Name()); !errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	size, err := r.size()
	return size == r.off, err
}

// readTo yields the lines before size. A line that is not whole is waited for,
// unless the segment gets no more.
func (b *browser) readTo(r *segmentReader, size int64, closed bool) error {
	for {
		line, err := r.next(size)
		if errors.Is(err, io.EOF) || !closed && isTorn(err, r, size) {
			return nil
		}
		if err := b.handle(r, line, err, size); err != nil {
			return err
		}
	}
}
