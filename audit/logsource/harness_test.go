package logsource

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/watch"
	"zkwarden/internal/zktest"
)

const patience = time.Minute

// under is a scope with one root.
type under string

func (u under) Roots() []string        { return []string{string(u)} }
func (u under) Wants(path string) bool { return audit.Within(path, string(u)) }
func (u under) Leads(path string) bool { return u.Wants(path) }

// story is what a source has told, and takes the recorder's place.
type story struct {
	t      testing.TB
	scope  audit.Scope
	logs   string // The directory of the logs, unless it is the one of the server.
	out    chan audit.Observation
	sweeps time.Duration // The interval of the live source's sweeps; zero for none.
	// meanwhile, unless it is nil, happens while each observation is told.
	meanwhile func(audit.Observation)

	mu      sync.Mutex
	told    []audit.Observation
	known   map[string]audit.Stat
	changed chan struct{}
}

func newStory(t testing.TB, scope audit.Scope) *story {
	t.Helper()
	return &story{t: t, scope: scope, out: make(chan audit.Observation), known: map[string]audit.Stat{}, changed: make(chan struct{})}
}

func (s *story) Settle(context.Context) error { return nil }

func (s *story) Walk(root string, depth int) iter.Seq2[string, audit.Stat] {
	return func(yield func(string, audit.Stat) bool) {
		s.mu.Lock()
		known := maps.Clone(s.known)
		s.mu.Unlock()
		for _, path := range slices.Sorted(maps.Keys(known)) {
			if !audit.Within(path, root) || depth >= 0 && below(path, root) > depth {
				continue
			}
			if !yield(path, known[path]) {
				return
			}
		}
	}
}

// below counts the levels between a path and a root above it.
func below(path, root string) int {
	return strings.Count(strings.TrimSuffix(path, "/"), "/") - strings.Count(strings.TrimSuffix(root, "/"), "/")
}

func (s *story) take() {
	for o := range s.out {
		if s.meanwhile != nil {
			s.meanwhile(o)
		}
		s.mu.Lock()
		s.told = append(s.told, o)
		switch o := o.(type) {
		case audit.Seen:
			if o.Node != nil {
				s.known[o.Path] = o.Node.Stat
			} else if o.Read == audit.Absent || o.Hint == audit.OpDeleted {
				delete(s.known, o.Path)
			}
		case audit.Txn:
			switch o.Op {
			case audit.OpCreated:
				s.known[o.Path] = audit.Stat{Czxid: o.Zxid, EphemeralOwner: o.Owner}
			case audit.OpDeleted:
				delete(s.known, o.Path)
			}
		}
		close(s.changed)
		s.changed = make(chan struct{})
		s.mu.Unlock()
	}
}

// await returns everything told since from, once one of it fulfills the
// condition, and where that ends.
func (s *story) await(what string, from int, ok func(audit.Observation) bool) (told []audit.Observation, end int) {
	s.t.Helper()
	limit := time.After(patience)
	for {
		s.mu.Lock()
		all, changed := s.told, s.changed
		s.mu.Unlock()
		if i := slices.IndexFunc(all[from:], ok); i >= 0 {
			return all[from : from+i+1], from + i + 1
		}
		select {
		case <-changed:
		case <-limit:
			s.t.Fatalf("no %s; the last of %d observations are %+v", what, len(all), all[max(0, len(all)-10):])
		}
	}
}

// all returns everything told so far.
func (s *story) all() []audit.Observation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.told)
}

func isMode(name string) func(audit.Observation) bool {
	return func(o audit.Observation) bool {
		m, ok := o.(audit.Mode)
		return ok && m.Name == name
	}
}

func isTxn(path string, op audit.Op) func(audit.Observation) bool {
	return func(o audit.Observation) bool {
		txn, ok := o.(audit.Txn)
		return ok && txn.Path == path && txn.Op == op
	}
}

func isGap(reason string) func(audit.Observation) bool {
	return func(o audit.Observation) bool {
		gap, ok := o.(audit.Gap)
		return ok && gap.Reason == reason
	}
}

func isMark(o audit.Observation) bool {
	_, ok := o.(audit.Mark)
	return ok
}

// logger shows what a source says when tests are verbose.
func logger() log.Logger {
	if testing.Verbose() {
		return log.With(log.NewLogfmtLogger(log.NewSyncWriter(os.Stderr)), "ts", log.DefaultTimestamp)
	}
	return log.NewNopLogger()
}

func appliedOf(server *zktest.Server) *watch.Applied {
	return watch.NewApplied(watch.Options{Servers: []string{server.Addr()}, Dial: new(net.Dialer).DialContext})
}

// start runs a source beside a server until the test ends or stop is called.
func start(s *story, from audit.Zxid, server *zktest.Server, servers ...string) (source *Source, stop func()) {
	s.t.Helper()
	if len(servers) == 0 {
		servers = []string{server.Addr()}
	}
	options := watch.Options{Servers: servers, SessionTimeout: 4 * time.Second, SweepInterval: s.sweeps, Dial: new(net.Dialer).DialContext, Logger: log.NewNopLogger()}
	applied := watch.NewApplied(options)
	source = New(Options{
		Locate: func(context.Context) (logs, snapshots string, err error) {
			return cmp.Or(s.logs, server.TxnLogDir()), server.DataDir(), nil
		},
		Live: watch.New(options), Applied: applied, Logger: logger(),
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s.out = make(chan audit.Observation)
	go func() {
		err := source.Run(ctx, from, s.scope, s, s.out)
		close(s.out)
		ended <- err
	}()
	var taking sync.WaitGroup
	taking.Go(s.take)
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			s.t.Errorf("Run() = %v", err)
		}
		taking.Wait()
		applied.Close()
	})
	s.t.Cleanup(stop)
	return source, stop
}

// silent is a logger for the client library.
type silent struct{}

func (silent) Printf(string, ...any) {}

func connect(t testing.TB, servers ...string) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect(servers, 10*time.Second, zk.WithLogger(silent{}))
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

// must returns what did not fail.
func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}
