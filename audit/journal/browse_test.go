package journal

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

// browse returns the seqs that Browse yields and its errors, as text.
func browse(t *testing.T, dir string, o BrowseOptions) (seqs []uint64, errs []string) {
	t.Helper()
	for line, err := range Browse(t.Context(), dir, o) {
		if err != nil {
			errs = append(errs, err.Error())
			continue
		}
		if rec, err := parseLine(line.JSON); err != nil || rec.seq != line.Seq {
			t.Errorf("line %d does not prove itself: %v", line.Seq, err)
		}
		seqs = append(seqs, line.Seq)
	}
	return seqs, errs
}

func upTo(from, to uint64) (seqs []uint64) {
	for seq := from; seq <= to; seq++ {
		seqs = append(seqs, seq)
	}
	return seqs
}

// hourly makes a journal with a segment for each hour of a day from midnight,
// and a record every ten minutes.
func hourly(t *testing.T) (dir string, midnight time.Time) {
	t.Helper()
	dir = t.TempDir()
	midnight = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	j := newTestJournal(t, dir)
	for i := range 24 * 6 {
		if i%6 == 0 {
			rotateAt(j, 1)
		}
		e := change(i)
		e.Observed = audit.AtTime(midnight.Add(time.Duration(i) * 10 * time.Minute))
		if _, err := j.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		rotateAt(j, 0)
	}
	closeJournal(t, j)
	return dir, midnight
}

func TestBrowse(t *testing.T) {
	dir, midnight := hourly(t)
	at := func(hours float64) time.Time { return midnight.Add(time.Duration(hours * float64(time.Hour))) }
	even := func(line audit.Line) bool { return line.Seq%2 == 0 }
	cases := []struct {
		name    string
		options BrowseOptions
		want    []uint64
	}{
		{"all", BrowseOptions{}, upTo(1, 144)},
		{"from", BrowseOptions{From: 100}, upTo(100, 144)},
		{"to", BrowseOptions{To: 13}, upTo(1, 13)},
		{"from and to", BrowseOptions{From: 12, To: 13}, upTo(12, 13)},
		{"one", BrowseOptions{From: 13, To: 13}, upTo(13, 13)},
		{"behind the end", BrowseOptions{From: 145}, nil},
		{"nothing", BrowseOptions{From: 9, To: 8}, nil},
		{"since, as segments", BrowseOptions{Since: at(22.5)}, upTo(133, 144)},
		{"until, as segments", BrowseOptions{Until: at(1.5)}, upTo(1, 12)},
		{"since the clock was set back", BrowseOptions{Since: at(22)}, upTo(127, 144)},
		{"since ever", BrowseOptions{Since: at(-1)}, upTo(1, 144)},
		{"until never", BrowseOptions{Until: at(99)}, upTo(1, 144)},
		{"since tomorrow", BrowseOptions{Since: at(99)}, upTo(139, 144)},
		{"until yesterday", BrowseOptions{Until: at(-99)}, nil},
		{"tail", BrowseOptions{Tail: 8}, upTo(137, 144)},
		{"tail of few", BrowseOptions{Tail: 8, Match: func(l audit.Line) bool { return l.Seq < 4 }}, upTo(1, 3)},
		{"tail of a match", BrowseOptions{Tail: 4, Match: even}, []uint64{138, 140, 142, 144}},
		{"tail before", BrowseOptions{Tail: 2, To: 20}, upTo(19, 20)},
		{"tail that is all", BrowseOptions{Tail: 144}, upTo(1, 144)},
		{"tail that is more", BrowseOptions{Tail: 145}, upTo(1, 144)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			seqs, errs := browse(t, dir, c.options)
			if diff := cmp.Diff(c.want, seqs); diff != "" || len(errs) > 0 {
				t.Errorf("errors %q, seqs (-want +got):\n%s", errs, diff)
			}
		})
	}
}

