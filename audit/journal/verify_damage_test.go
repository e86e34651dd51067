package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

func mustRead(tb testing.TB, path string) []byte {
	tb.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// lineOf returns a copy of the lines of a segment, to be changed.
func linesOf(tb testing.TB, dir string, first uint64) [][]byte {
	tb.Helper()
	lines := bytes.SplitAfter(mustRead(tb, segmentPath(dir, first)), []byte("\n"))
	return lines[:len(lines)-1]
}

// hashOf returns the hash of a record.
func hashOf(tb testing.TB, dir string, seq int) string {
	tb.Helper()
	rec, err := parseLine([]byte(mustVerify(tb, dir)[seq-1]))
	if err != nil {
		tb.Fatal(err)
	}
	return string(rec.hash)
}

// TestVerifyFindsDamage damages a journal of the segments 1 to 4, 5 to 8 and 9
// to 12 in every way, and wants the place.
func TestVerifyFindsDamage(t *testing.T) {
	rewrite := func(t *testing.T, dir string, first uint64, change func(l [][]byte) [][]byte) {
		write(t, segmentPath(dir, first), bytes.Join(change(linesOf(t, dir, first)), nil))
	}
	rename := func(t *testing.T, dir string, from, to uint64) {
		if err := os.Rename(segmentPath(dir, from), segmentPath(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		name   string
		change func(t *testing.T, dir string)
		file   uint64 // The segment that is named.
		line   int
		seq    uint64
		says   string
	}{
		{"line removed", func(t *testing.T, dir string) {
			rewrite(t, dir, 5, func(l [][]byte) [][]byte { return append(l[:1], l[2:]...) })
		}, 5, 2, 6, "the line has seq 7"},
		{"first line removed", func(t *testing.T, dir string) {
			rewrite(t, dir, 1, func(l [][]byte) [][]byte { return l[1:] })
		}, 1, 1, 1, "the line has seq 2"},
		{"last line removed", func(t *testing.T, dir string) {
			rewrite(t, dir, 9, func(l [][]byte) [][]byte { return l[:3] })
		}, 9, 4, 12, "the journal ends, although the file head says that the journal reached seq 12"},
		{"last line of a middle segment removed", func(t *testing.T, dir string) {
			rewrite(t, dir, 5, func(l [][]byte) [][]byte { return l[:3] })
		}, 8, 0, 8, "the records 8 to 8 are missing"},
		{"two lines exchanged", func(t *testing.T, dir string) {
			rewrite(t, dir, 5, func(l [][]byte) [][]byte { l[1], l[2] = l[2], l[1]; return l })
		}, 5, 2, 6, "the line has seq 7"},
		{"line doubled", func(t *testing.T, dir string) {
			rewrite(t, dir, 5, func(l [][]byte) [][]byte { return append(l[:2], l[1:]...) })
		}, 5, 3, 7, "the line has seq 6"},
		{"line forged", func(t *testing.T, dir string) {
			rewrite(t, dir, 5, func(l [][]byte) [][]byte { l[1] = forge(l[1]); return l })
		}, 5, 3, 7, "the line follows another line"},
		{"last line of a segment forged", func(t *testing.T, dir string) {
			rewrite(t, dir, 5, func(l [][]byte) [][]byte { l[3] = forge(l[3]); return l })
		}, 9, 1, 9, "the line follows another line"},
		{"last line forged", func(t *testing.T, dir string) {
			rewrite(t, dir, 9, func(l [][]byte) [][]byte { l[3] = forge(l[3]); return l })
		}, 9, 4, 12, "it is not record 12 as the file head knows it"},
		{"middle segment cut in a line", func(t *testing.T, dir string) {
			text := mustRead(t, segmentPath(dir, 5))
			write(t, segmentPath(dir, 5), text[:len(text)-20])
		}, 5, 4, 8, "the line does not end"},
		{"last segment cut in a line", func(t *testing.T, dir string) {
			text := mustRead(t, segmentPath(dir, 9))
			write(t, segmentPath(dir, 9), text[:len(text)-20])
		}, 9, 4, 12, "the line does not end"},
		{
			"middle segment emptied", func(t *testing.T, dir string) { write(t, segmentPath(dir, 5), nil) },
			5, 1, 5, "the segment is empty",
		},
		{
			"last segment emptied", func(t *testing.T, dir string) { write(t, segmentPath(dir, 9), nil) },
			9, 1, 9, "the journal ends",
		},
		{
			"first segment removed", func(t *testing.T, dir string) { remove(t, segmentPath(dir, 1)) },
			1, 0, 1, "the records 1 to 4 are missing, and no retention record says",
		},
		{
			"middle segment removed", func(t *testing.T, dir string) { remove(t, segmentPath(dir, 5)) },
			5, 0, 5, "the records 5 to 8 are missing",
		},
		{
			"last segment removed", func(t *testing.T, dir string) { remove(t, segmentPath(dir, 9)) },
			5, 5, 9, "the journal ends, although the file head says that the journal reached seq 12",
		},
		{"all segments removed", func(t *testing.T, dir string) {
			for _, first := range []uint64{1, 5, 9} {
				remove(t, segmentPath(dir, first))
			}
		}, 1, 0, 1, "the journal ends at seq 0, but the file head has seen record 12"},
		{"segments exchanged", func(t *testing.T, dir string) {
			rename(t, dir, 1, 99)
			rename(t, dir, 5, 1)
			rename(t, dir, 99, 5)
		}, 1, 1, 1, "the line has seq 5"},
		{"segment renamed", func(t *testing.T, dir string) { rename(t, dir, 5, 6) }, 5, 0, 5, "the records 5 to 5 are missing"},
		{"segment doubled", func(t *testing.T, dir string) {
			write(t, segmentPath(dir, 13), mustRead(t, segmentPath(dir, 5)))
		}, 13, 1, 13, "the line has seq 5"},
		{"segment of another journal", func(t *testing.T, dir string) {
			write(t, segmentPath(dir, 5), mustRead(t, segmentPath(segmented(t, 4, 4, 4), 5)))
		}, 5, 1, 5, "the line follows another line"},
		{"first segment of another journal", func(t *testing.T, dir string) {
			write(t, segmentPath(dir, 1), mustRead(t, segmentPath(segmented(t, 4, 4, 4), 1)))
		}, 5, 1, 5, "the line follows another line"},
		{"head of another journal", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "head"), mustRead(t, filepath.Join(segmented(t, 4, 4, 3), "head")))
		}, 9, 3, 11, "it is not record 11 as the file head knows it"},
		{"cursor of another journal", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "cursor-stdout"), mark{seq: 7, hash: strings.Repeat("a", 64)}.text())
		}, 5, 3, 7, "it is not record 7 as the file cursor-stdout knows it"},
		{"cursor behind the end", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "cursor-stdout"), mark{seq: 20, hash: strings.Repeat("a", 64)}.text())
		}, 13, 0, 13, "the journal ends at seq 12, but the file cursor-stdout has seen record 20"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := segmented(t, 4, 4, 4)
			if _, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil {
				t.Fatalf("Verify returned %v before the damage", err)
			}
			c.change(t, dir)
			_, err := Verify(t.Context(), dir, VerifyOptions{})
			var broken *BrokenError
			if !errors.As(err, &broken) {
				t.Fatalf("Verify returned %v, want a *BrokenError", err)
			}
			if broken.File != segmentPath(dir, c.file) || broken.Line != c.line || broken.Seq != c.seq || !strings.Contains(err.Error(), c.says) {
				t.Errorf("Verify returned %v, want segment %d, line %d, seq %d and %q", err, c.file, c.line, c.seq, c.says)
			}
		})
	}
}

