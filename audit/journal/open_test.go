package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// inTime fails the test where f waits for something that nobody does.
func inTime(t *testing.T, name string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s does not end", name)
	}
}

// TestNoRegularFile puts pipes, devices and directories in the places of the
// journal's files.
func TestNoRegularFile(t *testing.T) {
	kinds := map[string]func(t *testing.T, path string) error{
		"pipe":      func(_ *testing.T, path string) error { return syscall.Mkfifo(path, 0o600) },
		"device":    func(_ *testing.T, path string) error { return os.Symlink("/dev/zero", path) },
		"directory": func(_ *testing.T, path string) error { return os.Mkdir(path, 0o700) },
	}
	places := []string{headFile, cursorPrefix + "stdout", filepath.Base(segmentPath("", 1)), filepath.Base(segmentPath("", 3))}
	for kind, put := range kinds {
		for _, place := range places {
			t.Run(kind+" as "+place, func(t *testing.T) {
				dir := segmented(t, 2, 2)
				path := filepath.Join(dir, place)
				if place != cursorPrefix+"stdout" {
					remove(t, path)
				}
				if err := put(t, path); err != nil {
					t.Fatal(err)
				}
				inTime(t, "Verify", func() {
					var broken *BrokenError
					if _, err := Verify(t.Context(), dir, VerifyOptions{}); !errors.As(err, &broken) || broken.File != path {
						t.Errorf("Verify returned %v, want a *BrokenError for %s", err, place)
					}
				})
				inTime(t, "Browse", func() {
					if _, errs := browse(t, dir, BrowseOptions{}); place != cursorPrefix+"stdout" && len(errs) == 0 {
						t.Error("Browse tells of no damage")
					}
				})
				inTime(t, "Open", func() { openWithCursor(t, dir) })
			})
		}
	}
}

// openWithCursor wants that either the journal in dir is refused or its cursor.
func openWithCursor(t *testing.T, dir string) {
	j, err := Open(testOptions(dir))
	if err != nil {
		return
	}
	defer closeJournal(t, j)
	if c, err := j.OpenCursor("stdout"); err == nil {
		t.Errorf("Open and OpenCursor accept the journal: %v", c.Close())
	}
}

// TestLockIsNoRegularFile asks for the owner of a directory whose lock is a
// pipe.
func TestLockIsNoRegularFile(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "lock"), 0o600); err != nil {
		t.Fatal(err)
	}
	inTime(t, "InUse", func() {
		if err := InUse(dir); err == nil {
			t.Error("InUse returned no error")
		}
	})
}

// TestHugeMark: a mark file is not read to its end, however far away that is.
func TestHugeMark(t *testing.T) {
	dir := segmented(t, 2)
	for _, name := range []string{headFile, cursorPrefix + "stdout"} {
		path := filepath.Join(dir, name)
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(file.Truncate(64<<20), file.Close()); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err = readMark(path)
		runtime.ReadMemStats(&after)
		var broken *BrokenError
		if read := after.TotalAlloc - before.TotalAlloc; !errors.As(err, &broken) || read > 1<<20 {
			t.Errorf("readMark of %s took %d bytes of memory and returned %v, want a *BrokenError", name, read, err)
		}
	}
}

// TestHugeTail: what is longer than a crash can leave behind the last record is
// damage, and nobody reads it to its end to say so.
func TestHugeTail(t *testing.T) {
	for size, isTorn := range map[int64]bool{maxTorn: true, maxTorn + 1: false, 1 << 40: false} {
		dir := segmented(t, 2)
		path := segmentPath(dir, 1)
		whole := int64(len(mustRead(t, path)))
		if err := os.Truncate(path, whole+size); err != nil {
			t.Fatal(err)
		}
		inTime(t, "Verify", func() {
			report, err := Verify(t.Context(), dir, VerifyOptions{})
			var broken *BrokenError
			if isTorn && (err != nil || report.Torn != size) || !isTorn && (!errors.As(err, &broken) || broken.Line != 3) {
				t.Errorf("Verify returned %+v, %v behind %d bytes", report, err, size)
			}
		})
		inTime(t, "Browse", func() {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, err := range Browse(ctx, dir, BrowseOptions{}) {
				if err != nil {
					cancel() // As who has seen enough of a terabyte.
				}
			}
		})
		inTime(t, "Open", func() {
			if err := reopen(t, dir); (err == nil) != isTorn {
				t.Errorf("Open returned %v behind %d bytes", err, size)
			}
		})
	}
}

// TestLinkedSegments moves segments away and leaves links in their places, as
// one does when a disk is full.
func TestLinkedSegments(t *testing.T) {
	dir, elsewhere := segmented(t, 3, 3, 3), t.TempDir()
	for _, first := range []uint64{1, 4, 7} {
		path := segmentPath(dir, first)
		to := filepath.Join(elsewhere, filepath.Base(path))
		if err := errors.Join(os.Rename(path, to), os.Symlink(to, path)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(last uint64) {
		t.Helper()
		report, err := Verify(t.Context(), dir, VerifyOptions{})
		if err != nil || report.Last != last {
			t.Errorf("Verify returned %+v, %v, want %d records", report, err, last)
		}
		if seqs, errs := browse(t, dir, BrowseOptions{}); len(seqs) != int(last) || len(errs) > 0 {
			t.Errorf("Browse yields %d records and tells of %q, want %d", len(seqs), errs, last)
		}
	}
	check(9)
	j := newTestJournal(t, dir)
	appendEvents(t, j, 1)
	closeJournal(t, j)
	check(10)
}
