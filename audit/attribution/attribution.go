package attribution

import (
	"context"
	"io"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/audit"
	"zkwarden/internal/fourletter"
)

// DefaultTimeout bounds an ask where [Options.Timeout] is 0.
const DefaultTimeout = time.Second

// Asker asks a server for a word, as [fourletter.Client] does.
type Asker interface {
	Open(ctx context.Context, addr string, word fourletter.Word) (io.ReadCloser, error)
}

// Member is a server of the ensemble.
type Member struct {
	ID   int64  // Negative: not known.
	Addr string // host:port where it answers words.
}

// Options say whom an [Attributor] asks, and how often.
type Options struct {
	// Members returns the servers as they are known now; it is called once an
	// interval, and ends with its context.
	Members  func(context.Context) []Member
	Client   Asker
	Interval time.Duration // Between two asks of a member; positive.
	Timeout  time.Duration // Of one ask; 0: DefaultTimeout.
	Logger   log.Logger
	Registry prometheus.Registerer // Or nil.
}

// Attributor tells who is behind a session. It implements [audit.Actors] and is
// safe for concurrent use.
type Attributor struct {
	options Options
	metrics *metrics

	mu       sync.Mutex
	started  time.Time // Of Run; zero: not yet.
	ended    bool      // Whether Run has returned.
	members  []*member // Nil: not known yet.
	sessions sessions
	changed  chan struct{} // Closed and replaced when a member has answered, or not, and when the members change.
}

// New returns an attributor, which knows nobody before it runs.
func New(o Options) *Attributor {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	a := &Attributor{
		options: o, changed: make(chan struct{}),
		sessions: sessions{max: maxSessions, byID: map[uint64]session{}},
	}
	a.metrics = newMetrics(o.Registry, a.known)
	return a
}

// Run asks the members until ctx is done, and returns when nothing of it runs
// anymore. It may be called once.
func (a *Attributor) Run(ctx context.Context) {
	var asking sync.WaitGroup
	defer func() {
		asking.Wait()
		a.mu.Lock()
		defer a.mu.Unlock()
		a.ended = true
		a.notify()
	}()
	a.mu.Lock()
	a.started = time.Now()
	a.mu.Unlock()
	turn := time.NewTicker(a.options.Interval)
	defer turn.Stop()
	for {
		for _, m := range a.renew(ctx, a.options.Members(ctx)) {
			asking.Go(func() { a.attend(m) })
		}
		select {
		case <-ctx.Done():
			return
		case <-turn.C:
		}
	}
}

// renew takes the list of members and returns those that are new. Those that
// left it are asked no more.
func (a *Attributor) renew(ctx context.Context, listed []Member) (added []*member) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions.forget(time.Now().Add(-remembered))
	if len(listed) > 0 || a.members == nil {
		kept := make([]*member, 0, len(listed))
		for _, one := range listed {
			m := find(a.members, one)
			if m == nil {
				m = newMember(ctx, one)
				added = append(added, m)
			}
			kept = append(kept, m)
		}
		for _, m := range a.members {
			if find(kept, m.Member) == nil {
				m.leave()
			}
		}
		a.members = kept
	}
	if len(added) > 0 {
		level.Info(a.options.Logger).Log("msg", "members of the ensemble are asked for their clients", "members", len(a.members), "interval", a.options.Interval)
	}
	a.metrics.members.Set(float64(len(a.members)))
	a.notify()
	return added
}

// Actor returns what is known about who was behind the session at the time, as
// [audit.Actors] wants it. It waits for [Patience] at most.
func (a *Attributor) Actor(ctx context.Context, id audit.SessionID, at time.Time) audit.Actor {
	actor := a.recall(id, at)
	if actor.Confidence == audit.ConfidenceUnknown {
		a.search(ctx, uint64(id), at)
		actor = a.recall(id, at)
	}
	a.metrics.actors.WithLabelValues(actor.Confidence).Inc()
	return actor
}

func (a *Attributor) recall(id audit.SessionID, at time.Time) audit.Actor {
	a.mu.Lock()
	defer a.mu.Unlock()
	actor := audit.Actor{Session: id, Confidence: audit.ConfidenceUnknown}
	if known, ok := a.sessions.byID[uint64(id)]; ok {
		peer, confidence := known.client(at, 2*a.options.Interval)
		actor.Client, actor.Confidence = peer.String(), confidence
	}
	return actor
}

func (a *Attributor) known() float64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return float64(len(a.sessions.byID))
}

// notify wakes whoever waits for an answer; with mu held.
func (a *Attributor) notify() {
	close(a.changed)
	a.changed = make(chan struct{})
}
