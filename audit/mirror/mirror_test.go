package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"zkwarden/audit"
)

func TestBelowIsAnOrderOfDeletion(t *testing.T) {
	m := newMirror(t)
	for _, path := range []string{"/", "/a", "/a-b", "/a/b", "/a/b/c", "/a/b-c", "/a0", "/x/y/z"} {
		m.Put(path, at(1))
	}
	for committed := range 2 {
		below := m.Below("/")
		for i, path := range below {
			for _, later := range below[i+1:] {
				if strings.HasPrefix(later, path+"/") {
					t.Errorf("%s is deleted before %s", path, later)
				}
			}
		}
		if len(below) != 7 || !slices.Contains(below, "/x/y/z") {
			t.Errorf("commit %d: below / are %q", committed, below)
		}
		commit(t, m, Place{})
	}
}

func TestChildrenOfLargeSubtrees(t *testing.T) {
	m := newMirror(t)
	for i := range 3000 {
		m.Put(fmt.Sprintf("/a/b%d/c", i), at(1))
	}
	m.Put("/a", at(1))
	m.Put("/z", at(1))
	commit(t, m, Place{})
	if diff := cmp.Diff([]string{"a", "z"}, slices.Collect(m.Children("/"))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPlaceIsCommittedWithTheChanges(t *testing.T) {
	want := Place{
		Format: formatVersion, Chain: "chain", Seq: 1<<63 + 1, Mark: 0xffffffffffffffff, Generation: 3,
		Fingerprint: "print", Synced: map[string]bool{"/a": true},
	}
	m := newMirror(t)
	m.Put("/a", at(1))
	commit(t, m, want)
	m.Put("/a", at(2))
	m.Put("/b", at(3))

	m, got := reopen(t, m)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("place (-want +got):\n%s", diff)
	}
	entry, _ := m.Get("/a")
	if _, known := m.Get("/b"); entry.Czxid != 1 || known || m.Len() != 1 {
		t.Errorf("the file has %v, /b %v, %d znodes; want what was committed", entry.Czxid, known, m.Len())
	}
}

// TestRefusedCommit makes bbolt refuse the last key of a commit: nothing of it
// may reach the file, and nothing of it may be forgotten.
func TestRefusedCommit(t *testing.T) {
	m := newMirror(t)
	commit(t, m, Place{Seq: 1})
	m.Put("/a", at(1))
	m.fresh.change("/z"+strings.Repeat("z", bolt.MaxKeySize), new(at(1)))
	if err := begin(t, m, Place{Seq: 2})(); err == nil || !strings.HasPrefix(err.Error(), `commit mirror: write "/zzz`) {
		t.Fatalf("write() = %.80v", err)
	}
	if _, err := m.Begin(Place{Seq: 3}); err == nil {
		t.Error("another commit begins while one waits to be written")
	}
	if _, known := m.Get("/a"); !known {
		t.Error("a refused change is forgotten")
	}
	m, place := reopen(t, m)
	if _, known := m.Get("/a"); known || place.Seq != 1 {
		t.Errorf("half a commit reached the file: place %d, /a %v", place.Seq, known)
	}
}

// TestClearReachesTheFileWithItsPlace: an empty file at the place of a full
// one would make a flood of changes that nobody made.
func TestClearReachesTheFileWithItsPlace(t *testing.T) {
	m := newMirror(t)
	m.Put("/a", at(1))
	commit(t, m, Place{Seq: 1})
	m.Clear()
	if m.Len() != 0 || len(m.Below("/")) != 0 || len(slices.Collect(m.Children("/"))) != 0 {
		t.Error("something is known after Clear")
	}
	m, place := reopen(t, m)
	if _, known := m.Get("/a"); !known || place.Seq != 1 {
		t.Fatalf("the file was cleared before its place: %d, /a %v", place.Seq, known)
	}
	m.Clear()
	m.Put("/b", at(2))
	commit(t, m, Place{Seq: 2})
	m.Put("/c", at(3))
	commit(t, m, Place{Seq: 3})
	m, place = reopen(t, m)
	if diff := cmp.Diff([]string{"/c", "/b"}, m.Below("/")); diff != "" || place.Seq != 3 || m.Len() != 2 {
		t.Errorf("place %d, %d znodes (-want +got):\n%s", place.Seq, m.Len(), diff)
	}
}

func TestLongPaths(t *testing.T) {
	m := newMirror(t)
	longest := "/" + strings.Repeat("a/", MaxPath/2-1) + "b"
	m.Put(longest, at(1))
	m.Put(longest+"c", at(2))
	commit(t, m, Place{})
	m, _ = reopen(t, m)
	if entry, known := m.Get(longest); !known || entry.Czxid != 1 || m.Len() != 1 {
		t.Errorf("a path of %d bytes: %v, %v; %d znodes", len(longest), entry.Czxid, known, m.Len())
	}
	m.Delete(longest + "c")
	m.Delete(longest)
	commit(t, m, Place{})
	if m.Len() != 0 {
		t.Errorf("%d znodes after all were deleted", m.Len())
	}
}

func TestSecondOpenerIsRefused(t *testing.T) {
	m := newMirror(t)
	file := m.file
	if other, _, err := Open(file); err == nil || errors.Is(err, ErrUnusable) || !strings.HasPrefix(err.Error(), "open mirror "+file+": ") {
		t.Errorf("Open() = %v, %v", other, err)
	}
	m, _ = reopen(t, m)
	if m.Len() != 0 {
		t.Errorf("%d znodes", m.Len())
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, text := range map[string]string{"another format": `{"format":1}`, "garbage": `{`} {
		t.Run(name, func(t *testing.T) {
			m := newMirror(t)
			file := m.file
			err := m.db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketPlace)).Put([]byte(keyPlace), []byte(text)) })
			if err != nil || m.Close() != nil {
				t.Fatal(err)
			}
			for range 2 { // The first leaves no lock behind.
				if _, _, err := Open(file); !errors.Is(err, ErrUnusable) || !strings.HasPrefix(err.Error(), "read mirror "+file+": ") {
					t.Errorf("Open() = %v", err)
				}
			}
		})
	}
	t.Run("no mirror", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "mirror.db")
		if err := os.WriteFile(file, []byte(strings.Repeat("x", 1<<16)), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(file); !errors.Is(err, ErrUnusable) || !strings.HasPrefix(err.Error(), "open mirror "+file+": ") {
			t.Errorf("Open() = %v", err)
		}
	})
}

