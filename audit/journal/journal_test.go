package journal

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

func replay(tb testing.TB, j *Journal, after uint64) []string {
	tb.Helper()
	var lines []string
	for line, err := range j.Replay(tb.Context(), after) {
		if err != nil {
			tb.Fatal(err)
		}
		lines = append(lines, string(line.JSON))
	}
	return lines
}

func TestAppendFillsTheChain(t *testing.T) {
	dir := t.TempDir()
	j := newTestJournal(t, dir)
	first, second := change(1), audit.Event{Kind: audit.KindGap, Ensemble: "test", Recorder: "host"}
	for i, e := range []audit.Event{first, second} {
		if seq, err := j.Append(t.Context(), e); err != nil || seq != uint64(i+1) {
			t.Fatalf("Append returned %d, %v, want %d", seq, err, i+1)
		}
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines := mustVerify(t, dir)
	var got []audit.Event
	for i, line := range lines {
		e, err := Decode(audit.Line{Seq: uint64(i + 1), JSON: []byte(line)})
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, e)
	}
	first.Schema, first.Seq, first.Chain, first.Prev = audit.Schema, 1, j.ChainID(), noHash
	rec, err := parseLine([]byte(lines[0]))
	if err != nil {
		t.Fatal(err)
	}
	second.Schema, second.Seq, second.Prev = audit.Schema, 2, string(rec.hash)
	second.ID = second.SeqID(j.ChainID())
	if diff := cmp.Diff([]audit.Event{first, second}, got, cmp.Comparer(func(a, b audit.Millis) bool { return a == b })); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
}

func TestChainIDStaysWithTheJournal(t *testing.T) {
	dir := t.TempDir()
	j := newTestJournal(t, dir)
	id := j.ChainID()
	appendEvents(t, j, 2)
	closeJournal(t, j)
	if again := newTestJournal(t, dir).ChainID(); again != id || len(id) != 32 {
		t.Errorf("chain id is %q after reopening, want %q", again, id)
	}
	if other := newTestJournal(t, t.TempDir()).ChainID(); other == id {
		t.Errorf("two journals share the chain id %q", id)
	}
}

func TestReopenContinues(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		j := newTestJournal(t, dir)
		appendEvents(t, j, 4)
		closeJournal(t, j)
	}
	if lines := mustVerify(t, dir); len(lines) != 12 {
		t.Errorf("the journal has %d records, want 12", len(lines))
	}
}

func TestFileModes(t *testing.T) {
	dir := t.TempDir() + "/made/by/journal"
	j := newTestJournal(t, dir)
	appendEvents(t, j, 11)
	openTestCursor(t, j)
	got := map[string]os.FileMode{}
	info, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	got["."] = info.Mode().Perm()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		got[entry.Name()] = info.Mode().Perm()
	}
	want := map[string]os.FileMode{
		".": 0o700, "lock": 0o600, "head": 0o600, "cursor-reader": 0o600, "journal-00000000000000000001.jsonl": 0o600,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

func TestOneOwner(t *testing.T) {
	dir := t.TempDir()
	j := newTestJournal(t, dir)
	err := reopen(t, dir)
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "process "+pid()) {
		t.Errorf("Open returned %v, want ErrLocked with directory and process id", err)
	}
	closeJournal(t, j)
	if err := reopen(t, dir); err != nil {
		t.Errorf("Open returned %v after the owner closed the journal", err)
	}
}

func TestClosedJournal(t *testing.T) {
	j := newTestJournal(t, t.TempDir())
	appendEvents(t, j, 1)
	if err := j.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Append(t.Context(), change(2)); !errors.Is(err, ErrClosed) {
		t.Errorf("Append returned %v, want %v", err, ErrClosed)
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Errorf("Flush returned %v although everything is durable", err)
	}
	for range 2 {
		closeJournal(t, j)
	}
}

func TestTooLargeEvent(t *testing.T) {
	dir := t.TempDir()
	j := newTestJournal(t, dir)
	e := change(1)
	e.After.Data = strings.Repeat("x", maxLine)
	if _, err := j.Append(t.Context(), e); !errors.Is(err, ErrTooLarge) {
		t.Errorf("Append returned %v, want %v", err, ErrTooLarge)
	}
	e.After.Data = strings.Repeat("x", maxLine-2000)
	if _, err := j.Append(t.Context(), e); err != nil {
		t.Error(err)
	}
	appendEvents(t, j, 1)
	if lines := mustVerify(t, dir); len(lines) != 2 {
		t.Errorf("the journal has %d records, want 2", len(lines))
	}
	if lines := replay(t, j, 0); len(lines) != 2 {
		t.Errorf("Replay yields %d records, want 2", len(lines))
	}
}

func TestConcurrentUse(t *testing.T) {
	dir := t.TempDir()
	j := newTestJournal(t, dir)
	c := openTestCursor(t, j)
	const writers, each = 8, 200
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := j.Append(t.Context(), change(i)); err != nil {
					t.Error(err)
				}
				if err := j.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var got []string
	for len(got) < writers*each {
		got = append(got, next(t, c)...)
	}
	wg.Wait()
	if diff := cmp.Diff(mustVerify(t, dir), got); diff != "" {
		t.Errorf("cursor (-want +got):\n%s", diff)
	}
}

func TestReplayEndsWithContext(t *testing.T) {
	j := newTestJournal(t, t.TempDir())
	appendEvents(t, j, 3)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seqs []uint64
	var last error
	for line, err := range j.Replay(ctx, 0) {
		seqs, last = append(seqs, line.Seq), err
		cancel()
	}
	if diff := cmp.Diff([]uint64{1, 0}, seqs); diff != "" || !errors.Is(last, context.Canceled) {
		t.Errorf("Replay ended with %v (-want +got):\n%s", last, diff)
	}
}

func TestReplayBehindTheEnd(t *testing.T) {
	j := newTestJournal(t, t.TempDir())
	appendEvents(t, j, 3)
	for _, err := range j.Replay(t.Context(), 4) {
		if err == nil {
			t.Error("Replay yields a line behind the end")
		}
	}
	if lines := replay(t, j, 3); len(lines) != 0 {
		t.Errorf("Replay behind the last line yields %q", lines)
	}
}
