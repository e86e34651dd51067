package txnlog

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// node appends a znode of a snapshot.
func (b builder) node(path, data string, acl, owner int64) builder {
	return b.str(path).str(data).i64(acl).i64(1).i64(2).i64(3).i64(4).i32(5).i32(6).i32(7).i64(owner).i64(8)
}

func (b builder) seal() builder { return b.i64(int64(adler32.Checksum(b))).str("/") }

// snapshotFile is what 3.9 writes: two sessions, one list, three znodes.
func snapshotFile() builder {
	b := builder(magicSnapshot).i32(2).i64(-1)
	b = b.i32(2).i64(11).i32(4000).i64(12).i32(5000)
	b = b.i32(1).i64(1).i32(1).i32(1).str("digest").str("user:hash")
	b = b.node("", "", noACL, 0).node("/a", "one", 1, 11).node("/b", strings.Repeat("two", 50_000), noACL, 0)
	return b.str("/").seal().i64(77).i32(2).i64(-3).seal().i64(78).seal()
}

// readSnapshot returns the paths, and how the reading ended.
func readSnapshot(r io.Reader) (paths []string, err error) {
	s, err := NewSnapshot("snapshot.1", r)
	if err != nil {
		return nil, err
	}
	for s.Next() {
		paths = append(paths, string(s.Node().Path))
	}
	return paths, s.Err()
}

func TestSnapshotAsBuilt(t *testing.T) {
	s, err := NewSnapshot("snapshot.1", bytes.NewReader(snapshotFile()))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Session{{11, 4000}, {12, 5000}}, s.Sessions()); diff != "" {
		t.Errorf("sessions (-want +got):\n%s", diff)
	}
	var got []Node
	for s.Next() {
		n := *s.Node()
		n.Path, n.Data = bytes.Clone(n.Path), bytes.Clone(n.Data[:min(len(n.Data), 6)])
		got = append(got, n)
	}
	world := []ACL{{31, []byte("world"), []byte("anyone")}}
	stat := Stat{Czxid: 1, Mzxid: 2, Ctime: 3, Mtime: 4, Version: 5, Cversion: 6, Aversion: 7, Pzxid: 8}
	owned := stat
	owned.EphemeralOwner = 11
	want := []Node{
		{[]byte("/"), []byte{}, world, stat},
		{[]byte("/a"), []byte("one"), []ACL{{1, []byte("digest"), []byte("user:hash")}}, owned},
		{[]byte("/b"), []byte("twotwo"), world, stat},
	}
	if diff := cmp.Diff(want, got); diff != "" || s.Err() != nil {
		t.Errorf("%v (-want +got):\n%s", s.Err(), diff)
	}
	zxid, digest, ok := s.Digest()
	if last, okLast := s.LastZxid(); !ok || zxid != 77 || digest.Sum != math.MaxUint64-2 || !okLast || last != 78 {
		t.Errorf("digest %+v of %d, last zxid %d", digest, zxid, last)
	}
}

// TestSnapshotWithoutDigest is what 3.9 writes with digest.enabled=false.
func TestSnapshotWithoutDigest(t *testing.T) {
	b := builder(magicSnapshot).i32(2).i64(-1).i32(0).i32(0).node("", "x", noACL, 0).str("/null").i32(-1).i64(noACL)
	b = append(b, make([]byte, 60)...).str("/").seal().i64(78).seal()
	s, err := NewSnapshot("snapshot.1", bytes.NewReader(b))
	if err != nil || !s.Next() || !s.Next() || s.Next() || s.Err() != nil {
		t.Fatal(err, s.Err())
	}
	if s.Node().Data != nil {
		t.Errorf("data %q, want null", s.Node().Data)
	}
	_, _, hasDigest := s.Digest()
	if last, ok := s.LastZxid(); hasDigest || !ok || last != 78 {
		t.Errorf("digest %v, last zxid %d %v", hasDigest, last, ok)
	}
}

// TestSnapshotCutAtEveryByte is never whole, except where an older version
// would end it.
func TestSnapshotCutAtEveryByte(t *testing.T) {
	whole := snapshotFile()
	ends := []int{len(whole) - 21 - 33, len(whole) - 21, len(whole)}
	for cut := range len(whole) + 1 {
		if cut > 300 && cut < len(whole)-300 {
			continue // Within the long data.
		}
		_, err := readSnapshot(bytes.NewReader(whole[:cut]))
		if slices.Contains(ends, cut) != (err == nil) || err != nil && !errors.Is(err, ErrTorn) && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("cut at %d of %d: %v", cut, len(whole), err)
		}
	}
}

