package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// TestFullDisk fills a real filesystem, which takes root to mount; CI has it.
// TestDiskRefusesForAWhile and TestAppendBlocksWhileTheDiskRefuses show the
// same with a disk that only says that it is full, whoever runs them.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting a small filesystem takes root; the other tests of full disks need none")
	}
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	write(t, ballast, make([]byte, 900<<10))

	reg := prometheus.NewRegistry()
	o := testOptions(filepath.Join(dir, "journal"))
	o.Registerer, o.Limits = reg, Limits{SegmentSize: 16 << 10}
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeJournal(t, j) })
	wantWritable := func(want string) {
		t.Helper()
		text := "# HELP zkwarden_journal_writable Whether the disk accepts records (1) or refuses them (0).\n" +
			"# TYPE zkwarden_journal_writable gauge\nzkwarden_journal_writable " + want + "\n"
		if err := testutil.GatherAndCompare(reg, strings.NewReader(text), "zkwarden_journal_writable"); err != nil {
			t.Error(err)
		}
	}
	wantWritable("1")
	appended := 0
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	for err == nil {
		e := change(appended)
		e.After.Data = strings.Repeat("x", 16<<10)
		if _, err = j.Append(ctx, e); err == nil {
			appended++
		}
	}
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, syscall.ENOSPC) || !errors.Is(j.Err(), syscall.ENOSPC) {
		t.Errorf("Append returned %v and Err %v, want the deadline and %v", err, j.Err(), syscall.ENOSPC)
	}
	wantWritable("0")
	if report, err := Verify(t.Context(), o.Dir, VerifyOptions{}); err != nil {
		t.Errorf("Verify returned %+v, %v on a full disk", report, err)
	}
	remove(t, ballast)
	// What waits in memory is more than the disk has: as much as fits goes on.
	seq, _ := j.Durable()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		now, _ := j.Durable()
		if now > seq {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the journal stays at record %d of %d, although there is room: %v", now, appended, j.Err())
		}
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantWritable("1")
	appendEvents(t, j, 10)
	if lines := mustVerify(t, o.Dir); len(lines) != appended+10 {
		t.Errorf("the journal has %d records, want %d", len(lines), appended+10)
	}
}
