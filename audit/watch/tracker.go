package watch

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

var (
	errLinkClosed = errors.New("connection closed")
	errSilent     = errors.New("server does not answer")
	errFlooded    = errors.New("server tells more than can be handed over")
)

const (
	// answerTimeout is how long an answer may take.
	answerTimeout = 30 * time.Second
	// glance is how often overdue answers are looked for.
	glance = 5 * time.Second
	// maxAhead is how many reads may wait to be asked for, before a comparison
	// or sweep wants more of them.
	maxAhead = 4096
)

// tracker is what lasts from one link to the next.
type tracker struct {
	source *Source
	scope  audit.Scope
	known  audit.Known
	out    chan<- audit.Observation

	through   audit.Zxid // Everything at or before it was handed over.
	complete  bool       // Whether a walk of this run has been completed.
	rewritten bool       // Whether the ensemble forgot what is recorded, and nobody was told yet.
	reason    string     // Of the next gap.
	left      []*item    // Notifications that the last link could not hand over.

	partial map[string]bool  // Roots whose first sync has begun and not ended.
	history int              // How often the ensemble went back in time.
	sweeps  chan order       // From the sweeper.
	swept   audit.Zxid       // Where the sweep began that has ended, unless it was told.
	unswept map[string]visit // What a sweep still wanted of the last link.

	lacks     map[string]lack   // Servers that have no recursive watches, by address.
	announced audit.Mode        // The last one that was handed over.
	origins   map[string]origin // Of the roots, as they were read last.
	unasked   bool              // Whether the server does not know how to check watches.
	forgotten bool              // Whether it had forgotten a watch, and what that hid was not shown yet.
	readRoots map[string]bool   // Those that a walk has shown.
}

func newTracker(s *Source, from audit.Zxid, scope audit.Scope, known audit.Known, out chan<- audit.Observation) *tracker {
	return &tracker{
		source: s, scope: scope, known: known, out: out, through: from, reason: audit.GapRestart,
		partial: map[string]bool{}, sweeps: make(chan order), unswept: map[string]visit{},
		lacks: map[string]lack{}, origins: map[string]origin{}, readRoots: map[string]bool{},
	}
}

// follow observes through one link until it closes.
func (t *tracker) follow(ctx context.Context, l *link, asks chan<- ask) error {
	defer func() {
		if ctx.Err() == nil { // Else the client ends its session first.
			_ = l.Close() // Nothing more is expected of it.
		}
	}()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.frames.ready:
		if !l.accepted() {
			return l.frames.why()
		}
		l.frames.wake()
	case <-l.frames.opened:
	}
	f := newFollower(t, l)
	working, stop := context.WithCancel(ctx)
	f.working = working
	err := f.establish(ctx, asks)
	if err == nil {
		err = f.run(ctx, asks)
	}
	stop()
	f.workers.Wait()
	if errors.Is(err, errNoRecursiveWatch) {
		t.remember(ctx, l.address)
	}
	t.leave(f)
	if l.frames.overflowed() || errors.Is(err, errFlooded) {
		t.reason = audit.GapOverflow
	}
	return err
}

// leave keeps what the next link needs. A walk that did not end has shown
// only a part of what its gap left, so the next gap begins where it began.
func (t *tracker) leave(f *follower) {
	f.forgetACLs()
	if f.adopted {
		t.left = nil
		f.leaveSweep()
	}
	for _, it := range f.fifo.rest() {
		// Without an upper bound a change lies behind everything that was
		// notified: in the gap, or it will be told of again. What this link
		// told lies in the next gap, too, unless its own was settled, and
		// would be handed over before it.
		if f.adopted && f.shots == nil && it.seen.Hint != "" && it.seen.Until != 0 && (f.settled || it.older) {
			it.older = true
			t.left = append(t.left, it)
		}
	}
	if f.adopted { // Else the gap that was to be told is still the same.
		t.reason = audit.GapReconnect
	}
	switch {
	case !f.settled:
		return // What the walk found may wait still, and is dropped.
	case t.forgotten:
		t.through = min(f.notified, f.confirmedThrough())
	case f.shots != nil:
		t.through = max(t.through, f.handed) // What was notified was not read, perhaps.
	default:
		t.through = f.notified
	}
	t.complete = true
}

