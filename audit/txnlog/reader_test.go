package txnlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// zxids reads the whole file, and tells how it ended.
func zxids(file []byte) (got []uint64, end error) {
	r := NewReader("log.1", bytes.NewReader(file))
	for r.Next() {
		got = append(got, r.Record().Zxid)
	}
	return got, r.End()
}

// threeRecords is a file, and where its records begin and it ends.
func threeRecords() (file []byte, begins []int) {
	txns := []builder{createTxn(1, "/a", "one"), createTxn(2, "/b", "two").digest(-5), createTxn(3, "/c", "three").digest(7)}
	for i := range 4 {
		begins = append(begins, len(logFile(txns[:i]...)))
	}
	return logFile(txns...), begins
}

// TestTruncatedAtEveryByte holds a half-written record apart from a damaged one.
func TestTruncatedAtEveryByte(t *testing.T) {
	whole, begins := threeRecords()
	for _, padding := range []int{0, 1, 11, 200, 5000, 300_000} {
		for cut := begins[2]; cut <= len(whole); cut++ {
			file := padded(whole[:cut], padding)
			r := NewReader("log.1", bytes.NewReader(file))
			var got []uint64
			for r.Next() {
				got = append(got, r.Record().Zxid)
			}
			if r.Err() != nil {
				t.Fatalf("cut at %d, %d zeros: Err() = %v", cut, padding, r.Err())
			}
			want, torn := []uint64{1, 2}, cut > begins[2]
			if cut == len(whole) {
				want, torn = append(want, 3), false
			}
			if !slices.Equal(got, want) {
				t.Fatalf("cut at %d, %d zeros: zxids %v", cut, padding, got)
			}
			if !torn && r.Offset() != int64(cut) || torn && r.Offset() != int64(begins[2]) {
				t.Fatalf("cut at %d, %d zeros: Offset() = %d", cut, padding, r.Offset())
			}
			// The checksum begins with four zeros, which nobody can tell from padding.
			if err := r.End(); errors.Is(err, ErrTorn) != (torn && cut > begins[2]+4) || !torn && err != nil {
				t.Fatalf("cut at %d, %d zeros: End() = %v", cut, padding, err)
			}
		}
	}
}

// TestEveryFlippedBit accepts no record that is not what was written, and no
// end that is none.
func TestEveryFlippedBit(t *testing.T) {
	whole, begins := threeRecords()
	for _, padding := range []int{0, 40, 400} {
		file := padded(whole, padding)
		for bit := range 8 * len(file) {
			flipped := slices.Clone(file)
			flipped[bit/8] ^= 1 << (bit % 8)
			at := bit / 8
			got, end := zxids(flipped)
			var want []uint64
			switch {
			case at < 8: // Magic and version.
			case at < headerSize || at >= len(whole): // The database id, which nobody looks at, and the padding.
				want = []uint64{1, 2, 3}
			default:
				for i, begin := range begins[1:] {
					if at >= begin {
						want = append(want, uint64(i+1))
					}
				}
			}
			if !slices.Equal(got, want) {
				t.Fatalf("bit %d of byte %d, %d zeros: zxids %v, want %v", bit%8, at, padding, got, want)
			}
			// Damage with a record behind it is told from a crash.
			_, broken := errors.AsType[*FileError](end)
			torn := errors.Is(end, ErrTorn)
			if good := at >= 8 && at < headerSize; broken == good || torn && at < begins[2] {
				t.Fatalf("bit %d of byte %d, %d zeros: End() = %v", bit%8, at, padding, end)
			}
		}
	}
}

