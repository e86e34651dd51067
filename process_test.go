package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/zktest"
)

const patience = 30 * time.Second

// child is the test binary under the name zkwarden: the real process.
type child struct {
	*exec.Cmd
	t      *testing.T
	stdout io.Closer
	lines  *bufio.Scanner // Of stdout.
	stderr bytes.Buffer
}

func start(t *testing.T, args ...string) *child {
	t.Helper()
	c := &child{Cmd: exec.CommandContext(t.Context(), os.Args[0]), t: t}
	c.Args = append([]string{"zkwarden"}, args...)
	c.Stderr = &c.stderr
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.stdout, c.lines = stdout, bufio.NewScanner(stdout)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	// A process that hangs fails the test by its death.
	deadline := time.AfterFunc(patience, func() { _ = c.Process.Kill() })
	t.Cleanup(func() {
		deadline.Stop()
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c
}

// runAuditor starts an auditor of a ZooKeeper that does not exist, and returns when
// it has told of its start.
func runAuditor(t *testing.T, dir string) *child {
	t.Helper()
	c := start(t, auditing(dir)...)
	if got := c.control(); got != "start" {
		t.Fatalf("the first record is %q, want start", got)
	}
	return c
}

func auditing(dir string) []string {
	return []string{
		"--web.listen-address=127.0.0.1:0", "--zookeeper.address=127.0.0.1:1",
		"--ensemble.name=test", "--audit.path=/a", "--audit.dir=" + dir,
	}
}

// control returns which control record is the next line.
func (c *child) control() string {
	c.t.Helper()
	if !c.lines.Scan() {
		c.t.Fatalf("stdout ended: %v, stderr %q", c.lines.Err(), &c.stderr)
	}
	var record struct{ Control string }
	if err := json.Unmarshal(c.lines.Bytes(), &record); err != nil {
		c.t.Fatalf("line %q: %v", c.lines.Text(), err)
	}
	return record.Control
}

// ends waits for the end and returns the exit status and stderr.
func (c *child) ends() (status int, stderr string) {
	c.t.Helper()
	for c.lines.Scan() { // Wait closes the pipe.
	}
	err := c.Wait()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		c.t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), c.stderr.String()
}

func TestSignals(t *testing.T) {
	for name, signal := range map[string]os.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": os.Interrupt} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := runAuditor(t, dir)
			if err := c.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if got := c.control(); got != "stop" {
				t.Errorf("the next record is %q, want stop", got)
			}
			if status, stderr := c.ends(); status != 0 {
				t.Errorf("exit status %d, stderr %q", status, stderr)
			}
			if diff := cmp.Diff([]string{"start", "stop"}, controls(t, dir)); diff != "" {
				t.Errorf("journal (-want +got):\n%s", diff)
			}
		})
	}
}

func segment(t *testing.T, dir string) string {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "journal-*.jsonl"))
	if err != nil || len(segments) != 1 {
		t.Fatalf("%s holds the segments %q: %v", dir, segments, err)
	}
	return segments[0]
}

func controls(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(segment(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for line := range bytes.Lines(text) {
		var record struct{ Control string }
		if err := json.Unmarshal(line, &record); err != nil {
			t.Fatal(err)
		}
		all = append(all, record.Control)
	}
	return all
}

func TestTwoAuditorsOnOneDirectory(t *testing.T) {
	dir := t.TempDir()
	first := runAuditor(t, dir)
	second := start(t, auditing(dir)...)
	status, stderr := second.ends()
	if status != exitFailure || strings.Count(unlogged(stderr), "\n") != 1 || !strings.Contains(stderr, dir+" is in use by process") {
		t.Errorf("the second ends with status %d and %q", status, stderr)
	}
	if err := first.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status, stderr := first.ends(); status != exitOK {
		t.Errorf("the first ends with status %d and %q", status, stderr)
	}
	if diff := cmp.Diff([]string{"start", "stop"}, controls(t, dir)); diff != "" {
		t.Errorf("journal (-want +got):\n%s", diff)
	}
}

func TestBrokenJournal(t *testing.T) {
	dir := t.TempDir()
	c := runAuditor(t, dir)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	c.ends()
	file := segment(t, dir)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`"ensemble":"test"`), []byte(`"ensemble":"tesT"`), 1)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	status, stderr := start(t, auditing(dir)...).ends()
	if status != exitFailure || strings.Count(unlogged(stderr), "\n") != 1 || !strings.Contains(stderr, file+", line 1") {
		t.Errorf("it ends with status %d and %q", status, stderr)
	}
}

// watch leaves quietly, whether it is told to or nobody reads it any more.
func TestWatchEnds(t *testing.T) {
	addr := zktest.Start(t, zktest.Options{}).Addrs()[0]
	t.Run("signal", func(t *testing.T) {
		c := start(t, "watch", "/", "--zookeeper.address="+addr)
		if !c.lines.Scan() || !strings.Contains(c.lines.Text(), "  watching /: ") {
			t.Fatalf("first line %q, stderr %q", c.lines.Text(), &c.stderr)
		}
		if strings.Contains(c.lines.Text(), "\x1b") {
			t.Errorf("there are colors in a pipe: %q", c.lines.Text())
		}
		if err := c.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		if status, stderr := c.ends(); status != exitOK || stderr != "" {
			t.Errorf("exit status %d, stderr %q", status, stderr)
		}
	})
	t.Run("reader gone", func(t *testing.T) {
		c := start(t, "watch", "/", "--json", "--zookeeper.address="+addr)
		if got := c.control(); got != "start" {
			t.Fatalf("the first record is %q", got)
		}
		if err := c.stdout.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.Wait(); err != nil || c.stderr.Len() > 0 {
			t.Errorf("it ends with %v, stderr %q", err, &c.stderr)
		}
	})
}
