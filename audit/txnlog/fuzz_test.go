package txnlog

import (
	"bytes"
	"hash/adler32"
	"testing"
)

// use does with a transaction what callers do.
func use(txn *Txn, table *Ephemerals, digests *Digests) {
	kept := txn.Clone()
	for _, op := range table.Changes(kept) {
		digests.Change(kept.Header, op)
	}
	_ = kept.Type.String()
}

// FuzzReader reads files that are anything. What it accepts has the checksum
// that the file says, and End is the last word on what follows.
func FuzzReader(f *testing.F) {
	whole, begins := threeRecords()
	f.Add(whole)
	f.Add(padded(whole, 100))
	f.Add(padded(whole[:begins[2]+20], 100))
	f.Add(append(padded(whole, 100), record(createTxn(9, "/x", ""))...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, file []byte) {
		r := NewReader("log.1", bytes.NewReader(file))
		table, digests, at := &Ephemerals{}, NewDigests(), int64(headerSize)
		for r.Next() {
			use(r.Record(), table, digests)
			entry := file[at:r.Offset()]
			if end := len(entry) - 1; entry[end] != endOfRec || adler32.Checksum(entry[frontSize:end]) != uint32(bytesToInt(entry[:8])) {
				t.Errorf("the record at %d is accepted", at)
			}
			at = r.Offset()
		}
		if err := r.End(); r.Err() != nil && err == nil {
			t.Errorf("Err() = %v, End() = %v", r.Err(), err)
		}
	})
}

func bytesToInt(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// FuzzTransaction decodes payloads that are anything.
func FuzzTransaction(f *testing.F) {
	f.Add([]byte(createTxn(1, "/a", "one").digest(1)))
	f.Add([]byte(header(1, TypeMulti).i32(2).i32(int32(TypeError)).i32(4).i32(-1).i32(int32(TypeDelete)).i32(6).str("/a").digest(5)))
	f.Add([]byte(header(1, TypeCloseSession).i32(1).str("/a").digest(1)))
	f.Add([]byte(header(1, TypeSetACL).str("/a").world().i32(1)))
	f.Add([]byte(header(1, TypeCreateTTL).str("/a").str("").world().i32(1).i64(5)))
	f.Fuzz(func(t *testing.T, payload []byte) {
		r := NewReader("log.1", bytes.NewReader(logFile(payload, createTxn(7, "/after", ""))))
		if !r.Next() {
			if r.Err() == nil && len(payload) > 0 {
				t.Error("a whole record is not there yet")
			}
			return
		}
		use(r.Record(), &Ephemerals{}, NewDigests())
		if !r.Next() || r.Record().Zxid != 7 {
			t.Errorf("the record after it: %v", r.Err())
		}
	})
}

// FuzzSnapshot reads snapshots that are anything.
func FuzzSnapshot(f *testing.F) {
	small := builder(magicSnapshot).i32(2).i64(-1).i32(1).i64(1).i32(1).i32(1).i64(1).world().node("", "", 1, 0).node("/a", "b", noACL, 1).str("/").seal()
	f.Add([]byte(small), false)
	f.Add([]byte(small.i64(1).i32(2).i64(3).seal()), false)
	f.Add(xerial(literal(small)), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, file []byte, compressed bool) {
		in := bytes.NewReader(file)
		s, err := NewSnapshot("snapshot.1", in)
		if compressed {
			s, err = NewSnapshot("snapshot.1", newSnappyReader(in))
		}
		digests := NewDigests()
		for err == nil && s.Next() {
			digests.Add(s.Node())
		}
		if err == nil && s.Err() == nil && digests.Len() > len(file)+2 && !compressed {
			t.Errorf("%d znodes in %d bytes", digests.Len(), len(file))
		}
	})
}

// FuzzSnappy decompresses blocks that are anything.
func FuzzSnappy(f *testing.F) {
	f.Add([]byte{65, 0, 'z', 63<<2 | 2, 1, 0})
	f.Add(literal([]byte("literal")))
	f.Fuzz(func(t *testing.T, block []byte) {
		if out, err := unsnap(nil, block); err == nil && len(out) > maxSnappyBlock {
			t.Errorf("%d bytes", len(out))
		}
	})
}
