package txnlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// snappyMagic begins a stream of snappy-java's SnappyOutputStream, which is
// not the framing that the snappy project defines. Version and least
// compatible version follow, then blocks: int32 length, and as many bytes of
// raw snappy.
const snappyMagic = "\x82SNAPPY\x00"

// maxSnappyBlock bounds a block, before and after. The writer's are of 32 KiB.
const maxSnappyBlock = 1 << 20

// errSnappy is the reason of an ErrCorrupt.
var errSnappy = errors.New("snappy")

// snappyReader decompresses one block at a time.
type snappyReader struct {
	in    io.Reader
	begun bool
	block []byte // The compressed block.
	out   []byte // What it holds.
	rest  []byte // What of it was not read.
}

func newSnappyReader(in io.Reader) *snappyReader { return &snappyReader{in: in} }

func (s *snappyReader) Read(p []byte) (int, error) {
	if !s.begun {
		var head [len(snappyMagic) + 4 + 4]byte
		if _, err := io.ReadFull(s.in, head[:]); err != nil {
			return 0, err
		}
		if string(head[:len(snappyMagic)]) != snappyMagic {
			return 0, fmt.Errorf("%w: it begins with %q", errSnappy, head[:len(snappyMagic)])
		}
		if compatible := binary.BigEndian.Uint32(head[len(snappyMagic)+4:]); compatible != 1 {
			return 0, fmt.Errorf("%w: version %d is needed", errSnappy, compatible)
		}
		s.begun = true
	}
	for len(s.rest) == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// next decompresses the next block. The end of the stream is the end of the
// file.
func (s *snappyReader) next() error {
	var head [4]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return err
	}
	size := binary.BigEndian.Uint32(head[:])
	if size > maxSnappyBlock {
		return fmt.Errorf("%w: a block of %d bytes", errSnappy, size)
	}
	if uint32(cap(s.block)) < size {
		s.block = make([]byte, size)
	}
	s.block = s.block[:size]
	if _, err := io.ReadFull(s.in, s.block); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	var err error
	s.out, err = unsnap(s.out[:0], s.block)
	s.rest = s.out
	return err
}

// unsnap appends what a raw block holds to dst, which is empty: a varint of
// its size, then elements, each a literal or a copy of what is before.
func unsnap(dst, block []byte) ([]byte, error) {
	size, n := binary.Uvarint(block)
	if n <= 0 || size > maxSnappyBlock {
		return nil, fmt.Errorf("%w: a block without a fitting size", errSnappy)
	}
	block = block[n:]
	for len(block) > 0 {
		length, offset, used := element(block)
		if used > len(block) || len(dst)+length > int(size) {
			return nil, fmt.Errorf("%w: an element goes beyond its block", errSnappy)
		}
		block = block[used:]
		if offset < 0 {
			if length > len(block) {
				return nil, fmt.Errorf("%w: a literal goes beyond its block", errSnappy)
			}
			dst, block = append(dst, block[:length]...), block[length:]
			continue
		}
		if offset == 0 || offset > len(dst) {
			return nil, fmt.Errorf("%w: a copy from before its block", errSnappy)
		}
		// Where a copy overlaps with itself it repeats.
		for length > 0 {
			piece := min(length, offset)
			dst = append(dst, dst[len(dst)-offset:][:piece]...)
			length -= piece
		}
	}
	if len(dst) != int(size) {
		return nil, fmt.Errorf("%w: a block of %d bytes holds %d", errSnappy, size, len(dst))
	}
	return dst, nil
}

// element decodes the tag of an element: how long it is, how far back a copy
// begins (-1 for a literal), and how many bytes the tag has, which may be more
// than there are. Lengths and offsets above a block's are cut to what is still
// refused.
func element(b []byte) (length, offset, used int) {
	number := func(size int) int {
		n := uint64(0)
		for i := 1; i < min(1+size, len(b)); i++ {
			n |= uint64(b[i]) << (8 * (i - 1))
		}
		return int(min(n, maxSnappyBlock+1))
	}
	tag := int(b[0])
	switch tag & 3 {
	case 0:
		if length = tag >> 2; length < 60 {
			return length + 1, -1, 1
		}
		extra := length - 59
		return number(extra) + 1, -1, 1 + extra
	case 1:
		return tag>>2&7 + 4, tag>>5<<8 | number(1), 2
	case 2:
		return tag>>2 + 1, number(2), 3
	}
	return tag>>2 + 1, number(4), 5
}
