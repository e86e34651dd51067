package txnlog

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/adler32"
	"io"
)

const streamBuffer = 64 << 10

// summed reads jute from a stream, and sums the bytes that it reads. The first
// error sticks; what is read after it is zero.
type summed struct {
	in  *bufio.Reader
	sum hash.Hash32
	off int64
	err error
	buf []byte // What bytes and nullable lent.
}

func newSummed(r io.Reader) summed {
	return summed{in: bufio.NewReaderSize(r, streamBuffer), sum: adler32.New()}
}

// errLength is a length that no field can have.
var errLength = errors.New("length")

// explain says what err means for the file: it is cut short, or it is wrong.
func (s *summed) explain(name string) error {
	kind := ErrCorrupt
	switch {
	case errors.Is(s.err, io.EOF) || errors.Is(s.err, io.ErrUnexpectedEOF):
		kind = ErrTorn
	case !errors.Is(s.err, errLength) && !isFormat(s.err):
		return fmt.Errorf("read %s at offset %d: %w", name, s.off, s.err)
	}
	return &FileError{File: name, Offset: s.off, Kind: kind, Detail: s.err.Error()}
}

// take returns the next n bytes, which are few, until the next call.
func (s *summed) take(n int) []byte {
	if s.err != nil {
		return nil
	}
	b, err := s.in.Peek(n)
	if err != nil {
		s.err = err
		return nil
	}
	_, _ = s.sum.Write(b) // A hash has no errors.
	s.off += int64(n)
	_, s.err = s.in.Discard(n)
	return b
}

func (s *summed) int32() int32 {
	if b := s.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (s *summed) int64() int64 { return int64(s.uint64()) }

func (s *summed) uint64() uint64 {
	if b := s.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// span is a part of what was lent.
type span struct{ from, to int }

// lend ends the life of what was lent before.
func (s *summed) lend() {
	if s.buf = s.buf[:0]; cap(s.buf) > 8*fullRead {
		s.buf = nil
	}
}

func (s *summed) lent(part span) []byte { return s.buf[part.from:part.to:part.to] }

// nullable reads a length, and as many bytes. Memory grows with what is there,
// not with the length.
func (s *summed) nullable() (part span, null bool) {
	n := int(s.int32())
	part = span{len(s.buf), len(s.buf)}
	if s.err != nil || n == -1 {
		return part, true
	}
	if n < 0 || n > DefaultMaxLength {
		s.err = fmt.Errorf("%w %d is not within 0 and %d", errLength, n, DefaultMaxLength)
		return part, true
	}
	for n > 0 && s.err == nil {
		piece := s.take(min(n, streamBuffer))
		s.buf = append(s.buf, piece...)
		n -= len(piece)
	}
	part.to = len(s.buf)
	return part, false
}

func (s *summed) bytes() span {
	part, _ := s.nullable()
	return part
}

// copied reads bytes that stay.
func (s *summed) copied() []byte {
	s.lend()
	return append([]byte{}, s.lent(s.bytes())...)
}

// left tells how many bytes there still are, at most n+1.
func (s *summed) left(n int) int {
	if s.err != nil {
		return 0
	}
	b, err := s.in.Peek(n + 1)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return len(b)
}
