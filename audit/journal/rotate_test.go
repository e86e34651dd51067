package journal

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

func segmentNames(tb testing.TB, dir string) []uint64 {
	tb.Helper()
	segments, err := listSegments(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var firsts []uint64
	for _, s := range segments {
		firsts = append(firsts, s.first)
	}
	return firsts
}

// members decodes lines.
func members(tb testing.TB, lines []string) []audit.Event {
	tb.Helper()
	var events []audit.Event
	for _, line := range lines {
		e, err := Decode(audit.Line{JSON: []byte(line)})
		if err != nil {
			tb.Fatal(err)
		}
		events = append(events, e)
	}
	return events
}

func TestRotationBySize(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(dir)
	o.Limits.SegmentSize = 4 << 10
	var chain string
	for range 3 { // A restart changes nothing.
		j, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		chain = j.ChainID()
		appendEvents(t, j, 33)
		closeJournal(t, j)
	}
	events := members(t, mustVerify(t, dir))
	firsts := segmentNames(t, dir)
	if len(events) != 99 || len(firsts) < 10 {
		t.Fatalf("%d records in %d segments, want 99 in more than 10", len(events), len(firsts))
	}
	for i, first := range firsts {
		if got := events[first-1].Chain; got != chain {
			t.Errorf("record %d begins a segment and has chain id %q, want %q", first, got, chain)
		}
		info, err := os.Stat(segmentPath(dir, first))
		if err != nil {
			t.Fatal(err)
		}
		if size := info.Size(); i < len(firsts)-1 && (size < 4<<10 || size > 6<<10) {
			t.Errorf("segment %d has %d bytes, want 4 KiB and less than a line more", first, size)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("segment %d has mode %s", first, mode)
		}
	}
	chained := 0
	for _, e := range events {
		if e.Chain != "" {
			chained++
		}
	}
	if chained != len(firsts) {
		t.Errorf("%d records have a chain id, want the first of each of %d segments", chained, len(firsts))
	}
}

func TestRotationByAge(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(dir)
		o.Limits.SegmentAge = time.Hour
		for range 2 {
			j, err := Open(o)
			if err != nil {
				t.Fatal(err)
			}
			for range 4 {
				e := change(1)
				e.Observed = audit.AtTime(time.Now())
				if _, err := j.Append(t.Context(), e); err != nil {
					t.Fatal(err)
				}
				time.Sleep(25 * time.Minute)
			}
			closeJournal(t, j)
		}
	})
	// A record every 25 minutes: the fourth is 75 minutes behind the first.
	if diff := cmp.Diff([]uint64{1, 4, 7}, segmentNames(t, dir)); diff != "" {
		t.Errorf("segments (-want +got):\n%s", diff)
	}
	mustVerify(t, dir)
}

// TestRotationOnADiskThatRefuses makes each step of a rotation fail for a
// while: nothing is lost, and what a power cut would leave is sound.
func TestRotationOnADiskThatRefuses(t *testing.T) {
	t.Run("file", func(t *testing.T) {
		dir := t.TempDir()
		synctest.Test(t, func(t *testing.T) {
			j, _ := openFaulty(t, dir, log.NewNopLogger())
			appendEvents(t, j, 3)
			block := segmentPath(dir, 4)
			if err := os.Mkdir(block, 0o700); err != nil {
				t.Fatal(err)
			}
			rotateAt(j, 1)
			if _, err := j.Append(t.Context(), change(3)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			synctest.Wait()
			if seq, _ := j.Durable(); seq != 3 || j.Err() == nil {
				t.Errorf("durable seq is %d and Err returns %v, want 3 and a reason", seq, j.Err())
			}
			remove(t, block)
			appendEvents(t, j, 2)
			closeJournal(t, j)
		})
		if lines := mustVerify(t, dir); len(lines) != 6 {
			t.Errorf("the journal has %d records, want 6", len(lines))
		}
	})
	for _, op := range []string{"write", "sync", "truncate"} {
		t.Run(op, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				j, d := openFaulty(t, dir, log.NewNopLogger())
				appendEvents(t, j, 3)
				d.fail(failing(op, syscall.ENOSPC))
				rotateAt(j, 1)
				for i := range 3 {
					if _, err := j.Append(t.Context(), change(i)); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(3 * time.Second)
				d.fail(healthy)
				if err := j.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				closeJournal(t, j)
			})
			if diff := cmp.Diff([]uint64{1, 4, 5, 6}, segmentNames(t, dir)); diff != "" {
				t.Errorf("segments (-want +got):\n%s", diff)
			}
			mustVerify(t, dir)
		})
	}
}

// TestTornRotation leaves what a crash can leave of a segment just begun.
func TestTornRotation(t *testing.T) {
	for _, tail := range []string{"", "{", `{"schema":"zkwarden/v1","seq":4,`, "\x00\x00\x00"} {
		dir := segmented(t, 1, 2)
		write(t, segmentPath(dir, 4), []byte(tail))
		o := testOptions(dir)
		o.Limits.SegmentSize = 1 // The repair may not go to another segment.
		j, err := Open(o)
		if err != nil {
			t.Fatalf("Open returned %v behind %q", err, tail)
		}
		chain := j.ChainID()
		closeJournal(t, j)
		checkRepair(t, dir, 3, len(tail))
		if again := newTestJournal(t, dir).ChainID(); again != chain || chain == "" {
			t.Errorf("chain id is %q behind %q, was %q", again, tail, chain)
		}
	}
}

func TestReadersFollowRotation(t *testing.T) {
	dir := t.TempDir()
	o := testOptions(dir)
	o.Limits.SegmentSize = 2 << 10
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeJournal(t, j) })
	c := openTestCursor(t, j)
	var got []string
	for range 50 {
		appendEvents(t, j, 7)
		for uint64(len(got)) < j.durable.seq {
			got = append(got, next(t, c)...)
			if err := c.Ack(uint64(len(got))); err != nil {
				t.Fatal(err)
			}
		}
	}
	want := mustVerify(t, dir)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cursor (-want +got):\n%s", diff)
	}
	for _, after := range []uint64{0, 1, 7, 8, 100, 349} {
		if diff := cmp.Diff(want[after:], replay(t, j, after)); diff != "" {
			t.Errorf("Replay behind %d (-want +got):\n%s", after, diff)
		}
	}
}

func TestLimits(t *testing.T) {
	cases := []struct {
		limits Limits
		says   string
	}{
		{Limits{}, ""},
		{Limits{SegmentSize: 1, RetentionSize: 1, RetentionHardSize: 1}, ""},
		{Limits{SegmentAge: 1, RetentionTime: 1}, ""},
		{Limits{SegmentSize: -1}, "negative"},
		{Limits{RetentionTime: 1}, "no segment is ever closed"},
		{Limits{RetentionHardSize: 1}, "no segment is ever closed"},
		{Limits{SegmentSize: 1, RetentionSize: 2, RetentionHardSize: 1}, "below"},
	}
	for _, c := range cases {
		err := c.limits.Validate()
		if got := err != nil && strings.Contains(err.Error(), c.says); got != (c.says != "") || c.says == "" && err != nil {
			t.Errorf("%+v: Validate returned %v, want %q", c.limits, err, c.says)
		}
		o := testOptions(filepath.Join(t.TempDir(), "new"))
		o.Limits = c.limits
		j, err := Open(o)
		if (err != nil) != (c.says != "") {
			t.Errorf("%+v: Open returned %v", c.limits, err)
		}
		if err == nil {
			closeJournal(t, j)
		}
	}
}