// TestBrowseSkipsSegments damages what need not be read.
func TestBrowseSkipsSegments(t *testing.T) {
	dir, midnight := hourly(t)
	for _, first := range []uint64{1, 7, 61, 139} {
		text := mustRead(t, segmentPath(dir, first))
		text[len(text)-100] ^= 1 // In the last line.
		write(t, segmentPath(dir, first), text)
	}
	for _, o := range []BrowseOptions{
		{From: 20, To: 40},
		{Since: midnight.Add(3 * time.Hour), Until: midnight.Add(9 * time.Hour)},
		{From: 100, To: 138, Tail: 3},
	} {
		if seqs, errs := browse(t, dir, o); len(errs) > 0 || len(seqs) == 0 {
			t.Errorf("%+v: Browse read segments that hold nothing wanted: %q", o, errs)
		}
	}
}

func TestBrowseGoesBehindDamage(t *testing.T) {
	cases := []struct {
		name   string
		change func(l [][]byte) [][]byte // Of the segment with the records 5 to 8.
		seqs   []uint64
		errs   []string
	}{
		{
			"flipped bit", func(l [][]byte) [][]byte { l[1][9] ^= 1; return l },
			[]uint64{1, 2, 3, 4, 5, 7, 8, 9, 10},
			[]string{"line 2, seq 6: the line does not match its hash"},
		},
		{
			"line removed", func(l [][]byte) [][]byte { return append(l[:1], l[2:]...) },
			[]uint64{1, 2, 3, 4, 5, 7, 8, 9, 10},
			[]string{"line 2, seq 6: the line has seq 7"},
		},
		{
			"line forged", func(l [][]byte) [][]byte { l[1] = forge(l[1]); return l },
			upTo(1, 10),
			[]string{"line 3, seq 7: the line follows another line"},
		},
		{
			"garbage", func(l [][]byte) [][]byte { l[1] = []byte("\n\nx\n"); return l },
			[]uint64{1, 2, 3, 4, 5, 7, 8, 9, 10},
			[]string{"line 2, seq 6", "line 3, seq 7", "line 4, seq 8", "line 5, seq 9: the line has seq 7"},
		},
		{
			"segment cut", func(l [][]byte) [][]byte { return [][]byte{l[0], l[1][:50]} },
			[]uint64{1, 2, 3, 4, 5, 9, 10},
			[]string{"line 2, seq 6: the line does not end", "the records 7 to 8 are missing"},
		},
		{
			"line of 17 MiB", func(l [][]byte) [][]byte { l[1] = append(make([]byte, maxLine+readChunk), '\n'); return l },
			[]uint64{1, 2, 3, 4, 5, 7, 8, 9, 10},
			[]string{"line 2, seq 6: the line does not"},
		},
		{"first line without a chain id", func(l [][]byte) [][]byte {
			body := bytes.Replace(l[0][:len(l[0])-hashPart-1], []byte(`,"chain":`), []byte(`,"chaim":`), 1)
			line, _ := seal(append(body, '}'))
			l[0] = append(line, '\n')
			return l
		}, upTo(1, 10), []string{"line 1, seq 5: the first record of the segment has no chain id", "line 2, seq 6: the line follows another line"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := segmented(t, 4, 4, 2)
			write(t, segmentPath(dir, 5), bytes.Join(c.change(linesOf(t, dir, 5)), nil))
			seqs, errs := browse(t, dir, BrowseOptions{})
			if diff := cmp.Diff(c.seqs, seqs); diff != "" {
				t.Errorf("seqs (-want +got):\n%s", diff)
			}
			if len(errs) != len(c.errs) {
				t.Fatalf("errors %q, want %q", errs, c.errs)
			}
			for i, want := range c.errs {
				if !strings.Contains(errs[i], want) {
					t.Errorf("error %q, want %q", errs[i], want)
				}
			}
		})
	}
	t.Run("end missing", func(t *testing.T) {
		dir := segmented(t, 4, 4)
		write(t, segmentPath(dir, 5), bytes.Join(linesOf(t, dir, 5)[:2], nil))
		seqs, errs := browse(t, dir, BrowseOptions{})
		if len(seqs) != 6 || len(errs) != 1 || !strings.Contains(errs[0], "seq 7: the journal ends, although the file head says that it reached seq 8") {
			t.Errorf("seqs %d, errors %q", seqs, errs)
		}
	})
	t.Run("segment missing", func(t *testing.T) {
		dir := segmented(t, 4, 4, 2)
		remove(t, segmentPath(dir, 5))
		seqs, errs := browse(t, dir, BrowseOptions{})
		if diff := cmp.Diff([]uint64{1, 2, 3, 4, 9, 10}, seqs); diff != "" || len(errs) != 1 || !strings.Contains(errs[0], "the records 5 to 8 are missing") {
			t.Errorf("errors %q, seqs (-want +got):\n%s", errs, diff)
		}
	})
	t.Run("segment of another journal", func(t *testing.T) {
		dir := segmented(t, 4, 4, 2)
		write(t, segmentPath(dir, 9), mustRead(t, segmentPath(segmented(t, 4, 4, 2), 9)))
		if _, errs := browse(t, dir, BrowseOptions{}); len(errs) != 2 || !strings.Contains(errs[0], "follows another line") || !strings.Contains(errs[1], "another journal") {
			t.Errorf("errors %q", errs)
		}
	})
}

