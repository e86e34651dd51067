package app

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

func TestParseVersion(t *testing.T) {
	for text, want := range map[string]string{
		"Zookeeper version: 3.5.10-2-6a5f, built on 2024\nMode: leader\n": "3.5.10",
		"ClickHouse Keeper version: v25.3.1-abc\n":                        "",
		"Zookeeper version: 3.10.0":                                       "3.10.0",
		"Mode: leader\nZookeeper version: 3.5.10":                         "",
		"This ZooKeeper instance is not currently serving requests\n":     "",
		"": "",
		"Zookeeper version: " + strings.Repeat("1", 1000) + "\n": "",
	} {
		if got := parseVersion([]byte(text)); got != want {
			t.Errorf("%.60q is %q, want %q", text, got, want)
		}
	}
}

func TestVersionOf(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Version: "3.5.10"})
	version := versionOf(&fourletter.Dialer{})
	if got := version(t.Context(), ensemble.Addrs()[0]); got != "3.5.10" {
		t.Errorf("%q", got)
	}
	if got := version(t.Context(), "127.0.0.1:1"); got != "" {
		t.Errorf("nobody is %q", got)
	}
}

// TestAuthIsNowhere: what the auth file says opens locked znodes, and is
// nowhere to be read: no file, no log, no page.
func TestAuthIsNowhere(t *testing.T) {
	const secret, wrong = "tr0ub4dor&3", "c0rrect-h0rse"
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	conn := client(t, server.Addr())
	if err := conn.AddAuth("digest", []byte("reader:"+secret)); err != nil {
		t.Fatal(err)
	}
	locked := zk.DigestACL(zk.PermAll, "reader", secret)
	if _, err := conn.Create("/a", nil, 0, locked); err != nil {
		t.Fatal(err)
	}
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "auth")
	if err := os.WriteFile(file, []byte("# who we are\ndigest:reader:"+secret+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	logged := &logged{}
	stdout := newRecords()
	o := auditOptions(dir, stdout, []string{server.Addr()}, "/a")
	o.ZooKeeper.AuthFile = file
	o.Logger = log.NewLogfmtLogger(logged)
	app, stop := startApp(t, o)
	get := func(path string) []byte { return page(t, app, path) }
	stdout.await(t, "first sync", isControl(audit.ControlBaseline))
	if _, err := conn.Create("/a/b", []byte("x"), 0, locked); err != nil {
		t.Fatal(err)
	}
	stdout.await(t, "a change of what is locked", isCreated("/a/b"))
	var pages []byte
	for _, path := range []string{"/", "/metrics", "/-/ready"} {
		pages = append(pages, get(path)...)
	}
	// A mistake in the file is told of without what stands there.
	if err := os.WriteFile(file, []byte("digest:"+wrong+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	logged.await(t, file+":1: want digest:user:password")
	pages = append(pages, get("/")...)
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	for name, text := range map[string][]byte{"pages": pages, "log": []byte(logged.String()), "stdout": []byte(strings.Join(stdout.lines, ""))} {
		for _, s := range []string{secret, wrong} {
			if bytes.Contains(text, []byte(s)) {
				t.Errorf("the secret is in %s", name)
			}
		}
	}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("the secret is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if !strings.Contains(logged.String(), "everybody on this machine can read the credentials") {
		t.Error("nobody is warned of the mode of the file")
	}
}

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) await(t *testing.T, text string) {
	t.Helper()
	deadline, tick := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for !strings.Contains(l.String(), text) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("no %q in the log:\n%s", text, l)
		}
	}
}

// page is what a process serves, whatever its status.
func page(t *testing.T, app *App, path string) []byte {
	t.Helper()
	reply, err := http.Get("http://" + app.Addr().String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
