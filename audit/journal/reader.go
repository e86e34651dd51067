package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

const readChunk = 256 << 10 // Bytes read at once, unless a line is longer.

// segmentReader reads the lines of one segment in order and checks each
// against its own hash and the line before it.
type segmentReader struct {
	first uint64
	file  *os.File
	last  mark  // The last line that was checked; its hash is empty when none is known.
	line  int   // Number of that line in the file.
	off   int64 // Where the next line begins.

	buf    []byte // What was read of the file: buf[lo:hi] begins at off.
	lo, hi int
}

// openSegment reads from the first line of a segment, which has to follow
// prev: the hash of the line before, or empty where that is not known.
func openSegment(dir string, first uint64, prev string) (*segmentReader, error) {
	file, err := openFile(segmentPath(dir, first), os.O_RDONLY)
	if err != nil {
		if broken, ok := errors.AsType[*BrokenError](err); ok {
			broken.Seq = first
		}
		return nil, fmt.Errorf("open segment: %w", err)
	}
	return &segmentReader{
		first: first, file: file, last: mark{seq: first - 1, hash: prev},
	}, nil
}

// next returns the next line, valid until it is called again. It looks at no
// byte at or behind limit. The error is io.EOF when there is nothing before
// it, and a *BrokenError when what is there is not the next line; off stays
// then.
func (r *segmentReader) next(limit int64) ([]byte, error) {
	line, err := r.find(limit)
	if err != nil {
		return nil, err
	}
	rec, err := parseLine(line)
	if err != nil {
		return nil, r.broken(true, "the line %v", err)
	}
	if rec.seq != r.last.seq+1 {
		return nil, r.broken(false, "the line has seq %d", rec.seq)
	}
	if r.last.hash != "" && string(rec.prev) != r.last.hash {
		return nil, r.broken(false, "the line follows another line than the one before it: prev is %q, but that line's hash is %s",
			rec.prev, r.last.hash)
	}
	r.last = mark{seq: rec.seq, hash: string(rec.hash)}
	r.line++
	r.off += int64(len(line)) + 1
	r.lo += len(line) + 1
	return line, nil
}

// find returns the bytes from off to the next newline.
func (r *segmentReader) find(limit int64) ([]byte, error) {
	for scanned := 0; ; {
		window := r.buf[r.lo:r.hi]
		if i := bytes.IndexByte(window[scanned:], '\n'); i >= 0 {
			return window[:scanned+i], nil
		}
		scanned = len(window)
		if r.off+int64(scanned) >= limit {
			if scanned == 0 {
				return nil, io.EOF
			}
			return nil, r.broken(true, "the line does not end")
		}
		if scanned > maxLine {
			return nil, r.broken(true, "the line is longer than %d bytes", maxLine)
		}
		if err := r.fill(limit); err != nil {
			return nil, err
		}
	}
}

// fill reads more behind buf[lo:hi], which moves to the front.
func (r *segmentReader) fill(limit int64) error {
	r.hi = copy(r.buf, r.buf[r.lo:r.hi])
	r.lo = 0
	at := r.off + int64(r.hi)
	if r.hi == len(r.buf) {
		more := max(len(r.buf), int(min(readChunk, limit-at)))
		r.buf = append(r.buf, make([]byte, more)...)
	}
	room := min(int64(len(r.buf)-r.hi), limit-at)
	n, err := r.file.ReadAt(r.buf[r.hi:r.hi+int(room)], at)
	r.hi += n
	if n > 0 || err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return r.broken(false, "the file has only %d of at least %d bytes", at, limit)
	}
	return fmt.Errorf("read segment: %w", err)
}

// skip goes behind the damage that next has found. A line that proves itself
// is no damage, only the place where the chain is broken: next returns it.
func (r *segmentReader) skip(ctx context.Context, limit int64) error {
	line, err := r.find(limit)
	if err == nil {
		if rec, err := parseLine(line); err == nil {
			r.last = mark{seq: rec.seq - 1}
			return nil
		}
	}
	r.last = mark{seq: r.last.seq + 1}
	r.line++
	chunk := make([]byte, readChunk)
	for r.lo, r.hi = 0, 0; r.off < limit; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.file.ReadAt(chunk[:min(int64(len(chunk)), limit-r.off)], r.off)
		if i := bytes.IndexByte(chunk[:n], '\n'); i >= 0 {
			r.off += int64(i) + 1
			return nil
		}
		r.off += int64(n)
		if n == 0 && errors.Is(err, io.EOF) {
			r.off = limit // The file is shorter than it was.
		} else if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read segment: %w", err)
		}
	}
	return nil
}

func (r *segmentReader) broken(torn bool, format string, args ...any) *BrokenError {
	return &BrokenError{
		File: r.file.Name(), Line: r.line + 1, Seq: r.last.seq + 1,
		Problem: fmt.Sprintf(format, args...), torn: torn,
	}
}

func (r *segmentReader) size() (int64, error) {
	info, err := r.file.Stat()
	if err != nil {
		return 0, fmt.Errorf("read segment: %w", err)
	}
	return info.Size(), nil
}

func (r *segmentReader) close() {
	_ = r.file.Close() // It was only read.
}
