package txnlog

import (
	"encoding/binary"
	"fmt"
)

// decoder reads ZooKeeper's jute encoding, big-endian, from bytes that it
// lends to what it decodes. The first error sticks; what is read after it is
// zero.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
		d.rest = nil
	}
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.rest) {
		d.fail("a field of %d bytes where %d are left", n, len(d.rest))
		return nil
	}
	taken := d.rest[:n:n]
	d.rest = d.rest[n:]
	return taken
}

func (d *decoder) bool() bool {
	b := d.take(1)
	return b != nil && b[0] != 0
}

func (d *decoder) int32() int32 {
	if b := d.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (d *decoder) int64() int64 { return int64(d.uint64()) }

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// buffer returns nil for the length -1, which is null, and never otherwise
// while there is no error.
func (d *decoder) buffer() []byte {
	n := d.int32()
	if n == -1 {
		return nil
	}
	return d.take(int(n))
}

// count reads the length of a vector whose elements take at least size bytes
// each. Null is 0, as ZooKeeper takes it.
func (d *decoder) count(size int) int {
	n := d.int32()
	if n == -1 {
		return 0
	}
	if n < 0 || int(n) > len(d.rest)/size {
		d.fail("a vector of %d elements where %d bytes are left", n, len(d.rest))
		return 0
	}
	return int(n)
}
