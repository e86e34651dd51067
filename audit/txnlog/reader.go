package txnlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"math"
)

// DefaultMaxLength is the longest payload that is read unless [Reader.Limit]
// says otherwise. ZooKeeper itself refuses, when it reads its log, what is
// above twice its jute.maxbuffer, which is 1 MiB by default.
const DefaultMaxLength = 64 << 20

const (
	magicLog   = "ZKLG"    // Format version 2 follows.
	headerSize = 4 + 4 + 8 // Magic, version, database id.

	frontSize  = 8 + 4                  // Checksum and length, before a payload.
	endOfRec   = 'B'                    // The byte behind it.
	txnMinSize = 8 + 4 + 8 + 8 + 4      // The header of a transaction.
	traceSize  = frontSize + txnMinSize // No record begins with so many zeros.

	firstRead = 4 << 10   // Bytes read at first where there was nothing before.
	fullRead  = 256 << 10 // Bytes read at once when there is much.
)

// Reader reads the transactions of one log file, which may still be written.
//
//	for r.Next() {
//		use(r.Record())
//	}
//	err := r.Err()
//
// When Next returns false and Err nil there is no further record yet: the
// padding begins, or a record is half written. Next can be called again, and
// looks at the file again. Who knows that the file will not grow asks [Reader.End]
// whether it ends as it should. An error of Err is final.
type Reader struct {
	name string
	src  io.ReaderAt
	max  int

	padding int64 // The longest that is read to its end.

	buf    []byte
	lo, hi int   // buf[lo:hi] is what was read of the file, from off.
	step   int   // Bytes to read next.
	off    int64 // Where the next record begins.
	err    error

	decoder txnDecoder
	txn     *Txn
	count   int             // Records so far.
	at      int64           // Where the last one begins.
	front   [frontSize]byte // What it begins with.
}

// NewReader reads src from its beginning; name is for errors.
func NewReader(name string, src io.ReaderAt) *Reader {
	return &Reader{name: name, src: src, max: DefaultMaxLength, padding: maxPadding, step: firstRead}
}

// Limit refuses payloads longer than n bytes from now on.
func (r *Reader) Limit(n int) { r.max = min(n, math.MaxInt32) }

// Record returns the transaction that Next found. It is valid until the next
// Next, and so is everything that it refers to.
func (r *Reader) Record() *Txn { return r.txn }

// Err returns what ended the reading for good: a [FileError], or the error of
// the file.
func (r *Reader) Err() error { return r.err }

// Offset is where the last valid record ends, in bytes from the beginning of
// the file.
func (r *Reader) Offset() int64 { return r.off }

// Next goes to the next record. It returns false when there is none yet, or
// when Err is not nil.
func (r *Reader) Next() bool {
	r.txn = nil
	if r.err != nil {
		return false
	}
	if r.off == 0 && !r.open() {
		return false
	}
	payload, state := r.look()
	if state.damage != "" {
		// A look at what is being written can see an end without its
		// beginning. Whatever is behind the record now was there before this
		// second look, and so is all of the record.
		r.forget()
		payload, state = r.look()
	}
	switch {
	case state.err != nil:
		r.err = state.err
	case state.damage != "":
		r.err = r.broken(ErrCorrupt, state.damage)
	case payload != nil:
		return r.accept(payload)
	}
	// What was read behind the last record is no longer true next time.
	r.forget()
	return false
}

// accept decodes a payload whose checksum is right.
func (r *Reader) accept(payload []byte) bool {
	txn, err := r.decoder.decode(payload)
	if err != nil {
		kind := ErrCorrupt
		if errors.Is(err, errUnknownType) {
			kind = ErrUnsupported
		}
		r.err = r.broken(kind, err.Error())
		return false
	}
	r.txn, r.at = txn, r.off
	r.count++
	copy(r.front[:], r.buf[r.lo:])
	r.skip(frontSize + len(payload) + 1)
	return true
}

// open checks the header of the file. There is none yet, or half of one, in a
// file that was just made.
func (r *Reader) open() bool {
	head, err := r.peek(headerSize)
	right := matching(head, magicLog+"\x00\x00\x00\x02")
	switch {
	case err != nil:
		r.err = err
	case right < 8 && allZero(head[right:]), right == 8 && len(head) < headerSize:
		r.forget()
	case right < 4:
		r.err = r.broken(ErrCorrupt, fmt.Sprintf("it begins with %q, not %q", head[:min(4, len(head))], magicLog))
	case right < 8:
		r.err = r.broken(ErrUnsupported, fmt.Sprintf("the format version is %x, not 00000002", head[4:min(8, len(head))]))
	default:
		r.skip(headerSize)
		return true
	}
	return false
}

