package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/journal"
)

// writeJournal makes a journal of events, which it returns open: what is asked
// of it is asked beside a running process.
func writeJournal(t *testing.T, limits journal.Limits, events ...audit.Event) (string, *journal.Journal) {
	t.Helper()
	dir := t.TempDir()
	j, err := journal.Open(journal.Options{Dir: dir, Logger: log.NewNopLogger(), Ensemble: "test", Recorder: "host", Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := j.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	appendAll(t, j, events...)
	return dir, j
}

func appendAll(t *testing.T, j *journal.Journal, events ...audit.Event) {
	t.Helper()
	for _, e := range events {
		if _, err := j.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// edited makes n events that change /a.
func edited(n int) (events []audit.Event) {
	for i := range n {
		exact, version := true, int32(i)
		events = append(events, audit.Event{
			Kind: audit.KindChange, Op: audit.OpDataChanged, Path: "/a", Version: &version, Exact: &exact, Source: audit.OriginWatch,
			Observed: audit.AtTime(time.Date(2026, 11, 20, 10, i, 0, 0, time.UTC)),
		})
	}
	return events
}

func segmentFile(dir string, first int) string {
	return filepath.Join(dir, fmt.Sprintf("journal-%020d.jsonl", first))
}

func verify(t *testing.T, o VerifyOptions) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := Verify(t.Context(), o, &out)
	return out.String(), err
}

func TestVerifySaysWhatIsProved(t *testing.T) {
	dir, j := writeJournal(t, journal.Limits{SegmentSize: 1000}, edited(10)...)
	_, hash := j.Durable()
	appendAll(t, j, edited(2)...)
	report, err := journal.Verify(t.Context(), dir, journal.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	begin := fmt.Sprintf("intact: records 1 to 12, %.1f KiB in %d segments, chain id %s\nhead: 12:%d, hash %s\n",
		float64(report.Bytes)/1024, report.Segments, j.ChainID(), report.Check(), report.Hash)
	cases := []struct {
		name  string
		heads []journal.Head
		want  string
	}{
		{"no witness", nil, "unwitnessed: records 1 to 12; whoever can write the directory can have rewritten all of them. " +
			"Give --head=SEQ:CHECK with values of zkwarden_journal_head_seq and zkwarden_journal_head_check of one moment\n"},
		{"a tail", []journal.Head{{Seq: 10, Hash: hash}}, "witnessed: everything through record 10 is what the head 10 was seen with\n" +
			"unwitnessed: records 11 to 12 lie behind the last head that someone else has seen\n"},
	}
	for _, c := range cases {
		got, err := verify(t, VerifyOptions{Dir: dir, Heads: c.heads})
		if diff := cmp.Diff(begin+c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, err, diff)
		}
	}
	_, hash = j.Durable()
	got, err := verify(t, VerifyOptions{Dir: dir, Heads: []journal.Head{{Seq: 12, Hash: hash}}})
	if err != nil || strings.Contains(got, "unwitnessed") || !strings.Contains(got, "witnessed: everything through record 12") {
		t.Errorf("with the last head: %v\n%s", err, got)
	}
}

func TestVerifySaysWhatIsBroken(t *testing.T) {
	dir, _ := writeJournal(t, journal.Limits{}, edited(10)...)
	path := segmentFile(dir, 1)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(text, []byte("\n"))
	if err := os.WriteFile(path, bytes.Join(append(lines[:3:3], lines[4:]...), nil), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := verify(t, VerifyOptions{Dir: dir})
	want := fmt.Sprintf("journal is broken: file %s, line 4, seq 4: the line has seq 5, although the file head says that the journal reached seq 10", path)
	if _, ok := errors.AsType[*journal.BrokenError](err); !ok || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if got != "broken: only the records 1 to 3, before the damage, prove each other\n"+strings.Replace(want, "journal is broken", "first damage", 1)+"\n" {
		t.Errorf("printed %q", got)
	}
	text2, err := verify(t, VerifyOptions{Dir: dir, JSON: true})
	var v verdict
	if jsonErr := json.Unmarshal([]byte(text2), &v); jsonErr != nil || err == nil {
		t.Fatalf("error %v, JSON %v", err, jsonErr)
	}
	wantJSON := verdict{
		Chain: v.Chain, Segments: 1, Bytes: int64(len(bytes.Join(lines[:3], nil))), First: 1, Last: 3, Hash: v.Hash, Check: v.Check,
		Unwitnessed: &seqRange{1, 3}, Error: want,
		Damage: &damage{path, 4, 4, "the line has seq 5, although the file head says that the journal reached seq 10"},
	}
	if diff := cmp.Diff(wantJSON, v); diff != "" {
		t.Errorf("JSON (-want +got):\n%s", diff)
	}
}

func TestVerifyJSON(t *testing.T) {
	dir, j := writeJournal(t, journal.Limits{}, edited(3)...)
	_, hash := j.Durable()
	appendAll(t, j, edited(1)...)
	text, err := verify(t, VerifyOptions{Dir: dir, JSON: true, Heads: []journal.Head{{Seq: 3, Hash: hash}}})
	var v verdict
	if jsonErr := json.Unmarshal([]byte(text), &v); err != nil || jsonErr != nil || strings.Count(text, "\n") != 1 {
		t.Fatalf("%v, %v: %s", err, jsonErr, text)
	}
	want := verdict{
		Intact: true, Chain: j.ChainID(), Segments: 1, Bytes: v.Bytes, First: 1, Last: 4, Hash: v.Hash, Check: v.Check,
		Witnessed: 3, Unwitnessed: &seqRange{4, 4},
	}
	if diff := cmp.Diff(want, v); diff != "" || v.Bytes == 0 || v.Check == 0 || len(v.Hash) != 64 {
		t.Errorf("JSON (-want +got):\n%s\n%s", diff, text)
	}
}

func TestVerifyOfNothing(t *testing.T) {
	dir, _ := writeJournal(t, journal.Limits{})
	if got, err := verify(t, VerifyOptions{Dir: dir}); err != nil || got != "intact: the journal has no records\n" {
		t.Errorf("%q, %v for a journal without records", got, err)
	}
	if got, err := verify(t, VerifyOptions{Dir: t.TempDir()}); err == nil || got != "" {
		t.Errorf("%q, %v for an empty directory", got, err)
	}
}

// Somebody who can write the directory can append a record that vouches for a
// removal: only a head from behind it shows that it was not made up since.
func TestVerifySaysWhoVouchesForARemoval(t *testing.T) {
	for witnessed, want := range map[uint64]string{
		0:  "removed: records 1 to 5, by retention as record 17 says, which no head vouches for\n",
		16: "removed: records 1 to 5, by retention as record 17 says, which no head vouches for\n",
		17: "removed: records 1 to 5, by retention as record 17 says\n",
	} {
		report := journal.Report{First: 6, Last: 20, Hash: strings.Repeat("0", 64), RemovedBy: 17, Witnessed: witnessed}
		for _, err := range []error{nil, fmt.Errorf("verify: %w", journal.ErrUnvouched)} {
			if got := verdictText(report, err); !strings.Contains(got, want) {
				t.Errorf("head %d: no %q in\n%s", witnessed, want, got)
			}
		}
	}
}

// A journal whose head is gone is broken, and what is left of it is compared.
func TestVerifyWithoutHead(t *testing.T) {
	dir, _ := writeJournal(t, journal.Limits{}, edited(3)...)
	if err := os.Remove(filepath.Join(dir, "head")); err != nil {
		t.Fatal(err)
	}
	report, _ := journal.Verify(t.Context(), dir, journal.VerifyOptions{})
	got, err := verify(t, VerifyOptions{Dir: dir, Heads: []journal.Head{{Seq: 3, Hash: report.Hash}}})
	broken, ok := errors.AsType[*journal.BrokenError](err)
	if !ok {
		t.Fatalf("%q, %v", got, err)
	}
	want := "broken: the records 1 to 3 prove each other, but a file beside them is damaged\n" + place(broken) +
		"witnessed: everything through record 3 is what the head 3 was seen with\n"
	if got != want {
		t.Errorf("%q, %v", got, err)
	}
	if got, err = verify(t, VerifyOptions{Dir: dir, Heads: []journal.Head{{Seq: 3, Check: 1}}}); err == nil || strings.Contains(got, "witnessed") || !strings.Contains(err.Error(), "record 3 as the head that was given") {
		t.Errorf("%q, %v for another head", got, err)
	}
}

// The damage of a sink's place is none of the records, all of which are read.
func TestVerifyWithoutACursor(t *testing.T) {
	dir, _ := writeJournal(t, journal.Limits{}, edited(3)...)
	path := filepath.Join(dir, "cursor-stdout")
	if err := os.WriteFile(path, []byte("foo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := verify(t, VerifyOptions{Dir: dir})
	want := "broken: the records 1 to 3 prove each other, but a file beside them is damaged\nfirst damage: file " + path + ": is not \"<seq>:<hash>\"\n"
	if _, ok := errors.AsType[*journal.BrokenError](err); !ok || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func TestVerifyProgress(t *testing.T) {
	var terminal bytes.Buffer
	p := verifyProgress{out: &terminal, began: time.Now().Add(-2 * time.Second)}
	p.show(512<<20, 1<<30)
	p.show(513<<20, 1<<30) // Too soon to be read.
	p.end()
	if got := terminal.String(); !strings.HasPrefix(got, "\r\x1b[K50% of 1.0 GiB, 25") || !strings.HasSuffix(got, " MiB/s\r\x1b[K") || strings.Count(got, "%") != 1 {
		t.Errorf("progress %q", got)
	}
	quick := verifyProgress{out: &terminal, began: time.Now()}
	terminal.Reset()
	quick.show(1, 2)
	quick.end()
	if terminal.Len() > 0 {
		t.Errorf("progress %q of a check that is over at once", &terminal)
	}
}
