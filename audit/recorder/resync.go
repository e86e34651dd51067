package recorder

import (
	"context"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

// resync is the state between a gap, or the start, and the mark that ends what
// a source shows behind it: everything, or what has changed. Outside of that it
// is idle and nothing is stale.
type resync struct {
	audit.Gap
	active bool

	// fresh holds the paths that were read since the gap. What the mirror
	// knows of any other path may be outdated.
	fresh map[string]struct{}

	// cut is set when a first sync has begun anew: it may be outdated, too,
	// what is known under a root whose first sync is not complete. Before,
	// everything that is known there was read just now.
	cut   bool
	begun map[string]struct{} // The roots that a first sync has read.

	compared uint64
}

func newResync(gap audit.Gap) *resync {
	return &resync{Gap: gap, active: true, fresh: map[string]struct{}{}, begun: map[string]struct{}{}}
}

// stale reports whether what is known of path may be outdated.
func (r *Recorder) stale(path string, first bool) bool {
	s := r.resync
	if !s.active || first && !s.cut {
		return false
	}
	_, fresh := s.fresh[path]
	return !fresh
}

// confirm notes that path was read.
func (r *Recorder) confirm(path string, first bool) {
	if s := r.resync; s.active && (!first || s.cut) {
		s.fresh[path] = struct{}{}
	}
}

// begin notices when a first sync reads its root again: the one before was cut
// short, and nobody told what happened in between.
func (s *resync) begin(l *look) {
	if !s.active || l.r.rootOf(l.Path) != l.Path {
		return
	}
	if _, again := s.begun[l.Path]; again {
		s.cut, s.fresh = true, map[string]struct{}{l.Path: {}}
	}
	s.begun[l.Path] = struct{}{}
}

func (r *Recorder) gap(ctx context.Context, g audit.Gap) error {
	level.Warn(r.Logger).Log("msg", "changes may have gone unseen", "reason", g.Reason, "after", g.After, "until", g.Until)
	e := gapEvent(g)
	if g.Reason == audit.GapHistoryRewritten {
		r.forgetHistory()
		e.Generation = r.place.Generation
	}
	r.resync = newResync(g)
	r.resync.cut = r.Mirror.Len() > 0
	return r.append(ctx, e)
}

func gapEvent(g audit.Gap) audit.Event {
	return audit.Event{Kind: audit.KindGap, Reason: g.Reason, ZxidAfter: new(g.After), ZxidUntil: new(g.Until)}
}

// mark moves the watermarks, and closes the books where it ends what was shown
// behind a gap, a first sync or a sweep.
func (r *Recorder) mark(ctx context.Context, m audit.Mark) error {
	r.metrics.mark(m.Zxid, r.Now())
	if m.Zxid > r.place.Mark {
		r.place.Mark = m.Zxid
		r.moved = true
	}
	r.forgetAhead()
	if m.Sweep {
		if err := r.settleChildren(ctx, audit.OriginSweep, m.Zxid); err != nil {
			return err
		}
		r.unreadable.swept()
		r.metrics.hidden(r.unreadable.len())
	}
	if m.ACL != 0 {
		r.place.ACL, r.swept, r.moved = max(r.place.ACL, m.ACL), true, true
	}
	if m.Verified > r.place.Verified {
		r.place.Verified, r.moved = m.Verified, true
	}
	r.metrics.verified.Set(float64(r.place.Verified))
	unsynced := r.unsynced()
	switch {
	case m.Walk, r.resync.active && len(unsynced) < len(r.roots):
		return r.endResync(ctx, m, unsynced)
	}
	return nil
}

// endResync closes the books: children that no record explains are counted,
// first syncs that a walk has completed are noted.
func (r *Recorder) endResync(ctx context.Context, m audit.Mark, unsynced []string) error {
	s := r.resync
	if err := r.settleChildren(ctx, audit.OriginResync, m.Zxid); err != nil {
		return err
	}
	reason := s.Reason
	if m.Walk {
		if err := r.baselines(ctx, m, unsynced); err != nil {
			return err
		}
		if r.endRereads() && reason == "" {
			reason = audit.ResyncPolicy
		}
	}
	if reason != "" && len(unsynced) < len(r.roots) {
		e := audit.Event{Kind: audit.KindControl, Control: audit.ControlResync, Zxid: m.Zxid, Count: new(s.compared), Reason: reason}
		if err := r.append(ctx, e); err != nil {
			return err
		}
	}
	r.resync = &resync{}
	r.place.Orphans = nil
	r.hidePartial()
	// What took long to find out is not to be found out again after a crash.
	if err := r.commit(ctx); err != nil {
		return err
	}
	if len(r.unsynced()) == 0 {
		r.metrics.synced.Set(1)
		r.announceSynced()
	}
	return nil
}

// baselines records the first syncs that a walk has completed, behind what is
// unknown of the time before.
func (r *Recorder) baselines(ctx context.Context, m audit.Mark, roots []string) error {
	if r.unseen != "" {
		if err := r.append(ctx, gapEvent(audit.Gap{Until: m.Zxid, Reason: r.unseen})); err != nil {
			return err
		}
		r.unseen = ""
	}
	for _, root := range roots {
		if r.awaited[root] {
			continue
		}
		e := audit.Event{
			Kind: audit.KindControl, Control: audit.ControlBaseline, Generation: r.place.Generation,
			Roots: []string{root}, Zxid: m.Zxid, Count: new(r.countBelow(root)),
		}
		if err := r.append(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// endRereads notes the roots that a walk has read once more, and reports whether
// there were any.
func (r *Recorder) endRereads() bool {
	ended := false
	for root := range r.place.Unread {
		if !r.awaited[root] {
			delete(r.place.Unread, root)
			ended, r.moved = true, true
		}
	}
	return ended
}

// countBelow counts the known znodes of a root. It is done at the end, since a
// walk that was cut off begins anew.
func (r *Recorder) countBelow(root string) uint64 {
	var count uint64
	for path := range r.Mirror.Stats(root, -1) {
		if r.rootOf(path) == root && r.Policy.Wants(path) {
			count++
		}
	}
	return count
}

func (r *Recorder) announceSynced() {
	select {
	case <-r.synced:
	default:
		close(r.synced)
	}
}
