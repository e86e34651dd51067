package logsource

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/audit"
)

// Live is the source that observes where the log cannot be followed.
type Live interface {
	audit.Source
	// Rescope makes it read its scope anew while it runs.
	Rescope()
	// SweepSoon makes it compare every znode soon, and reports whether it will.
	SweepSoon() bool
	// StandIn tells it how the log is followed in its place, as Err and its
	// metrics then say.
	StandIn(err error)
	// Err returns why nothing is observed, or nil while something is.
	Err() error
	// Walked and Progress tell how far its first sync is.
	Walked() uint64
	Progress() float64
}

// ErrNowhere is the error of a Locate that was not told where the log is, and
// did not find it.
var ErrNowhere = errors.New("transaction log is not found")

// Options configures a source; all but ACL and Registry are required.
type Options struct {
	// Locate returns the directories of the logs and of the snapshots, each
	// version-2 or its parent. It is called whenever the log is about to be
	// opened.
	Locate  func(ctx context.Context) (logs, snapshots string, err error)
	Live    Live
	Applied audit.Applied
	// ACL is the zxid through which every change of an ACL is known when the
	// source resumes, or zero.
	ACL audit.Zxid

	Logger   log.Logger
	Registry prometheus.Registerer
}

// Source follows a transaction log, and watches the live ensemble where it
// cannot. It implements [audit.Source]; Run may be called once at a time.
type Source struct {
	Live
	options  Options
	pace     pace
	metrics  *metrics
	rescoped chan struct{} // Has a token when the scope is to be read anew.
	state    atomic.Pointer[Status]
}

// pace is how long things are waited for.
type pace struct {
	poll     time.Duration // Between two looks at a log that grows,
	idle     time.Duration // and at one that doesn't, after a while.
	ask      time.Duration // Between two questions how far the server is, at least;
	beat     time.Duration // and where the log has nothing to ask for.
	stall    time.Duration // For the log to have what the server is known to have applied.
	sweep    time.Duration // For a sweep of the live source, where the log lacks changes of ACLs.
	silence  time.Duration // For an answer how far the server is, where transactions wait for it.
	retry    time.Duration // Before a log that was given up is looked at again; it doubles each time,
	maxRetry time.Duration // up to this,
	look     time.Duration // and to this for one that cannot be opened.
}

func usualPace() pace {
	return pace{
		poll: 50 * time.Millisecond, idle: 100 * time.Millisecond, ask: 40 * time.Millisecond, beat: time.Second,
		stall: 5 * time.Second, sweep: 5 * time.Minute, silence: time.Minute, retry: time.Second, maxRetry: 5 * time.Minute, look: 5 * time.Second,
	}
}

// New prepares a source. It reads and connects when it runs.
func New(o Options) *Source {
	return &Source{
		Live: o.Live, options: o, pace: usualPace(), metrics: newMetrics(o.Registry), rescoped: make(chan struct{}, 1),
	}
}

// Status says how a source observes.
type Status struct {
	Leading  bool       // Whether the log is followed.
	Verified audit.Zxid // The last transaction through which all digests agreed, while the log is followed.
	Err      error      // Why the log is not followed, or why nothing in it can be confirmed.
}

// Status returns how the source observes now.
func (s *Source) Status() Status {
	if state := s.state.Load(); state != nil {
		return *state
	}
	return Status{}
}

// Mismatch returns the error of a log whose operations did not add up to the
// digests in it, until others do.
func (s *Source) Mismatch() error {
	if state := s.Status(); errors.Is(state.Err, errMismatch) {
		return state.Err
	}
	return nil
}

// Rescope makes the source read the scope anew, after what is recorded was
// adapted to it. What is new is read by the live source. It does not wait for
// that, and may be called at any time.
func (s *Source) Rescope() {
	select {
	case s.rescoped <- struct{}{}:
	default: // It is to be done already.
	}
}

// run is one call of Run.
type run struct {
	*Source
	scope audit.Scope
	known audit.Known
	out   chan<- audit.Observation

	through  atomic.Uint64 // The last mark's zxid, also for who prepares a tail.
	acl      audit.Zxid    // Through which every change of an ACL was handed over, or zero.
	why      string        // The reason of the live source's first gap, where the log was left.
	retry    time.Duration // How long to leave the log alone.
	applied  audit.Zxid    // The newest answer how far the server is.
	answered time.Time     // When it came.
	asked    time.Time     // When the last question was put.
}

