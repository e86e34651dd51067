package main

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"zkwarden/internal/zktest"
)

// block finds the shell commands of a page, and the comment before them that
// says whether they are run here. A console has what they print, too.
var block = regexp.MustCompile("(?m)(?:^<!-- (.*) -->\n)?^ *```(sh|console)\n((?s:.*?))^ *```$")

// commands are one block of a page. They are run to their end, or beside the others
// until the page is done, or not run for a reason.
type commands struct {
	text, reason string
	beside       bool
}

func commandsOf(page string) (all []commands, err error) {
	for _, found := range block.FindAllStringSubmatch(page, -1) {
		comment, c := found[1], commands{text: found[3]}
		if found[2] == "console" {
			c.text = ""
			for _, typed := range regexp.MustCompile(`(?m)^\$ (.*)$`).FindAllStringSubmatch(found[3], -1) {
				c.text += typed[1] + "\n"
			}
		}
		switch reason, skipped := strings.CutPrefix(comment, "not run: "); {
		case skipped && len(reason) > 10:
			c.reason = reason
		case comment == "run beside":
			c.beside = true
		case comment != "run":
			return nil, fmt.Errorf("%q stands before %q; want run, run beside, or not run and why", comment, c.text)
		}
		all = append(all, c)
	}
	return all, nil
}

// Every command of the docs is run against a real server, in the order of its
// page, or says why it is not.
func TestDocsCommands(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, path := range append(pages, "README.md") {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all, err := commandsOf(string(page))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if !slices.ContainsFunc(all, func(c commands) bool { return c.reason == "" }) {
			continue
		}
		ran++
		t.Run(filepath.Base(path), func(t *testing.T) { runAll(t, all) })
	}
	if ran < 8 {
		t.Errorf("commands of %d pages were run, fewer than there are", ran)
	}
}

// Runbooks name hosts, pods and records of the moment. Their commands of zkwarden are
// run with those of the test; the tests of deploy/prometheus hold all to the help.
func TestRunbookCommands(t *testing.T) {
	pages, err := filepath.Glob("docs/runbooks/*.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := map[string]bool{}
	for _, path := range pages {
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range regexp.MustCompile(`(?m)^ *(zkwarden [a-z].*)$`).FindAllString(string(page), -1) {
			line = strings.NewReplacer("HOST:", "127.0.0.1:", "A..B", "1..2").Replace(strings.TrimSpace(line))
			if !strings.Contains(line, "SEQ:CHECK") && !strings.Contains(line, "/PATH") {
				lines[line] = true
			}
		}
	}
	var all []commands
	for _, line := range slices.Sorted(maps.Keys(lines)) {
		all = append(all, commands{text: line})
	}
	if len(all) < 8 {
		t.Errorf("only %d commands were found: %v", len(all), all)
	}
	runAll(t, all)
}

func runAll(t *testing.T, all []commands) {
	t.Helper()
	var shell *shell
	for _, c := range all {
		if c.reason != "" {
			continue
		}
		if shell == nil {
			shell = newShell(t)
			if !slices.ContainsFunc(all, func(c commands) bool { return c.beside }) {
				shell.beside(t, "zkwarden --zookeeper.address=127.0.0.1:2181 --ensemble.name=prod --audit.path=/ --audit.dir=/var/lib/zkwarden")
			}
		}
		if c.beside {
			shell.beside(t, c.text)
		} else if out, err := shell.command(t, c.text).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s\n%s", err, c.text, out)
		}
	}
}

// shell runs commands in a directory, with a server and an address of its own in
// the place of those that the pages name.
type shell struct {
	dir, server, listen string
	names               *strings.Replacer
}

func newShell(t *testing.T) *shell {
	t.Helper()
	server := zktest.Start(t, zktest.Options{}).Server(1)
	s := &shell{dir: t.TempDir(), server: server.Addr(), listen: freeAddress(t)}
	s.names = strings.NewReplacer("127.0.0.1:2181", s.server, "127.0.0.1:9141", s.listen, "/var/lib/zkwarden", filepath.Join(s.dir, "trail"),
		"/var/lib/zookeeper", server.DataDir()+" "+server.TxnLogDir(), "/var/lib/grafana", filepath.Join(s.dir, "grafana"))
	return s
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (s *shell) command(t *testing.T, text string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", s.names.Replace(text))
	c.Dir = s.dir
	c.Env = append(os.Environ(), "ZKWARDEN_WEB_LISTEN_ADDRESS="+s.listen, "ZKWARDEN_ZOOKEEPER_ADDRESS="+s.server) // In the place of defaults.
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = patience
	return c
}

// beside starts commands that go on, and returns when they are ready.
func (s *shell) beside(t *testing.T, text string) {
	t.Helper()
	var stderr strings.Builder
	c := s.command(t, "exec "+text)
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Wait(); !c.ProcessState.Success() { // The end of the test's context ends it.
			t.Errorf("%v\n%s\n%s", err, text, stderr.String())
		}
	})
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		response, err := http.Get("http://" + s.listen + "/-/ready")
		if err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
	}
	t.Fatalf("this is not ready in time: %s", text)
}

// A block without a word, or without a reason, is found.
func TestDocsCommandsAreMarked(t *testing.T) {
	for page, want := range map[string]bool{
		"<!-- run -->\n```sh\ntrue\n```\n":                            true,
		"<!-- run beside -->\n```sh\ntrue\n```\n":                     true,
		"<!-- not run: needs a whole cluster -->\n```sh\ntrue\n```\n": true,
		"<!-- not run: -->\n```sh\ntrue\n```\n":                       false,
		"<!-- ran -->\n```sh\ntrue\n```\n":                            false,
		"text\n```sh\ntrue\n```\n":                                    false,
		"<!-- run -->\n```console\n$ true\nwell\n```\n":               true,
		"1. text\n\n   ```sh\n   true\n   ```\n":                      false,
	} {
		if all, err := commandsOf(page); (err == nil) != want || want && len(all) != 1 {
			t.Errorf("%q: got %v, %v", page, all, err)
		}
	}
}
