package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-kit/log"

	"zkwarden/audit"
	"zkwarden/audit/journal"
)

// someJournal makes a closed journal of n records, and returns its directory,
// segment and last seq and hash.
func someJournal(t *testing.T, n int) (dir, segment, head string) {
	t.Helper()
	dir = t.TempDir()
	j, err := journal.Open(journal.Options{Dir: dir, Logger: log.NewNopLogger()})
	if err != nil {
		t.Fatal(err)
	}
	for range n {
		if _, err := j.Append(t.Context(), audit.Event{Kind: audit.KindControl, Control: audit.ControlStart}); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	seq, hash := j.Durable()
	return dir, filepath.Join(dir, fmt.Sprintf("journal-%020d.jsonl", 1)), fmt.Sprintf("%d:%s", seq, hash)
}

// TestJournalCommands holds verify and log to their exit status and streams.
func TestJournalCommands(t *testing.T) {
	dir, _, head := someJournal(t, 3)
	broken, segment, _ := someJournal(t, 3)
	text, err := os.ReadFile(segment)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(segment, bytes.Replace(text, []byte(`"start"`), []byte(`"stop!"`), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string // Parts; empty when there must be nothing.
	}{
		{"verify", []string{"verify", dir}, exitOK, "intact: records 1 to 3", ""},
		{"verify, by flag", []string{"verify", "--audit.dir=" + dir}, exitOK, "intact: records 1 to 3", ""},
		{"verify, both", []string{"verify", "--audit.dir=/nope", dir}, exitOK, "intact: records 1 to 3", ""},
		{"verify, head", []string{"verify", dir, "--head=" + head}, exitOK, "witnessed: everything through record 3", ""},
		{"verify, wrong head", []string{"verify", dir, "--head=3:1"}, exitFailure, "broken: ", "it is not record 3"},
		{"verify, wrong chain", []string{"verify", dir, "--chain=abc"}, exitFailure, "broken: no record is proved\n", "this is another journal"},
		{"verify, broken", []string{"verify", broken}, exitFailure, "broken: no record is proved\n", "line 1, seq 1: the line does not match its hash"},
		{"verify, broken, JSON", []string{"verify", "--json", broken}, exitFailure, `"damage":{"file":`, "line 1, seq 1"},
		{"verify, nothing", []string{"verify", t.TempDir()}, exitFailure, "", "there is no journal in"},
		{"verify, no directory", []string{"verify", "/nope"}, exitFailure, "", "no such file"},
		{"verify, usage", []string{"verify", dir, "--head=x"}, exitUsage, "", "--head"},
		{"log", []string{"log", "--audit.dir=" + dir, "-n", "1"}, exitOK, "3  0001-01-01T00:00:00.000Z  start", ""},
		{"log, broken", []string{"log", "--audit.dir=" + broken}, exitFailure, "\n3  ", "seq 1: the line does not match its hash\n"},
		{"log, nothing", []string{"log", "--audit.dir=" + t.TempDir()}, exitFailure, "", "there is no journal in"},
		{"log, no directory", []string{"log", "-f", "--audit.dir=/nope"}, exitFailure, "", "there is no journal in /nope"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), c.args, &stdout, &stderr)
			if status != c.status || !strings.Contains(stdout.String(), c.stdout) || (c.stdout == "") != (stdout.Len() == 0) ||
				!strings.Contains(stderr.String(), c.stderr) || (c.stderr == "") != (stderr.Len() == 0) {
				t.Errorf("exit status %d, want %d; stdout %q, want %q; stderr %q, want %q", status, c.status, &stdout, c.stdout, &stderr, c.stderr)
			}
		})
	}
}

// TestLogIntoAClosedPipe is `zkwarden log | head -1`, as a process.
func TestLogIntoAClosedPipe(t *testing.T) {
	dir, _, _ := someJournal(t, 20_000)
	for _, args := range [][]string{{"log", "--json"}, {"log"}, {"log", "--follow"}} {
		c := start(t, append(args, "--audit.dir="+dir)...)
		if !c.lines.Scan() {
			t.Fatalf("%q prints nothing: %s", args, &c.stderr)
		}
		if err := c.stdout.Close(); err != nil {
			t.Fatal(err)
		}
		err := c.Wait()
		if _, failed := errors.AsType[*exec.ExitError](err); failed || c.stderr.Len() > 0 {
			t.Errorf("%q ended with %v and %q, want quietly", args, err, &c.stderr)
		}
	}
}

// TestRetentionOfAProcess runs an auditor several times, with a segment for
// each record. What the mirror and stdout have is removed, and vouched for.
func TestRetentionOfAProcess(t *testing.T) {
	dir := t.TempDir()
	for range 4 {
		c := start(t, append(auditing(dir), "--audit.segment-size=1", "--audit.retention-size=1")...)
		for c.control() != "start" { // What stdout had not taken comes first.
		}
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if status, stderr := c.ends(); status != exitOK {
			t.Fatalf("exit status %d, stderr %q", status, stderr)
		}
	}
	report, err := journal.Verify(t.Context(), dir, journal.VerifyOptions{})
	if err != nil || report.First < 4 {
		t.Errorf("Verify returned %+v, %v, want the records of the first runs to be gone", report, err)
	}
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), []string{"log", "--audit.dir=" + dir, "--kind=control"}, &stdout, &stderr); status != exitOK ||
		!strings.Contains(stdout.String(), "  retention  1 records  through ") {
		t.Errorf("exit status %d, stdout %q, stderr %q", status, &stdout, &stderr)
	}
}