// Run implements [audit.Source].
func (s *Source) Run(ctx context.Context, from audit.Zxid, scope audit.Scope, known audit.Known, out chan<- audit.Observation) error {
	r := &run{Source: s, scope: scope, known: known, out: out}
	r.through.Store(uint64(from))
	if from != 0 {
		r.acl = min(from, s.options.ACL)
	}
	t := r.resume(ctx, from)
	for ctx.Err() == nil {
		if t == nil {
			var err error
			if t, err = r.watch(ctx); err != nil {
				return err
			}
			continue
		}
		since := time.Now()
		err := r.lead(ctx, t)
		t.close()
		t = nil
		if ctx.Err() == nil {
			r.leave(err, time.Since(since))
		}
	}
	s.metrics.leading.Set(0)
	return ctx.Err()
}

func (r *run) position() audit.Zxid { return audit.Zxid(r.through.Load()) }

// resume returns the log behind the last mark of an earlier run, or nil where
// it does not reach back to it.
func (r *run) resume(ctx context.Context, from audit.Zxid) *tail {
	if from == 0 {
		return nil
	}
	t, reached, err := r.open(ctx, from, from)
	if err == nil && !reached {
		t.close()
		err = fmt.Errorf("%w: zxid %v is not in it", errElsewise, from)
	}
	if err != nil {
		r.unusable(err)
		return nil
	}
	r.learn(t) // Everything through from is known.
	return t
}

// leave notes why the log is followed no longer.
func (r *run) leave(err error, lasted time.Duration) {
	r.why = reasonOf(err)
	r.metrics.left.WithLabelValues(r.why).Inc()
	r.metrics.leading.Set(0)
	r.metrics.verifying.Set(0)
	if r.why == audit.ResyncPolicy {
		level.Info(r.options.Logger).Log("msg", "leaving the transaction log to read the scope anew", "zxid", r.position())
		r.state.Store(&Status{Err: err})
		return
	}
	if lasted >= r.pace.maxRetry {
		r.retry = 0
	}
	r.postpone()
	level.Warn(r.options.Logger).Log("msg", "transaction log cannot be followed, watching the live ensemble", "zxid", r.position(), "reason", r.why, "err", err)
	r.state.Store(&Status{Err: err})
}

// postpone lets the log rest for longer than before.
func (r *run) postpone() { r.retry = min(max(r.pace.retry, 2*r.retry), r.pace.maxRetry) }

// unusable notes why the log is not followed yet, and logs it when it is news.
func (r *run) unusable(err error) {
	last := r.Status().Err
	if errors.Is(last, errMismatch) {
		return // That is the more important news, until the log is followed.
	}
	if last == nil || last.Error() != err.Error() {
		logger := level.Warn(r.options.Logger)
		if errors.Is(err, ErrNowhere) {
			logger = level.Info(r.options.Logger)
		}
		logger.Log("msg", "transaction log cannot be followed yet, watching the live ensemble", "err", err)
	}
	r.state.Store(&Status{Err: err})
}

// reasonOf is the reason of the gap behind an error.
func reasonOf(err error) string {
	switch {
	case errors.Is(err, errRescoped):
		return audit.ResyncPolicy
	case errors.Is(err, errHole):
		return audit.GapLogHole
	case errors.Is(err, errUnproven):
		return audit.GapLogUnconfirmed
	case errors.Is(err, errMismatch):
		return audit.GapDigestMismatch
	}
	return audit.GapLogLost
}

// send hands an observation over.
func (r *run) send(ctx context.Context, o audit.Observation) error {
	select {
	case r.out <- o:
		r.note(o)
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// note keeps how far was handed over what no observation but a mark tells of.
func (r *run) note(o audit.Observation) {
	switch o := o.(type) {
	case audit.Mark:
		r.through.Store(uint64(o.Zxid))
		r.acl = max(r.acl, o.ACL)
	case audit.Gap:
		if o.Reason == audit.GapHistoryRewritten {
			r.acl = 0
		}
	}
}

// sleep waits for d.
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
