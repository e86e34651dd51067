package watch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// forgetful knows nothing of the tree.
type forgetful struct{}

func (forgetful) Settle(context.Context) error { return nil }
func (forgetful) Walk(string, int) iter.Seq2[string, audit.Stat] {
	return func(func(string, audit.Stat) bool) {}
}

// observer is a source that runs, and what it has told.
type observer struct {
	t     *testing.T
	scope *scopes
	out   chan audit.Observation
	ended chan error
	stop  context.CancelFunc
	*Source
}

// observe runs a source until the test ends.
func observe(t *testing.T, from audit.Zxid, root string, servers ...string) *observer {
	t.Helper()
	scope := &scopes{}
	scope.set(t, root)
	ctx, stop := context.WithCancel(t.Context())
	o := &observer{t: t, scope: scope, out: make(chan audit.Observation), ended: make(chan error, 1), stop: stop}
	o.Source = New(Options{Servers: servers, SessionTimeout: 4 * time.Second, Dial: new(net.Dialer).DialContext, Logger: log.NewNopLogger()})
	go func() { o.ended <- o.Run(ctx, from, scope, forgetful{}, o.out) }()
	t.Cleanup(func() {
		stop()
		if err := <-o.ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run() = %v", err)
		}
	})
	return o
}

// next returns the next observation that is no mark of a quiet moment, and no
// mode.
func (o *observer) next() audit.Observation {
	o.t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for {
		select {
		case seen := <-o.out:
			if _, ok := seen.(audit.Mode); ok {
				continue
			}
			if mark, ok := seen.(audit.Mark); !ok || mark.Walk {
				return seen
			}
		case <-limit.C:
			o.t.Fatalf("nothing is told; the source says: %v", o.Err())
		}
	}
}

// walked takes everything up to the end of a walk, and counts what it found.
func (o *observer) walked() (found int, mark audit.Mark, gaps []audit.Gap) {
	o.t.Helper()
	for {
		switch seen := o.next().(type) {
		case audit.Mark:
			return found, seen, gaps
		case audit.Gap:
			gaps = append(gaps, seen)
		case audit.Seen:
			if seen.Hint == "" && seen.Read == audit.Found {
				found++
			}
		}
	}
}

func client(t *testing.T, address string) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect([]string{address}, 10*time.Second, zk.WithLogger(clientLogger{log.NewNopLogger()}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for range events {
			// Until its last goroutine has ended.
		}
	})
	return conn
}

func create(t *testing.T, conn *zk.Conn, path, data string) {
	t.Helper()
	if _, err := conn.Create(path, []byte(data), 0, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatalf("create %s: %v", path, err)
	}
}

func TestRecursiveWatch(t *testing.T) {
	t.Parallel()
	for _, version := range []string{"3.6.4", "3.8.6", "3.9.5"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			address := borrow(t, zktest.Options{Version: version})
			conn := client(t, address)
			create(t, conn, "/r", "")
			o := observe(t, 0, "/r", address)
			if found, mark, gaps := o.walked(); found != 1 || mark.Zxid == 0 || gaps != nil {
				t.Fatalf("first walk: %d znodes, %+v, %v", found, mark, gaps)
			}
			if err := o.Err(); err != nil {
				t.Errorf("Err() = %v while it observes", err)
			}
			create(t, conn, "/r/a", "A")
			o.expects(version, audit.OpCreated, "A", func(s audit.Stat) audit.Zxid { return s.Czxid })
			if _, err := conn.Set("/r/a", []byte("B"), -1); err != nil {
				t.Fatal(err)
			}
			o.expects(version, audit.OpDataChanged, "B", func(s audit.Stat) audit.Zxid { return s.Mzxid })
			if err := conn.Delete("/r/a", -1); err != nil {
				t.Fatal(err)
			}
			_, parent, err := conn.Get("/r")
			if err != nil {
				t.Fatal(err)
			}
			seen, ok := o.next().(audit.Seen)
			if !ok || seen.Hint != audit.OpDeleted || audit.Zxid(parent.Pzxid) <= seen.After && version != "3.9.5" || audit.Zxid(parent.Pzxid) > seen.Until {
				t.Errorf("told %+v of the deletion at %#x", seen, parent.Pzxid)
			}
			if exact := seen.After == seen.Until; exact != (version == "3.9.5") {
				t.Errorf("deletion in (%v,%v]", seen.After, seen.Until)
			}
		})
	}
}