func TestSnapshotWithAnyFlippedBit(t *testing.T) {
	whole := snapshotFile()
	for bit := range 8 * len(whole) {
		if at := bit / 8; at > 300 && at < len(whole)-300 && at%1000 != 0 {
			continue
		}
		flipped := slices.Clone(whole)
		flipped[bit/8] ^= 1 << (bit % 8)
		if _, err := readSnapshot(bytes.NewReader(flipped)); err == nil {
			t.Fatalf("bit %d of byte %d of %d is flipped, and it is whole", bit%8, bit/8, len(whole))
		}
	}
}

func TestHostileSnapshots(t *testing.T) {
	head := builder(magicSnapshot).i32(2).i64(-1)
	for name, b := range map[string]builder{
		"a log":                 builder(magicLog).i32(2).i64(0),
		"version 3":             builder(magicSnapshot).i32(3).i64(0),
		"negative sessions":     head.i32(-1),
		"two billion sessions":  head.i32(math.MaxInt32),
		"negative ACLs":         head.i32(0).i32(-1),
		"two billion ACLs":      head.i32(0).i32(math.MaxInt32),
		"two billion entries":   head.i32(0).i32(1).i64(1).i32(math.MaxInt32),
		"long scheme":           head.i32(0).i32(1).i64(1).i32(1).i32(31).i32(math.MaxInt32),
		"unknown ACL":           head.i32(0).i32(0).node("", "", 5, 0),
		"no path":               head.i32(0).i32(0).node("a", "", noACL, 0),
		"long path":             head.i32(0).i32(0).i32(math.MaxInt32),
		"negative data":         head.i32(0).i32(0).str("/a").i32(-2),
		"wrong end of znodes":   head.i32(0).i32(0).str("/").i64(int64(adler32.Checksum(head.i32(0).i32(0).str("/")))).str("x"),
		"more behind the seals": append(snapshotFile(), 0),
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := readSnapshot(bytes.NewReader(b)); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrUnsupported) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// xerial frames blocks as snappy-java does.
func xerial(blocks ...[]byte) []byte {
	b := append(builder(snappyMagic), 0, 0, 0, 1, 0, 0, 0, 1)
	for _, block := range blocks {
		b = append(b.i32(int32(len(block))), block...)
	}
	return b
}

// literal is a block of one literal.
func literal(data []byte) []byte {
	b := binary.AppendUvarint(nil, uint64(len(data)))
	return append(append(b, 62<<2, byte(len(data)-1), byte((len(data)-1)>>8), byte((len(data)-1)>>16)), data...)
}

func TestSnappyBlocks(t *testing.T) {
	for name, c := range map[string]struct {
		block []byte
		want  string
	}{
		"empty":              {[]byte{0}, ""},
		"short literal":      {[]byte{3, 2 << 2, 'a', 'b', 'c'}, "abc"},
		"long literal":       {literal(bytes.Repeat([]byte("x"), 70_000)), strings.Repeat("x", 70_000)},
		"copy, one byte":     {[]byte{7, 2 << 2, 'a', 'b', 'c', 0<<2 | 1, 3}, "abcabca"},
		"copy, two bytes":    {[]byte{6, 2 << 2, 'a', 'b', 'c', 2<<2 | 2, 3, 0}, "abcabc"},
		"copy, four bytes":   {[]byte{6, 2 << 2, 'a', 'b', 'c', 2<<2 | 3, 3, 0, 0, 0}, "abcabc"},
		"run":                {[]byte{65, 0, 'z', 63<<2 | 2, 1, 0}, strings.Repeat("z", 65)},
		"nothing":            {nil, "error"},
		"too large":          {binary.AppendUvarint(nil, maxSnappyBlock+1), "error"},
		"size of 70 bits":    {bytes.Repeat([]byte{0xff}, 10), "error"},
		"too short":          {[]byte{4, 2 << 2, 'a', 'b', 'c'}, "error"},
		"too long":           {[]byte{2, 2 << 2, 'a', 'b', 'c'}, "error"},
		"literal beyond":     {[]byte{9, 8 << 2, 'a', 'b', 'c'}, "error"},
		"huge literal":       {[]byte{9, 63 << 2, 0xff, 0xff, 0xff, 0xff}, "error"},
		"tag beyond":         {[]byte{9, 61 << 2, 1}, "error"},
		"copy of nothing":    {[]byte{7, 2 << 2, 'a', 'b', 'c', 0<<2 | 1, 0}, "error"},
		"copy from before":   {[]byte{7, 2 << 2, 'a', 'b', 'c', 0<<2 | 1, 4}, "error"},
		"copy from far away": {[]byte{7, 2 << 2, 'a', 'b', 'c', 3<<2 | 3, 0xff, 0xff, 0xff, 0xff}, "error"},
		"copy beyond":        {[]byte{4, 2 << 2, 'a', 'b', 'c', 0<<2 | 1, 3}, "error"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := unsnap(nil, c.block)
			if failed := c.want == "error"; failed != errors.Is(err, errSnappy) || !failed && string(got) != c.want {
				t.Errorf("%.20q, %v; want %.20q", got, err, c.want)
			}
		})
	}
}