func TestDamage(t *testing.T) {
	whole, begins := threeRecords()
	long := func(length uint32) []byte {
		file := slices.Clone(whole)
		binary.BigEndian.PutUint32(file[begins[1]+8:], length)
		return file
	}
	zeroed := slices.Clone(whole)
	clear(zeroed[begins[1]:begins[2]])
	for name, c := range map[string]struct {
		file []byte
		want []uint64
		kind error
	}{
		"empty":                   {nil, nil, nil},
		"zeros":                   {make([]byte, 9000), nil, nil},
		"half a header":           {whole[:9], nil, ErrTorn},
		"header":                  {whole[:headerSize], nil, nil},
		"a snapshot":              {[]byte("ZKSN\x00\x00\x00\x02aaaaaaaa"), nil, ErrCorrupt},
		"version 3":               {[]byte("ZKLG\x00\x00\x00\x03aaaaaaaa"), nil, ErrUnsupported},
		"text":                    {[]byte("This is a readme and no log."), nil, ErrCorrupt},
		"a few letters":           {[]byte("hi\n"), nil, ErrCorrupt},
		"letters behind the name": {[]byte("ZKLGs"), nil, ErrUnsupported},
		"negative length":         {long(math.MaxUint32), []uint64{1}, ErrCorrupt},
		"most negative length":    {long(1 << 31), []uint64{1}, ErrCorrupt},
		"two gigabytes":           {long(math.MaxInt32), []uint64{1}, ErrCorrupt},
		"sixty-four megabytes":    {long(DefaultMaxLength), []uint64{1}, ErrCorrupt},
		"length 0":                {long(0), []uint64{1}, ErrCorrupt},
		"a lost sector":           {zeroed, []uint64{1}, ErrCorrupt},
		"a record behind padding": {append(padded(whole, 9000), record(createTxn(4, "/d", ""))...), []uint64{1, 2, 3}, ErrCorrupt},
		"rubbish behind padding":  {append(padded(whole, 9000), "rubbish"...), []uint64{1, 2, 3}, ErrTorn},
		"another byte at the end": {append(whole[:len(whole)-1:len(whole)-1], 'C'), []uint64{1, 2}, ErrCorrupt},
		"unknown type":            {logFile(header(1, 99).i32(0)), nil, ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := zxids(c.file)
			if !slices.Equal(got, c.want) || !errors.Is(err, c.kind) {
				t.Errorf("zxids %v, %v; want %v, %v", got, err, c.want, c.kind)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "log.1 at offset ") {
				t.Errorf("the error doesn't say where: %v", err)
			}
		})
	}
}

// TestPadding has an end: to read the holes of a huge file would take hours.
func TestPadding(t *testing.T) {
	whole, _ := threeRecords()
	for padding, want := range map[int64]error{9000: nil, 1000: ErrCorrupt} {
		r := NewReader("log.1", bytes.NewReader(padded(whole, len(whole)+5000)))
		r.padding = padding
		for r.Next() {
		}
		if err := r.End(); !errors.Is(err, want) {
			t.Errorf("End() = %v where %d bytes are read, want %v", err, padding, want)
		}
	}
}

// TestHostilePayloads have a good checksum and no good content.
func TestHostilePayloads(t *testing.T) {
	for name, payload := range map[string]builder{
		"no header":               builder{}.i64(1),
		"no record":               header(1, TypeCreate),
		"trailing byte":           append(createTxn(1, "/a", ""), 0),
		"half a digest":           createTxn(1, "/a", "").i64(1),
		"more than a digest":      append(createTxn(1, "/a", "").digest(1), 0),
		"error with a digest":     header(1, TypeError).i32(-101).digest(1),
		"negative path length":    header(1, TypeDelete).i32(-2),
		"long path":               header(1, TypeDelete).i32(math.MaxInt32).i32(0),
		"negative count of ACLs":  header(1, TypeSetACL).str("/a").i32(-2).i32(0),
		"two billion ACLs":        header(1, TypeSetACL).str("/a").i32(math.MaxInt32).i32(0),
		"two billion operations":  header(1, TypeMulti).i32(math.MaxInt32),
		"negative operations":     header(1, TypeMulti).i32(math.MinInt32),
		"two billion paths":       header(1, TypeCloseSession).i32(math.MaxInt32),
		"paths that are none":     header(1, TypeCloseSession).i32(2).str("a").str("b"),
		"multi within a multi":    header(1, TypeMulti).i32(1).i32(int32(TypeMulti)).i32(4).i32(0),
		"session within a multi":  header(1, TypeMulti).i32(1).i32(int32(TypeCloseSession)).i32(0),
		"check alone":             header(1, TypeCheck).str("/a").i32(0),
		"trailing byte in multi":  header(1, TypeMulti).i32(1).i32(int32(TypeDelete)).i32(7).str("/a").bool(true),
		"operation beyond itself": header(1, TypeMulti).i32(1).i32(int32(TypeDelete)).i32(4).i32(4).i32(0),
		"null operation":          header(1, TypeMulti).i32(1).i32(int32(TypeDelete)).i32(-1),
		"unknown in a multi":      header(1, TypeMulti).i32(1).i32(77).i32(0),
	} {
		t.Run(name, func(t *testing.T) {
			got, err := zxids(logFile(payload))
			if got != nil || !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported) {
				t.Errorf("zxids %v, %v", got, err)
			}
		})
	}
}

