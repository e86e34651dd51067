package journal

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
)

// faultyDisk fails on demand, and remembers what would be left after a power
// cut. Like a real one it forgets what a failed fsync was meant to save: a
// later fsync that succeeds says nothing about it.
type faultyDisk struct {
	disk
	hang chan struct{} // Sync waits for it, if it is not nil.

	mu      sync.Mutex
	refuse  func(op string) error
	unsaved []func(platter []byte) []byte
	platter []byte
}

func (d *faultyDisk) fail(refuse func(op string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuse = refuse
}

// WriteAt fails as a full disk does: half of the bytes are written.
func (d *faultyDisk) WriteAt(b []byte, off int64) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.refuse("write")
	if err != nil {
		b = b[:len(b)/2]
	}
	b = bytes.Clone(b)
	d.unsaved = append(d.unsaved, func(p []byte) []byte {
		if grow := int(off) + len(b) - len(p); grow > 0 {
			p = append(p, make([]byte, grow)...)
		}
		copy(p[off:], b)
		return p
	})
	n, werr := d.disk.WriteAt(b, off)
	return n, errors.Join(err, werr)
}

func (d *faultyDisk) Truncate(size int64) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.refuse("truncate"); err != nil {
		return err
	}
	d.unsaved = append(d.unsaved, func(p []byte) []byte { return p[:min(int(size), len(p))] })
	return d.disk.Truncate(size)
}

func (d *faultyDisk) Sync() error {
	if d.hang != nil {
		<-d.hang
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() { d.unsaved = nil }()
	if err := d.refuse("sync"); err != nil {
		return err
	}
	for _, save := range d.unsaved {
		d.platter = save(d.platter)
	}
	return d.disk.Sync()
}

func healthy(string) error { return nil }

// failing refuses one kind of call. A disk that refuses a truncate refuses the
// write before it too: nothing would have to be cut.
func failing(op string, err error) func(string) error {
	return func(called string) error {
		if called == op || op == "truncate" && called == "write" {
			return err
		}
		return nil
	}
}

// openFaulty opens a journal on a disk that works so far.
func openFaulty(t *testing.T, dir string, logger log.Logger) (*Journal, *faultyDisk) {
	t.Helper()
	d := &faultyDisk{refuse: healthy}
	o := testOptions(dir)
	o.Logger = logger
	o.wrap = func(real disk) disk { d.disk = real; return d }
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return j, d
}

func TestDiskRefusesForAWhile(t *testing.T) {
	cases := []struct {
		op  string
		err error
	}{
		{"write", syscall.ENOSPC},
		{"sync", syscall.EIO},
		{"truncate", syscall.EIO},
	}
	for _, c := range cases {
		t.Run(c.op, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				var logged bytes.Buffer
				j, d := openFaulty(t, dir, log.NewLogfmtLogger(log.NewSyncWriter(&logged)))
				appendEvents(t, j, 10)

				d.fail(failing(c.op, c.err))
				for i := range 10 {
					if _, err := j.Append(t.Context(), change(i)); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(10 * time.Second) // Virtual: ten attempts.
				synctest.Wait()
				if seq, _ := j.Durable(); seq != 10 || !errors.Is(j.Err(), c.err) {
					t.Errorf("durable seq is %d and Err returns %v, want 10 and %v", seq, j.Err(), c.err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := j.Flush(ctx); !errors.Is(err, c.err) || !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Flush returned %v, want the deadline and %v", err, c.err)
				}

				d.fail(healthy)
				if err := j.Flush(t.Context()); err != nil || j.Err() != nil {
					t.Errorf("Flush returned %v and Err %v after the disk came back", err, j.Err())
				}
				appendEvents(t, j, 1)
				closeJournal(t, j)
				if n := strings.Count(logged.String(), "\n"); n != 2 {
					t.Errorf("%d lines were logged, want one for each change of state:\n%s", n, &logged)
				}
				text, err := os.ReadFile(segmentPath(dir, 1))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(text), string(d.platter)); diff != "" {
					t.Errorf("a power cut would leave another file (-page cache +disk):\n%s", diff)
				}
			})
			if lines := mustVerify(t, dir); len(lines) != 21 {
				t.Errorf("the journal has %d records, want 21", len(lines))
			}
		})
	}
}