// TestSnappyMemory claims one byte and unpacks many.
func TestSnappyMemory(t *testing.T) {
	block := []byte{1, 0, 'z'}
	for range 300_000 {
		block = append(block, 63<<2|2, 1, 0)
	}
	before := allocated()
	if _, err := unsnap(nil, block); !errors.Is(err, errSnappy) {
		t.Errorf("error %v", err)
	}
	if used := allocated() - before; used > 1<<20 {
		t.Errorf("%d bytes were allocated for a block of one", used)
	}
}

// TestCompressedSnapshots are cut and damaged outside of what ZooKeeper sums.
func TestCompressedSnapshots(t *testing.T) {
	plain := snapshotFile()
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	if _, err := zip.Write(plain); err != nil || zip.Close() != nil {
		t.Fatal(err)
	}
	snapped := xerial(literal(plain[:32<<10]), literal(plain[32<<10:]))
	bad := slices.Clone(zipped.Bytes())
	bad[len(bad)-6] ^= 1
	for name, c := range map[string]struct {
		suffix  string
		content []byte
		kind    error
	}{
		"plain":                {"", plain, nil},
		"gzip":                 {".gz", zipped.Bytes(), nil},
		"snappy":               {".snappy", snapped, nil},
		"gzip cut":             {".gz", zipped.Bytes()[:200], ErrTorn},
		"gzip without its end": {".gz", zipped.Bytes()[:zipped.Len()-3], ErrTorn},
		"gzip sum":             {".gz", bad, ErrCorrupt},
		"no gzip":              {".gz", plain, ErrCorrupt},
		"gzip empty":           {".gz", nil, ErrTorn},
		"snappy cut":           {".snappy", snapped[:40_000], ErrTorn},
		"snappy of one block":  {".snappy", xerial(literal(plain[:32<<10])), ErrTorn},
		"no snappy":            {".snappy", plain, ErrCorrupt},
		"snappy, huge block":   {".snappy", append(xerial(), 0x7f, 0xff, 0xff, 0xff), ErrCorrupt},
		"snappy, version 2":    {".snappy", append(builder(snappyMagic), 0, 0, 0, 2, 0, 0, 0, 2), ErrCorrupt},
		"empty":                {"", nil, ErrTorn},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "snapshot.1"+c.suffix)
			if err := os.WriteFile(path, c.content, 0o600); err != nil {
				t.Fatal(err)
			}
			n := 0
			s, err := OpenSnapshot(path)
			if err == nil {
				for s.Next() {
					n++
				}
				err = s.Err()
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
			if !errors.Is(err, c.kind) || c.kind == nil && n != 3 {
				t.Errorf("%d znodes, %v; want %v", n, err, c.kind)
			}
		})
	}
}

// TestSnapshotMemory claims sizes that nothing backs, and reads much without
// keeping it.
func TestSnapshotMemory(t *testing.T) {
	before := allocated()
	claim := builder(magicSnapshot).i32(2).i64(-1).i32(0).i32(0).i32(DefaultMaxLength)
	if _, err := readSnapshot(bytes.NewReader(claim)); !errors.Is(err, ErrTorn) {
		t.Errorf("error %v", err)
	}
	if used := allocated() - before; used > 1<<20 {
		t.Errorf("%d bytes were allocated for a file of %d", used, len(claim))
	}
	// Compressed, this is hardly anything.
	large := builder(magicSnapshot).i32(2).i64(-1).i32(0).i32(0)
	data := strings.Repeat("x", 1<<20)
	for range 64 {
		large = large.node("/large", data, noACL, 0)
	}
	large = large.str("/").seal()
	before = allocated()
	if paths, err := readSnapshot(bytes.NewReader(large)); len(paths) != 64 || err != nil {
		t.Errorf("%d znodes, %v", len(paths), err)
	}
	if used := allocated() - before; used > 8<<20 {
		t.Errorf("%d bytes were allocated for znodes of %d", used, len(data))
	}
}

func TestOwners(t *testing.T) {
	for owner, want := range map[uint64]string{0: "none", 0x100000000000001: "session", ContainerOwner: "none", TTLOwner(300): "ttl"} {
		s, got := Stat{EphemeralOwner: owner}, "none"
		if session, ok := s.Session(); ok && session == owner {
			got = "session"
		}
		if ttl, ok := s.TTL(); ok && ttl == 300 {
			got = "ttl"
		}
		if got != want {
			t.Errorf("owner %#x: %s, want %s", owner, got, want)
		}
	}
}
