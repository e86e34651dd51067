package journal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

// TestDamageIsRefused damages a journal of five records whose head names the
// fifth. No damage is accepted, and the error names the place.
func TestDamageIsRefused(t *testing.T) {
	dir, text := journalOf(t, 5)
	lines := bytes.SplitAfter(text, []byte("\n"))[:5]
	with := func(change func(l [][]byte) [][]byte) []byte {
		return bytes.Join(change(append([][]byte(nil), lines...)), nil)
	}
	cases := []struct {
		name string
		text []byte
		line int
		seq  uint64
		says string
	}{
		{"first line removed", with(func(l [][]byte) [][]byte { return l[1:] }), 1, 1, "the line has seq 2"},
		{"middle line removed", with(func(l [][]byte) [][]byte { return append(l[:2], l[3:]...) }), 3, 3, "the line has seq 4"},
		{"last line removed", with(func(l [][]byte) [][]byte { return l[:4] }), 5, 5, "the head says that the journal reached seq 5"},
		{"all lines removed", nil, 1, 1, "the head says that the journal reached seq 5"},
		{"two lines exchanged", with(func(l [][]byte) [][]byte { l[1], l[2] = l[2], l[1]; return l }), 2, 2, "the line has seq 3"},
		{"last two exchanged", with(func(l [][]byte) [][]byte { l[3], l[4] = l[4], l[3]; return l }), 4, 4, "the line has seq 5"},
		{"line doubled", with(func(l [][]byte) [][]byte { return append(l[:2], l[1:]...) }), 3, 3, "the line has seq 2"},
		{"last line doubled", with(func(l [][]byte) [][]byte { return append(l, l[4]) }), 6, 6, "the line has seq 5"},
		{"line forged with a hash of its own", with(func(l [][]byte) [][]byte { l[2] = forge(l[2]); return l }), 4, 4, "the line follows another line"},
		{"last line forged with a hash of its own", with(func(l [][]byte) [][]byte { l[4] = forge(l[4]); return l }), 5, 5, "but the head says"},
		{"empty line between", with(func(l [][]byte) [][]byte { l[2] = []byte("\n"); return l }), 3, 3, "the line is too short"},
		{"two empty lines behind", append(bytes.Clone(text), "\n\n"...), 6, 6, "the line is too short"},
		{"zeros between", with(func(l [][]byte) [][]byte { l[2] = make([]byte, len(l[2])); return l }), 3, 3, "the line does not"},
		{"garbage and a good line behind", with(func(l [][]byte) [][]byte { return append(l, []byte("x\n"), l[0]) }), 6, 6, "the line is too short"},
		{"carriage return", bytes.Replace(text, []byte("\n"), []byte("\r\n"), 1), 1, 1, "the line does not end with a hash"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			write(t, segmentPath(dir, 1), c.text)
			err := reopen(t, dir)
			var broken *BrokenError
			if !errors.As(err, &broken) {
				t.Fatalf("Open returned %v, want a *BrokenError", err)
			}
			if broken.File != segmentPath(dir, 1) || broken.Line != c.line || broken.Seq != c.seq || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Open returned %v, want line %d, seq %d and %q", err, c.line, c.seq, c.says)
			}
			if after, _ := os.ReadFile(segmentPath(dir, 1)); !bytes.Equal(after, c.text) {
				t.Error("Open changed a journal that it refused")
			}
		})
	}
}

// forge changes a line and gives it the right hash.
func forge(line []byte) []byte {
	body := bytes.Replace(line[:len(line)-hashPart-1], []byte("team a"), []byte("team b"), 1)
	forged, _ := seal(append(bytes.Clone(body), '}'))
	return append(forged, '\n')
}

// TestEveryFlippedBitIsRefused flips one bit of each byte.
func TestEveryFlippedBitIsRefused(t *testing.T) {
	dir, text := journalOf(t, 2)
	for i := range text {
		damaged := bytes.Clone(text)
		damaged[i] ^= 1 << (i % 8)
		write(t, segmentPath(dir, 1), damaged)
		var broken *BrokenError
		if _, err := recoverDir(dir); !errors.As(err, &broken) {
			t.Fatalf("recoverDir returned %v for a flipped bit in byte %d, want a *BrokenError", err, i)
		}
	}
}

