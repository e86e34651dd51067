package watch

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
)

const (
	// sweepRate bounds the reads of a sweep, a second. One over more znodes
	// than fit into its interval takes longer.
	sweepRate = 1000
	// sweepRetry is the wait before a znode is looked at again that could not
	// be, for lack of a connection.
	sweepRetry = time.Second
	// sweepPause is the wait before it is looked again whether the end of the
	// last sweep was handed over.
	sweepPause = 10 * time.Millisecond
)

var errRewritten = errors.New("the ensemble went back in time")

// sweeper compares every known znode with the server, slowly. It sees what
// watches never tell, changes of ACLs, and what they should have told. It
// runs beside the followers of all links, since a sweep takes longer than some
// connections last; what differs is for the follower to read, in the order of
// the wire.
type sweeper struct {
	known    audit.Known
	exists   func(path string) (bool, *zk.Stat, error)
	orders   chan<- order
	interval time.Duration
	soon     <-chan struct{} // See [Source.SweepSoon].

	hurried bool       // Whether this sweep is to end soon.
	begun   audit.Zxid // What the server had applied when the sweep began.
	history int        // The history that it belongs to.
}

// SweepSoon lets the sweep that runs, or else another one, end as soon as it can
// without more than its usual number of reads a second. It reports whether there
// is one to wait for, and may be called at any time.
func (s *Source) SweepSoon() bool {
	if s.SweepInterval <= 0 {
		return false
	}
	select {
	case s.soon <- struct{}{}:
	default: // It is to hurry already.
	}
	return true
}

// sweep begins to sweep, if it is wanted, and returns how to end it.
func (s *Source) sweep(ctx context.Context, t *tracker, conn *zk.Conn, pool *sync.WaitGroup) (stop func()) {
	if s.SweepInterval <= 0 {
		return func() {}
	}
	ctx, stop = context.WithCancel(ctx)
	w := &sweeper{known: t.known, exists: conn.Exists, orders: t.sweeps, interval: s.SweepInterval, soon: s.soon}
	pool.Go(func() { w.run(ctx) })
	return stop
}

// run sweeps until ctx is done, beginning once an interval.
func (w *sweeper) run(ctx context.Context) {
	for ctx.Err() == nil {
		start := time.Now()
		err := w.sweep(ctx)
		if errors.Is(err, errRewritten) {
			continue
		}
		w.hurried = false
		_ = w.pause(ctx, time.Until(start.Add(w.interval))) // The loop looks itself.
	}
}

// pause waits for d, or until it is told to hurry.
func (w *sweeper) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-w.soon:
		w.hurried = true
	case <-timer.C:
	}
	return nil
}

func (w *sweeper) sweep(ctx context.Context) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	count, began := 0, time.Now()
	for range w.known.Walk("/", -1) {
		count++
	}
	for path := range w.known.Walk("/", -1) {
		step := time.Second / sweepRate
		if !w.hurried && time.Since(began) < w.interval { // Else there are more by now.
			step = max(step, w.interval/time.Duration(count+1))
		}
		if err := w.pause(ctx, step); err != nil {
			return err
		}
		if err := w.check(ctx, path); err != nil {
			return err
		}
	}
	return w.do(ctx, func(f *follower) {
		if f.history == w.history {
			f.swept = w.begun
			f.endWalk()
		}
	})
}

// begin waits until the end of the last sweep was handed over, since the
// recorder counts what it is shown between two ends, and until everything that
// was told so far is known: a znode whose creation is on its way to the
// recorder would be passed over.
func (w *sweeper) begin(ctx context.Context) error {
	for {
		begun := make(chan struct{})
		var link context.Context // Nil while the last sweep has not ended.
		err := w.do(ctx, func(f *follower) {
			if f.swept != 0 {
				return
			}
			link = f.working
			zxid, history := f.last, f.history
			f.fifo.push(&item{done: true, then: func() {
				w.begun, w.history = zxid, history
				f.visitUnknown(zxid)
				close(begun)
			}})
		})
		if err != nil {
			return err
		}
		if link == nil {
			if err := sleep(ctx, sweepPause); err != nil {
				return err
			}
			continue
		}
		select {
		case <-begun:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-link.Done():
			select {
			case <-begun: // It said so before it ended.
				return nil
			default: // The next one has to say it.
			}
		}
	}
}

