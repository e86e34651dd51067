package watch

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

const (
	// batchBytes bounds the paths of one question, each counted twice: for its
	// data and for its children. A server refuses a megabyte, and commits
	// nothing while it answers.
	batchBytes = 128 << 10
	// sessionPaths is for how many paths one session asks. It bounds the
	// watches that the server has to keep: two a path, until the session ends.
	sessionPaths = 50_000
	// herd is the longest wait before the first question after a reconnect: an
	// election makes every client come back at once.
	herd = 200 * time.Millisecond
	// askTries is how often a batch is asked about.
	askTries = 3
	// askAgain is the wait before a batch is asked about again.
	askAgain = 100 * time.Millisecond
	// idleSession is how long a session may be unused. The server ends it after
	// inquiryTimeout.
	idleSession = inquiryTimeout / 3
)

// comparison asks the server of a link which of the known znodes changed since
// the gap began. It runs in a goroutine of its own and tells the follower.
type comparison struct {
	source  *Source
	known   audit.Known
	orders  chan<- order
	address string
	since   audit.Zxid
	atLeast audit.Zxid             // What a server has to have applied for its answers to count.
	wants   func(path string) bool // Which of the known znodes are compared.

	session *inquiry
	used    time.Time // When session was used last.
	batch   []string
	bytes   int
}

// compare begins the comparison of the roots. It is one step of the walk.
func (f *follower) compare(roots []string, share float64) {
	f.walk++
	c := &comparison{
		source: f.source, known: f.known, orders: f.orders, address: f.link.address,
		since: f.since, atLeast: f.reached,
		wants: func(path string) bool {
			return slices.ContainsFunc(roots, func(root string) bool { return audit.Within(path, root) })
		},
	}
	var delay time.Duration
	if f.why == audit.GapReconnect {
		delay = rand.N(herd)
	}
	ctx := f.working
	f.workers.Go(func() {
		err := sleep(ctx, delay)
		if err == nil {
			err = c.run(ctx)
		}
		c.tell(ctx, func(f *follower) { f.compared(roots, share, err) })
	})
}

// compared ends the comparison. What the server did not tell has to be read.
func (f *follower) compared(roots []string, share float64, err error) {
	if err == nil {
		f.source.progress.add(share)
		f.visitUntold(roots)
	} else {
		f.source.walked.Store(0)
		f.source.fallback(err)
		for _, root := range roots {
			f.visit(root, visit{origin: audit.OriginResync}.below(share/float64(len(roots))))
		}
	}
	f.walk--
	f.endWalk()
}

// run asks about all known znodes, a batch at a time: there may be millions.
func (c *comparison) run(ctx context.Context) error {
	defer func() {
		if c.session != nil {
			c.session.end()
		}
	}()
	for path := range c.known.Walk("/", -1) {
		if !c.wants(path) {
			continue
		}
		size := 2 * (4 + len(path))
		if c.bytes+size > batchBytes {
			if err := c.ask(ctx); err != nil {
				return err
			}
		}
		c.batch = append(c.batch, path)
		c.bytes += size
	}
	if len(c.batch) == 0 {
		return nil
	}
	return c.ask(ctx)
}

// ask asks about the batch, and again on a new session where one failed.
func (c *comparison) ask(ctx context.Context) error {
	began := time.Now()
	hits, err := c.askOnce(ctx)
	for try := 1; err != nil && try < askTries; try++ {
		if err := pause(ctx, askAgain); err != nil {
			return err
		}
		began = time.Now()
		hits, err = c.askOnce(ctx)
	}
	if err != nil {
		return err
	}
	took, compared := time.Since(began), uint64(len(c.batch))
	c.batch, c.bytes = c.batch[:0], 0
	c.tell(ctx, func(f *follower) { f.changed(compared, hits) })
	return sleep(ctx, took/4) // A fifth of the time is left to the writers alone.
}

func (c *comparison) askOnce(ctx context.Context) ([]hit, error) {
	if c.session != nil && (c.session.asked+len(c.batch) > sessionPaths || time.Since(c.used) > idleSession) {
		c.session.end()
		c.session = nil
	}
	if c.session == nil {
		session, err := c.source.inquire(ctx, c.address, c.atLeast)
		if err != nil {
			return nil, err
		}
		c.session = session
	}
	hits, err := c.session.changedSince(c.since, c.atLeast, c.batch)
	if err != nil {
		c.session.abandon()
		c.session = nil
		return nil, err
	}
	c.used = time.Now()
	return hits, nil
}

// changed visits what a batch of the comparison told of.
func (f *follower) changed(compared uint64, hits []hit) {
	f.source.walked.Add(compared)
	for _, h := range hits {
		if f.roots[h.path] {
			f.told[h.path] = true
		}
		f.visit(h.path, visit{origin: audit.OriginResync, children: h.children})
	}
}

// order is something for the follower to do, by the goroutine that owns it.
type order func(*follower)

func (c *comparison) tell(ctx context.Context, o order) {
	select {
	case c.orders <- o:
	case <-ctx.Done():
	}
}

// fallback says that a resync reads everything, and why, once.
func (s *Source) fallback(err error) {
	s.metrics.fallbacks.Inc()
	logger := level.Debug(s.Logger)
	if s.fellBack.CompareAndSwap(false, true) {
		logger = level.Warn(s.Logger)
	}
	hint := ""
	if errors.Is(err, errNoInquiry) {
		hint = "a second connection is needed: see maxClientCnxns"
	}
	logger.Log("msg", "server does not tell what changed, reading every znode", "err", err, "hint", hint)
}
