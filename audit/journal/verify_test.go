package journal

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// verifyDir does what the package comment tells an auditor to do, with none
// of the package's code, and returns the lines.
func verifyDir(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "journal-*.jsonl"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var lines []string
	prev, seq := strings.Repeat("0", 64), uint64(0)
	hashes := map[string]bool{"0:" + prev + "\n": true}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if want := fmt.Sprintf("journal-%020d.jsonl", seq+1); filepath.Base(path) != want {
			return nil, fmt.Errorf("found %s where %s is due", path, want)
		}
		for line := range bytes.Lines(text) {
			line, whole := bytes.CutSuffix(line, []byte("\n"))
			var members struct {
				Schema     string
				Seq        uint64
				Prev, Hash string
			}
			if err := json.Unmarshal(line, &members); err != nil || !whole {
				return nil, fmt.Errorf("line behind seq %d is torn, or no JSON: %w", seq, errors.Join(err, io.ErrUnexpectedEOF))
			}
			seq++
			sum := fmt.Sprintf("%x", sha256.Sum256(line[:bytes.LastIndex(line, []byte(`,"hash":`))]))
			if members.Schema != "zkwarden/v1" || members.Seq != seq || members.Prev != prev || members.Hash != sum {
				return nil, fmt.Errorf("seq %d: %+v does not follow %s with hash %s", seq, members, prev, sum)
			}
			prev = sum
			hashes[fmt.Sprintf("%d:%s\n", seq, sum)] = true
			lines = append(lines, string(line))
		}
	}
	head, err := os.ReadFile(filepath.Join(dir, "head"))
	if err != nil {
		return nil, err
	}
	if !hashes[string(head)] {
		return nil, fmt.Errorf("the journal has no record %q, which its head names", head)
	}
	return lines, nil
}

func mustVerify(tb testing.TB, dir string) []string {
	tb.Helper()
	lines, err := verifyDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return lines
}

// journalOf makes a closed journal of n changes and returns its segment's
// bytes and the directory.
func journalOf(tb testing.TB, n int) (dir string, text []byte) {
	tb.Helper()
	dir = tb.TempDir()
	j := newTestJournal(tb, dir)
	appendEvents(tb, j, n)
	closeJournal(tb, j)
	text, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		tb.Fatal(err)
	}
	return dir, text
}

func write(tb testing.TB, path string, text []byte) {
	tb.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		tb.Fatal(err)
	}
}

// reopen opens and closes the journal in dir and returns Open's error.
func reopen(tb testing.TB, dir string) error {
	tb.Helper()
	j, err := Open(testOptions(dir))
	if err == nil {
		closeJournal(tb, j)
	}
	return err
}

func TestParseLine(t *testing.T) {
	_, text := journalOf(t, 1)
	good := strings.TrimSuffix(string(text), "\n")
	reseal := func(old, new string) string {
		body := strings.Replace(good[:len(good)-hashPart], old, new, 1)
		line, _ := seal([]byte(body + "}"))
		return string(line)
	}
	cases := []struct{ name, line, want string }{
		{"good", good, ""},
		{"empty", "", "is too short to be a record"},
		{"half", good[:len(good)/2], "does not end with a hash"},
		{"blank behind", good + " ", "does not end with a hash"},
		{"upper case hash", good[:len(good)-hashPart] + strings.ToUpper(good[len(good)-hashPart:]), "does not end with a hash"},
		{"another byte", strings.Replace(good, "limit", "Limit", 1), "does not match its hash"},
		{"no prev", reseal(`,"prev":`, `,"pref":`), "names no line before it"},
		{"schema", reseal("zkwarden/v1", "zkwarden/v2"), "does not begin with schema and seq of zkwarden/v1"},
		{"zero seq", reseal(`"seq":1`, `"seq":0`), "has a seq that is no number"},
		{"padded seq", reseal(`"seq":1`, `"seq":01`), "has a seq that is no number"},
		{"negative seq", reseal(`"seq":1`, `"seq":-1`), "has a seq that is no number"},
		{"huge seq", reseal(`"seq":1`, `"seq":99999999999999999999`), "has a seq that is no number"},
		{"quoted seq", reseal(`"seq":1`, `"seq":"1"`), "has a seq that is no number"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rec, err := parseLine([]byte(c.line))
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
			if err == nil && rec.seq != 1 {
				t.Errorf("seq is %d, want 1", rec.seq)
			}
		})
	}
}

// FuzzScan reads any bytes as a segment. The reader accepts exactly the lines
// that the independent verifier accepts.
func FuzzScan(f *testing.F) {
	_, text := journalOf(f, 2)
	f.Add(text)
	f.Add(text[:len(text)-1])
	f.Add([]byte("\n\n"))
	f.Add(bytes.Replace(text, []byte(`"seq":2`), []byte(`"seq":3`), 1))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		write(t, segmentPath(dir, 1), text)
		r, err := openSegment(dir, 1, noHash)
		if err != nil {
			t.Fatal(err)
		}
		defer r.close()
		accepted := 0
		for {
			_, err := r.next(int64(len(text)))
			var broken *BrokenError
			if err == nil {
				accepted++
				continue
			}
			if !errors.Is(err, io.EOF) && !errors.As(err, &broken) {
				t.Fatalf("next returned %v, want a *BrokenError", err)
			}
			break
		}
		write(t, filepath.Join(dir, "head"), r.last.text())
		write(t, segmentPath(dir, 1), text[:r.off])
		if lines := mustVerifyJSON(t, dir); lines >= 0 && lines != accepted {
			t.Errorf("accepted %d lines, the independent verifier %d", accepted, lines)
		}
	})
}

// mustVerifyJSON returns how many lines verify, or -1 where a fuzzer forged a
// line that proves itself but is no JSON.
func mustVerifyJSON(t *testing.T, dir string) int {
	t.Helper()
	lines, err := verifyDir(dir)
	if err != nil && strings.Contains(err.Error(), "is torn, or no JSON") {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	return len(lines)
}
