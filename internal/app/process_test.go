package app

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// binary builds the product as it is shipped: without the race detector.
func binary(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "zkwarden")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "zkwarden")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

var listening = regexp.MustCompile(`msg="Listening on" address=(\S+)`)

// child is a zkwarden in a process of its own.
type child struct {
	*exec.Cmd
	url  string // Of its pages.
	read sync.WaitGroup
	log  strings.Builder // Complete when read is done.
}

// startProcess runs the command, which is or becomes a zkwarden, until the
// test ends. A nil stdout is thrown away.
func startProcess(t *testing.T, stdout *os.File, command ...string) *child {
	t.Helper()
	c := &child{Cmd: exec.CommandContext(t.Context(), command[0], command[1:]...)}
	if stdout != nil {
		c.Stdout = stdout
	}
	log, err := c.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	addresses := make(chan string, 1)
	c.read.Go(func() {
		defer close(addresses)
		for lines := bufio.NewScanner(log); lines.Scan(); {
			c.log.WriteString(lines.Text() + "\n")
			if found := listening.FindStringSubmatch(lines.Text()); found != nil {
				addresses <- found[1]
			}
		}
	})
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		_ = c.Process.Kill()
		_, _ = c.end()
	})
	address, ok := <-addresses
	if !ok {
		t.Fatalf("the process ended before it listened:\n%s", &c.log)
	}
	c.url = "http://" + address
	return c
}

// end waits for the end and returns the exit status and the log.
func (c *child) end() (status int, log string) {
	c.read.Wait()
	_ = c.Wait() // What matters is the status.
	return c.ProcessState.ExitCode(), c.log.String()
}

// peak returns the largest resident set that the process had, in bytes.
func peak(t *testing.T, pid int) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	line, _, _ := strings.Cut(rest, "\n")
	var kilobytes int64
	if _, err := fmt.Sscanf(line, "%d kB", &kilobytes); err != nil {
		t.Fatalf("VmHWM %q: %v", line, err)
	}
	return kilobytes << 10
}
