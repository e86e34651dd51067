package watch

import (
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// hidden are the members of a Stat that change without an observation of the
// znode itself: the ledger does not follow them.
func hidden() cmp.Option {
	return cmpopts.IgnoreFields(audit.Stat{}, "Pzxid", "NumChildren")
}

// vandal changes znodes and notes which a resync has to read.
type vandal struct {
	t    *testing.T
	conn *zk.Conn
	read map[string]bool
}

func (v *vandal) touched(paths ...string) {
	for _, path := range paths {
		v.read[path] = true
	}
}

func (v *vandal) must(err error) {
	v.t.Helper()
	if err != nil {
		v.t.Fatal(err)
	}
}

func (v *vandal) create(path string) {
	v.t.Helper()
	create(v.t, v.conn, path, "new")
	v.touched(path, audit.Parent(path))
}

func (v *vandal) set(path string) {
	v.t.Helper()
	_, err := v.conn.Set(path, []byte("other"), -1)
	v.must(err)
	v.touched(path)
}

func (v *vandal) remove(path string) {
	v.t.Helper()
	v.must(v.conn.Delete(path, -1))
	v.touched(path, audit.Parent(path))
}

// havoc makes 200 changes of every kind to a tree of plant.
func (v *vandal) havoc(paths []string) {
	leaves := slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return strings.Count(path, "/") < 3 })
	leaf := func(i int) string { return leaves[(i*211)%len(leaves)] }
	for i := range 25 {
		v.create(leaf(i) + "-new")
		v.set(leaf(100 + i))
		v.remove(leaf(200 + i))
		v.remove(leaf(300 + i)) // Another incarnation with the same version.
		v.create(leaf(300 + i))
		path := leaf(400 + i)
		v.set(path) // The same version, incarnation and data aside.
		v.remove(path)
		v.create(path)
		v.set(path)
		child := leaf(500+i) + "/child" // Born and dead unseen.
		v.create(child)
		v.remove(child)
		delete(v.read, child)
	}
}

func TestResyncReadsWhatChanged(t *testing.T) {
	for _, version := range versions("3.6.4", "3.8.6") {
		t.Run(version, func(t *testing.T) {
			address := borrow(t, zktest.Options{Version: version})
			conn := client(t, address)
			plant(t, conn, "/r", 10_000, 99)
			proxy, err := zktest.NewProxy(address)
			if err != nil {
				t.Fatal(err)
			}
			defer proxy.Close()
			known := newLedger()
			r := startRun(t, known, 0, Options{Servers: []string{proxy.Addr()}}, "/r")
			if seen, mark, gaps := r.walked(); len(seen) != 10_001 || mark.Znodes != 10_001 || gaps != nil {
				t.Fatalf("first sync: %d znodes, %+v, gaps %v", len(seen), mark, gaps)
			}
			paths := slices.Sorted(maps.Keys(tree(t, conn, "/r")))

			proxy.Refuse(true)
			proxy.Cut()
			r.reset()
			v := &vandal{t: t, conn: conn, read: map[string]bool{}}
			v.havoc(paths)
			proxy.Refuse(false)
			v.verify(r, 10_001, audit.GapReconnect)

			r.stop()
			v.read = map[string]bool{}
			v.set(paths[5000])
			v.remove(paths[6000])
			v.create("/r/again")
			last := known.mark
			r = startRun(t, known, last, Options{Servers: []string{proxy.Addr()}}, "/r")
			v.verify(r, uint64(len(known.paths())), audit.GapRestart)
			if r.Progress() != 1 {
				t.Errorf("Progress() = %v at the end", r.Progress())
			}
		})
	}
}

// verify waits for the end of a resync: what it left is the tree, and it read
// nothing else than what changed.
func (v *vandal) verify(r *run, compared uint64, reason string) {
	v.t.Helper()
	seen, mark, gaps := r.walked()
	if len(gaps) == 0 || gaps[len(gaps)-1].Reason != reason {
		v.t.Errorf("gaps %+v", gaps)
	}
	if diff := cmp.Diff(tree(v.t, v.conn, "/r"), r.known.nodes, hidden()); diff != "" {
		v.t.Errorf("the tree and what is known of it (-tree +known):\n%.3000s", diff)
	}
	read := map[string]bool{}
	for _, s := range seen {
		if s.Origin != audit.OriginResync || s.Hint != "" {
			v.t.Errorf("told %+v", s)
		}
		if read[s.Path] {
			v.t.Errorf("%s was read twice", s.Path)
		}
		read[s.Path] = true
	}
	v.touched("/r") // It is read in any case.
	if diff := cmp.Diff(v.read, read); diff != "" {
		v.t.Errorf("read (-want +got):\n%.3000s", diff)
	}
	if gets := r.of(opGetData); gets != len(v.read) {
		v.t.Errorf("%d reads, want %d", gets, len(v.read))
	}
	if mark.Znodes < compared || mark.Znodes > compared+uint64(len(v.read)) {
		v.t.Errorf("%d znodes compared, want %d", mark.Znodes, compared)
	}
}