// TestEveryTruncation cuts the last line at every byte. While the head names
// the line it was durable, and Open refuses; when a crash came before the head
// was written, Open cuts the rest, says so in the journal and goes on.
func TestEveryTruncation(t *testing.T) {
	dir, text := journalOf(t, 3)
	last := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	head, err := os.ReadFile(filepath.Join(dir, "head"))
	if err != nil {
		t.Fatal(err)
	}
	rec, err := parseLine(bytes.Split(text, []byte("\n"))[1])
	if err != nil {
		t.Fatal(err)
	}
	older := mark{seq: 2, hash: string(rec.hash)}.text()
	for size := last; size < len(text); size++ {
		write(t, segmentPath(dir, 1), text[:size])
		write(t, filepath.Join(dir, "head"), head)
		var broken *BrokenError
		if _, err := recoverDir(dir); !errors.As(err, &broken) {
			t.Fatalf("recoverDir returned %v for a durable line cut after %d bytes, want a *BrokenError", err, size-last)
		}
		write(t, filepath.Join(dir, "head"), older)
		if err := reopen(t, dir); err != nil {
			t.Fatalf("Open returned %v for a torn line of %d bytes", err, size-last)
		}
		checkRepair(t, dir, 2, size-last)
	}
}

// checkRepair wants n records in dir and, if bytes were cut, the note behind.
func checkRepair(t *testing.T, dir string, n, cut int) {
	t.Helper()
	lines := mustVerify(t, dir)
	if cut == 0 {
		if len(lines) != n {
			t.Fatalf("the journal has %d records, want %d", len(lines), n)
		}
		return
	}
	if len(lines) != n+1 {
		t.Fatalf("the journal has %d records after a repair, want %d", len(lines), n+1)
	}
	e, err := Decode(audit.Line{JSON: []byte(lines[n])})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{string(e.Kind), string(e.Control), e.Ensemble, e.Recorder, e.Reason}
	want := []string{"control", "repair", "test", "host", fmt.Sprintf("cut %d bytes of a torn line behind seq %d", cut, n)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("repair record (-want +got):\n%s", diff)
	}
}