func TestBrowseNoJournal(t *testing.T) {
	empty := t.TempDir()
	for dir, follows := range map[string]bool{empty: false, filepath.Join(empty, "nope"): true} {
		for _, follow := range []bool{false, follows} {
			inTime(t, "Browse", func() {
				_, errs := browse(t, dir, BrowseOptions{Follow: follow})
				if len(errs) != 1 || !strings.HasPrefix(errs[0], "there is no journal in "+dir) {
					t.Errorf("errors %q for %s", errs, dir)
				}
			})
		}
	}
}

// TestBrowseWithoutHead: whoever removes or garbles the file head hides no
// record by that.
func TestBrowseWithoutHead(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"the file is missing":   os.Remove,
		`is not "<seq>:<hash>"`: func(path string) error { return os.WriteFile(path, nil, 0o600) },
	} {
		dir := segmented(t, 2, 2)
		path := filepath.Join(dir, headFile)
		if err := spoil(path); err != nil {
			t.Fatal(err)
		}
		seqs, errs := browse(t, dir, BrowseOptions{})
		if diff := cmp.Diff(upTo(1, 4), seqs); diff != "" || len(errs) != 1 || !strings.Contains(errs[0], path+": "+name) {
			t.Errorf("errors %q, seqs (-want +got):\n%s", errs, diff)
		}
	}
}

