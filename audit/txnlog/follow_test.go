package txnlog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// fakeLog writes a log directory as a server does.
type fakeLog struct {
	t    testing.TB
	dir  string
	torn []string
	*Follower
}

// newFakeLog follows an empty version-2 from the zxid on.
func newFakeLog(t testing.TB, from uint64) *fakeLog {
	t.Helper()
	f := &fakeLog{t: t, dir: filepath.Join(t.TempDir(), versionDir)}
	if err := os.Mkdir(f.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	f.follow(from)
	return f
}

func (f *fakeLog) follow(from uint64) {
	f.Follower = Follow(filepath.Dir(f.dir), from, func(err error) {
		if at, ok := errors.AsType[*FileError](err); ok {
			f.torn = append(f.torn, filepath.Base(at.File))
		}
	})
	f.t.Cleanup(func() { f.Close() })
}

func (f *fakeLog) path(zxid int) string { return filepath.Join(f.dir, fmt.Sprintf("log.%x", zxid)) }

// write makes a file of the bytes, followed by padding.
func (f *fakeLog) write(zxid int, content []byte) {
	f.t.Helper()
	if err := os.WriteFile(f.path(zxid), padded(content, 4096), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// put overwrites a file from its beginning without making it shorter.
func (f *fakeLog) put(zxid int, content []byte) {
	f.t.Helper()
	file, err := os.OpenFile(f.path(zxid), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.Write(content); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fakeLog) remove(zxids ...int) {
	f.t.Helper()
	for _, zxid := range zxids {
		if err := os.Remove(f.path(zxid)); err != nil {
			f.t.Fatal(err)
		}
	}
}

// wants takes what there is.
func (f *fakeLog) wants(zxids ...uint64) {
	f.t.Helper()
	var got []uint64
	for f.Next() {
		got = append(got, f.Record().Zxid)
	}
	if !slices.Equal(got, zxids) || f.Err() != nil {
		f.t.Fatalf("zxids %#x, want %#x; Err() = %v", got, zxids, f.Err())
	}
}

// fails expects nothing but the error.
func (f *fakeLog) fails(kind error) {
	f.t.Helper()
	for f.Next() {
		f.t.Fatalf("zxid %#x", f.Record().Zxid)
	}
	if !errors.Is(f.Err(), kind) {
		f.t.Fatalf("Err() = %v, want %v", f.Err(), kind)
	}
}

// log is a log file with transactions of these zxids.
func log(zxids ...int64) []byte {
	var txns []builder
	for _, zxid := range zxids {
		txns = append(txns, createTxn(zxid, fmt.Sprintf("/%x", zxid), "data"))
	}
	return logFile(txns...)
}

func TestFollowAsItGrows(t *testing.T) {
	f := newFakeLog(t, 0)
	f.wants()
	f.put(1, nil)
	f.wants()
	f.write(1, nil)
	f.wants()
	whole := log(1, 2, 3)
	shown := 0
	for cut := range len(whole) {
		f.put(1, whole[:cut])
		for f.Next() {
			shown++
			if f.Offset() > int64(cut) {
				t.Fatalf("Offset() = %d when %d bytes were written", f.Offset(), cut)
			}
		}
		if f.Err() != nil {
			t.Fatalf("with %d bytes: Err() = %v", cut, f.Err())
		}
	}
	if shown != 2 {
		t.Fatalf("%d records before the last byte", shown)
	}
	f.put(1, whole)
	f.wants(3)
	f.wants()
}

func TestFollowAcrossFiles(t *testing.T) {
	f := newFakeLog(t, 0)
	f.write(1, log(1, 2))
	f.wants(1, 2)
	// More in the old file and a new one, seen at once.
	f.put(1, log(1, 2, 3))
	f.write(4, nil)
	f.wants(3)
	f.put(4, log(4))
	f.wants(4)
	// A crash leaves half a record, and the server begins anew.
	f.put(4, log(4, 5)[:len(log(4))+20])
	f.wants()
	f.write(5, log(5))
	f.write(0x100000001, log(0x100000001))
	f.wants(5, 0x100000001)
	if !slices.Equal(f.torn, []string{"log.4"}) {
		t.Errorf("torn: %v", f.torn)
	}
}

func TestFollowFrom(t *testing.T) {
	for from, want := range map[uint64][]uint64{
		0: {3, 4, 5, 6, 7, 0x100000001}, 2: {3, 4, 5, 6, 7, 0x100000001}, 3: {4, 5, 6, 7, 0x100000001},
		4: {5, 6, 7, 0x100000001}, 5: {6, 7, 0x100000001}, 7: {0x100000001}, 0x100000001: nil,
	} {
		f := newFakeLog(t, from)
		f.write(3, log(3, 4))
		f.write(5, log(5, 6, 7))
		f.write(0x100000001, log(0x100000001))
		f.wants(want...)
	}
}

func TestFollowWhatIsPurged(t *testing.T) {
	f := newFakeLog(t, 0)
	f.write(1, log(1, 2))
	f.write(3, log(3))
	if !f.Next() {
		t.Fatal(f.Err())
	}
	// The open file can still be read.
	f.remove(1)
	f.wants(2, 3)
	f.write(4, log(4))
	f.write(5, log(5))
	f.remove(3, 4)
	f.wants(5)
}

func TestFollowWhatIsTakenBack(t *testing.T) {
	for name, change := range map[string]func(f *fakeLog){
		"cut": func(f *fakeLog) {
			if err := os.Truncate(f.path(3), int64(len(log(3)))); err != nil {
				t.Fatal(err)
			}
		},
		"cut within the last record": func(f *fakeLog) {
			if err := os.Truncate(f.path(3), int64(len(log(3)))+frontSize+5); err != nil {
				t.Fatal(err)
			}
		},
		"cut, and a new file": func(f *fakeLog) {
			if err := os.Truncate(f.path(3), int64(len(log(3)))); err != nil {
				t.Fatal(err)
			}
			f.write(4, log(4, 5))
		},
		"deleted": func(f *fakeLog) { f.remove(3) },
		"deleted, and another epoch": func(f *fakeLog) {
			f.remove(3)
			f.write(0x100000001, log(0x100000001))
		},
		"overwritten":  func(f *fakeLog) { f.write(3, logFile(createTxn(3, "/3", "data"), createTxn(4, "/4", "other"))) },
		"wiped":        func(f *fakeLog) { f.remove(1, 3) },
		"wiped, anew":  func(f *fakeLog) { f.remove(1, 3); f.write(1, log(1)) },
		"restored":     func(f *fakeLog) { f.write(2, log(2)) },
		"other file":   func(f *fakeLog) { f.remove(3); f.write(3, log(3, 4, 5)) },
		"padding gone": func(f *fakeLog) { f.remove(3); f.put(3, log(3, 4)) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeLog(t, 0)
			f.write(1, log(1, 2))
			f.write(3, log(3, 4))
			f.wants(1, 2, 3, 4)
			change(f)
			f.fails(ErrTakenBack)
		})
	}
}

func TestFollowRefusesDisorder(t *testing.T) {
	for name, second := range map[string][]byte{
		"back":       log(4, 3),
		"repeated":   log(4, 4),
		"not named":  log(5),
		"below file": log(1),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeLog(t, 0)
			f.write(1, log(1, 2))
			f.write(4, second)
			for f.Next() {
			}
			if !errors.Is(f.Err(), ErrOrder) {
				t.Errorf("Err() = %v", f.Err())
			}
		})
	}
}

func TestFollowWithoutDirectory(t *testing.T) {
	f := Follow(filepath.Join(t.TempDir(), "none"), 0, nil)
	if f.Next() || !errors.Is(f.Err(), os.ErrNotExist) {
		t.Errorf("Err() = %v", f.Err())
	}
}