func TestAppendBlocksWhileTheDiskRefuses(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, d := openFaulty(t, dir, log.NewNopLogger())
		d.fail(failing("write", syscall.ENOSPC))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		big := change(1)
		big.After.Data = strings.Repeat("x", 64<<10)
		var kept uint64
		for {
			seq, err := j.Append(ctx, big)
			if err != nil {
				if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, syscall.ENOSPC) {
					t.Errorf("Append returned %v, want the deadline and the reason", err)
				}
				break
			}
			kept = seq
		}
		if bytes := int(kept) * 64 << 10; bytes < maxPending || bytes > 2*maxPending+128<<10 {
			t.Errorf("%d bytes were taken while the disk refused, want %d to %d", bytes, maxPending, 2*maxPending)
		}
		d.fail(healthy)
		if seq, err := j.Append(t.Context(), big); err != nil || seq != kept+1 {
			t.Errorf("Append returned %d, %v after the disk came back, want %d", seq, err, kept+1)
		}
		closeJournal(t, j)
		if seq, _ := j.Durable(); seq != kept+1 {
			t.Errorf("durable seq is %d, want %d", seq, kept+1)
		}
	})
	mustVerify(t, dir)
}

func TestHeadRefusesForAWhile(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, _ := openFaulty(t, dir, log.NewNopLogger())
		appendEvents(t, j, 9)
		block := filepath.Join(dir, "head.new") // The tenth record makes the head longer.
		if err := os.Mkdir(block, 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Append(t.Context(), change(1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if seq, _ := j.Durable(); seq != 9 || j.Err() == nil {
			t.Errorf("durable seq is %d and Err returns %v, want 9 and a reason", seq, j.Err())
		}
		remove(t, block)
		if err := j.Flush(t.Context()); err != nil {
			t.Error(err)
		}
		closeJournal(t, j)
	})
	if lines := mustVerify(t, dir); len(lines) != 10 {
		t.Errorf("the journal has %d records, want 10", len(lines))
	}
}

func TestFinishGivesUpInTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, d := openFaulty(t, dir, log.NewNopLogger())
		appendEvents(t, j, 10)
		d.fail(failing("sync", syscall.EIO))
		for i := range 5 {
			if _, err := j.Append(t.Context(), change(i)); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		begin := time.Now()
		err := j.Close(ctx)
		if took := time.Since(begin); took != 5*time.Second {
			t.Errorf("Close took %s, want 5s", took)
		}
		if !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "records 11 to 15 are lost") {
			t.Errorf("Close returned %v, want the reason and the records", err)
		}
	})
	// What the failed attempts left behind the tenth record was whole by chance.
	mustVerify(t, dir)
}

func TestFinishDoesNotWaitForAHungDisk(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j, d := openFaulty(t, dir, log.NewNopLogger())
		d.hang = make(chan struct{})
		if _, err := j.Append(t.Context(), change(1)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := j.Close(ctx); err == nil || !strings.Contains(err.Error(), "the disk does not answer") {
			t.Errorf("Close returned %v, want that the disk does not answer", err)
		}
		close(d.hang)
		<-j.done
	})
}

// TestRepairIsOneStroke cuts a torn line and notes it on a disk that refuses
// at first: nothing of the torn line may reach the record behind it.
func TestRepairIsOneStroke(t *testing.T) {
	dir, text := journalOf(t, 2)
	torn := append(bytes.Clone(text), strings.Repeat("x", 2000)...)
	write(t, segmentPath(dir, 1), torn)
	synctest.Test(t, func(t *testing.T) {
		d := &faultyDisk{refuse: failing("truncate", syscall.EIO), platter: bytes.Clone(torn)}
		o := testOptions(dir)
		o.wrap = func(real disk) disk { d.disk = real; return d }
		j, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		d.fail(healthy)
		if err := j.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		closeJournal(t, j)
		if text, _ := os.ReadFile(segmentPath(dir, 1)); !bytes.Equal(text, d.platter) {
			t.Error("a power cut would leave another file")
		}
	})
	checkRepair(t, dir, 2, 2000)
}
