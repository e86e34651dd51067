package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"zkwarden/audit"
	"zkwarden/audit/eventtest"
)

// keeping opens a journal in dir with limits; the test ends it.
func keeping(t *testing.T, dir string, limits Limits) *Journal {
	t.Helper()
	o := testOptions(dir)
	o.Limits = limits
	j, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeJournal(t, j) })
	return j
}

// settle waits until the writer has nothing to do: it takes the token only
// where it waits for work, behind retention.
func settle(t *testing.T, j *Journal) {
	t.Helper()
	for {
		j.wakeWriter()
		for len(j.work) > 0 {
			time.Sleep(100 * time.Microsecond)
		}
		j.mu.Lock()
		idle := len(j.queue) == 0 && j.durable.seq == j.last.seq && j.removal == nil
		j.mu.Unlock()
		if idle {
			return
		}
	}
}

// kept wants the journal in dir to be what the newest anchor says, with records
// as they are published, and returns the first seq and the events.
func kept(t *testing.T, dir string) (first uint64, events []audit.Event) {
	t.Helper()
	schema, err := eventtest.Published()
	if err != nil {
		t.Fatal(err)
	}
	report, err := Verify(t.Context(), dir, VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for line, err := range Browse(t.Context(), dir, BrowseOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(line.JSON); err != nil {
			t.Errorf("record %d: %v\n%s", line.Seq, err, line.JSON)
		}
		e, err := Decode(line)
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, e)
	}
	return report.First, events
}

func last[T any](all []T) T { return all[len(all)-1] }

func retentions(events []audit.Event) (found []audit.Event) {
	for _, e := range events {
		if e.Control == audit.ControlRetention {
			found = append(found, e)
		}
	}
	return found
}

func TestRetentionBySize(t *testing.T) {
	dir := t.TempDir()
	j := keeping(t, dir, Limits{SegmentSize: 4 << 10, RetentionSize: 20 << 10})
	for range 30 {
		appendEvents(t, j, 10)
		j.Keep(j.last.seq)
	}
	settle(t, j)
	if size := j.size(); size > 26<<10 {
		t.Errorf("the journal keeps %d bytes, want 20 KiB and at most a segment more", size)
	}
	chain := j.ChainID()
	closeJournal(t, j)
	first, events := kept(t, dir)
	if first < 100 {
		t.Errorf("the first record kept is %d, want one far behind 1", first)
	}
	newest := last(retentions(events))
	rec, _ := parseAnchor(newest.Anchor)
	if rec.seq != first-1 || rec.hash != events[0].Prev || newest.Chain != chain || newest.Reason != "size" || *newest.Count == 0 {
		t.Errorf("the newest retention record is %+v, want an anchor for %d with the chain id", newest, first-1)
	}
	for range 3 {
		j := keeping(t, dir, Limits{SegmentSize: 4 << 10})
		if j.ChainID() != chain || j.begin.seq != first-1 {
			t.Errorf("chain id %s and begin %d after reopening, want %s and %d", j.ChainID(), j.begin.seq, chain, first-1)
		}
		appendEvents(t, j, 10) // Segments without a retention record of their own follow.
		closeJournal(t, j)
	}
}

func TestRetentionByTime(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		o := testOptions(dir)
		o.Limits = Limits{SegmentAge: time.Hour, RetentionTime: 5 * time.Hour}
		j, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		add := func() {
			e := change(1)
			e.Observed = audit.AtTime(time.Now())
			seq, err := j.Append(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			j.Keep(seq)
		}
		for range 3 {
			add() // Segments that begin at 0, 1 and 2 hours.
			time.Sleep(time.Hour)
		}
		add()
		time.Sleep(2*time.Hour + 30*time.Minute) // 5.5 hours: the records of the first hour may be 4.5 hours old.
		synctest.Wait()
		if firsts := segmentNames(t, dir); firsts[0] != 1 {
			t.Errorf("segments %v after 5.5 hours, want the first to be kept", firsts)
		}
		time.Sleep(time.Hour) // The tick of an idle journal does it.
		synctest.Wait()
		if diff := cmp.Diff([]uint64{2, 3, 4, 5}, segmentNames(t, dir)); diff != "" {
			t.Errorf("segments after 6.5 hours (-want +got):\n%s", diff)
		}
		closeJournal(t, j)
	})
	kept(t, dir)
}