// expects takes one hint, whose zxid is exact since 3.9 and bracketed before.
func (o *observer) expects(version string, op audit.Op, data string, zxid func(audit.Stat) audit.Zxid) {
	o.t.Helper()
	seen, ok := o.next().(audit.Seen)
	if !ok || seen.Hint != op || seen.Path != "/r/a" || seen.Node == nil || string(seen.Node.Data) != data || seen.Behind != 0 {
		o.t.Fatalf("told %+v, want %s with %q", seen, op, data)
	}
	at := zxid(seen.Node.Stat)
	exact := seen.After == seen.Until && seen.Until == at
	if version == "3.9.5" && !exact || version != "3.9.5" && (at <= seen.After || at > seen.Until) {
		o.t.Errorf("%s at %v is told in (%v,%v]", op, at, seen.After, seen.Until)
	}
}

// TestConnectionCut cuts the connection within a frame, at many places.
func TestConnectionCut(t *testing.T) {
	t.Parallel()
	address := borrow(t, zktest.Options{})
	conn := client(t, address)
	proxy, err := zktest.NewProxy(address)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	create(t, conn, "/r", "")
	o := observe(t, 0, "/r", proxy.Addr())
	o.walked()
	for i := range 5 {
		proxy.CutAfter(int64(30 + 17*i)) // A notification has 4 + 16 + 12 + 4 bytes and a half.
		path := fmt.Sprintf("/r/%d", i)
		create(t, conn, path, "x")
		if _, err := conn.Set(path, []byte("y"), -1); err != nil {
			t.Fatal(err)
		}
		_, stat, err := conn.Get(path)
		if err != nil {
			t.Fatal(err)
		}
		found, mark, gaps := o.walked()
		if found != i+2 || len(gaps) == 0 || gaps[0].Reason != audit.GapReconnect {
			t.Fatalf("cut %d: %d znodes found, gaps %+v", i, found, gaps)
		}
		last := gaps[len(gaps)-1]
		if last.After >= last.Until || last.Until > mark.Zxid || mark.Zxid < audit.Zxid(stat.Mzxid) {
			t.Errorf("cut %d: gap %+v before %+v, the last change was at %#x", i, last, mark, stat.Mzxid)
		}
	}
}

func TestWalkOf5000(t *testing.T) {
	t.Parallel()
	address := borrow(t, zktest.Options{})
	conn := client(t, address)
	create(t, conn, "/r", "")
	want := map[string]bool{"/r": true}
	for i := range 50 {
		parent := fmt.Sprintf("/r/%d", i)
		requests := []any{&zk.CreateRequest{Path: parent, Acl: zk.WorldACL(zk.PermAll)}}
		want[parent] = true
		for j := range 99 {
			path := fmt.Sprintf("%s/%d", parent, j)
			requests = append(requests, &zk.CreateRequest{Path: path, Data: []byte(path), Acl: zk.WorldACL(zk.PermAll)})
			want[path] = true
		}
		if _, err := conn.Multi(requests...); err != nil {
			t.Fatal(err)
		}
	}
	o := observe(t, 0, "/r", address)
	got := map[string]bool{}
	for {
		seen := o.next()
		if mark, ok := seen.(audit.Mark); ok {
			if mark.Znodes != 5001 || o.Walked() != 5001 {
				t.Errorf("the mark counts %d, the source %d", mark.Znodes, o.Walked())
			}
			break
		}
		node := seen.(audit.Seen)
		if got[node.Path] || node.Read != audit.Found || len(node.Path) > len("/r/00") && string(node.Node.Data) != node.Path {
			t.Fatalf("%s was told twice or wrong: %+v", node.Path, node)
		}
		got[node.Path] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%.2000s", diff)
	}
}

// TestLongPath: ZooKeeper takes longer paths than the mirror can keep.
func TestLongPath(t *testing.T) {
	t.Parallel()
	address := borrow(t, zktest.Options{})
	conn := client(t, address)
	create(t, conn, "/r", "")
	o := observe(t, 0, "/r", address)
	o.walked()
	long := "/r/" + string(slices.Repeat([]byte("x"), maxPath))
	create(t, conn, long, "")
	if seen, ok := o.next().(audit.Seen); !ok || seen.Path != long || seen.Read != audit.Denied {
		t.Errorf("told %.100v", seen)
	}
	create(t, conn, "/r/short", "")
	if seen, ok := o.next().(audit.Seen); !ok || seen.Path != "/r/short" || seen.Read != audit.Found {
		t.Errorf("told %.100v", seen)
	}
}
