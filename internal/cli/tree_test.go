package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"zkwarden/audit/watch"
	"zkwarden/internal/zktest"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"
)

func sessionOptions(servers ...string) SessionOptions {
	var dialer net.Dialer
	return SessionOptions{Servers: servers, Timeout: 10 * time.Second, Dial: dialer.DialContext}
}

// connect opens a session beside the one under test.
func connect(tb testing.TB, addr string) *zk.Conn {
	tb.Helper()
	s, err := openSession(tb.Context(), sessionOptions(addr))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.close)
	return s.conn
}

func create(tb testing.TB, conn *zk.Conn, path, data string, flags int32, acl []zk.ACL) {
	tb.Helper()
	if _, err := conn.Create(path, []byte(data), flags, acl); err != nil {
		tb.Fatalf("create %q: %v", path, err)
	}
}

func TestTree(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	conn := connect(t, server.Addr())
	open := zk.WorldACL(zk.PermAll)
	for _, path := range []string{
		"/app", "/app/z", "/app/a", "/app/a-b", "/app/a/one", "/app/a/one/deep", "/app/a b", `/app/"quoted"`,
		"/app/żółw", "/app/back\\slash", "/app/\u202etxt.exe", "/app/soft\u00adhyphen", "/app/[glob]*{x}",
	} {
		create(t, conn, path, path, 0, open)
	}
	create(t, conn, "/app/session", "", zk.FlagEphemeral, open)
	deep := ""
	for range 300 {
		deep += "/d"
		create(t, conn, deep, "", 0, open)
	}
	create(t, conn, "/locked", "secret", 0, zk.DigestACL(zk.PermAll, "reader", "password"))
	if err := conn.AddAuth("digest", []byte("reader:password")); err != nil {
		t.Fatal(err)
	}
	create(t, conn, "/locked/below", "", 0, zk.DigestACL(zk.PermAll, "reader", "password"))

	tree := func(t *testing.T, o TreeOptions) (string, error) {
		t.Helper()
		var out bytes.Buffer
		if len(o.Session.Servers) == 0 {
			auth := o.Session.Auth
			o.Session = sessionOptions(server.Addr())
			o.Session.Auth = auth
		}
		err := Tree(t.Context(), o, &out)
		return out.String(), err
	}

	t.Run("whole subtree, sorted and escaped", func(t *testing.T) {
		got, err := tree(t, TreeOptions{Path: "/app", Depth: -1})
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Join([]string{
			"/app", `/app/"quoted"`, "/app/[glob]*{x}", "/app/a", "/app/a/one", "/app/a/one/deep", "/app/a b", "/app/a-b",
			`/app/back\\slash`, "/app/session", `/app/soft\u00adhyphen`, "/app/z", "/app/żółw", `/app/\u202etxt.exe`, "",
		}, "\n")
		// Names are sorted by bytes, with what is below a znode right behind it.
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("depth", func(t *testing.T) {
		for depth, want := range []string{"/app/a\n", "/app/a\n/app/a/one\n", "/app/a\n/app/a/one\n/app/a/one/deep\n"} {
			got, err := tree(t, TreeOptions{Path: "/app/a/", Depth: depth})
			if err != nil || got != want {
				t.Errorf("depth %d prints %q and returns %v, want %q", depth, got, err, want)
			}
		}
	})
	t.Run("deep", func(t *testing.T) {
		got, err := tree(t, TreeOptions{Path: "/d", Depth: -1})
		if err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(got, "\n"); lines != 300 || !strings.HasSuffix(got, "\n"+deep+"\n") {
			t.Errorf("got %d lines, the last %q", lines, got[max(0, len(got)-20):])
		}
	})
	t.Run("root", func(t *testing.T) {
		got, err := tree(t, TreeOptions{Depth: 1})
		if want := "/\n/app\n/d\n/locked\n/zookeeper\n"; err != nil || got != want {
			t.Errorf("prints %q and returns %v, want %q", got, err, want)
		}
	})
	t.Run("unreadable", func(t *testing.T) {
		got, err := tree(t, TreeOptions{Path: "/locked", Depth: -1})
		if want := "/locked\t(no auth)\n"; got != want {
			t.Errorf("prints %q, want %q", got, want)
		}
		if err == nil || err.Error() != "print tree /locked: 1 of 1 znodes could not be read" {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("readable with credentials", func(t *testing.T) {
		o := TreeOptions{Path: "/locked", Depth: -1}
		o.Session.Auth = func() ([]watch.Credential, error) {
			return []watch.Credential{{Scheme: "digest", Auth: []byte("reader:password")}}, nil
		}
		got, err := tree(t, o)
		if want := "/locked\n/locked/below\n"; err != nil || got != want {
			t.Errorf("prints %q and returns %v, want %q", got, err, want)
		}
	})
	t.Run("missing", func(t *testing.T) {
		for depth := -1; depth < 1; depth++ {
			_, err := tree(t, TreeOptions{Path: "/nobody", Depth: depth})
			if err == nil || err.Error() != "print tree /nobody: znode /nobody does not exist" {
				t.Errorf("depth %d returns %v", depth, err)
			}
		}
	})
	t.Run("not a path", func(t *testing.T) {
		for _, path := range []string{"app", "/a//b", "/a/../b", "/a/\x01"} {
			if _, err := tree(t, TreeOptions{Path: path, Depth: -1}); !errors.Is(err, zk.ErrInvalidPath) {
				t.Errorf("path %q returns %v", path, err)
			}
		}
	})
	t.Run("nobody reads any more", func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		r.Close()
		if err := Tree(t.Context(), TreeOptions{Session: sessionOptions(server.Addr()), Path: "/app", Depth: -1}, w); err != nil {
			t.Errorf("got error %v", err)
		}
	})
	t.Run("full disk", func(t *testing.T) {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer full.Close()
		if err := Tree(t.Context(), TreeOptions{Session: sessionOptions(server.Addr()), Path: "/app", Depth: -1}, full); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("got error %v", err)
		}
	})
}

// What a server tells about a znode that may not be read is printed.
func TestTreeUnreadableStat(t *testing.T) {
	for version, columns := range map[string][]string{
		zktest.Default: {"-", "-", "-", "-", "-", "-", "/locked", "(no", "auth)"},
		"3.7.2":        {"0", "6", "0", "-", "TIME", "TIME", "/locked", "(no", "auth)"},
	} {
		t.Run(version, func(t *testing.T) {
			server := zktest.Start(t, zktest.Options{Version: version}).Servers()[0]
			create(t, connect(t, server.Addr()), "/locked", "secret", 0, zk.DigestACL(zk.PermAll, "reader", "password"))
			for depth := -1; depth < 1; depth++ {
				var out bytes.Buffer
				err := Tree(t.Context(), TreeOptions{Session: sessionOptions(server.Addr()), Path: "/locked", Depth: depth, Stat: true}, &out)
				_, line, _ := strings.Cut(out.String(), "\n")
				got := strings.Fields(line)
				for i := range got {
					if strings.HasPrefix(got[i], "20") {
						got[i] = "TIME"
					}
				}
				if depth == 0 && version != zktest.Default {
					// The children are not asked for, so nothing was refused.
					if diff := cmp.Diff(columns[:7], got); diff != "" || err != nil {
						t.Errorf("error %v, %s", err, diff)
					}
					continue
				}
				if diff := cmp.Diff(columns, got); diff != "" || err == nil {
					t.Errorf("error %v, %s", err, diff)
				}
			}
		})
	}
}

func TestTreeStat(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	conn := connect(t, server.Addr())
	create(t, conn, "/s", "12345", 0, zk.WorldACL(zk.PermAll))
	create(t, conn, "/s/<e>", "", zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
	if _, err := conn.Set("/s", []byte("1234567"), -1); err != nil {
		t.Fatal(err)
	}
	_, parent, err := conn.Get("/s")
	if err != nil {
		t.Fatal(err)
	}
	_, child, err := conn.Get("/s/<e>")
	if err != nil {
		t.Fatal(err)
	}
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

	t.Run("text", func(t *testing.T) {
		var out bytes.Buffer
		if err := Tree(t.Context(), TreeOptions{Session: sessionOptions(server.Addr()), Path: "/s", Depth: -1, Stat: true}, &out); err != nil {
			t.Fatal(err)
		}
		var got [][]string
		for line := range strings.Lines(out.String()) {
			got = append(got, strings.Fields(line))
		}
		want := [][]string{
			{"VERSION", "SIZE", "CHILDREN", "EPHEMERAL", "OWNER", "CREATED", "MODIFIED", "PATH"},
			{"1", "7", "1", "-", at(parent.Ctime), at(parent.Mtime), "/s"},
			{"0", "0", "0", fmt.Sprintf("%#x", uint64(conn.SessionID())), at(child.Ctime), at(child.Mtime), "/s/<e>"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		lines := strings.Split(out.String(), "\n")
		if strings.Index(lines[0], "PATH") != strings.Index(lines[1], "/s") || strings.Index(lines[1], "/s") != strings.Index(lines[2], "/s/") {
			t.Errorf("columns are not aligned:\n%s", out.String())
		}
	})
	t.Run("JSON", func(t *testing.T) {
		var out bytes.Buffer
		if err := Tree(t.Context(), TreeOptions{Session: sessionOptions(server.Addr()), Path: "/s", Depth: -1, JSON: true}, &out); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), `"path":"/s/<e>"`) {
			t.Errorf("HTML is escaped: %s", out.String())
		}
		var got []map[string]any
		for line := range strings.Lines(out.String()) {
			var m map[string]any
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatalf("line %q: %v", line, err)
			}
			got = append(got, m)
		}
		hex := func(v int64) string { return fmt.Sprintf("%#x", uint64(v)) }
		want := []map[string]any{{
			"path": "/s", "czxid": hex(parent.Czxid), "mzxid": hex(parent.Mzxid), "pzxid": hex(parent.Pzxid),
			"ctime": at(parent.Ctime), "mtime": at(parent.Mtime), "version": 1.0, "cversion": 1.0, "aversion": 0.0,
			"size": 7.0, "children": 1.0,
		}, {
			"path": "/s/<e>", "czxid": hex(child.Czxid), "mzxid": hex(child.Mzxid), "pzxid": hex(child.Pzxid),
			"ctime": at(child.Ctime), "mtime": at(child.Mtime), "version": 0.0, "cversion": 0.0, "aversion": 0.0,
			"ephemeral_owner": hex(conn.SessionID()), "size": 0.0, "children": 0.0,
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// A walk goes on over a lost connection, and over znodes that come and go.
func TestTreeOfLivingServer(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	proxy, err := zktest.NewProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { proxy.Close() })
	conn := connect(t, server.Addr())
	create(t, conn, "/kept", "", 0, zk.WorldACL(zk.PermAll))
	var kept []string
	for i := range 2000 {
		kept = append(kept, fmt.Sprintf("/kept/%04d", i))
	}
	createAll(t, conn, kept)

	ctx, stop := context.WithCancel(t.Context())
	churned := make(chan error, 1)
	go func() { churned <- churn(ctx, conn) }()
	for cut := range 5 {
		// The connection breaks while the answers stream in.
		proxy.CutAfter(int64(20_000 * (cut + 1)))
		var out bytes.Buffer
		if err := Tree(t.Context(), TreeOptions{Session: sessionOptions(proxy.Addr()), Depth: -1}, &out); err != nil {
			t.Fatal(err)
		}
		got := slices.DeleteFunc(strings.Split(out.String(), "\n"), func(l string) bool { return !strings.HasPrefix(l, "/kept/") })
		if diff := cmp.Diff(kept, got); diff != "" {
			t.Error(diff)
		}
	}
	stop()
	if err := <-churned; err != nil {
		t.Fatal(err)
	}
}

// churn creates and deletes znodes with children until ctx is done.
func churn(ctx context.Context, conn *zk.Conn) error {
	for ctx.Err() == nil {
		for i := range 20 {
			parent := fmt.Sprintf("/churn-%02d", i)
			for _, path := range []string{parent, parent + "/x"} {
				if _, err := conn.Create(path, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
					return fmt.Errorf("create %s: %w", path, err)
				}
			}
		}
		for i := range 20 {
			parent := fmt.Sprintf("/churn-%02d", i)
			for _, path := range []string{parent + "/x", parent} {
				if err := conn.Delete(path, -1); err != nil {
					return fmt.Errorf("delete %s: %w", path, err)
				}
			}
		}
	}
	return nil
}

// createAll creates znodes, many in one transaction.
func createAll(tb testing.TB, conn *zk.Conn, paths []string) {
	tb.Helper()
	for some := range slices.Chunk(paths, 1000) {
		ops := make([]any, len(some))
		for i, path := range some {
			ops[i] = &zk.CreateRequest{Path: path, Acl: zk.WorldACL(zk.PermAll)}
		}
		if _, err := conn.Multi(ops...); err != nil {
			tb.Fatalf("create %s and %d more: %v", some[0], len(some)-1, err)
		}
	}
}

func TestTreeWithoutServer(t *testing.T) {
	hanging, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	garbage := talker(t, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"+strings.Repeat("x", 1000))
	for name, c := range map[string]struct {
		servers []string
		want    string
	}{
		"refused": {[]string{closed.Addr().String()}, "connect to ZooKeeper at " + closed.Addr().String() + ": no session within 500ms: dial tcp " + closed.Addr().String() + ": connect: connection refused"},
		"silent":  {[]string{hanging.Addr().String()}, "no session within 500ms: a connection was accepted, but no session opened"},
		"garbage": {[]string{garbage}, "no session within 500ms"},
		"several": {[]string{closed.Addr().String(), hanging.Addr().String()}, closed.Addr().String() + "," + hanging.Addr().String()},
		"none":    {nil, "connect to ZooKeeper"},
	} {
		t.Run(name, func(t *testing.T) {
			o := sessionOptions(c.servers...)
			o.Timeout = 500 * time.Millisecond
			err := Tree(t.Context(), TreeOptions{Session: o, Depth: -1}, io.Discard)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := Tree(ctx, TreeOptions{Session: sessionOptions(hanging.Addr().String()), Depth: -1}, io.Discard)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v", err)
		}
	})
}

// talker accepts connections, says the same to each and closes it.
func talker(t *testing.T, words string) (addr string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, words)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		listener.Close()
		<-ended
	})
	return listener.Addr().String()
}

func TestNamesOfChildren(t *testing.T) {
	if err := checkNames("/a", []string{"b", " ", "c.d"}); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"", "/", "b/c", "../x"} {
		if err := checkNames("/a", []string{"b", name}); err == nil {
			t.Errorf("name %q is accepted", name)
		}
	}
}

// What a server answers is not asked again; what a broken connection leaves
// unanswered is, a few times.
func TestReadTries(t *testing.T) {
	s := &session{options: SessionOptions{Timeout: time.Second}, usable: make(chan struct{})}
	close(s.usable)
	for want, errs := range map[int][]error{
		1:        {nil, zk.ErrNoNode, zk.ErrNoAuth, zk.ErrInvalidPath},
		maxTries: {zk.ErrConnectionClosed, zk.ErrSessionExpired, io.ErrUnexpectedEOF},
	} {
		for _, answer := range errs {
			tries := 0
			err := s.read(t.Context(), func(*zk.Conn) error {
				tries++
				return answer
			})
			if tries != want || !errors.Is(err, answer) {
				t.Errorf("after %d tries %v became %v, want %d tries", tries, answer, err, want)
			}
		}
	}
}
