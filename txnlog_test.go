package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit/txnlog"
	"zkwarden/internal/zktest"
)

type silent struct{}

func (silent) Printf(string, ...any) {}

// deletedConfig is a server with the history that the README asks about.
func deletedConfig(t *testing.T) *zktest.Server {
	t.Helper()
	server := zktest.Start(t, zktest.Options{Replicated: true}).Server(1)
	conn, events, err := zk.Connect([]string{server.Addr()}, 10*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		conn.Close()
		for range events {
			// Until its last goroutine has ended.
		}
		server.Kill()
	}()
	world := zk.WorldACL(zk.PermAll)
	_, err = conn.Create("/app", nil, 0, world)
	if err == nil {
		_, err = conn.Create("/app/config", []byte("limit=99"), 0, world)
	}
	for range 3 {
		if err == nil {
			_, err = conn.Set("/app/config", []byte("limit=98 burst=10"), -1)
		}
	}
	if err == nil {
		err = conn.Delete("/app/config", -1)
	}
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// own replaces what is a server's and a moment's own.
func own(text string) string {
	text = regexp.MustCompile(`\d{4}-\d\d-\d\dT[0-9:.]*Z`).ReplaceAllString(text, "TIME")
	return regexp.MustCompile(`0x[0-9a-f]+`).ReplaceAllString(text, "0x")
}

// TestReadmeTxnlog runs the example of the README.
func TestReadmeTxnlog(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```console\n\\$ zkwarden (txnlog [^\n]*)\n(.*?)```").FindSubmatch(readme)
	if example == nil {
		t.Fatal("the README has no example of txnlog")
	}
	server := deletedConfig(t)
	var args []string
	for arg := range strings.FieldsSeq(string(example[1])) {
		args = append(args, strings.ReplaceAll(arg, "/var/lib/zookeeper", server.TxnLogDir()))
	}
	var stdout, stderr bytes.Buffer
	if status := run(t.Context(), args, &stdout, &stderr); status != exitOK {
		t.Fatalf("exit status %d, stderr %q", status, &stderr)
	}
	if diff := cmp.Diff(own(string(example[2])), own(stdout.String()+stderr.String())); diff != "" {
		t.Errorf("(-README +zkwarden):\n%s", diff)
	}
}

// TestTxnlogCommand holds txnlog to its exit status and streams.
func TestTxnlogCommand(t *testing.T) {
	server := deletedConfig(t)
	dir := server.TxnLogDir()
	logs, err := txnlog.Logs(dir)
	if err != nil || len(logs) == 0 {
		t.Fatalf("Logs() = %v, %v", logs, err)
	}
	content, err := os.ReadFile(logs[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(content, []byte("limit=98"))
	content[at] ^= 1
	broken := t.TempDir() + "/log.100000001"
	if err := os.WriteFile(broken, content, 0o600); err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string // Parts; empty when there must be nothing.
	}{
		{"changes", []string{dir, "--op=created"}, exitOK, "created   /app/config  v0  8 bytes  by 0x", "before it is committed"},
		{"a file", []string{logs[0].Path, "--op=created"}, exitOK, "created   /app/config  v0  8 bytes  by 0x", "before it is committed"},
		{"JSON", []string{dir, "--json", "--path=/app/config", "--op=deleted"}, exitOK, `"op":"deleted","path":"/app/config","cause":"explicit","czxid":"0x100000003"`, "before it is committed"},
		{"at a zxid", []string{dir, server.DataDir(), "--at=0x100000003"}, exitOK, "/\n/app\n/app/config\n/zookeeper\n", ""},
		{"at a time", []string{dir, server.DataDir(), "--at=0s", "--path=/app"}, exitOK, "/app\n", "what happened later, if anything, is not in these files"},
		{"stat", []string{dir, server.DataDir(), "--at=0x100000004", "--path=/app/config", "--stat"}, exitOK, "\n      1        17         0  -  ", ""},
		{"before the beginning", []string{dir, "--at=2001-01-01"}, exitFailure, "", "find 2001-01-01T00:00:00.000Z: the logs begin with 0x100000001, made at 2"},
		{"behind the end", []string{dir, "--at=0x200000001"}, exitFailure, "", "tree at 0x200000001: the files end with 0x10000000"},
		{"no such znode", []string{dir, "--at=0x100000003", "--path=/nope"}, exitFailure, "", "there was no such znode"},
		{"diff", []string{dir, "--diff=0x100000003..0x100000006"}, exitOK, "    - limit=99\n    + limit=98 burst=10\n", ""},
		{"diff backwards", []string{dir, "--diff=0x100000006..0x100000003"}, exitFailure, "", "0x100000006 is behind 0x100000003"},
		{"damaged", []string{broken}, exitFailure, "/app/config  v0", "/log.100000001 at offset "},
		{"passed over", []string{broken, "--skip-damaged"}, exitOK, "/app/config  v0", "passed over: " + broken},
		{"nothing there", []string{t.TempDir()}, exitFailure, "", "has no transaction log and no snapshot"},
		{"only snapshots", []string{server.DataDir()}, exitFailure, "", "there is no transaction log, only snapshots"},
		{"no directory", []string{"/nope"}, exitFailure, "", "/nope"},
		{"no log", []string{"main.go"}, exitFailure, "", "main.go at offset 0: corrupt: it begins with"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), append([]string{"txnlog"}, c.args...), &stdout, &stderr)
			if status != c.status || !strings.Contains(stdout.String(), c.stdout) || (c.stdout == "") != (stdout.Len() == 0) ||
				!strings.Contains(stderr.String(), c.stderr) || (c.stderr == "") != (stderr.Len() == 0) {
				t.Errorf("exit status %d, want %d; stdout %q, want %q; stderr %q, want %q", status, c.status, &stdout, c.stdout, &stderr, c.stderr)
			}
		})
	}
	t.Run("into a closed pipe", func(t *testing.T) {
		c := start(t, "txnlog", "--json", dir)
		if err := c.stdout.Close(); err != nil {
			t.Fatal(err)
		}
		err := c.Wait()
		if _, failed := errors.AsType[*exec.ExitError](err); failed || strings.Contains(c.stderr.String(), "pipe") {
			t.Errorf("it ended with %v and %q, want quietly", err, &c.stderr)
		}
	})
}