func TestFileIsPrivate(t *testing.T) {
	info, err := os.Stat(newMirror(t).file)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

// TestReadersBesideTheWriter is for the race detector.
func TestReadersBesideTheWriter(t *testing.T) {
	m := newMirror(t)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				m.Get("/a/1")
				for name := range m.Children("/a") {
					m.Get("/a/" + name)
				}
				m.Below("/")
				m.Len()
				m.Dirty()
			}
		})
	}
	for i := range 200 {
		m.Put(fmt.Sprintf("/a/%d", i%7), at(audit.Zxid(i)))
		m.Delete(fmt.Sprintf("/a/%d", i%5))
		if i%50 == 0 {
			m.Clear()
		}
		if i%20 == 0 {
			commit(t, m, Place{})
		}
	}
	close(done)
	readers.Wait()
}

// A disk that takes its time for a commit holds up nobody.
func TestNobodyWaitsForACommit(t *testing.T) {
	m := newMirror(t)
	m.Put("/a", at(1))
	disk, err := m.db.Begin(true) // The commit waits for this transaction as it does for an fsync.
	if err != nil {
		t.Fatal(err)
	}
	committed := make(chan error, 1)
	write := begin(t, m, Place{Seq: 1})
	go func() { committed <- write() }()
	for stacks := make([]byte, 1<<20); !bytes.Contains(stacks[:runtime.Stack(stacks, true)], []byte("beginRWTx(")); {
		runtime.Gosched()
	}

	read := make(chan int, 1)
	go func() {
		m.Get("/a")
		m.Children("/")
		m.Put("/a", at(2))
		m.Put("/b", at(3))
		m.Delete("/a")
		read <- m.Len()
	}()
	select {
	case n := <-read:
		if n != 1 {
			t.Errorf("%d znodes, want 1", n)
		}
	case <-time.After(10 * time.Second):
		t.Error("somebody waits for the commit")
	}
	if err := disk.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"/b"}, m.Below("/")); diff != "" {
		t.Errorf("known beside the commit (-want +got):\n%s", diff)
	}
	m, place := reopen(t, m)
	if entry, _ := m.Get("/a"); entry.Czxid != 1 || place.Seq != 1 || m.Len() != 1 {
		t.Errorf("committed are /a of %v and %d znodes at %d; want what was known when the commit began", entry.Czxid, m.Len(), place.Seq)
	}
}

func TestPlaceIsReadable(t *testing.T) {
	text, err := json.Marshal(Place{Mark: 0x100000002, Synced: map[string]bool{}})
	want := `{"format":0,"chain":"","seq":0,"mark":"0x100000002","generation":0,"fingerprint":"","digest_key":"","synced":{}}`
	if err != nil || string(text) != want {
		t.Errorf("got %s, %v", text, err)
	}
}