// TestShapes are what older and other servers write.
func TestShapes(t *testing.T) {
	acl := []ACL{{31, []byte("world"), []byte("anyone")}}
	null := header(1, TypeCreate).str("/a").i32(-1).i32(-1).bool(true).i32(7)
	for name, c := range map[string]struct {
		payload builder
		op      Op
		digest  *Digest
	}{
		"before 3.4":   {header(1, TypeCreate).str("/a").str("x").world().bool(false), Op{Type: TypeCreate, Path: []byte("/a"), Data: []byte("x"), ACL: acl, ParentCversion: -1}, nil},
		"null data":    {null, Op{Type: TypeCreate, Path: []byte("/a"), Ephemeral: true, ParentCversion: 7}, nil},
		"empty data":   {header(1, TypeSetData).str("/a").str("").i32(3), Op{Type: TypeSetData, Path: []byte("/a"), Data: []byte{}, Version: 3}, nil},
		"with digest":  {header(1, TypeDelete).str("/a").digest(-1), Op{Type: TypeDelete, Path: []byte("/a")}, &Digest{2, math.MaxUint64}},
		"before 3.6":   {header(1, TypeCloseSession), Op{Type: TypeCloseSession}, nil},
		"no ephemeral": {header(1, TypeCloseSession).i32(0).digest(5), Op{Type: TypeCloseSession, HasPaths: true}, &Digest{2, 5}},
		"one path":     {header(1, TypeCloseSession).i32(1).str("/abc"), Op{Type: TypeCloseSession, Paths: [][]byte{[]byte("/abc")}, HasPaths: true}, nil},
		"only digest":  {header(1, TypeCloseSession).digest(5), Op{Type: TypeCloseSession}, &Digest{2, 5}},
		"digest like an empty list": {
			header(1, TypeCloseSession).digest(0), Op{Type: TypeCloseSession}, &Digest{2, 0},
		},
		"operation that was marked as an error": {
			header(1, TypeMulti).i32(1).i32(int32(TypeError)).str(string(builder{}.str("/a").str("x").i32(1))), Op{Type: TypeError}, nil,
		},
		"paths and digest": {
			header(1, TypeCloseSession).i32(2).str("/a").str("/b").digest(1),
			Op{Type: TypeCloseSession, Paths: [][]byte{[]byte("/a"), []byte("/b")}, HasPaths: true},
			&Digest{2, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader("log.1", bytes.NewReader(logFile(c.payload)))
			if !r.Next() {
				t.Fatal(r.Err())
			}
			txn := r.Record()
			if diff := cmp.Diff([]Op{c.op}, txn.Ops); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if txn.HasDigest != (c.digest != nil) || c.digest != nil && txn.Digest != *c.digest {
				t.Errorf("digest %v %+v, want %+v", txn.HasDigest, txn.Digest, c.digest)
			}
		})
	}
}