func TestTornTails(t *testing.T) {
	cases := []struct {
		name string
		tail []byte
	}{
		{"garbage", []byte("garbage")},
		{"garbage with a newline", []byte("garbage\n")},
		{"one newline", []byte("\n")},
		{"a page of zeros", make([]byte, 4096)},
		{"more zeros than a line may have bytes", make([]byte, maxLine+readChunk)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir, text := journalOf(t, 2)
			write(t, segmentPath(dir, 1), append(text, c.tail...))
			if err := reopen(t, dir); err != nil {
				t.Fatal(err)
			}
			checkRepair(t, dir, 2, len(c.tail))
			if err := reopen(t, dir); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestTornFirstLine(t *testing.T) {
	dir := t.TempDir()
	if err := reopen(t, dir); err != nil {
		t.Fatal(err)
	}
	write(t, segmentPath(dir, 1), []byte(`{"schema":"zkw`))
	if err := reopen(t, dir); err != nil {
		t.Fatal(err)
	}
	checkRepair(t, dir, 0, 14)
}

func TestJournalAheadOfItsHead(t *testing.T) {
	dir, _ := journalOf(t, 3)
	write(t, filepath.Join(dir, "head"), mark{hash: noHash}.text())
	j := newTestJournal(t, dir)
	if seq, _ := j.Durable(); seq != 3 {
		t.Errorf("durable seq is %d, want 3", seq)
	}
	mustVerify(t, dir)
	if head, _ := os.ReadFile(filepath.Join(dir, "head")); !bytes.HasPrefix(head, []byte("3:")) {
		t.Errorf("head is %q, want it to name record 3", head)
	}
}

func TestHeadFile(t *testing.T) {
	dir, _ := journalOf(t, 12)
	path := filepath.Join(dir, "head")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct{ name, text, says string }{
		{"empty", "", "is not"},
		{"no newline", strings.TrimSuffix(string(good), "\n"), "is not"},
		{"no hash", "12:\n", "is not"},
		{"padded", "0" + string(good), "is not"},
		{"garbage behind", string(good) + "x", "is not"},
		{"megabytes", strings.Repeat("1", 4<<20), "is not"},
		{"another hash", "12:" + strings.Repeat("a", 64) + "\n", "but the head says aaaa"},
		{"another seq", "11" + string(good[2:]), "but the head says"},
		{"later than the journal", "13" + string(good[2:]), "the head says that the journal reached seq 13"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			write(t, path, []byte(c.text))
			err := reopen(t, dir)
			var broken *BrokenError
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Open returned %v, want a *BrokenError with %q", err, c.says)
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		var broken *BrokenError
		if err := reopen(t, dir); !errors.As(err, &broken) || broken.File != path {
			t.Errorf("Open returned %v, want a *BrokenError for %s", err, path)
		}
	})
}

func TestMissingSegment(t *testing.T) {
	dir, _ := journalOf(t, 3)
	if err := os.Remove(segmentPath(dir, 1)); err != nil {
		t.Fatal(err)
	}
	var broken *BrokenError
	if err := reopen(t, dir); !errors.As(err, &broken) || broken.File != segmentPath(dir, 1) {
		t.Errorf("Open returned %v, want a *BrokenError for the segment", err)
	}
}

func TestSeveralSegments(t *testing.T) {
	cases := []struct {
		name   string
		change func(dir string)
		says   string // Part of Open's error; empty when it has to work.
	}{
		{"sound", nil, ""},
		{"last one empty", func(dir string) { write(t, segmentPath(dir, 10), nil) }, ""},
		{"middle one missing", func(dir string) { remove(t, segmentPath(dir, 4)) }, "the records 4 to 7 are missing"},
		{"first one missing", func(dir string) { remove(t, segmentPath(dir, 1)) }, "the records 1 to 3 are missing, and no retention record"},
		{"first two missing", func(dir string) {
			remove(t, segmentPath(dir, 1))
			remove(t, segmentPath(dir, 4))
		}, "the records 1 to 7 are missing, and no retention record"},
		{"last one missing", func(dir string) { remove(t, segmentPath(dir, 8)) }, "the journal reached seq 9"},
		{"last one of another journal", func(dir string) { transplant(t, dir, 8) }, "the line follows another line"},
		{"middle one of another journal", func(dir string) { transplant(t, dir, 4) }, "the segment belongs to another journal"},
		{"first one of another journal", func(dir string) { transplant(t, dir, 1) }, "the segment belongs to another journal"},
		{"middle one torn", func(dir string) {
			text, _ := os.ReadFile(segmentPath(dir, 4))
			write(t, segmentPath(dir, 4), text[:len(text)-10])
		}, "the last line does not end"},
		{"middle one short of a line", func(dir string) {
			text, _ := os.ReadFile(segmentPath(dir, 4))
			write(t, segmentPath(dir, 4), text[:bytes.LastIndexByte(text[:len(text)-1], '\n')+1])
		}, "the records 7 to 7 are missing"},
		{"middle one empty", func(dir string) { write(t, segmentPath(dir, 4), nil) }, "the segment is empty"},
		{"last one empty, but not behind the end", func(dir string) { write(t, segmentPath(dir, 11), nil) }, "the records 10 to 10 are missing"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := segmented(t, 3, 4, 2)
			if c.change != nil {
				c.change(dir)
			}
			err := reopen(t, dir)
			if c.says == "" {
				if err != nil {
					t.Fatal(err)
				}
				readAll(t, dir, 9)
				return
			}
			var broken *BrokenError
			if !errors.As(err, &broken) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Open returned %v, want a *BrokenError with %q", err, c.says)
			}
		})
	}
}

// transplant replaces a segment of dir by that of another journal alike.
func transplant(t *testing.T, dir string, first uint64) {
	t.Helper()
	text, err := os.ReadFile(segmentPath(segmented(t, 3, 4, 2), first))
	if err != nil {
		t.Fatal(err)
	}
	write(t, segmentPath(dir, first), text)
}

// readAll appends one record more to the n in dir and wants Replay from every
// place, and a cursor, to return what is in the files.
func readAll(t *testing.T, dir string, n int) {
	t.Helper()
	j := newTestJournal(t, dir)
	appendEvents(t, j, 1)
	want := mustVerify(t, dir)
	if len(want) != n+1 {
		t.Fatalf("the journal has %d records, want %d", len(want), n+1)
	}
	for after := range want {
		if diff := cmp.Diff(want[after:], replay(t, j, uint64(after))); diff != "" {
			t.Fatalf("Replay behind %d (-want +got):\n%s", after, diff)
		}
	}
	c := openTestCursor(t, j)
	if diff := cmp.Diff(want, next(t, c)); diff != "" {
		t.Errorf("cursor (-want +got):\n%s", diff)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
