package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openTestCursor(t *testing.T, j *Journal) *Cursor {
	t.Helper()
	c, err := j.OpenCursor("reader")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() }) // Some tests have closed it.
	return c
}

func next(tb testing.TB, c *Cursor) []string {
	tb.Helper()
	batch, err := c.Next(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	var lines []string
	for _, line := range batch {
		lines = append(lines, string(line.JSON))
	}
	return lines
}

func TestCursorBeginsBehindWhatWasAcknowledged(t *testing.T) {
	dir := t.TempDir()
	j := newTestJournal(t, dir)
	appendEvents(t, j, 2000)
	want := mustVerify(t, dir)
	for _, ack := range []uint64{1, 9, 10, 512, 513, 2000} {
		c := openTestCursor(t, j)
		from := c.acked.Load()
		for at := from; at < ack; {
			lines := next(t, c)
			if diff := cmp.Diff(want[at:at+uint64(len(lines))], lines); diff != "" {
				t.Fatalf("lines behind %d (-want +got):\n%s", at, diff)
			}
			at += uint64(len(lines))
		}
		for _, seq := range []uint64{ack, ack, ack - 1} { // Again, and back, changes nothing.
			if err := c.Ack(seq); err != nil {
				t.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		closeJournal(t, j)
		j = newTestJournal(t, dir)
	}
	c := openTestCursor(t, j)
	appendEvents(t, j, 1)
	if diff := cmp.Diff(mustVerify(t, dir)[2000:], next(t, c)); diff != "" {
		t.Errorf("line behind everything (-want +got):\n%s", diff)
	}
}

func TestCursorBatchesAreBounded(t *testing.T) {
	j := newTestJournal(t, t.TempDir())
	appendEvents(t, j, batchLines+1)
	big := change(1)
	big.After.Data = strings.Repeat("x", batchBytes*2/3)
	for range 4 {
		if _, err := j.Append(t.Context(), big); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := openTestCursor(t, j)
	var sizes []int
	for range 3 {
		sizes = append(sizes, len(next(t, c)))
	}
	if diff := cmp.Diff([]int{batchLines, 3, 2}, sizes); diff != "" {
		t.Errorf("batches (-want +got):\n%s", diff)
	}
}

func TestCursorWaits(t *testing.T) {
	j := newTestJournal(t, t.TempDir())
	c := openTestCursor(t, j)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Next returned %v, want %v", err, context.Canceled)
	}
	got := make(chan int)
	go func() { got <- len(next(t, c)) }()
	appendEvents(t, j, 1)
	if n := <-got; n != 1 {
		t.Errorf("Next returned %d lines, want 1", n)
	}
}

func TestCursorEndsWithTheJournal(t *testing.T) {
	j := newTestJournal(t, t.TempDir())
	c := openTestCursor(t, j)
	appendEvents(t, j, 3)
	if err := j.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(next(t, c)); n != 3 {
		t.Errorf("Next returned %d lines, want 3", n)
	}
	if _, err := c.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Next returned %v, want %v", err, ErrClosed)
	}
}

func TestCursorLimits(t *testing.T) {
	j := newTestJournal(t, t.TempDir())
	appendEvents(t, j, 2)
	c := openTestCursor(t, j)
	if err := c.Ack(1); err == nil {
		t.Error("Ack of a line that was not returned is no error")
	}
	next(t, c)
	if err := c.Ack(3); err == nil {
		t.Error("Ack of a line that does not exist is no error")
	}
	if _, err := j.OpenCursor("reader"); err == nil {
		t.Error("a cursor can be opened twice")
	}
	for _, name := range []string{"", "../head", "A", "a b", strings.Repeat("a", 65)} {
		if _, err := j.OpenCursor(name); err == nil {
			t.Errorf("a cursor can have the name %q", name)
		}
	}
}

func TestCursorFile(t *testing.T) {
	dir := segmented(t, 5, 3, 4)
	lines := mustVerify(t, dir)
	hash := func(seq int) string {
		rec, err := parseLine([]byte(lines[seq-1]))
		if err != nil {
			t.Fatal(err)
		}
		return string(rec.hash)
	}
	cases := []struct {
		name, text, says string // Part of the error; empty when it has to work.
	}{
		{"sound", "7:" + hash(7) + "\n", ""},
		{"at the end of a segment", "8:" + hash(8) + "\n", ""},
		{"another hash at the end of a segment", "8:" + hash(9) + "\n", "it names the hash"},
		{"at the end", "12:" + hash(12) + "\n", ""},
		{"at the start", string(mark{hash: noHash}.text()), ""},
		{"empty", "", "is not"},
		{"torn", "7:" + hash(7)[:60], "is not"},
		{"another seq", "8:" + hash(7) + "\n", "it names the hash"},
		{"another hash", "7:" + hash(8) + "\n", "it names the hash"},
		{"behind the end", "13:" + hash(7) + "\n", "the journal ends at seq 12"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			j := newTestJournal(t, dir)
			defer closeJournal(t, j)
			path := filepath.Join(dir, "cursor-reader")
			write(t, path, []byte(c.text))
			cursor, err := j.OpenCursor("reader")
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := cursor.Close(); err != nil {
					t.Fatal(err)
				}
				return
			}
			var broken *BrokenError
			remedy := "; it may be right and the records be changed"
			if c.says == "is not" {
				remedy = "; remove that file, "
			}
			if !errors.As(err, &broken) || broken.File != path || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), remedy) {
				t.Fatalf("OpenCursor returned %v, want a *BrokenError for the file with %q and %q", err, c.says, remedy)
			}
			remove(t, path)
			if cursor, err = j.OpenCursor("reader"); err != nil {
				t.Fatal(err)
			}
			if got := members(t, next(t, cursor)); got[0].Seq != 1 {
				t.Errorf("without the file the cursor begins with record %d, want 1", got[0].Seq)
			}
			if err := cursor.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCursorFindsDamageBehindItsBack(t *testing.T) {
	dir := t.TempDir()
	j := newTestJournal(t, dir)
	appendEvents(t, j, 5)
	text, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	write(t, segmentPath(dir, 1), []byte(strings.Replace(string(text), `0000003","kind":"change"`, `0000003","kind":"chance"`, 1)))
	c := openTestCursor(t, j)
	if n := len(next(t, c)); n != 3 {
		t.Errorf("Next returned %d lines, want the 3 before the damage", n)
	}
	var broken *BrokenError
	if _, err := c.Next(t.Context()); !errors.As(err, &broken) || broken.Seq != 4 {
		t.Errorf("Next returned %v, want a *BrokenError for seq 4", err)
	}
}