// check looks at one znode, and has it read where it is not what is known.
func (w *sweeper) check(ctx context.Context, path string) error {
	for {
		history := 0
		// Only while nothing was missed does an answer show the state of the
		// sweep's history, at or behind its beginning.
		if err := w.do(ctx, func(f *follower) { history = f.history }); err != nil {
			return err
		}
		if history != w.history {
			return errRewritten
		}
		found, stat, err := w.exists(path)
		if unsent(err) && !errors.Is(err, zk.ErrInvalidPath) {
			if err := sleep(ctx, sweepRetry); err != nil {
				return err
			}
			continue
		}
		v := visit{origin: audit.OriginSweep, newer: w.begun}
		if err == nil && found {
			var same bool
			if same, v.children = w.compare(path, stat); same && !v.children {
				return nil
			}
		}
		return w.do(ctx, func(f *follower) {
			f.visit(path, v)
			if err == nil && !found {
				// In its place its parent may have another child that cannot be
				// read, and so as many as before.
				f.visit(audit.Parent(path), visit{origin: audit.OriginSweep, newer: w.begun, children: true})
			}
		})
	}
}

// compare reports whether a znode is what is known of it, and whether there may
// be children that are not known.
func (w *sweeper) compare(path string, stat *zk.Stat) (same, strangers bool) {
	depth := 1
	if stat.NumChildren == 0 {
		depth = 0
	}
	var children int32
	for at, known := range w.known.Walk(path, depth) {
		if at != path {
			children++
			continue
		}
		same = known.Czxid == audit.Zxid(stat.Czxid) && known.Version == stat.Version && known.Aversion == stat.Aversion
		strangers = known.Cversion != stat.Cversion
	}
	// The children may also differ in what the policy wants, and in what could
	// be read: the list tells.
	return same && !strangers, stat.NumChildren > 0 && (strangers || !same || children != stat.NumChildren)
}

// do lets the follower execute o, as soon as there is one with nothing better
// to do.
func (w *sweeper) do(ctx context.Context, o order) error {
	done := make(chan struct{})
	select {
	case w.orders <- func(f *follower) { o(f); close(done) }:
		<-done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// visitUnknown looks at the roots that are not known: absent ones are watched,
// but no watch tells when one becomes readable.
func (f *follower) visitUnknown(newer audit.Zxid) {
	for _, root := range f.scope.Roots() {
		if !f.isKnown(root) {
			f.visit(root, visit{origin: audit.OriginSweep, newer: newer, blank: !f.anyKnown(root)}.below(0))
		}
	}
}

// endSweep marks the end of a sweep once every answer is queued.
func (f *follower) endSweep() {
	if f.swept == 0 || f.sweptQueued {
		return
	}
	f.sweptQueued = true
	f.marked = f.last
	f.fifo.push(&item{done: true, other: audit.Mark{Zxid: f.last, ACL: f.swept, Sweep: true}})
}

// leaveSweep keeps what a sweep still wanted of this link.
func (f *follower) leaveSweep() {
	again := func(path string, v visit) {
		if v.origin == audit.OriginSweep {
			v.newer, v.share = 0, 0
			f.unswept[path] = v
		}
	}
	for _, it := range f.fifo.rest() {
		if it.seen.Hint == "" {
			again(it.seen.Path, visit{origin: it.seen.Origin})
		}
	}
	for path, v := range f.listing {
		v.children = true
		again(path, v)
	}
	for path, st := range f.paths {
		if st.visit != nil {
			again(path, *st.visit)
		}
	}
}

// resumeSweep asks this link for what the last one owed.
func (f *follower) resumeSweep() {
	f.walk++
	for path, v := range f.unswept {
		f.visit(path, v)
	}
	clear(f.unswept)
	f.walk--
	f.endWalk()
}

// sweepTold notes that the end of a sweep was handed over.
func (f *follower) sweepTold(begun audit.Zxid) {
	f.source.metrics.sweeps.Inc()
	f.sweptQueued = false
	if f.swept == begun {
		f.swept = 0
	}
	f.endWalk()
}

// forgetSweep ends the sweep that runs: what it found belongs to another
// history.
func (t *tracker) forgetSweep() {
	t.history++
	t.swept = 0
	clear(t.unswept)
}
