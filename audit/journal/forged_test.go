package journal

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// rechain rewrites every record of the journal in dir as change says, gives
// each the right prev and hash, and writes the head: what somebody who can
// write the directory can do.
func rechain(t *testing.T, dir, prev string, change func(seq uint64, body string) string) {
	t.Helper()
	seq := uint64(0)
	for _, first := range segmentNames(t, dir) {
		var text []byte
		seq = first - 1
		for _, line := range linesOf(t, dir, first) {
			seq++
			body := string(line[:len(line)-1-hashPart-prevPart])
			sealed, hash := seal([]byte(change(seq, body) + prevMark + prev + `"}`))
			text = append(append(text, sealed...), '\n')
			prev = hash
		}
		write(t, segmentPath(dir, first), text)
	}
	write(t, filepath.Join(dir, headFile), mark{seq: seq, hash: prev}.text())
}

// wantRefused wants Open and Verify to name what a forger has overlooked.
func wantRefused(t *testing.T, dir, opens, verifies string) {
	t.Helper()
	var broken *BrokenError
	if err := reopen(t, dir); !errors.As(err, &broken) || !strings.Contains(err.Error(), opens) {
		t.Errorf("Open returned %v, want a *BrokenError with %q", err, opens)
	}
	if _, err := Verify(t.Context(), dir, VerifyOptions{}); !errors.As(err, &broken) || !strings.Contains(err.Error(), verifies) {
		t.Errorf("Verify returned %v, want a *BrokenError with %q", err, verifies)
	}
}

func TestForgedChainID(t *testing.T) {
	dir := segmented(t, 2, 2, 2)
	rechain(t, dir, noHash, func(seq uint64, body string) string {
		if seq == 3 {
			i := strings.Index(body, `,"chain":"`) + len(`,"chain":"`)
			body = body[:i] + strings.Repeat("0", 32) + body[i+32:]
		}
		return body
	})
	wantRefused(t, dir, "another journal", "another journal")
}

// TestForgedBeginning gives the first record that retention has left another
// one before it than the anchor says.
func TestForgedBeginning(t *testing.T) {
	dir, _ := retained(t)
	rechain(t, dir, strings.Repeat("a", 64), func(_ uint64, body string) string { return body })
	wantRefused(t, dir, "but the last record that retention removed has the hash", "but the last record that retention removed has the hash")
}

func TestForgedAnchor(t *testing.T) {
	dir, _ := retained(t)
	prev := string(linesOf(t, dir, 6)[0])
	prev = prev[len(prev)-1-hashPart-hexLen-1:][:hexLen]
	rechain(t, dir, prev, func(_ uint64, body string) string { return strings.Replace(body, `"anchor":"5:`, `"anchor":"5;`, 1) })
	wantRefused(t, dir, `is not "<seq>:<hash>"`, `is not "<seq>:<hash>"`)
}

// TestForgedEndOfAClosedSegment is found by the first line of the next one,
// which is all that Open reads of it.
func TestForgedEndOfAClosedSegment(t *testing.T) {
	dir := segmented(t, 3, 4, 2)
	lines := linesOf(t, dir, 1)
	lines[2] = forge(lines[2])
	write(t, segmentPath(dir, 1), bytes.Join(lines, nil))
	wantRefused(t, dir, "line 1, seq 4: the line follows another line", "line 1, seq 4: the line follows another line")
}

// TestRetentionBeforeAnEmptySegment leaves what a crash can leave of a rotation
// behind a retention record.
func TestRetentionBeforeAnEmptySegment(t *testing.T) {
	dir, _ := retained(t)
	report, err := Verify(t.Context(), dir, VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, segmentPath(dir, report.Last+1), nil)
	j := newTestJournal(t, dir)
	if j.ChainID() != report.Chain || j.begin.seq != 5 {
		t.Errorf("chain id %q and begin %d, want %q and 5", j.ChainID(), j.begin.seq, report.Chain)
	}
	appendEvents(t, j, 1)
	closeJournal(t, j)
	if _, err := Verify(t.Context(), dir, VerifyOptions{}); err != nil {
		t.Error(err)
	}
}

// TestRepairDoesNotRotate has a torn line in a segment that is full.
func TestRepairDoesNotRotate(t *testing.T) {
	dir := segmented(t, 3)
	write(t, segmentPath(dir, 1), append(mustRead(t, segmentPath(dir, 1)), "torn"...))
	j := keeping(t, dir, Limits{SegmentSize: 1})
	closeJournal(t, j)
	checkRepair(t, dir, 3, 4)
	if names := segmentNames(t, dir); len(names) != 1 {
		t.Errorf("segments %v, want the repair where the torn line was", names)
	}
}