// TestRetentionWaits has a mirror, an open cursor, and the file of one that
// nobody has opened hold old records, one after the other.
func TestRetentionWaits(t *testing.T) {
	dir := segmented(t, 5, 5, 5, 5)
	lines := mustVerify(t, dir)
	rec, err := parseLine([]byte(lines[9]))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "cursor-parked"), mark{seq: 10, hash: string(rec.hash)}.text())
	j := keeping(t, dir, Limits{SegmentSize: 1 << 30, RetentionSize: 1})
	check := func(want uint64, why string) {
		t.Helper()
		appendEvents(t, j, 1)
		settle(t, j)
		appendEvents(t, j, 1)
		settle(t, j)
		if first := segmentNames(t, dir)[0]; first != want {
			t.Errorf("the first segment is %d, want %d: %s", first, want, why)
		}
	}
	check(1, "nobody said how far the mirror is")
	j.Keep(14)
	c := openTestCursor(t, j)
	check(1, "the cursor has acknowledged nothing")
	next(t, c)
	if err := c.Ack(9); err != nil {
		t.Fatal(err)
	}
	check(6, "the cursor has acknowledged record 9")
	if err := c.Ack(20); err != nil {
		t.Fatal(err)
	}
	check(11, "the parked cursor has acknowledged record 10")
	parked, err := j.OpenCursor("parked")
	if err != nil {
		t.Fatal(err)
	}
	defer parked.Close()
	next(t, parked)
	if err := parked.Ack(20); err != nil {
		t.Fatal(err)
	}
	check(11, "the mirror is at record 14")
	j.Keep(15)
	check(16, "the mirror is at record 15")
	fresh, err := j.OpenCursor("fresh")
	if err != nil {
		t.Fatal(err)
	}
	defer fresh.Close()
	if lines := members(t, next(t, fresh)); lines[0].Seq != 16 {
		t.Errorf("a new cursor begins with record %d, want 16", lines[0].Seq)
	}
	closeJournal(t, j)
	kept(t, dir)
}

// TestHardRetention removes records that two sinks have not acknowledged, one
// of them without a cursor that is open. Both losses are recorded and counted,
// and the cursors go on with the first record that is kept.
func TestHardRetention(t *testing.T) {
	dir := segmented(t, 5, 5, 5, 5)
	write(t, filepath.Join(dir, "cursor-dead"), mark{hash: noHash}.text())
	j := keeping(t, dir, Limits{SegmentSize: 1 << 30, RetentionHardSize: sizeOf(t, dir)})
	slow := openTestCursor(t, j)
	if n := len(next(t, slow)); n != 20 {
		t.Fatalf("%d lines, want 20", n)
	}
	if err := slow.Ack(3); err != nil {
		t.Fatal(err)
	}
	behind, err := j.OpenCursor("behind")
	if err != nil {
		t.Fatal(err)
	}
	defer behind.Close()
	j.Keep(20)
	appendEvents(t, j, 1)
	settle(t, j)
	appendEvents(t, j, 1)
	settle(t, j)

	first := segmentNames(t, dir)[0]
	if first != 6 {
		t.Fatalf("the first segment is %d, want 6", first)
	}
	lost := map[string]float64{"dead": float64(first - 1), "behind": float64(first - 1), "reader": float64(first - 1 - 3)}
	for sink, want := range lost {
		if got := testutil.ToFloat64(j.metrics.sinkLost.WithLabelValues(sink)); got != want {
			t.Errorf("sink %s lost %v records by its metric, want %v", sink, got, want)
		}
	}
	lines := members(t, next(t, behind))
	if lines[0].Seq != first || behind.acked.Load() != first-1 {
		t.Errorf("the cursor goes on with record %d, want %d", lines[0].Seq, first)
	}
	if err := behind.Ack(first); err != nil {
		t.Fatal(err)
	}
	for _, seq := range []uint64{4, 20} { // What it has in hand may still be acknowledged.
		if err := slow.Ack(seq); err != nil {
			t.Error(err)
		}
	}
	if lines := members(t, next(t, slow)); lines[0].Seq != 21 {
		t.Errorf("the cursor that has lines in hand goes on with record %d, want 21", lines[0].Seq)
	}
	dead, err := j.OpenCursor("dead")
	if err != nil {
		t.Fatal(err)
	}
	defer dead.Close()
	if lines := members(t, next(t, dead)); lines[0].Seq != first {
		t.Errorf("the cursor opened later goes on with record %d, want %d", lines[0].Seq, first)
	}
	closeJournal(t, j)
	_, events := kept(t, dir)
	var reasons []string
	for _, e := range events {
		if e.Kind == audit.KindGap {
			reasons = append(reasons, e.Reason)
			if e.Count == nil {
				t.Errorf("record %d has no count", e.Seq)
			}
		}
	}
	want := []string{
		"retention removed records 1 to 5 before sink behind acknowledged them",
		"retention removed records 1 to 5 before sink dead acknowledged them",
		"retention removed records 4 to 5 before sink reader acknowledged them",
	}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Errorf("gaps (-want +got):\n%s", diff)
	}
}

// TestRetentionBeforeTheMirror is the limit that no size moves.
func TestRetentionBeforeTheMirror(t *testing.T) {
	dir := segmented(t, 5, 5)
	j := keeping(t, dir, Limits{SegmentSize: 1, RetentionHardSize: 1})
	j.Keep(4)
	appendEvents(t, j, 5)
	settle(t, j)
	if first := segmentNames(t, dir)[0]; first != 1 {
		t.Errorf("the first segment is %d, although the mirror needs record 5", first)
	}
}

