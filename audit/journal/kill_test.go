package journal

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"zkwarden/audit/sink/stdout"
)

const (
	victimEnv = "ZKWARDEN_TEST_VICTIM" // Names the directory and makes the test binary a victim.
	shortEnv  = "ZKWARDEN_TEST_SHORT"  // Makes its segments small, and its journal short.
)

// victim appends as fast as it can and delivers to its stdout, until it is
// killed or, in case nobody does, a minute has passed.
func victim(dir string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	o := testOptions(dir)
	if os.Getenv(shortEnv) != "" {
		o.Limits = Limits{SegmentSize: 32 << 10, RetentionSize: 256 << 10}
	}
	j, err := Open(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	p, err := j.NewPump("stdout", stdout.New(os.Stdout))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	go func() {
		if err := p.Run(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}()
	for i := 0; ; i++ {
		seq, err := j.Append(ctx, change(i))
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		j.Keep(seq - 1)
	}
}

// runVictim kills a victim some time after it delivered its first line, and
// returns what it delivered.
func runVictim(t *testing.T, dir string, life time.Duration) string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victimEnv+"="+dir)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(out)
	if _, err := r.Peek(1); err == nil {
		time.AfterFunc(life, func() { _ = cmd.Process.Kill() })
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // A killed process always has an error.
	if complaints.Len() > 0 {
		t.Fatalf("the victim ended by itself: %s", &complaints)
	}
	return string(text)
}

// TestKilledAtAnyMoment kills a process that appends and delivers, ten times
// on the same journal. Each time the chain is whole, nothing is delivered that
// is not in the journal, and nothing is skipped.
func TestKilledAtAnyMoment(t *testing.T) {
	dir := t.TempDir()
	delivered := 0 // Lines from the first one on that were delivered whole.
	for round := range 10 {
		life := time.Duration(rand.Int64N(int64(100 * time.Millisecond)))
		text := runVictim(t, dir, life)
		closeJournal(t, newTestJournal(t, dir)) // Cuts what is torn.
		lines := mustVerify(t, dir)
		place := make(map[string]int, len(lines))
		for i, line := range lines {
			place[line] = i
		}
		at := -1
		for line := range strings.Lines(text) {
			line, whole := strings.CutSuffix(line, "\n")
			i, found := place[line]
			switch {
			case !whole && at+1 < len(lines) && strings.HasPrefix(lines[at+1], line):
				continue // Killed while it wrote.
			case !found:
				t.Fatalf("round %d: a line was delivered that is not in the journal: %s", round, line)
			case at < 0 && i > delivered, at >= 0 && i != at+1:
				t.Fatalf("round %d: line %d was delivered behind %d, %d before were delivered", round, i+1, at+1, delivered)
			}
			at = i
			delivered = max(delivered, i+1)
		}
		t.Logf("killed after %s: %d records, %d delivered", life, len(lines), delivered)
	}
	if delivered == 0 {
		t.Error("no victim delivered anything")
	}
}

// TestKilledWhileRotating kills a process whose journal begins a segment and
// removes one all the time. What it leaves verifies as it is, opens, and has
// every record that was not delivered.
func TestKilledWhileRotating(t *testing.T) {
	t.Setenv(shortEnv, "true")
	dir := t.TempDir()
	delivered, removed := uint64(0), uint64(0)
	for round := range 10 {
		life := time.Duration(rand.Int64N(int64(200 * time.Millisecond)))
		text := runVictim(t, dir, life)
		at := uint64(0)
		for line := range strings.Lines(text) {
			line, whole := strings.CutSuffix(line, "\n")
			if !whole {
				continue // Killed while it wrote.
			}
			rec, err := parseLine([]byte(line))
			switch {
			case err != nil:
				t.Fatalf("round %d: a line was delivered that does not prove itself: %v", round, err)
			case at == 0 && rec.seq > delivered+1, at > 0 && rec.seq != at+1:
				t.Fatalf("round %d: record %d was delivered behind %d, %d before were delivered", round, rec.seq, at, delivered)
			}
			at = rec.seq
			delivered = max(delivered, at)
		}
		report, err := Verify(t.Context(), dir, VerifyOptions{})
		if err != nil {
			t.Fatalf("round %d: Verify returned %v", round, err)
		}
		removed = report.First - 1
		closeJournal(t, newTestJournal(t, dir)) // Cuts what is torn, and removes what is written off.
		if report, err = Verify(t.Context(), dir, VerifyOptions{}); err != nil || report.Torn > 0 || report.Last < delivered {
			t.Fatalf("round %d: Verify returned %+v, %v after the repair, %d were delivered", round, report, err, delivered)
		}
		t.Logf("killed after %s: records %d to %d in %d segments, %d delivered", life, report.First, report.Last, report.Segments, delivered)
	}
	if removed == 0 {
		t.Error("no victim removed a segment")
	}
}
