package collector

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"zkwarden/internal/fourletter"
)

// ErrClosed is returned by scrapes that come after [Collector.Close].
var ErrClosed = errors.New("collector is closed")

// Asker sends one four-letter word to addr and returns the reply as a stream.
// *fourletter.Client is one. Errors, also of reading, carry a fourletter.Reason.
type Asker interface {
	Open(ctx context.Context, addr string, word fourletter.Word) (io.ReadCloser, error)
}

// Options describes what a [Collector] scrapes, and what it shows of it.
type Options struct {
	Addr    string        // host:port of the server.
	Client  Asker         // How to ask it.
	Timeout time.Duration // For mntr, srvr and ruok together; Words have at least half of it from when these have told the role. 0: DefaultTimeout.
	Logger  log.Logger

	Words        []fourletter.Word // Beside mntr and srvr, asked every SlowInterval; nil: DefaultWords.
	SlowInterval time.Duration     // How long the answers to Words are kept; 0: DefaultSlowInterval.
	Cons         bool              // Ask cons too, and show it by client address.
	ConsTop      int               // Addresses that are shown, the rest as one; 0: DefaultConsTop.

	Lifetime        bool     // Show means, extremes and percentiles over the life of the server.
	NamespacesMax   int      // Namespaces that are shown; 0: DefaultNamespacesMax.
	NamespacesAllow []string // Names or globs, as of path.Match, of those to show; empty: all.
	NamespacesDeny  []string // Names or globs of those not to show; goes before NamespacesAllow.

	Witness    Witness     // Whether a server that serves nobody leads all the same; nil: nobody knows.
	Handshakes *Handshakes // What dials for Client, shown with the server's metrics; nil: there is no TLS.

	Compat string // CompatZK: show the metrics also under the names of mntr; empty: don't.

	Like *Collector // Shares its table of metrics, which takes 300 kB; nil: there is no other.
}

// Collector scrapes one server. It asks nothing on its own: every scrape starts
// a round of words, or shares the one in flight. It is safe for concurrent use.
type Collector struct {
	options Options // With defaults.
	logger  log.Logger
	table   *table
	limits  *limits           // Without seats.
	words   []fourletter.Word // That a round can ask, in the order of the page.

	ctx    context.Context // Of the rounds; ends with Close.
	cancel context.CancelFunc
	rounds sync.WaitGroup

	mu       sync.Mutex
	current  *round // nil: none in flight.
	last     Status
	shown    seats // Of the last round that has entries.
	kept     map[fourletter.Word]kept
	failures map[failureID]uint64
	reasons  map[fourletter.Word]fourletter.Reason // Of the last failure of each word, until it succeeds.
}

type failureID struct {
	word   fourletter.Word
	reason fourletter.Reason
}

// New returns a collector, which the caller closes. It doesn't connect.
func New(o Options) (*Collector, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Collector{
		options: o, logger: log.With(o.Logger, "server", o.Addr), table: o.table(),
		limits: &limits{
			lifetime: o.Lifetime || o.Compat == CompatZK, namespaces: o.NamespacesMax,
			allow: slices.Clone(o.NamespacesAllow), deny: slices.Clone(o.NamespacesDeny), consTop: o.ConsTop,
		},
		words: slices.Concat(everyRound(), []fourletter.Word{fourletter.Ruok}, o.Words),
		kept:  map[fourletter.Word]kept{}, failures: map[failureID]uint64{}, reasons: map[fourletter.Word]fourletter.Reason{},
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Close ends the round in flight and waits for its goroutines.
func (c *Collector) Close() error {
	c.mu.Lock()
	c.cancel()
	c.mu.Unlock()
	c.rounds.Wait()
	return nil
}

// join returns the round in flight, or starts one.
func (c *Collector) join() (*round, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if c.current == nil {
		r := &round{done: make(chan struct{})}
		c.current = r
		c.rounds.Go(func() { c.run(r) })
	}
	return c.current, nil
}

// currentLimits returns the limits with the seats of the last page.
func (c *Collector) currentLimits() *limits {
	l := *c.limits
	c.mu.Lock()
	defer c.mu.Unlock()
	l.shown = c.shown
	return &l
}

// finish accounts for a round before the scrapes that wait for it go on.
func (c *Collector) finish(ctx context.Context, r *round, start time.Time) {
	v := r.view()
	all := c.said(v)
	if w := c.options.Witness; w != nil && v.state(all) == NotServing {
		if who, err := w.Leader(ctx); err == nil {
			all.witnessed, all.leads = true, who.Self
		}
	}
	r.end(all)
	status := c.status(v, all, start)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = nil
	c.last = status
	if shown := seatsOf(all); len(shown) > 0 {
		c.shown = shown
	}
	for _, o := range v {
		if o.err != nil && !o.asked.Before(start) {
			c.failures[failureID{o.word, o.reason()}]++
		}
	}
	c.logChanges(v)
	close(r.done)
}

// logChanges logs a word when it begins to fail, when it fails for another
// reason, and when it succeeds again, and not at every scrape.
func (c *Collector) logChanges(v view) {
	if c.ctx.Err() != nil {
		return
	}
	for _, word := range c.words {
		o, asked := v[word]
		if !asked || o.reason() == c.reasons[word] {
			continue
		}
		c.reasons[word] = o.reason()
		if o.err == nil {
			level.Info(c.logger).Log("msg", "four-letter word is answered again", "word", word)
			continue
		}
		level.Warn(c.logger).Log("msg", "four-letter word failed", "word", word, "reason", o.reason(), "err", o.err)
	}
}