// TestFollowOfOneCutShort: what is missing at the end is told of before the
// wait for more begins.
func TestFollowOfOneCutShort(t *testing.T) {
	dir := segmented(t, 4, 4)
	write(t, segmentPath(dir, 5), bytes.Join(linesOf(t, dir, 5)[:2], nil))
	f := followDir(t, dir, BrowseOptions{})
	select {
	case err := <-f.errs:
		var broken *BrokenError
		if !errors.As(err, &broken) || broken.Seq != 7 || len(f.lines) != 6 {
			t.Errorf("error %v behind %d records, want a *BrokenError for seq 7", err, len(f.lines))
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the loss is not told of")
	}
	f.cancel()
	<-f.ended
	if err := <-f.errs; !errors.Is(err, context.Canceled) {
		t.Errorf("Browse ended with %v, want %v", err, context.Canceled)
	}
}

// follower reads a journal as it grows.
type follower struct {
	t      *testing.T
	lines  chan uint64
	errs   chan error
	ended  chan struct{}
	cancel context.CancelFunc
}

func followDir(t *testing.T, dir string, o BrowseOptions) *follower {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	f := &follower{t: t, lines: make(chan uint64, 1<<16), errs: make(chan error, 1<<10), ended: make(chan struct{}), cancel: cancel}
	o.Follow = true
	go func() {
		defer close(f.ended)
		for line, err := range Browse(ctx, dir, o) {
			if err != nil {
				f.errs <- err
				continue
			}
			f.lines <- line.Seq
		}
	}()
	t.Cleanup(func() { cancel(); <-f.ended })
	return f
}

// await wants the lines up to a seq, each once and in order from the first.
func (f *follower) await(from, to uint64) {
	f.t.Helper()
	deadline := time.After(20 * time.Second)
	for want := from; want <= to; want++ {
		select {
		case seq := <-f.lines:
			if seq != want {
				f.t.Fatalf("line %d, want %d, errors %d", seq, want, len(f.errs))
			}
		case err := <-f.errs:
			f.t.Fatalf("error %v, want line %d", err, want)
		case <-deadline:
			f.t.Fatalf("line %d does not come", want)
		}
	}
}

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	f := followDir(t, dir, BrowseOptions{}) // Before there is a journal.
	if err := <-f.errs; !errors.Is(err, ErrWaiting) || err.Error() != "waiting for a journal in "+dir {
		t.Errorf("error %v, want %v", err, ErrWaiting)
	}
	time.Sleep(2 * pollInterval) // Real time: that it is told of once.
	j := newTestJournal(t, dir)
	appendEvents(t, j, 5)
	f.await(1, 5)
	for range 5 { // Through rotation.
		grow(t, j, 3)
	}
	f.await(6, 20)
	closeJournal(t, j)
	j = newTestJournal(t, dir) // Through a restart.
	appendEvents(t, j, 1)
	f.await(21, 21)
	tail := followDir(t, dir, BrowseOptions{Tail: 2})
	tail.await(20, 21)
	fresh := followDir(t, dir, BrowseOptions{From: 23, To: 24})
	appendEvents(t, j, 4)
	tail.await(22, 25)
	fresh.await(23, 24)
	<-fresh.ended
	f.cancel()
	<-f.ended
	if err := <-f.errs; !errors.Is(err, context.Canceled) {
		t.Errorf("Browse ended with %v, want %v", err, context.Canceled)
	}
}

// TestFollowWaitsForWholeLines writes a line in pieces, and then another one
// in its place, as a process does that is started behind a crash.
func TestFollowWaitsForWholeLines(t *testing.T) {
	dir := segmented(t, 3)
	f := followDir(t, dir, BrowseOptions{})
	f.await(1, 3)
	file, err := os.OpenFile(segmentPath(dir, 1), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := file.WriteString(`{"schema":"zkwarden/v1","seq":4,"torn`); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * pollInterval) // Real time: that the piece is not taken for a line.
	j := newTestJournal(t, dir)  // Repairs it.
	appendEvents(t, j, 1)
	f.await(4, 5)
}