// watches returns what a server says about its watches, in numbers.
func watches(t *testing.T, address string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("wchs")); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// TestOneWatchARoot: what the inquiries of a resync leave is gone when it ends.
func TestOneWatchARoot(t *testing.T) {
	t.Parallel()
	address := borrow(t, zktest.Options{})
	conn := client(t, address)
	plant(t, conn, "/q", 100, 9)
	plant(t, conn, "/r", 1000, 9)
	proxy, err := zktest.NewProxy(address)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	r := startRun(t, newLedger(), 0, Options{Servers: []string{proxy.Addr()}, SweepInterval: time.Second}, "/q", "/r")
	r.walked()
	for range 2 {
		proxy.Refuse(true)
		proxy.Cut()
		if _, err := conn.Set("/r", []byte("x"), -1); err != nil {
			t.Fatal(err)
		}
		proxy.Refuse(false)
		if _, mark, _ := r.walked(); mark.Znodes < 1102 {
			t.Errorf("%+v", mark)
		}
		if got, want := watches(t, address), "1 connections watching 2 paths\nTotal watches:2"; got != want {
			t.Errorf("wchs says %q, want %q", got, want)
		}
	}
	if r.of(opSetWatches) == 0 {
		t.Error("nobody asked what changed")
	}
	r.swept()
	if got, want := watches(t, address), "1 connections watching 2 paths\nTotal watches:2"; got != want {
		t.Errorf("after a sweep, wchs says %q, want %q", got, want)
	}
}

// TestNoSecondConnection: everything is read, and that is said once.
func TestNoSecondConnection(t *testing.T) {
	t.Parallel()
	ensemble := zktest.Start(t, zktest.Options{Config: map[string]string{"maxClientCnxns": "2"}})
	conn := client(t, ensemble.Addrs()[0])
	plant(t, conn, "/r", 100, 9)
	proxy, err := zktest.NewProxy(ensemble.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	var logged lines
	r := startRun(t, newLedger(), 0, Options{Servers: []string{proxy.Addr()}, Logger: log.NewLogfmtLogger(&logged)}, "/r")
	r.walked()
	for range 2 {
		proxy.Refuse(true)
		proxy.Cut()
		if _, err := conn.Set("/r", []byte("x"), -1); err != nil {
			t.Fatal(err)
		}
		proxy.Refuse(false)
		if seen, mark, _ := r.walked(); len(seen) != 101 || mark.Znodes != 101 {
			t.Errorf("%d znodes were read, %+v", len(seen), mark)
		}
	}
	if got := testutil.ToFloat64(r.metrics.fallbacks); got != 2 {
		t.Errorf("%v fallbacks are counted", got)
	}
	warnings := logged.with("level=warn msg=\"server does not tell what changed")
	if len(warnings) != 1 || !strings.Contains(warnings[0], "maxClientCnxns") {
		t.Errorf("warnings %q", warnings)
	}
}

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) with(part string) (found []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.text.String()) {
		if strings.Contains(line, part) {
			found = append(found, line)
		}
	}
	return found
}

// TestResyncIsCutShort: connections are lost within the handshake, the watches,
// the comparison, its answers and the reads behind it. What the last resync
// leaves is the tree.
func TestResyncIsCutShort(t *testing.T) {
	t.Parallel()
	address := borrow(t, zktest.Options{})
	conn := client(t, address)
	plant(t, conn, "/r", 2000, 99)
	proxy, err := zktest.NewProxy(address)
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	r := startRun(t, newLedger(), 0, Options{Servers: []string{proxy.Addr()}}, "/r")
	r.walked()
	v := &vandal{t: t, conn: conn, read: map[string]bool{}}
	for _, bytes := range []int64{60, 150, 2_000, 30_000} {
		proxy.Refuse(true)
		proxy.Cut()
		paths := slices.Sorted(maps.Keys(tree(t, conn, "/r")))
		for i := range 100 { // None of them twice.
			switch path := paths[i*len(paths)/100]; {
			case strings.Count(path, "/") < 3:
				v.create(path + "/" + pad(int(bytes)) + pad(i))
			case i%3 == 0:
				v.set(path)
			default:
				v.remove(path)
			}
		}
		proxy.CutAfter(bytes)
		proxy.Refuse(false)
		r.walked()
	}
	if diff := cmp.Diff(tree(t, conn, "/r"), r.known.nodes, hidden()); diff != "" {
		t.Errorf("the tree and what is known of it (-tree +known):\n%.3000s", diff)
	}
}
