package watch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
	"zkwarden/audit/recorder"
)

// recording is a source with a recorder behind it: what it has seen is judged
// by what becomes of it.
type recording struct {
	t *testing.T
	*Source
	mirror *mirror.Mirror
	scope  *scopes
	stop   func()

	mu     sync.Mutex
	events []audit.Event
	told   []audit.Observation // All but Seen and plain marks.
	mark   audit.Zxid
	walks  int
}

// Append makes a recording the journal.
func (r *recording) Append(_ context.Context, e audit.Event) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
	return uint64(len(r.events)), nil
}

func (r *recording) Flush(context.Context) error { return nil }

// scopes is a scope that can be changed.
type scopes struct {
	mu sync.Mutex
	*policy.Policy
}

func (s *scopes) set(t *testing.T, roots ...string) {
	t.Helper()
	p, err := policy.ForPaths(roots, policy.LevelMetadata, []byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Policy = p
}

func (s *scopes) now() *policy.Policy {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Policy
}

func (s *scopes) Roots() []string        { return s.now().Roots() }
func (s *scopes) Wants(path string) bool { return s.now().Wants(path) }
func (s *scopes) Leads(path string) bool { return s.now().Leads(path) }

// record runs a source that waits for nobody long, and a recorder, until the
// test ends.
func record(t *testing.T, options Options, root string) *recording {
	t.Helper()
	scope := &scopes{}
	scope.set(t, root)
	m, place, err := mirror.Open(filepath.Join(t.TempDir(), "mirror"))
	if err != nil {
		t.Fatal(err)
	}
	r := &recording{t: t, mirror: m, scope: scope}
	rec, err := recorder.New(recorder.Options{
		Ensemble: "test", Policy: scope.now(), Mirror: m, Place: place, Journal: r, Chain: "test", Logger: log.NewNopLogger(),
	})
	if err != nil {
		t.Fatal(err)
	}
	if options.Logger == nil {
		options.Logger = log.NewNopLogger()
	}
	if options.SessionTimeout == 0 {
		options.SessionTimeout = 10 * time.Second // As much as a busy machine needs.
	}
	r.Source = New(options)
	r.pace = pace{confirm: time.Second, lockout: 2 * time.Second, backoff: time.Second}
	ctx, cancel := context.WithCancel(context.Background())
	out, recorded := make(chan audit.Observation), make(chan audit.Observation)
	ended := make(chan error, 2)
	go func() {
		defer close(out)
		ended <- r.Run(ctx, 0, scope, rec.Known(), out)
	}()
	go func() {
		defer close(recorded)
		for o := range out {
			recorded <- o
			r.note(o)
		}
	}()
	go func() { ended <- rec.Run(context.Background(), recorded) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("Run() = %v", err)
			}
		}
		m.Close()
	})
	t.Cleanup(r.stop)
	return r
}

func (r *recording) note(o audit.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	mark, is := o.(audit.Mark)
	if is {
		r.mark = mark.Zxid
	}
	if _, seen := o.(audit.Seen); !seen && (!is || mark.Walk) {
		r.told = append(r.told, o)
	}
	if mark.Walk {
		r.walks++
	}
}

// await waits for a condition.
func (r *recording) await(what string, condition func() bool) {
	r.t.Helper()
	limit, tick := time.NewTimer(60*time.Second), time.NewTicker(5*time.Millisecond)
	defer limit.Stop()
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-limit.C:
			r.t.Fatalf("no %s; the source says %v; told %v", what, r.Err(), r.told)
		}
	}
}

// walked waits for the end of so many walks.
func (r *recording) walked(count int) {
	r.t.Helper()
	r.await(fmt.Sprintf("walk %d", count), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.walks >= count
	})
}

// marked waits until everything through zxid was handed over.
func (r *recording) marked(zxid int64) {
	r.t.Helper()
	r.await(fmt.Sprintf("mark at %#x", zxid), func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.mark >= audit.Zxid(zxid)
	})
}

// of returns what was told of the type of T.
func of[T audit.Observation](r *recording) (list []T) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, o := range r.told {
		if o, is := o.(T); is {
			list = append(list, o)
		}
	}
	return list
}

// balances checks that history ends where the tree stands: every counter of
// every znode is accounted for by records, which are all that moves the mirror.
func (r *recording) balances(conn *zk.Conn, root string) {
	r.t.Helper()
	// A write of our own is behind everything that is to be seen.
	if _, err := conn.Set("/quiet", nil, -1); err != nil {
		r.t.Fatal(err)
	}
	_, stat, err := conn.Get("/quiet")
	if err != nil {
		r.t.Fatal(err)
	}
	r.marked(stat.Mzxid)
	want := map[string]audit.Stat{}
	for path, s := range tree(r.t, conn, root) {
		want[path] = audit.Stat{Czxid: s.Czxid, Version: s.Version, Cversion: s.Cversion, EphemeralOwner: s.EphemeralOwner}
	}
	got := func() map[string]audit.Stat {
		known := map[string]audit.Stat{}
		for path, e := range r.mirror.Walk(root, -1) {
			known[path] = audit.Stat{Czxid: e.Czxid, Version: e.Version, Cversion: e.Cversion, EphemeralOwner: e.EphemeralOwner}
		}
		return known
	}
	var diff string
	for range 200 { // The recorder may still be at it.
		if diff = cmp.Diff(want, got()); diff == "" {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.t.Errorf("the tree and what is recorded (-tree +mirror):\n%.3000s", diff)
}

// turmoil makes changes of all kinds below root, by several clients at once.
func turmoil(t *testing.T, conns []*zk.Conn, root string, each int) {
	t.Helper()
	var writers sync.WaitGroup
	for n, conn := range conns {
		writers.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(n), 1))
			for range each {
				change(conn, rnd, fmt.Sprintf("%s/p%d", root, rnd.IntN(4)))
			}
		})
	}
	writers.Wait()
}

// change makes one change, which may fail: others change the same znodes.
func change(conn *zk.Conn, rnd *rand.Rand, parent string) {
	path := fmt.Sprintf("%s/c%d", parent, rnd.IntN(5))
	below := fmt.Sprintf("%s/d%d", path, rnd.IntN(3))
	switch rnd.IntN(10) {
	case 0, 1, 2:
		_, _ = conn.Set(path, []byte(fmt.Sprint(rnd.Int())), -1)
	case 3:
		_, _ = conn.Create(path, []byte("new"), 0, zk.WorldACL(zk.PermAll))
	case 4:
		_, _ = conn.Create(below, []byte("new"), 0, zk.WorldACL(zk.PermAll))
	case 5:
		_ = conn.Delete(below, -1)
	case 6:
		for i := range 3 {
			_ = conn.Delete(fmt.Sprintf("%s/d%d", path, i), -1)
		}
		_ = conn.Delete(path, -1)
	case 7:
		_, _ = conn.Multi(&zk.DeleteRequest{Path: path, Version: -1}, &zk.CreateRequest{Path: path, Data: []byte("again"), Acl: zk.WorldACL(zk.PermAll)})
	case 8:
		_, _ = conn.Create(parent+"/s-", nil, zk.FlagSequence, zk.WorldACL(zk.PermAll))
		names, _, err := conn.Children(parent)
		if err == nil && len(names) > 20 {
			slices.Sort(names)
			_ = conn.Delete(parent+"/"+names[len(names)-1], -1)
		}
	default:
		_, _ = conn.Set(parent, []byte(fmt.Sprint(rnd.Int())), -1)
	}
}