// TestVerifyFindsEveryFlippedBit flips each bit of a journal whose head names
// its last record, and each bit of its head.
func TestVerifyFindsEveryFlippedBit(t *testing.T) {
	dir := t.TempDir()
	j := newTestJournal(t, dir)
	for _, size := range []int64{0, 0, 1} {
		rotateAt(j, size)
		if _, err := j.Append(t.Context(), audit.Event{Kind: audit.KindControl, ID: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	closeJournal(t, j)
	for _, path := range []string{segmentPath(dir, 1), segmentPath(dir, 3), filepath.Join(dir, "head")} {
		text := mustRead(t, path)
		for i := range 8 * len(text) {
			damaged := bytes.Clone(text)
			damaged[i/8] ^= 1 << (i % 8)
			write(t, path, damaged)
			var broken *BrokenError
			if _, err := Verify(t.Context(), dir, VerifyOptions{}); !errors.As(err, &broken) {
				t.Fatalf("Verify returned %v for bit %d of byte %d of %s, want a *BrokenError", err, i%8, i/8, path)
			}
			if path != filepath.Join(dir, "head") {
				checkPlace(t, broken, path, text, i/8)
			}
		}
		write(t, path, text)
	}
}

// checkPlace wants the line of a byte, or the one behind it: what a line names
// as the one before is wrong there too, and a newline ends both.
func checkPlace(t *testing.T, broken *BrokenError, path string, text []byte, at int) {
	t.Helper()
	if line := 1 + bytes.Count(text[:at], []byte("\n")); broken.File != path || broken.Line != line {
		t.Fatalf("Verify named %v for byte %d, want line %d of %s", broken, at, line, path)
	}
}

func TestVerifyAgainstAHead(t *testing.T) {
	dir := segmented(t, 4, 4, 4)
	seen := hashOf(t, dir, 7)
	check := checkOf(seen)
	forged := segmented(t, 4, 4, 4) // Sound in itself, and another journal: what a rewrite of everything leaves.
	cases := []struct {
		name, dir, head string
		witnessed       uint64
		says            string
	}{
		{"check", dir, fmt.Sprintf("7:%d", check), 7, ""},
		{"check as Prometheus writes it", dir, fmt.Sprintf("7:%.16g", float64(check)), 7, ""},
		{"hash", dir, "7:" + seen, 7, ""},
		{"upper case hash", dir, "7:" + strings.ToUpper(seen), 7, ""},
		{"rewritten, by check", forged, fmt.Sprintf("7:%d", check), 0, "line 3, seq 7: it is not record 7 as the head that was given knows it"},
		{"rewritten, by hash", forged, "7:" + seen, 0, "line 3, seq 7: it is not record 7"},
		{"another record", dir, fmt.Sprintf("6:%d", check), 0, "line 2, seq 6: it is not record 6"},
		{"behind the end", dir, fmt.Sprintf("13:%d", check), 0, "seq 13: the journal ends at seq 12, but the head that was given has seen record 13"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			head, err := ParseHead(c.head)
			if err != nil {
				t.Fatal(err)
			}
			report, err := Verify(t.Context(), c.dir, VerifyOptions{Heads: []Head{head}})
			var broken *BrokenError
			switch {
			case c.says == "" && (err != nil || report.Witnessed != c.witnessed || report.Last != 12):
				t.Errorf("Verify returned %+v, %v, want record %d to be witnessed", report, err, c.witnessed)
			case c.says != "" && (!errors.As(err, &broken) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "although")):
				t.Errorf("Verify returned %v, want a *BrokenError with %q, and no word of the file head", err, c.says)
			}
		})
	}
}

func TestParseHead(t *testing.T) {
	for _, text := range []string{
		"", ":", "7", "7:", ":7", "0:7", "-1:7", "7:-1", "7.5:1", "7:1.5", "x:1", "7:x", "7:NaN", "7:+Inf", "NaN:1",
		"7:4503599627370496", "7:" + strings.Repeat("g", 64), "7:" + strings.Repeat("a", 63), "1e300:1", "7:1:2",
	} {
		if h, err := ParseHead(text); err == nil {
			t.Errorf("ParseHead(%q) returned %+v", text, h)
		}
	}
	want := Head{Seq: 1040, Check: 4503599627370495}
	for _, text := range []string{"1040:4503599627370495", "1.04e+03:4.503599627370495e+15"} {
		if got, err := ParseHead(text); err != nil || got != want {
			t.Errorf("ParseHead(%q) returned %+v, %v, want %+v", text, got, err, want)
		}
	}
}

// TestVerifyTellsANewJournalFromOneCutShort begins a journal anew where
// another one was.
func TestVerifyTellsANewJournalFromOneCutShort(t *testing.T) {
	dir := segmented(t, 4)
	report, err := Verify(t.Context(), dir, VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(t.Context(), dir, VerifyOptions{Chain: report.Chain}); err != nil {
		t.Errorf("Verify returned %v with the journal's own chain id", err)
	}
	fresh := segmented(t, 2)
	var broken *BrokenError
	if _, err := Verify(t.Context(), fresh, VerifyOptions{Chain: report.Chain}); !errors.As(err, &broken) || !strings.HasSuffix(err.Error(), "this is another journal, with chain id "+chainOf(t, fresh)+" instead of "+report.Chain) {
		t.Errorf("Verify returned %v for a new journal, want that it is another one", err)
	}
	write(t, segmentPath(dir, 1), bytes.Join(linesOf(t, dir, 1)[:2], nil))
	write(t, filepath.Join(dir, "head"), mark{seq: 2, hash: hashOfLine(t, linesOf(t, dir, 1)[1])}.text())
	if _, err := Verify(t.Context(), dir, VerifyOptions{Chain: report.Chain}); err != nil {
		t.Errorf("Verify returned %v for a journal cut short with its head, want that nothing inside shows it", err)
	}
	if _, err := Verify(t.Context(), dir, VerifyOptions{Chain: report.Chain, Heads: []Head{{Seq: 4, Hash: report.Hash}}}); !errors.As(err, &broken) ||
		!strings.Contains(err.Error(), "the journal ends at seq 2") {
		t.Errorf("Verify returned %v for a journal cut short, want that it ends at seq 2", err)
	}
}

func chainOf(t *testing.T, dir string) string {
	t.Helper()
	report, err := Verify(t.Context(), dir, VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return report.Chain
}

func hashOfLine(tb testing.TB, line []byte) string {
	tb.Helper()
	rec, err := parseLine(bytes.TrimSuffix(line, []byte("\n")))
	if err != nil {
		tb.Fatal(err)
	}
	return string(rec.hash)
}

func TestVerifyBehindRetention(t *testing.T) {
	dir, removed := retained(t)
	lines := bytes.SplitAfter(removed, []byte("\n"))
	last := Head{Seq: 5, Hash: hashOfLine(t, lines[4])}
	earlier := Head{Seq: 4, Hash: hashOfLine(t, lines[3])}
	report, err := Verify(t.Context(), dir, VerifyOptions{Heads: []Head{last}})
	if !errors.Is(err, ErrUnvouched) || report.First != 6 || report.Witnessed != 5 || report.Last < report.RemovedBy {
		t.Errorf("Verify returned %+v, %v for the last record removed", report, err)
	}
	// Whoever can write the directory could have appended the retention record.
	for seq := report.RemovedBy - 1; seq <= report.Last; seq++ {
		at := Head{Seq: seq, Hash: hashOfLine(t, linesOf(t, dir, 11)[seq-11])}
		_, err := Verify(t.Context(), dir, VerifyOptions{Heads: []Head{last, at}})
		if errors.Is(err, ErrUnvouched) != (seq < report.RemovedBy) || seq >= report.RemovedBy && err != nil {
			t.Errorf("Verify returned %v with the head of record %d for a removal that record %d tells of", err, seq, report.RemovedBy)
		}
	}
	if _, err := Verify(t.Context(), dir, VerifyOptions{Heads: []Head{{Seq: 5, Hash: earlier.Hash}}}); err == nil {
		t.Error("Verify accepts a wrong head for the last record removed")
	}
	if _, err := Verify(t.Context(), dir, VerifyOptions{Heads: []Head{earlier}}); !errors.Is(err, ErrNotKept) {
		t.Errorf("Verify returned %v for a head that cannot be compared any more, want %v", err, ErrNotKept)
	}
	// Damage counts for more than a head that proves nothing.
	write(t, segmentPath(dir, 11), mustRead(t, segmentPath(dir, 11))[1:])
	var broken *BrokenError
	if _, err := Verify(t.Context(), dir, VerifyOptions{Heads: []Head{earlier}}); !errors.As(err, &broken) {
		t.Errorf("Verify returned %v, want a *BrokenError", err)
	}
}

func TestVerifyTornTail(t *testing.T) {
	dir := segmented(t, 2, 2)
	path := segmentPath(dir, 3)
	text := mustRead(t, path)
	for _, tail := range []string{"x", `{"schema":"zkwarden/v1","seq":5,"id`, "\x00\x00", "\n"} {
		write(t, path, append(bytes.Clone(text), tail...))
		report, err := Verify(t.Context(), dir, VerifyOptions{})
		if err != nil || report.Torn != int64(len(tail)) || report.Last != 4 {
			t.Errorf("Verify returned %+v, %v behind a torn line of %d bytes", report, err, len(tail))
		}
	}
	write(t, path, append(bytes.Clone(text), "x\ny"...))
	var broken *BrokenError
	if _, err := Verify(t.Context(), dir, VerifyOptions{}); !errors.As(err, &broken) || broken.Line != 3 {
		t.Errorf("Verify returned %v for garbage of two lines, want a *BrokenError for line 3", err)
	}
}

func TestVerifyNoJournal(t *testing.T) {
	empty := t.TempDir()
	if _, err := Verify(t.Context(), empty, VerifyOptions{}); err == nil || !strings.Contains(err.Error(), "there is no journal in "+empty) {
		t.Errorf("Verify returned %v for an empty directory", err)
	}
	if _, err := Verify(t.Context(), filepath.Join(empty, "nope"), VerifyOptions{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Verify returned %v for no directory", err)
	}
	dir := segmented(t, 2)
	remove(t, filepath.Join(dir, "head"))
	var broken *BrokenError
	if _, err := Verify(t.Context(), dir, VerifyOptions{}); !errors.As(err, &broken) || broken.File != filepath.Join(dir, "head") {
		t.Errorf("Verify returned %v for a journal without its head", err)
	}
	fresh := t.TempDir()
	newTestJournal(t, fresh)
	if report, err := Verify(t.Context(), fresh, VerifyOptions{}); err != nil || report.Last != 0 || report.First != 1 {
		t.Errorf("Verify returned %+v, %v for a journal without records", report, err)
	}
}

// TestVerifyWithoutACursor: damage of a cursor is told of last, when all
// records are read and compared with those who have seen them.
func TestVerifyWithoutACursor(t *testing.T) {
	dir := segmented(t, 2, 2)
	seen := Head{Seq: 3, Hash: hashOf(t, dir, 3)}
	for _, name := range []string{"b", "a"} {
		write(t, filepath.Join(dir, cursorPrefix+name), []byte("foo\n"))
	}
	var broken *BrokenError
	report, err := Verify(t.Context(), dir, VerifyOptions{Heads: []Head{seen}})
	if !errors.As(err, &broken) || broken.File != filepath.Join(dir, cursorPrefix+"a") || report.Witnessed != 3 || report.Last != 4 {
		t.Errorf("Verify returned %+v, %v, want all records and the first cursor", report, err)
	}
	seen.Hash = noHash
	if _, err := Verify(t.Context(), dir, VerifyOptions{Heads: []Head{seen}}); !errors.As(err, &broken) || broken.Seq != 3 {
		t.Errorf("Verify returned %v for another record than the head was seen with", err)
	}
	write(t, filepath.Join(dir, headFile), []byte("?"))
	if _, err := Verify(t.Context(), dir, VerifyOptions{}); !errors.As(err, &broken) || broken.File != filepath.Join(dir, headFile) {
		t.Errorf("Verify returned %v for a journal without head and cursors", err)
	}
}

// TestVerifyWithoutHead: whoever removes or garbles the file head does not keep
// those who have seen the journal from being heard.
func TestVerifyWithoutHead(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, dir string){
		"missing": func(t *testing.T, dir string) { remove(t, filepath.Join(dir, headFile)) },
		"garbled": func(t *testing.T, dir string) { write(t, filepath.Join(dir, headFile), []byte("?")) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := segmented(t, 2, 2)
			seen := Head{Seq: 3, Hash: hashOf(t, dir, 3)}
			spoil(t, dir)
			var broken *BrokenError
			report, err := Verify(t.Context(), dir, VerifyOptions{Heads: []Head{seen}})
			if !errors.As(err, &broken) || broken.File != filepath.Join(dir, headFile) || report.Witnessed != 3 || report.Last != 4 {
				t.Errorf("Verify returned %+v, %v for what the head was seen with", report, err)
			}
			seen.Hash = noHash
			if _, err := Verify(t.Context(), dir, VerifyOptions{Heads: []Head{seen}}); !errors.As(err, &broken) || broken.Seq != 3 {
				t.Errorf("Verify returned %v for another record than the head was seen with", err)
			}
			if _, err := Verify(t.Context(), dir, VerifyOptions{Heads: []Head{{Seq: 9, Hash: noHash}}}); !errors.As(err, &broken) || !strings.Contains(err.Error(), "has seen record 9") {
				t.Errorf("Verify returned %v for a journal cut short", err)
			}
			for _, first := range []uint64{1, 3} {
				remove(t, segmentPath(dir, first))
			}
			if _, err := Verify(t.Context(), dir, VerifyOptions{Heads: []Head{seen}}); !errors.As(err, &broken) || !strings.Contains(err.Error(), "has seen record 3") {
				t.Errorf("Verify returned %v for a journal of which all is gone", err)
			}
		})
	}
}

func TestVerifyEndsWithContext(t *testing.T) {
	dir := segmented(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, dir, VerifyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Verify returned %v, want %v", err, context.Canceled)
	}
}

// TestVerifyChangesNothing compares the directory before and after.
func TestVerifyChangesNothing(t *testing.T) {
	dir := segmented(t, 2, 2)
	before := snapshot(t, dir)
	if _, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, errs := browse(t, dir, BrowseOptions{}); len(errs) > 0 {
		t.Fatal(errs)
	}
	if diff := cmp.Diff(before, snapshot(t, dir)); diff != "" {
		t.Errorf("directory (-before +after):\n%s", diff)
	}
}

func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			t.Fatal(err)
		}
		files[entry.Name()] = fmt.Sprint(info.ModTime(), string(mustRead(t, filepath.Join(dir, entry.Name()))))
	}
	return files
}
