package watch

import (
	"context"
	"errors"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/policy"
	"zkwarden/internal/zktest"
)

// versions are those that a test against real servers runs with.
func versions(more ...string) []string {
	if os.Getenv("ZKWARDEN_TEST") == "all" {
		return append(more, zktest.Default)
	}
	return []string{zktest.Default}
}

// ledger keeps what it is told, as the recorder would, for as long as the test
// runs: longer than a source.
type ledger struct {
	settle chan chan struct{}

	mu     sync.Mutex
	mark   audit.Zxid // The last one.
	nodes  map[string]audit.Stat
	sorted []string // The keys of nodes, or nil.
	partly string   // A root that is left out: there may be more to record below it.
}

func newLedger() *ledger {
	return &ledger{settle: make(chan chan struct{}), nodes: map[string]audit.Stat{}}
}

func (k *ledger) Settle(ctx context.Context) error {
	settled := make(chan struct{})
	select {
	case k.settle <- settled:
		<-settled
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (k *ledger) Walk(path string, depth int) iter.Seq2[string, audit.Stat] {
	return func(yield func(string, audit.Stat) bool) {
		stat, known := k.get(path)
		if known && !yield(path, stat) || depth == 0 {
			return
		}
		below := audit.Child(path, "")
		paths := k.paths()
		start, _ := slices.BinarySearch(paths, below)
		for _, at := range paths[start:] {
			if !strings.HasPrefix(at, below) {
				return
			}
			if at == path || depth > 0 && strings.Count(at[len(below):], "/") >= depth {
				continue
			}
			if stat, known := k.get(at); known && !yield(at, stat) {
				return
			}
		}
	}
}

func (k *ledger) get(path string) (audit.Stat, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	stat, known := k.nodes[path]
	return stat, known && path != k.partly
}

// leaveOut makes the ledger leave a root out, as the recorder does when another
// policy may want more of it; an empty one ends that.
func (k *ledger) leaveOut(root string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.partly = root
}

func (k *ledger) paths() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sorted == nil {
		k.sorted = slices.Sorted(maps.Keys(k.nodes))
	}
	return k.sorted
}

func (k *ledger) apply(o audit.Observation) {
	k.mu.Lock()
	defer k.mu.Unlock()
	seen, ok := o.(audit.Seen)
	if gap, is := o.(audit.Gap); is && gap.Reason == audit.GapHistoryRewritten {
		clear(k.nodes)
		k.sorted = nil
	}
	if mark, is := o.(audit.Mark); is {
		k.mark = mark.Zxid
	}
	if !ok {
		return
	}
	_, known := k.nodes[seen.Path]
	gone := seen.Hint == audit.OpDeleted || seen.Read == audit.Absent && seen.Hint == ""
	switch {
	case gone && known:
		delete(k.nodes, seen.Path)
	case !gone && seen.Node != nil:
		k.nodes[seen.Path] = seen.Node.Stat
	case seen.Hint == audit.OpCreated:
		k.nodes[seen.Path] = audit.Stat{Czxid: seen.Until}
	}
	if parent, has := k.nodes[audit.Parent(seen.Path)]; has && seen.Path != "/" && (seen.Hint == audit.OpCreated || seen.Hint == audit.OpDeleted) {
		parent.Cversion++
		k.nodes[audit.Parent(seen.Path)] = parent
	}
	if _, still := k.nodes[seen.Path]; still != known {
		k.sorted = nil
	}
}

// run is one run of a source, from start to stop.
type run struct {
	t     testing.TB
	known *ledger
	*traffic
	*Source
	told chan audit.Observation
	stop func()
}

// startRun runs a source over roots until the test ends, or stop.
func startRun(t testing.TB, known *ledger, from audit.Zxid, options Options, roots ...string) *run {
	t.Helper()
	scope, err := policy.ForPaths(roots, policy.LevelMetadata, []byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	r := &run{t: t, known: known, traffic: &traffic{requests: map[int32]int{}}, told: make(chan audit.Observation, 1<<20)}
	if options.Dial == nil {
		options.Dial = r.dial
	}
	if options.Logger == nil {
		options.Logger = log.NewNopLogger()
	}
	options.SessionTimeout = 6 * time.Second
	r.Source = New(options)
	ctx, cancel := context.WithCancel(context.Background())
	out, ended := make(chan audit.Observation), make(chan error, 1)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		for {
			select {
			case o, ok := <-out:
				if !ok {
					return
				}
				known.apply(o)
				r.told <- o
			case settled := <-known.settle:
				close(settled)
			}
		}
	}()
	go func() {
		ended <- r.Run(ctx, from, scope, known, out)
		close(out)
	}()
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run() = %v", err)
		}
		<-kept
	})
	t.Cleanup(r.stop)
	return r
}

