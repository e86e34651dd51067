package recorder

import (
	"context"
	"maps"
	"slices"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

// resync is the state between a gap, or the start, and the mark that ends the
// walk behind it. Outside of that it is idle: nothing is stale, nothing owed.
type resync struct {
	audit.Gap
	active bool

	// fresh holds the paths that were read since the gap. What the mirror
	// knows of any other path may be outdated.
	fresh map[string]struct{}

	// owed counts, by parent, the creates and deletes of children that the
	// parent's cversion shows and that no record explains yet.
	owed map[string]int32

	roots    []string
	first    map[string]bool // The roots whose first sync this is.
	compared uint64
}

func newResync(gap audit.Gap) *resync {
	return &resync{
		Gap: gap, active: true,
		fresh: map[string]struct{}{}, owed: map[string]int32{}, first: map[string]bool{},
	}
}

func (s *resync) stale(path string) bool {
	_, fresh := s.fresh[path]
	return s.active && !fresh
}

func (s *resync) confirm(path string) {
	if s.active {
		s.fresh[path] = struct{}{}
	}
}

// owe notes how far a parent's cversion is ahead of the records.
func (s *resync) owe(path string, changes int32) {
	if s.active && changes != 0 {
		s.owed[path] = changes
	}
}

// explain notes that a missed change of a child was recorded.
func (s *resync) explain(path string) {
	if path == "/" {
		return
	}
	if parent := audit.Parent(path); s.owed[parent] > 0 {
		s.owed[parent]--
	}
}

// cover notes the roots, and those that have no first sync yet.
func (s *resync) cover(roots []string, synced map[string]bool) {
	s.roots = roots
	for _, root := range roots {
		if !synced[root] {
			s.first[root] = true
		}
	}
}

// rootOf returns the innermost root of path, as /zookeeper may be a root
// beside the root znode.
func (s *resync) rootOf(path string) string {
	innermost := ""
	for _, root := range s.roots {
		if audit.Within(path, root) && len(root) > len(innermost) {
			innermost = root
		}
	}
	return innermost
}

func (s *resync) firstSync(path string) bool { return s.first[s.rootOf(path)] }

func (r *Recorder) gap(ctx context.Context, g audit.Gap) error {
	level.Warn(r.Logger).Log("msg", "changes may have gone unseen", "reason", g.Reason, "after", g.After, "until", g.Until)
	if g.Reason == audit.GapHistoryRewritten {
		r.forgetHistory()
	}
	r.resync = newResync(g)
	r.resync.cover(r.Policy.Roots(), r.place.Synced)
	return r.append(ctx, gapEvent(g))
}

func gapEvent(g audit.Gap) audit.Event {
	return audit.Event{Kind: audit.KindGap, Reason: g.Reason, ZxidAfter: new(g.After), ZxidUntil: new(g.Until)}
}

func (r *Recorder) mark(ctx context.Context, m audit.Mark) error {
	r.metrics.mark(m.Zxid, r.Now())
	if m.Zxid != r.place.Mark {
		r.place.Mark = m.Zxid
		r.moved = true
	}
	if m.Walk {
		return r.endResync(ctx, m)
	}
	return nil
}

// endResync closes the books of a walk: children that no record explains are
// counted, first syncs are noted.
func (r *Recorder) endResync(ctx context.Context, m audit.Mark) error {
	s := r.resync
	for _, path := range slices.Sorted(maps.Keys(s.owed)) {
		if err := r.settleChildren(ctx, path, s.owed[path]); err != nil {
			return err
		}
	}
	if r.unseen != "" {
		if err := r.append(ctx, gapEvent(audit.Gap{Until: m.Zxid, Reason: r.unseen})); err != nil {
			return err
		}
		r.unseen = ""
	}
	for _, root := range slices.Sorted(maps.Keys(s.first)) {
		e := audit.Event{
			Kind: audit.KindControl, Control: audit.ControlBaseline,
			Roots: []string{root}, Zxid: m.Zxid, Count: new(r.countBelow(root)),
		}
		if err := r.append(ctx, e); err != nil {
			return err
		}
		r.place.Synced[root] = true
	}
	if s.Reason != "" && len(s.first) < len(s.roots) {
		e := audit.Event{Kind: audit.KindControl, Control: audit.ControlResync, Zxid: m.Zxid, Count: new(s.compared), Reason: s.Reason}
		if err := r.append(ctx, e); err != nil {
			return err
		}
	}
	r.resync = &resync{}
	// What took long to find out is not to be found out again after a crash.
	if err := r.commit(ctx); err != nil {
		return err
	}
	r.metrics.synced.Set(1)
	r.announceSynced()
	return nil
}

// countBelow counts the known znodes of a root. It is done at the end, since a
// walk that was cut off begins anew.
func (r *Recorder) countBelow(root string) uint64 {
	var count uint64
	if _, known := r.Mirror.Get(root); known {
		count = 1
	}
	for _, path := range r.Mirror.Below(root) {
		if r.resync.rootOf(path) == root {
			count++
		}
	}
	return count
}

func (r *Recorder) settleChildren(ctx context.Context, path string, changes int32) error {
	entry, known := r.Mirror.Get(path)
	rule, wanted := r.Policy.Match(path)
	if !known || !wanted {
		return nil
	}
	if changes < 0 {
		// More was recorded than the server counted. Trust the server, and
		// say so: this is a defect or a rewritten history.
		level.Error(r.Logger).Log("msg", "more changes of children were recorded than the server counted", "surplus", -changes)
		entry.Cversion += changes
		r.Mirror.Put(path, entry)
		return nil
	}
	if changes == 0 {
		return nil
	}
	l := look{r: r, Seen: audit.Seen{Path: path}, rule: rule, entry: entry, known: true}
	e := l.missed(audit.OpChildrenChanged, entry.Czxid, int64(entry.Cversion+changes))
	e.Collapsed = uint64(changes)
	return r.append(ctx, e)
}

func (r *Recorder) announceSynced() {
	select {
	case <-r.synced:
	default:
		close(r.synced)
	}
}
