package recorder

import (
	"context"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// TestCommittedIsTold wants the journal to learn how far the mirror is, and
// never more than the mirror's file has.
func TestCommittedIsTold(t *testing.T) {
	s := &stage{t: t, file: filepath.Join(t.TempDir(), "mirror.db"), journal: &memory{}}
	s.policy = mustPolicy(t, policy.LevelData, "/a")
	o := s.options()
	t.Cleanup(func() { s.mirror.Close() })
	var told []uint64
	o.Committed = func(seq uint64) { told = append(told, seq) }
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.append(t.Context(), audit.Event{Kind: audit.KindControl, Control: audit.ControlStart}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint64{1}, told); diff != "" {
		t.Errorf("told before the second commit (-want +got):\n%s", diff)
	}
	if err := r.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint64{1, 2}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}

// stuckDisk has room for records, and takes no flush before it is released.
type stuckDisk struct {
	memory
	release chan struct{}
}

func (d *stuckDisk) Flush(ctx context.Context) error {
	select {
	case <-d.release:
		return d.memory.Flush(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TestRecordingDoesNotWaitForACommit: a change is told of while the mirror of
// those before it is on its way to the disk.
func TestRecordingDoesNotWaitForACommit(t *testing.T) {
	s := &stage{t: t, file: filepath.Join(t.TempDir(), "mirror.db"), journal: &memory{}}
	s.policy = mustPolicy(t, policy.LevelData, "/r")
	o := s.options()
	t.Cleanup(func() { s.mirror.Close() })
	synctest.Test(t, func(t *testing.T) {
		disk := &stuckDisk{release: make(chan struct{}, 2)}
		disk.release <- struct{}{} // For the policy of the start,
		disk.release <- struct{}{} // and for its record.
		o.Journal = disk
		var told uint64
		o.Committed = func(seq uint64) { told = seq }
		r, err := New(o)
		if err != nil {
			t.Fatal(err)
		}
		in := make(chan audit.Observation)
		ended := make(chan error, 1)
		go func() { ended <- r.Run(t.Context(), in) }()
		in <- found("/r", 5, znode(5, 0, ""))
		synctest.Wait()
		time.Sleep(commitInterval) // The commit begins, and waits.
		synctest.Wait()
		for zxid := audit.Zxid(10); zxid < 20; zxid++ {
			in <- hint(audit.OpCreated, audit.Child("/r", zxid.String()), zxid, znode(zxid, 0, ""))
		}
		synctest.Wait()
		if got := len(disk.lines); got < 10 || told != 1 {
			t.Errorf("%d records and durable through %d while the disk waits", got, told)
		}
		close(disk.release)
		close(in)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if told != disk.head() {
			t.Errorf("durable through %d of %d in the end", told, disk.head())
		}
	})
}
