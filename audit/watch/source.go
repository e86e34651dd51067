package watch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/go-zookeeper/zk"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/audit"
)

const (
	// readers is how many requests are in flight at most.
	readers        = 128
	defaultTimeout = 3 * time.Second
)

// Options configures a source; all but Timeout, Auth, Version, SweepInterval
// and Registry are required.
type Options struct {
	Servers        []string // host:port; the first is preferred. Names are resolved at every connect.
	SessionTimeout time.Duration
	Timeout        time.Duration // For a connection, and for the session on it; 3 seconds by default.
	Dial           func(ctx context.Context, network, address string) (net.Conn, error)
	// Auth returns what every new connection presents before anything else, and
	// is called before each of them, also concurrently. Nil is nothing. An error
	// keeps the connection from being made.
	Auth func() ([]Credential, error)
	// Version asks a server for its version, and returns nothing where it cannot
	// tell. Only servers without recursive watches are asked: the answer says
	// when such a one was upgraded.
	Version func(ctx context.Context, address string) string
	// SweepInterval is how often all znodes are compared with the server; zero is
	// never.
	SweepInterval time.Duration

	Logger   log.Logger
	Registry prometheus.Registerer
}

// Source observes an ensemble through one session. It implements
// [audit.Source]; Run may be called once at a time.
type Source struct {
	Options
	walked   atomic.Uint64
	progress progress
	rescoped chan struct{} // Has a token when the scope is to be read anew,
	soon     chan struct{} // and one when a sweep is to end soon.
	metrics  *metrics

	pace     pace
	fellBack atomic.Bool
	problem  atomic.Pointer[error]
}

// New prepares a source; it connects when it runs.
func New(o Options) *Source {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	return &Source{
		Options: o, rescoped: make(chan struct{}, 1), soon: make(chan struct{}, 1), metrics: newMetrics(o.Registry), pace: usualPace(),
	}
}

// Walked returns the znodes read by the walk that runs, or by the last one; of
// a comparison, the znodes compared.
func (s *Source) Walked() uint64 { return s.walked.Load() }

// Err returns why the source does not observe, or nil while it does.
func (s *Source) Err() error {
	if err := s.problem.Load(); err != nil {
		return *err
	}
	return nil
}

// StandIn notes how the source does that follows the transaction log in the
// place of this one, which does not run meanwhile: Err and the metrics tell of
// that. A nil error is that it observes.
func (s *Source) StandIn(err error) {
	s.metrics.observing(audit.ModeTxnlog)
	s.report(err)
}

func (s *Source) report(err error) {
	if err == nil {
		s.problem.Store(nil)
		s.metrics.connected.Set(1)
		return
	}
	s.problem.Store(&err)
	s.metrics.connected.Set(0)
}

// unreachable reports why there is no session, and logs it when it is news.
func (s *Source) unreachable(err error) {
	if last := s.Err(); last == nil || last.Error() != err.Error() {
		level.Warn(s.Logger).Log("msg", "no session with ZooKeeper", "err", err)
	}
	s.report(err)
}

// Run implements [audit.Source].
func (s *Source) Run(ctx context.Context, from audit.Zxid, scope audit.Scope, known audit.Known, out chan<- audit.Observation) error {
	s.report(errors.New("not connected to ZooKeeper yet"))
	d := &dialer{
		ctx: ctx, pace: s.pace, dial: s.Dial, auth: s.Auth, timeout: s.Timeout, servers: len(s.Servers), trouble: s.unreachable,
		links: make(chan *link, 1), logger: s.Logger,
	}
	d.newest.Store(uint64(from))
	conn, events, err := zk.Connect(s.Servers, s.SessionTimeout,
		zk.WithDialer(d.connect), zk.WithHostProvider(&InOrder{Servers: s.Servers}), zk.WithMaxBufferSize(maxFrame),
		zk.WithLogger(clientLogger{s.Logger}), zk.WithLogInfo(false))
	if err != nil {
		return fmt.Errorf("connect to ZooKeeper: %w", err)
	}
	asks := make(chan ask)
	var pool sync.WaitGroup
	for range readers {
		pool.Go(func() { read(conn, asks) })
	}
	t := newTracker(s, from, scope, known, out)
	stopSweeps := s.sweep(ctx, t, conn, &pool)
	last := s.follow(ctx, d.links, t, asks)
	close(asks)
	stopSweeps()
	d.stop()
	conn.Close() // Ends the session, or gives up after a second.
	if last != nil {
		_ = last.Close() // Nothing more is expected of it.
	}
	for range events {
		// The channel closes when the client's last goroutine has ended.
	}
	pool.Wait()
	return ctx.Err()
}

// follow observes through one link after the other until ctx is done, and
// returns the last one.
func (s *Source) follow(ctx context.Context, links <-chan *link, t *tracker, asks chan<- ask) (l *link) {
	for {
		select {
		case <-ctx.Done():
			return l
		case l = <-links:
		}
		err := t.follow(ctx, l, asks)
		switch {
		case ctx.Err() != nil:
			return l
		case l.confirmed.Load():
			s.metrics.lose(err, l.frames.overflowed())
			s.report(fmt.Errorf("connection to ZooKeeper lost: %w", err))
			level.Warn(s.Logger).Log("msg", "connection to ZooKeeper lost", "server", l.RemoteAddr(), "err", err)
		case l.accepted() && !errors.Is(err, errNoRecursiveWatch):
			s.unreachable(fmt.Errorf("watch at %s: %w", l.address, err))
		}
	}
}

// pause waits for d and up to a quarter more.
func pause(ctx context.Context, d time.Duration) error { return sleep(ctx, d+rand.N(d/4)) }

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// ask is one request for the client library; its answer arrives at the link.
type ask struct {
	request
	link *link
}

// read carries requests to the library. The results are ignored, since the
// link has decoded them in the order of the wire. A request that never reached
// the server has no answer, so its link is given up.
func read(conn *zk.Conn, asks <-chan ask) {
	for a := range asks {
		var err error
		switch a.op {
		case opGetData:
			_, _, err = conn.Get(a.path)
		case opGetChildren2:
			_, _, err = conn.Children(a.path)
		case opExists:
			_, _, err = conn.Exists(a.path)
		case opAddWatch:
			_, err = conn.Sync(carrier(watchCarrier, a.path))
		case opCheckWatches:
			if _, err = conn.Sync(carrier(checkCarrier, a.path)); errors.Is(err, zk.ErrShortBuffer) {
				err = nil // The answer is empty, where that to a Sync has a path.
			}
		case opSync:
			_, err = conn.Sync(a.path)
		case opGetACL:
			_, _, err = conn.GetACL(a.path)
		}
		if unsent(err) {
			_ = a.link.Close() // It is closed already in all cases but a defect.
		}
	}
}

func unsent(err error) bool {
	for _, local := range []error{
		zk.ErrConnectionClosed, zk.ErrClosing, zk.ErrNoServer, zk.ErrSessionExpired, zk.ErrInvalidPath, zk.ErrShortBuffer,
	} {
		if errors.Is(err, local) {
			return true
		}
	}
	return false
}

// clientLogger receives the library's messages, which are of interest only to
// someone who looks for a defect.
type clientLogger struct{ log.Logger }

func (l clientLogger) Printf(format string, args ...any) {
	level.Debug(l.Logger).Log("msg", "zookeeper client", "text", fmt.Sprintf(format, args...))
}