// sizeOf returns the bytes of the segments in dir.
func sizeOf(t *testing.T, dir string) (size int64) {
	t.Helper()
	segments, err := listSegments(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segments {
		size += s.size
	}
	return size
}

// retained makes a journal whose first segment is gone, and returns what that
// held.
func retained(t *testing.T) (dir string, removed []byte) {
	t.Helper()
	dir = segmented(t, 5, 5, 5)
	removed, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	j := keeping(t, dir, Limits{SegmentSize: 1 << 30, RetentionSize: sizeOf(t, dir)})
	j.Keep(15)
	appendEvents(t, j, 1)
	settle(t, j)
	closeJournal(t, j)
	report, err := Verify(t.Context(), dir, VerifyOptions{})
	if _, events := kept(t, dir); err != nil || report.RemovedBy != last(retentions(events)).Seq {
		t.Fatalf("record %d vouches for the removal: %v", report.RemovedBy, err)
	}
	if diff := cmp.Diff([]uint64{6, 11}, segmentNames(t, dir)); diff != "" {
		t.Fatalf("segments (-want +got):\n%s", diff)
	}
	return dir, removed
}

// TestRetentionCutShort leaves the files as a crash between the record and the
// removal does. The next start removes them.
func TestRetentionCutShort(t *testing.T) {
	dir, removed := retained(t)
	write(t, segmentPath(dir, 1), removed)
	if _, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil {
		t.Errorf("Verify returned %v before the removal", err)
	}
	j := newTestJournal(t, dir)
	c := openTestCursor(t, j) // Opened while the writer may remove.
	if lines := members(t, next(t, c)); lines[0].Seq != 6 {
		t.Errorf("a new cursor begins with record %d, want 6", lines[0].Seq)
	}
	settle(t, j)
	if diff := cmp.Diff([]uint64{6, 11}, segmentNames(t, dir)); diff != "" {
		t.Errorf("segments (-want +got):\n%s", diff)
	}
}

// TestMissingBeginning removes what no retention record vouches for.
func TestMissingBeginning(t *testing.T) {
	cases := []struct {
		name   string
		change func(dir string, removed []byte)
		says   string
	}{
		{
			"one segment too many", func(dir string, _ []byte) { remove(t, segmentPath(dir, 6)) },
			"the records 6 to 10 are missing, and no retention record says",
		},
		{"another first segment", func(dir string, _ []byte) {
			text, err := os.ReadFile(segmentPath(segmented(t, 5, 5), 6))
			if err != nil {
				t.Fatal(err)
			}
			write(t, segmentPath(dir, 6), text)
		}, "follows another line"},
		{"a removed one that is not what was removed", func(dir string, removed []byte) {
			write(t, segmentPath(dir, 1), []byte(strings.Join(strings.SplitAfter(string(removed), "\n")[:4], "")))
		}, "the records 5 to 5 are missing"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir, removed := retained(t)
			c.change(dir, removed)
			var broken *BrokenError
			if err := reopen(t, dir); !errors.As(err, &broken) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Open returned %v, want a *BrokenError with %q", err, c.says)
			}
			if _, err := Verify(t.Context(), dir, VerifyOptions{}); !errors.As(err, &broken) {
				t.Errorf("Verify returned %v, want a *BrokenError", err)
			}
		})
	}
}

func TestReplayOfWhatIsGone(t *testing.T) {
	dir, _ := retained(t)
	j := newTestJournal(t, dir)
	for _, err := range j.Replay(t.Context(), 3) {
		if err == nil || !strings.Contains(err.Error(), "through seq 5") {
			t.Errorf("Replay from a record that is gone yields %v", err)
		}
	}
	for after, want := range map[uint64]int{0: 12, 3: 12, 5: 12, 6: 11, 17: 0} {
		count := 0
		for line, err := range j.Later(t.Context(), after) {
			if count++; err != nil || line.Seq != max(after, 5)+uint64(count) {
				t.Fatalf("line %d of Later(%d) is record %d, error %v", count, after, line.Seq, err)
			}
		}
		if count != want {
			t.Errorf("Later(%d) yields %d lines, want %d", after, count, want)
		}
	}
	if lines := replay(t, j, 5); len(lines) != 12 {
		t.Errorf("Replay from the first record yields %d lines, want 12", len(lines))
	}
	if from0 := replay(t, j, 0); len(from0) != 12 {
		t.Errorf("Replay from 0 yields %d lines, want 12", len(from0))
	}
}

// TestOpeningReadsLittle wants a large journal to be opened without reading
// its middle: damage there is for verify, and for those who read it.
func TestOpeningReadsLittle(t *testing.T) {
	dir := segmented(t, 50, 50, 50)
	path := segmentPath(dir, 51)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text[len(text)/2] ^= 1
	write(t, path, text)
	if err := reopen(t, dir); err != nil {
		t.Errorf("Open read the middle of a closed segment: %v", err)
	}
	var broken *BrokenError
	if _, err := Verify(t.Context(), dir, VerifyOptions{}); !errors.As(err, &broken) || broken.File != path {
		t.Errorf("Verify returned %v, want a *BrokenError for %s", err, path)
	}
}