// matching counts the bytes that both begin with.
func matching(b []byte, s string) (n int) {
	for n < len(b) && n < len(s) && b[n] == s[n] {
		n++
	}
	return n
}

// state is what a look found in place of a payload: nothing yet when it is
// empty.
type state struct {
	damage string
	err    error
}

// look finds the payload of the record at off. Writers write from front to
// back: what is half written has nothing but zeros behind it.
func (r *Reader) look() ([]byte, state) {
	front, err := r.peek(frontSize)
	if err != nil || len(front) < frontSize {
		return nil, state{err: err}
	}
	sum, length := binary.BigEndian.Uint64(front), int32(binary.BigEndian.Uint32(front[8:]))
	switch {
	case sum > math.MaxUint32:
		return nil, state{damage: fmt.Sprintf("checksum %#x has more than 32 bits", sum)}
	case length < 0 || int(length) > r.max:
		return nil, state{damage: fmt.Sprintf("length %d is not within 0 and %d", length, r.max)}
	case length == 0:
		return r.unless(frontSize, "length 0 before a record")
	}
	size := frontSize + int(length) + 1
	record, err := r.peek(size)
	if err != nil || len(record) < size {
		return nil, state{err: err}
	}
	payload, end := record[frontSize:size-1:size-1], record[size-1]
	computed := adler32.Checksum(payload)
	switch {
	case end == endOfRec && computed == uint32(sum):
		return payload, state{}
	case end == endOfRec:
		return nil, state{damage: fmt.Sprintf("checksum is %#x, the record's says %#x", computed, sum)}
	case end != 0:
		return nil, state{damage: fmt.Sprintf("byte %#x at the end of a record of %d bytes", end, length)}
	}
	return r.unless(size, fmt.Sprintf("no end to a record of %d bytes", length))
}

// unless calls it damage if anything but zeros is where the next record would
// begin, after n bytes.
func (r *Reader) unless(n int, damage string) ([]byte, state) {
	behind, err := r.peek(n + traceSize)
	if err == nil && !allZero(behind[min(n, len(behind)):]) {
		return nil, state{damage: damage}
	}
	return nil, state{err: err}
}

// peek returns the next n bytes from off without going past them, fewer at the
// end of the file. Memory grows with what the file has, not with n.
func (r *Reader) peek(n int) ([]byte, error) {
	for r.hi-r.lo < n {
		r.room()
		read, err := r.src.ReadAt(r.buf[r.hi:min(len(r.buf), r.hi+r.step)], r.off+int64(r.hi-r.lo))
		r.hi += read
		r.step = min(4*r.step, fullRead)
		if err == io.EOF && read == 0 {
			break
		}
		if err != nil && err != io.EOF {
			return nil, fmt.Errorf("read %s at offset %d: %w", r.name, r.off, err)
		}
	}
	return r.buf[r.lo:min(r.lo+n, r.hi)], nil
}

// room makes the buffer have some behind hi.
func (r *Reader) room() {
	switch {
	case r.hi < len(r.buf):
		return
	case r.lo > len(r.buf)/2 && len(r.buf) >= r.step:
		r.hi = copy(r.buf, r.buf[r.lo:r.hi])
	default:
		grown := make([]byte, max(r.step, 2*(r.hi-r.lo)))
		r.hi = copy(grown, r.buf[r.lo:r.hi])
		r.buf = grown
	}
	r.lo = 0
}

// same tells whether the last record still begins as it did when it was read.
func (r *Reader) same() (bool, error) {
	if r.count == 0 {
		return true, nil
	}
	var now [frontSize]byte
	if _, err := r.src.ReadAt(now[:], r.at); err != nil && err != io.EOF {
		return false, fmt.Errorf("read %s at offset %d: %w", r.name, r.at, err)
	}
	return now == r.front, nil
}

func (r *Reader) skip(n int) {
	r.lo += n
	r.off += int64(n)
}

// forget drops what was read behind off.
func (r *Reader) forget() {
	r.lo, r.hi, r.step = 0, 0, firstRead
	if len(r.buf) > 8*fullRead {
		r.buf = nil
	}
}

func (r *Reader) broken(kind error, detail string) error {
	return &FileError{File: r.name, Offset: r.off, Kind: kind, Detail: detail}
}

func allZero(b []byte) bool {
	for len(b) >= 8 {
		if binary.NativeEndian.Uint64(b) != 0 {
			return false
		}
		b = b[8:]
	}
	return len(bytes.TrimLeft(b, "\x00")) == 0
}