// TestClone outlives the reader's next record.
func TestClone(t *testing.T) {
	multi := header(1, TypeMulti).i32(1).i32(int32(TypeCreate)).str(string(builder{}.str("/a").str("one").world().bool(false).i32(1)))
	file := logFile(multi, header(2, TypeCloseSession).i32(1).str("/old"))
	r := NewReader("log.1", bytes.NewReader(file))
	var kept []*Txn
	for r.Next() {
		kept = append(kept, r.Record().Clone())
		clear(r.buf[:r.lo])
	}
	if len(kept) != 2 {
		t.Fatalf("%d records: %v", len(kept), r.Err())
	}
	create, gone := kept[0].Ops[0], kept[1].Ops[0]
	if string(create.Path) != "/a" || string(create.Data) != "one" || string(create.ACL[0].ID) != "anyone" || string(gone.Paths[0]) != "/old" {
		t.Errorf("kept %+v and %+v", create, gone)
	}
}

// endless is a file of one byte without an end.
type endless byte

func (e endless) ReadAt(p []byte, _ int64) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// TestMemoryFollowsTheFile claims lengths that nothing backs.
func TestMemoryFollowsTheFile(t *testing.T) {
	claim := builder(magicLog).i32(2).i64(0).i64(1).i32(DefaultMaxLength)
	before := allocated()
	for range 100 {
		if got, _ := zxids(append(claim, 1)); got != nil {
			t.Fatalf("zxids %v", got)
		}
	}
	if used := allocated() - before; used > 100<<20 {
		t.Errorf("%d bytes were allocated for 100 files of %d", used, len(claim))
	}
	r := NewReader("log.1", io.NewSectionReader(endless('B'), 0, 1<<40))
	if r.Next() || !errors.Is(r.Err(), ErrCorrupt) {
		t.Errorf("Err() = %v", r.Err())
	}
	limited := NewReader("log.1", bytes.NewReader(logFile(createTxn(1, "/a", strings.Repeat("x", 1000)))))
	limited.Limit(1000)
	if limited.Next() || !errors.Is(limited.Err(), ErrCorrupt) {
		t.Errorf("a payload above the limit: Err() = %v", limited.Err())
	}
}

func allocated() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.TotalAlloc
}

// racing is a file whose end was seen before its middle: the first look at it
// finds zeros where the second finds bytes.
type racing struct {
	content []byte
	from    int
	looks   int
}

func (r *racing) ReadAt(p []byte, off int64) (int, error) {
	seen := slices.Clone(r.content)
	if r.looks++; r.looks == 1 {
		clear(seen[r.from : r.from+10])
	}
	return bytes.NewReader(seen).ReadAt(p, off)
}

// TestSecondLook calls nothing damaged that was only being written.
func TestSecondLook(t *testing.T) {
	whole, begins := threeRecords()
	for _, from := range []int{begins[1], begins[1] + 3, begins[1] + 30, begins[2] - 10} {
		r := NewReader("log.1", &racing{content: whole, from: from})
		n := 0
		for r.Next() {
			n++
		}
		if n != 3 || r.Err() != nil {
			t.Errorf("zeros from byte %d on: %d records, %v", from, n, r.Err())
		}
	}
}

// TestEndOfAFileThatGrows: a record that was half there, and is whole when it is
// asked how the file ends, is no damage.
func TestEndOfAFileThatGrows(t *testing.T) {
	whole, begins := threeRecords()
	file := padded(slices.Clone(whole[:begins[2]+9]), len(whole))
	r := NewReader("log.1", bytes.NewReader(file))
	for r.Next() {
	}
	copy(file, whole)
	if err := r.End(); err != nil {
		t.Errorf("End() = %v", err)
	}
	if !r.Next() || r.Record().Zxid != 3 {
		t.Errorf("the record that came in is not read: %v", r.Err())
	}
}