// establish adds the watches and finds out what was missed: everything after
// through, up to the zxid at which the server confirmed the watches.
func (f *follower) establish(ctx context.Context, asks chan<- ask) error {
	f.choose(ctx)
	for _, root := range f.scope.Roots() {
		f.roots[root] = true
		if f.shots == nil {
			f.control = append(f.control, request{op: opAddWatch, path: root})
			f.unconfirmed[root] = true
		}
	}
	if err := f.until(ctx, asks, func() bool { return len(f.unconfirmed) == 0 }); err != nil {
		return err
	}
	gap := audit.Gap{After: f.through, Until: f.watched, Reason: f.reason}
	if f.shots != nil || f.watched < f.through && !f.rewritten {
		// The server is behind the last one. Either it lags, and shows again
		// what is known, or the ensemble has forgotten it.
		f.control = append(f.control, request{op: opSync, path: "/"})
		if err := f.until(ctx, asks, func() bool { return f.caughtUp != 0 }); err != nil {
			return err
		}
		gap.Until = f.caughtUp
		if f.caughtUp < f.through && !f.rewritten {
			_ = f.rewrote("the last zxid is behind the one that was seen", "", f.through, f.caughtUp)
		}
	}
	if f.forgotten {
		gap.Reason = audit.GapWatchLost
	}
	if f.rewritten {
		gap.Reason, f.left, f.recorded = audit.GapHistoryRewritten, nil, 0
		clear(f.origins)
	}
	f.adopt(gap)
	f.link.confirmed.Store(true)
	f.source.report(nil)
	level.Info(f.source.Logger).Log("msg", "watching", "server", f.link.RemoteAddr(), "mode", f.mode.Name, "zxid", gap.Until, "walk", !f.synced)
	return nil
}

// adopt puts what the last link left, and the gap, before everything that this
// link tells.
func (f *follower) adopt(gap audit.Gap) {
	t := f.tracker
	first := append(slices.Clone(t.left), f.announce()...) // What is left was told in the mode before.
	for _, it := range slices.Backward(t.left) {
		f.askAgain(it)
	}
	missed := gap.Until > gap.After || t.rewritten || t.forgotten
	f.reached, f.why = gap.Until, gap.Reason
	if !t.rewritten {
		f.since = gap.After
	}
	if missed && gap.After != 0 {
		first = append(first, &item{other: gap, done: true})
	}
	if missed || !t.complete || f.shots != nil || f.unread() {
		first = append(first, &item{then: f.startWalk, done: true})
	} else {
		f.synced, f.settled = true, true
		f.notified = max(f.notified, t.through)
		defer f.resumeSweep()
	}
	f.fifo.prepend(first)
	f.adopted = true
	f.walkAdded() // Of a scope that changed meanwhile.
}

// askAgain lets a notification of an earlier link wait for an answer of this
// one: where nothing has happened to the znode since, that still shows what
// the change left. Behind the last of a transaction that may not have been told
// whole, the rest of it may have happened: it may have ended the znode, and made
// another with the same czxid.
func (f *follower) askAgain(it *item) {
	if it.done {
		return
	}
	it.seen.Late = true
	if it.seen.Until > f.through {
		it.done = true
		return
	}
	st := f.paths[it.seen.Path]
	if st == nil {
		st = &pathState{}
		f.paths[it.seen.Path] = st
	}
	st.hints = slices.Insert(st.hints, 0, it)
	f.askHinted(it.seen.Path)
}

// until handles frames until done, without handing anything over: what the
// last link left comes first.
func (f *follower) until(ctx context.Context, asks chan<- ask, done func() bool) error {
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for !done() {
		next, asking := f.nextAsk(asks)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if err := f.trouble(); err != nil {
				return err
			}
		case asking <- next:
			f.asked()
		case <-f.link.frames.ready:
			if err := f.receive(); err != nil {
				return err
			}
		}
	}
	return nil
}

// run hands over what the link tells until it closes.
func (f *follower) run(ctx context.Context, asks chan<- ask) error {
	ticker := time.NewTicker(min(glance, f.source.pace.confirm))
	defer ticker.Stop()
	for {
		if err := f.proceed(ctx); err != nil {
			return err
		}
		head, out := f.head()
		next, asking := f.nextAsk(asks)
		ready := f.link.frames.ready
		if f.fifo.full() && out != nil {
			// Let the link's queue fill up, and overflow at last. While the
			// head waits for its answer, that has to be let in.
			ready = nil
		}
		orders, sweeps := f.room()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if err := f.trouble(); err != nil {
				return err
			}
			f.confirmWatches()
		case <-f.source.rescoped:
			f.rescope()
		case out <- head:
			f.handedOver(head)
		case o := <-orders:
			o(f)
		case o := <-sweeps:
			o(f)
		case asking <- next:
			f.asked()
		case <-ready:
			if err := f.receive(); err != nil {
				return err
			}
		}
	}
}

// room returns where to take orders from: nowhere while more is to be read than
// was asked for, and none of a sweep while there is something that was missed.
func (f *follower) room() (orders, sweeps <-chan order) {
	if len(f.walking) >= maxAhead || f.fifo.heavy() {
		return nil, nil
	}
	if f.synced {
		sweeps = f.sweeps
	}
	return f.orders, sweeps
}

// trouble returns why this link is of no use any more.
func (f *follower) trouble() error {
	switch {
	case f.silent():
		return errSilent
	case f.fifo.flooded():
		return errFlooded
	}
	return nil
}