func TestFollowThroughRetention(t *testing.T) {
	dir := segmented(t, 3, 3)
	f := followDir(t, dir, BrowseOptions{})
	f.await(1, 6)
	// Everything that it reads goes while it waits, and more than it has seen.
	elsewhere := segmented(t, 3, 3, 3, 3, 3)
	for _, first := range []uint64{1, 4} {
		remove(t, segmentPath(dir, first))
	}
	write(t, segmentPath(dir, 13), mustRead(t, segmentPath(elsewhere, 13)))
	select {
	case err := <-f.errs:
		var removed *RemovedError
		if !errors.As(err, &removed) || *removed != (RemovedError{From: 7, To: 12}) {
			t.Errorf("error %v, want a *RemovedError for 7 to 12", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the loss is not told of")
	}
	var broken *BrokenError // It is another journal's.
	if err := <-f.errs; !errors.As(err, &broken) {
		t.Errorf("error %v, want a *BrokenError", err)
	}
	f.await(13, 15)
}

// TestReadersBesideAWriter verifies and follows a journal that is written,
// rotated and shortened all the time.
func TestReadersBesideAWriter(t *testing.T) {
	dir := t.TempDir()
	j := keeping(t, dir, Limits{SegmentSize: 16 << 10, RetentionSize: 128 << 10})
	appendEvents(t, j, 1)
	f := followDir(t, dir, BrowseOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	written := make(chan uint64)
	go func() {
		var last uint64
		for i := 0; ctx.Err() == nil; i++ {
			seq, err := j.Append(ctx, change(i))
			if err != nil {
				break
			}
			last = seq
			if i%20 == 0 {
				_ = j.Flush(ctx)
				j.Keep(seq - min(seq, 10))
				time.Sleep(time.Millisecond)
			}
		}
		written <- last
	}()
	for i := 0; i < 100 || segmentNames(t, dir)[0] == 1; i++ {
		seq, hash := j.Durable()
		report, err := Verify(t.Context(), dir, VerifyOptions{Heads: []Head{{Seq: seq, Hash: hash}}})
		if err != nil && !errors.Is(err, ErrNotKept) && !errors.Is(err, ErrUnvouched) { // Retention has gone on since the head was taken.
			t.Fatalf("Verify returned %v beside a writer", err)
		}
		if err == nil && (report.Witnessed != seq || report.Last < seq) {
			t.Fatalf("Verify returned %+v, want record %d to be witnessed", report, seq)
		}
	}
	cancel()
	last := <-written
	for {
		select {
		case seq := <-f.lines:
			if seq >= last {
				return
			}
		case err := <-f.errs:
			if _, ok := errors.AsType[*RemovedError](err); !ok {
				t.Fatalf("Browse told of %v beside a writer", err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("the follower does not come to %d", last)
		}
	}
}

// FuzzVerify reads any bytes as the second segment of a journal. What Verify
// accepts, the independent verifier accepts too, and Browse yields it.
func FuzzVerify(f *testing.F) {
	dir := segmented(f, 2, 2)
	text := mustRead(f, segmentPath(dir, 3))
	f.Add(text)
	f.Add(text[:len(text)-1])
	f.Add(append(bytes.Clone(text), "\n\n"...))
	f.Add(bytes.Replace(text, []byte(`"seq":4`), []byte(`"seq":5`), 1))
	f.Add(bytes.Replace(text, []byte(`"kind":"change"`), []byte(`"kind":"control","control":"retention"`), 1))
	f.Fuzz(func(t *testing.T, text []byte) {
		write(t, segmentPath(dir, 3), text)
		report, err := Verify(t.Context(), dir, VerifyOptions{})
		var broken *BrokenError
		if err != nil && !errors.As(err, &broken) {
			t.Fatalf("Verify returned %v, want a *BrokenError", err)
		}
		var yielded int
		var damage error
		for _, err := range Browse(t.Context(), dir, BrowseOptions{}) {
			if err == nil {
				yielded++
			}
			damage = errors.Join(damage, err)
		}
		if err == nil {
			write(t, segmentPath(dir, 3), text[:int64(len(text))-report.Torn])
			lines, verr := verifyDir(dir)
			if verr != nil && !strings.Contains(verr.Error(), "no JSON") {
				t.Errorf("Verify accepts what the independent verifier does not: %v", verr)
			}
			if damage != nil || verr == nil && yielded != len(lines) {
				t.Errorf("Browse yields %d of %d lines and tells of %v", yielded, len(lines), damage)
			}
		} else if damage == nil {
			t.Errorf("Browse tells of no damage, Verify of %v", err)
		}
	})
}

func TestCopiedDirectory(t *testing.T) {
	dir, _ := retained(t)
	to := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"lock"} {
		remove(t, filepath.Join(to, name))
	}
	want, err := Verify(t.Context(), dir, VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Verify(t.Context(), to, VerifyOptions{})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Verify of a copy returned %v (-original +copy):\n%s", err, diff)
	}
}
