package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/watch"
	"zkwarden/internal/zktest"
)

// transcript is a terminal that can be waited for.
type transcript struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func (w *transcript) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	close(w.changed)
	w.changed = make(chan struct{})
	return len(p), nil
}

// await returns everything written as soon as it contains the text.
func (w *transcript) await(t *testing.T, text string) string {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		w.mu.Lock()
		all, changed := w.text.String(), w.changed
		w.mu.Unlock()
		if strings.Contains(all, text) {
			return all
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%q was not written; this was:\n%s", text, all)
		}
	}
}

// startWatch runs Watch until stop, which returns its error.
func startWatch(t *testing.T, o WatchOptions) (out *transcript, stop func() error) {
	t.Helper()
	out = &transcript{changed: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Watch(ctx, o, out) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	return out, stop
}

// hostile is a name and data that would move the cursor of a terminal.
const hostile = "\u202e x\" v9"

// changes makes one of everything below root; the last is root+"/end".
func changes(t *testing.T, addr, root string) {
	t.Helper()
	conn := connect(t, addr)
	open := zk.WorldACL(zk.PermAll)
	set := func(path, data string) {
		t.Helper()
		if _, err := conn.Set(path, []byte(data), -1); err != nil {
			t.Fatalf("set %s: %v", path, err)
		}
	}
	create(t, conn, root+"/config", "debug", 0, open)
	settle(t, conn, root)
	set(root+"/config", "\x1b[2J\"info")
	settle(t, conn, root)
	set(root+"/config", strings.Repeat("é", 61))
	settle(t, conn, root)
	set(root+"/config", "\xff\x00")
	settle(t, conn, root)
	if err := conn.Delete(root+"/config", -1); err != nil {
		t.Fatal(err)
	}
	create(t, conn, root+"/"+hostile, "", 0, open)
	session, err := openSession(t.Context(), sessionOptions(addr))
	if err != nil {
		t.Fatal(err)
	}
	create(t, session.conn, root+"/member", "host", zk.FlagEphemeral, open)
	settle(t, conn, root)
	session.close()
	create(t, conn, root+"/end", "", 0, open)
}

// settle gives the watcher time to read what was written, by as many round
// trips as its read could at most wait for.
func settle(t *testing.T, conn *zk.Conn, path string) {
	t.Helper()
	for range 200 {
		if _, _, err := conn.Get(path); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	clock   = regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d\.\d{3}  `)
	numbers = regexp.MustCompile(`0x[0-9a-f]+`)
)

// plain takes from the text what differs from run to run.
func plain(text string) []string {
	text = numbers.ReplaceAllString(clock.ReplaceAllString(text, ""), "0x")
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func TestWatch(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	admin := connect(t, server.Addr())

	t.Run("text", func(t *testing.T) {
		create(t, admin, "/text", "", 0, zk.WorldACL(zk.PermAll))
		out, stop := startWatch(t, WatchOptions{Session: sessionOptions(server.Addr()), Paths: []string{"/text"}})
		out.await(t, "watching")
		changes(t, server.Addr(), "/text")
		got := out.await(t, "/text/end")
		want := []string{
			"watching /text: 1 znodes as of 0x",
			`created  /text/config v0  "debug"`,
			`changed  /text/config v1  "debug" -> "\x1b[2J\"info"`,
			`changed  /text/config v2  "\x1b[2J\"info" -> "` + strings.Repeat("é", 60) + `"...`,
			`changed  /text/config v3  "` + strings.Repeat("é", 60) + `"... -> 2 bytes`,
			`deleted  /text/config v3  2 bytes`,
			`created  "/text/\u202e x\" v9" v0  ""`,
			`created  /text/member v0 ephemeral of 0x  "host"`,
			`deleted  /text/member v0 ephemeral of 0x  "host"`,
			`created  /text/end v0  ""`,
		}
		if diff := cmp.Diff(want, plain(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if err := stop(); !errors.Is(err, context.Canceled) {
			t.Errorf("an interrupted watch returns %v", err)
		}
		if got := out.await(t, "/text/end"); strings.Contains(got, "stop") || strings.Contains(got, "not watching") {
			t.Errorf("it does not end quietly:\n%s", got)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		create(t, admin, "/json", "", 0, zk.WorldACL(zk.PermAll))
		out, _ := startWatch(t, WatchOptions{Session: sessionOptions(server.Addr()), Paths: []string{"/json"}, JSON: true, Color: true})
		out.await(t, "baseline")
		changes(t, server.Addr(), "/json")
		type change struct {
			Op      audit.Op
			Path    string
			Version int32
		}
		var got []change
		for line := range strings.Lines(out.await(t, "/json/end")) {
			var e audit.Event
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			for _, member := range []string{"prev", "hash", "chain", "recorder", "ensemble"} {
				if strings.Contains(line, `"`+member+`":`) {
					t.Errorf("line has the member %s: %s", member, line)
				}
			}
			if e.Kind == audit.KindChange {
				got = append(got, change{e.Op, e.Path, *e.Version})
			}
		}
		want := []change{
			{audit.OpCreated, "/json/config", 0},
			{audit.OpDataChanged, "/json/config", 1},
			{audit.OpDataChanged, "/json/config", 2},
			{audit.OpDataChanged, "/json/config", 3},
			{audit.OpDeleted, "/json/config", 3},
			{audit.OpCreated, "/json/" + hostile, 0},
			{audit.OpCreated, "/json/member", 0},
			{audit.OpDeleted, "/json/member", 0},
			{audit.OpCreated, "/json/end", 0},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("color", func(t *testing.T) {
		out, _ := startWatch(t, WatchOptions{Session: sessionOptions(server.Addr()), Paths: []string{"/color"}, Color: true})
		out.await(t, "watching")
		create(t, admin, "/color", "", 0, zk.WorldACL(zk.PermAll))
		out.await(t, "  \x1b[32mcreated  /color v0  \"\"\x1b[0m\n")
	})
	t.Run("nobody reads any more", func(t *testing.T) {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer writer.Close()
		reader.Close()
		if err := Watch(t.Context(), WatchOptions{Session: sessionOptions(server.Addr()), Paths: []string{"/pipe"}}, writer); err != nil {
			t.Errorf("it returns %v", err)
		}
	})
}

// What happens while the connection is lost is told and found.
func TestWatchThroughALoss(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	admin := connect(t, server.Addr())
	proxy, err := zktest.NewProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	create(t, admin, "/a", "", 0, zk.WorldACL(zk.PermAll))
	out, stop := startWatch(t, WatchOptions{Session: sessionOptions(proxy.Addr()), Paths: []string{"/a"}})
	defer stop() //nolint:errcheck // Before the proxy goes.
	out.await(t, "watching /a")
	proxy.Refuse(true)
	proxy.Cut()
	out.await(t, "not watching: ")
	create(t, admin, "/a/b", "c", 0, zk.WorldACL(zk.PermAll))
	proxy.Refuse(false)
	out.await(t, "connected again")
	got := plain(out.await(t, "watching again"))
	got = slices.DeleteFunc(got, func(line string) bool { return line == "connected again" }) // It may stand anywhere.
	want := []string{
		"gap      changes after 0x and up to 0x may be missing (reconnect)",
		`created  /a/b v0  "c"  (found by comparison)`,
		"watching again: 2 znodes compared as of 0x",
	}
	if diff := cmp.Diff(want, got[max(0, len(got)-3):]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestWatchOfAnOldServer: one without recursive watches is followed all the
// same.
func TestWatchOfAnOldServer(t *testing.T) {
	server := zktest.Start(t, zktest.Options{Version: "3.5.10"}).Servers()[0]
	conn := connect(t, server.Addr())
	create(t, conn, "/a", "", 0, zk.WorldACL(zk.PermAll))
	out, _ := startWatch(t, WatchOptions{Session: sessionOptions(server.Addr()), Paths: []string{"/a"}})
	out.await(t, "watching")
	create(t, conn, "/a/b", "c", 0, zk.WorldACL(zk.PermAll))
	out.await(t, "/a/b")
}

// TestDemandingServer: no connection would help, and why is said.
func TestDemandingServer(t *testing.T) {
	server := zktest.Start(t, zktest.Options{Config: map[string]string{
		"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest",
	}}).Servers()[0]
	err := Watch(t.Context(), WatchOptions{Session: sessionOptions(server.Addr()), Paths: []string{"/a"}}, &bytes.Buffer{})
	if !errors.Is(err, watch.ErrAuthDemanded) {
		t.Errorf("Watch() = %v", err)
	}
	err = Tree(t.Context(), TreeOptions{Session: sessionOptions(server.Addr()), Path: "/"}, &bytes.Buffer{})
	if !errors.Is(err, watch.ErrAuthDemanded) {
		t.Errorf("Tree() = %v", err)
	}
}

func TestWatchWithoutAServer(t *testing.T) {
	o := WatchOptions{Session: sessionOptions("127.0.0.1:1"), Paths: []string{"/a"}}
	o.Session.Timeout = 50 * time.Millisecond
	err := Watch(t.Context(), o, &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("it returns %v", err)
	}
}

func TestDescribe(t *testing.T) {
	number := func(n int) *int { return &n }
	version := func(n int32) *int32 { return &n }
	for want, e := range map[string]audit.Event{
		"changed  /a v7  ? -> null  and 3 changes before  (found by comparison)": {
			Kind: audit.KindChange, Op: audit.OpDataChanged, Path: "/a", Version: version(7), Collapsed: 3,
			After: &audit.Content{Encoding: audit.EncodingNull}, Source: audit.OriginResync,
		},
		"children /a  4 created or deleted unseen": {
			Kind: audit.KindChange, Op: audit.OpChildrenChanged, Path: "/a", Collapsed: 4,
		},
		"acl      /a v1": {Kind: audit.KindChange, Op: audit.OpACLChanged, Path: "/a", Version: version(1)},
		`created  "/a v1" v0  9 bytes`: {
			Kind: audit.KindChange, Op: audit.OpCreated, Path: "/a v1", Version: version(0),
			After: &audit.Content{Encoding: audit.EncodingBase64, Data: "AA==", Size: number(9)},
		},
		"": {Kind: audit.KindControl, Control: audit.ControlStop},
	} {
		if _, got := describe(&e); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