// until takes what is told up to the first observation that ends.
func (r *run) until(what string, end func(audit.Observation) bool) []audit.Observation {
	r.t.Helper()
	limit := time.NewTimer(60 * time.Second)
	defer limit.Stop()
	var told []audit.Observation
	for {
		select {
		case o := <-r.told:
			told = append(told, o)
			if end(o) {
				return told
			}
		case <-limit.C:
			r.t.Fatalf("no %s after %d observations; the source says: %v", what, len(told), r.Err())
		}
	}
}

// walked takes what is told up to the end of a walk.
func (r *run) walked() (seen []audit.Seen, mark audit.Mark, gaps []audit.Gap) {
	r.t.Helper()
	for _, o := range r.until("end of a walk", func(o audit.Observation) bool { m, is := o.(audit.Mark); return is && m.Walk }) {
		switch o := o.(type) {
		case audit.Seen:
			seen = append(seen, o)
		case audit.Gap:
			gaps = append(gaps, o)
		case audit.Mark:
			mark = o
		}
	}
	return seen, mark, gaps
}

// swept takes what is told up to the end of a sweep, without the marks.
func (r *run) swept() (seen []audit.Seen, mark audit.Mark) {
	r.t.Helper()
	for _, o := range r.until("end of a sweep", func(o audit.Observation) bool { m, is := o.(audit.Mark); return is && m.ACL != 0 }) {
		switch o := o.(type) {
		case audit.Seen:
			seen = append(seen, o)
		case audit.Mark:
			mark = o
		}
	}
	return seen, mark
}

// tree reads everything from root on, many znodes at a time.
func tree(t testing.TB, conn *zk.Conn, root string) map[string]audit.Stat {
	t.Helper()
	found := map[string]audit.Stat{}
	var mu sync.Mutex
	var readers sync.WaitGroup
	places := make(chan struct{}, 64)
	var down func(path string)
	down = func(path string) {
		places <- struct{}{}
		names, s, err := conn.Children(path)
		<-places
		if err != nil {
			t.Errorf("list %s: %v", path, err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		found[path] = statOf(s)
		for _, name := range names {
			readers.Go(func() { down(audit.Child(path, name)) })
		}
	}
	down(root)
	readers.Wait()
	return found
}

func statOf(s *zk.Stat) audit.Stat {
	return audit.Stat{
		Czxid: audit.Zxid(s.Czxid), Mzxid: audit.Zxid(s.Mzxid), Pzxid: audit.Zxid(s.Pzxid), Ctime: s.Ctime, Mtime: s.Mtime,
		Version: s.Version, Cversion: s.Cversion, Aversion: s.Aversion, EphemeralOwner: audit.SessionID(s.EphemeralOwner),
		DataLength: s.DataLength, NumChildren: s.NumChildren,
	}
}

// plant creates count znodes below root, fanout of them below each parent, and
// root itself.
func plant(t testing.TB, conn *zk.Conn, root string, count, fanout int) {
	t.Helper()
	requests := []any{&zk.CreateRequest{Path: root, Acl: zk.WorldACL(zk.PermAll)}}
	flush := func() {
		if _, err := conn.Multi(requests...); err != nil {
			t.Fatalf("create below %s: %v", root, err)
		}
		requests = requests[:0]
	}
	parent := ""
	for i := range count {
		path := audit.Child(parent, "z"+pad(i))
		if i%(fanout+1) == 0 {
			parent = audit.Child(root, "p"+pad(i))
			path = parent
		}
		requests = append(requests, &zk.CreateRequest{Path: path, Data: []byte(path), Acl: zk.WorldACL(zk.PermAll)})
		if len(requests) == 1000 {
			flush()
		}
	}
	if len(requests) > 0 {
		flush()
	}
}

func pad(i int) string {
	const digits = "0123456789"
	b := []byte("000000")
	for at := len(b) - 1; i > 0; at-- {
		b[at] = digits[i%10]
		i /= 10
	}
	return string(b)
}
