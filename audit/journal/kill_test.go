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

const victimEnv = "ZKWARDEN_TEST_VICTIM" // Names the directory and makes the test binary a victim.

// victim appends as fast as it can and delivers to its stdout, until it is
// killed or, in case nobody does, a minute has passed.
func victim(dir string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	j, err := Open(testOptions(dir))
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
		if _, err := j.Append(ctx, change(i)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
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
