package txnlog

import (
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"math"
)

// probeBudget bounds the bytes that are summed while a whole record is looked
// for behind damage; it is several times what a file of ZooKeeper's default
// size takes.
const probeBudget = 1 << 30

// maxPadding is the longest padding that is read to its end. By default a server
// pads by 64 MiB (preAllocSize).
const maxPadding = 4 << 30

// End tells how a file ends that will not grow any more: nil when nothing but
// padding follows the last record, ErrTorn when a record is half there and
// nothing behind it can be read, ErrCorrupt when a whole record follows. It
// can be asked after Next returned false, and returns Err when there is one. A
// record that a server has written since is not damage; Next returns it.
func (r *Reader) End() error {
	if r.err != nil {
		return r.err
	}
	r.forget()
	rest := *r
	rest.buf = nil
	from, err := rest.nonZero()
	if err != nil || from < 0 {
		return err
	}
	// Checksum and length of a record may begin with zeros.
	rest.off = max(r.off, rest.off-frontSize)
	rest.forget()
	found, err := rest.probe()
	switch {
	case err != nil:
		return err
	case found == r.off:
		return nil
	case found >= 0:
		return r.broken(ErrCorrupt, fmt.Sprintf("it can't be read, but the record at offset %d can", found))
	}
	return r.broken(ErrTorn, fmt.Sprintf("bytes from offset %d on are no whole record", from))
}

// nonZero goes to the first byte that is not zero, and returns its offset, or
// -1 at the end of the file.
func (r *Reader) nonZero() (int64, error) {
	for end := r.off + r.padding; ; {
		if r.off >= end {
			return -1, r.broken(ErrCorrupt, fmt.Sprintf("more than %d bytes of padding follow", r.padding))
		}
		chunk, err := r.peek(1)
		if err != nil || len(chunk) == 0 {
			return -1, err
		}
		for r.lo < r.hi {
			if r.buf[r.lo] != 0 {
				return r.off, nil
			}
			zeros := 1
			if r.hi-r.lo >= traceSize && allZero(r.buf[r.lo:r.lo+traceSize]) {
				zeros = traceSize
			}
			r.skip(zeros)
		}
	}
}

// probe looks for a record that is whole, and returns its offset, or -1.
func (r *Reader) probe() (int64, error) {
	budget := int64(probeBudget)
	for {
		front, err := r.peek(frontSize)
		if err != nil || len(front) < frontSize {
			return -1, err
		}
		sum, length := binary.BigEndian.Uint64(front), int(int32(binary.BigEndian.Uint32(front[8:])))
		if sum <= math.MaxUint32 && length >= txnMinSize && length <= r.max {
			record, err := r.peek(frontSize + length + 1)
			if err != nil {
				return -1, err
			}
			if len(record) == frontSize+length+1 && record[len(record)-1] == endOfRec {
				payload := record[frontSize : len(record)-1]
				if adler32.Checksum(payload) == uint32(sum) {
					return r.off, nil
				}
				if budget -= int64(length); budget < 0 {
					return -1, nil
				}
			}
		}
		r.skip(1)
	}
}
