package mirror

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	bolt "go.etcd.io/bbolt"

	"zkwarden/audit"
)

func secret(text string) Entry {
	return Entry{Czxid: 1, Content: &audit.Content{Size: new(len(text)), Data: text, Encoding: audit.EncodingUTF8}}
}

// TestRewriteLeavesNothingBehind: what a narrower policy forbids is not in the
// file any more, not even in the pages that a change or removal freed.
func TestRewriteLeavesNothingBehind(t *testing.T) {
	m := newMirror(t)
	for i := range 3000 {
		m.Put(fmt.Sprintf("/a/%d", i), secret(fmt.Sprintf("hunter%d", i)))
	}
	commit(t, m, Place{Seq: 1})
	for i := range 1000 {
		m.Put(fmt.Sprintf("/a/%d", i), Entry{Czxid: 2})
		m.Delete(fmt.Sprintf("/a/%d", i+1000))
	}
	commit(t, m, Place{Seq: 2})
	m.Put("/b", secret("hunter in memory"))
	if !bytes.Contains(contents(t, m), []byte("hunter")) {
		t.Fatal("the test does not look where the content is")
	}
	want := Place{Format: formatVersion, Seq: 3, Fingerprint: "narrow", Synced: map[string]bool{}}
	err := m.Rewrite(want, func(path string, e Entry) (Entry, bool) {
		e.Content = nil
		return e, path != "/a/2999"
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if bytes.Contains(contents(t, m), []byte("hunter")) {
			t.Error("content is left in the file")
		}
		if m.Len() != 2000 || m.Dirty() != 0 {
			t.Errorf("%d znodes, %d changes wait", m.Len(), m.Dirty())
		}
		if _, known := m.Get("/a/2999"); known {
			t.Error("a znode that was not kept is known")
		}
		if e, known := m.Get("/b"); !known || e.Content != nil {
			t.Errorf("/b is %+v", e)
		}
		var place Place
		if m, place = reopen(t, m); !cmp.Equal(want, place) {
			t.Errorf("place %+v", place)
		}
	}
	if _, err := os.Stat(unfinished(m.file)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the unfinished file: %v", err)
	}
	m.Put("/c", at(1)) // The new file takes commits.
	commit(t, m, Place{Seq: 4})
	if m, _ = reopen(t, m); m.Len() != 2001 {
		t.Errorf("%d znodes after a commit", m.Len())
	}
}

func contents(t *testing.T, m *Mirror) []byte {
	t.Helper()
	text, err := os.ReadFile(m.file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestRefusedRewrite: until the new file is complete, the old one stands.
func TestRefusedRewrite(t *testing.T) {
	m := newMirror(t)
	m.Put("/a", at(1))
	commit(t, m, Place{Seq: 1})
	m.Put("/b", at(2))
	if err := os.Mkdir(unfinished(m.file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(unfinished(m.file), "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	all := func(_ string, e Entry) (Entry, bool) { return e, true }
	if err := m.Rewrite(Place{Seq: 2}, all); err == nil || !strings.HasPrefix(err.Error(), "rewrite mirror "+m.file+": ") {
		t.Fatalf("Rewrite() = %v", err)
	}
	if m.Len() != 2 || m.Dirty() != 1 {
		t.Errorf("%d znodes, %d changes wait", m.Len(), m.Dirty())
	}
	if err := os.RemoveAll(unfinished(m.file)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(unfinished(m.file), []byte("content that is no longer allowed"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, place := reopen(t, m)
	if place.Seq != 1 || m.Len() != 1 {
		t.Errorf("place %d, %d znodes", place.Seq, m.Len())
	}
	if _, err := os.Stat(unfinished(m.file)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a rewrite left is still there: %v", err)
	}
}

// TestTruncatedFile: a file that lost its end must not become a fault.
func TestTruncatedFile(t *testing.T) {
	m := newMirror(t)
	for i := range 20_000 {
		m.Put(fmt.Sprintf("/a/%d", i), at(1))
	}
	commit(t, m, Place{Seq: 1})
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(m.file)
	if err != nil {
		t.Fatal(err)
	}
	for size := range len(whole) {
		if size%(37*4096) != 0 || size == 0 || size > len(whole)/10 {
			continue
		}
		if err := os.WriteFile(m.file, whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := Open(m.file); !errors.Is(err, ErrUnusable) {
			t.Errorf("Open() of %d bytes = %v", size, err)
		}
	}
	if err := Discard(m.file); err != nil {
		t.Fatal(err)
	}
	m, place := mustOpen(t, m.file)
	if m.Len() != 0 || place.Seq != 0 {
		t.Errorf("%d znodes at %d in a new mirror", m.Len(), place.Seq)
	}
}

// TestFileWithoutItsLastPages: those that bbolt reads first may all be there.
func TestFileWithoutItsLastPages(t *testing.T) {
	m := newMirror(t)
	for i := range 20_000 {
		m.Put(fmt.Sprintf("/a/%05d", i), at(1))
	}
	commit(t, m, Place{})
	for i := range 10_000 {
		m.Delete(fmt.Sprintf("/a/%05d", i))
	}
	for range 3 { // What changes goes to pages that were freed, at the beginning.
		commit(t, m, Place{})
	}
	var size int64
	err := m.db.View(func(tx *bolt.Tx) error {
		size = tx.Size()
		return nil
	})
	if err != nil || m.Close() != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(m.file, size-int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(m.file); !errors.Is(err, ErrUnusable) || !strings.Contains(err.Error(), fmt.Sprintf("bytes of %d", size)) {
		t.Errorf("Open() = %v", err)
	}
}

// TestDamagedPage: the process cannot go on, but the next one can.
func TestDamagedPage(t *testing.T) {
	m := newMirror(t)
	for i := range 20_000 {
		m.Put(fmt.Sprintf("/a/%d", i), at(1))
	}
	commit(t, m, Place{Seq: 1})
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	text := contents(t, m)
	const leaf = 0x02 // Flags and number of keys of a page stand at its bytes 8 and 10.
	for page := range slices.Chunk(text, os.Getpagesize()) {
		if page[8] == leaf && page[10] > 20 {
			page[8] = 0
		}
	}
	if err := os.WriteFile(m.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	panicked := func() (text string) {
		defer func() { text = fmt.Sprint(recover()) }()
		damaged, _, err := Open(m.file)
		if errors.Is(err, ErrUnusable) {
			t.Fatal("found at once: damage something else")
		}
		defer damaged.Close()
		damaged.Get("/a/1")
		return ""
	}()
	if !strings.Contains(panicked, "is damaged and was removed") {
		t.Fatalf("Get() in a damaged file: %s", panicked)
	}
	if m, place := mustOpen(t, m.file); m.Len() != 0 || place.Seq != 0 {
		t.Errorf("%d znodes at %d", m.Len(), place.Seq)
	}
}

// TestCountSurvives: the number of znodes is kept, as counting them would read
// the whole file.
func TestCountSurvives(t *testing.T) {
	m := newMirror(t)
	for i := range 100 {
		m.Put(fmt.Sprintf("/a/%d", i), at(1))
	}
	m.Delete("/a/7")
	commit(t, m, Place{})
	m, _ = reopen(t, m)
	m.Delete("/a/8")
	if m.Len() != 98 {
		t.Errorf("%d znodes, want 98", m.Len())
	}
	err := m.db.View(func(tx *bolt.Tx) error {
		if n := tx.Bucket([]byte(bucketZnodes)).Stats().KeyN; n != 99 {
			t.Errorf("%d znodes in the file", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
