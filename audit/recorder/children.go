package recorder

import (
	"context"
	"maps"
	"slices"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

// owed counts, by parent, the creates and deletes of children that the
// parent's cversion shows and that no record explains yet. It is settled at the
// end of a resync or sweep, when everything that can be found was.
type owed map[string]int32

// owe notes how far a parent's cversion is ahead of the records.
func (o owed) owe(path string, changes int32) {
	if changes == 0 {
		delete(o, path)
		return
	}
	o[path] = changes
}

// explain notes that a missed change of a child was recorded.
func (o owed) explain(path string) {
	if path == "/" {
		return
	}
	if parent := audit.Parent(path); o[parent] > 0 {
		o.owe(parent, o[parent]-1)
	}
}

// balance compares the parent's count with the records, where these can be
// complete: a policy that leaves out children leaves out their share as well,
// and nobody could tell it from what was missed. Those parents' count follows
// what is read.
func (l *look) balance() {
	entry, _ := l.r.Mirror.Get(l.Path)
	cversion := l.Node.Stat.Cversion
	if l.r.balances(l.Path) {
		l.r.owed.owe(l.Path, cversion-entry.Cversion)
		return
	}
	delete(l.r.owed, l.Path)
	if entry.Cversion != cversion {
		entry.Cversion = cversion
		l.r.Mirror.Put(l.Path, entry)
	}
}

// balances reports whether the children of a parent are counted by name. One-shot
// watches tell when those that are left out come or go, so there the books are
// kept of all of them. They begin anew while a root is read once more: children
// may be recorded now that were left out before.
func (r *Recorder) balances(parent string) bool {
	if r.rereads(parent) {
		return false
	}
	return r.place.Mode.Name == audit.ModeOneShot || r.Policy.Whole(parent)
}

func (o owed) keep(wanted func(path string) bool) {
	for path := range o {
		if !wanted(path) {
			delete(o, path)
		}
	}
}

// settleChildren closes the books: children that no record explains are
// counted.
func (r *Recorder) settleChildren(ctx context.Context, origin audit.Origin, at audit.Zxid) error {
	for _, path := range slices.Sorted(maps.Keys(r.owed)) {
		changes := r.owed[path]
		l := r.look(audit.Seen{Path: path, Origin: origin, At: at})
		if !l.known || !l.wanted {
			continue
		}
		if err := l.settle(ctx, changes); err != nil {
			return err
		}
	}
	clear(r.owed)
	return nil
}

func (l *look) settle(ctx context.Context, changes int32) error {
	if changes < 0 {
		// More was recorded than the server counted. Trust the server, and
		// say so: this is a defect or a rewritten history.
		level.Error(l.r.Logger).Log("msg", "more changes of children were recorded than the server counted", "surplus", -changes)
		l.entry.Cversion += changes
		l.r.Mirror.Put(l.Path, l.entry)
		return nil
	}
	// Children that cannot be read come and go without a hint at any time.
	l.hidden = l.hidden || l.r.unreadable.below(l.Path)
	e := l.missed(audit.OpChildrenChanged, l.entry.Czxid, int64(l.entry.Cversion+changes))
	e.Collapsed = uint64(changes)
	return l.r.append(ctx, e)
}

const (
	// maxOrphans bounds what is kept of children with one parent that is not
	// known, and maxOrphanages the number of such parents.
	maxOrphans    = 1024
	maxOrphanages = 256
)

// countChild moves the parent's cversion, as the server does with every create
// and delete of a child. While the parent may be another incarnation by now,
// or is none that is known, the child is also noted for the one to be found.
func (r *Recorder) countChild(e audit.Event) {
	if e.Path == "/" {
		return
	}
	parent := audit.Parent(e.Path)
	first := r.firstSync(parent)
	if first && !r.hinted(e) {
		return // The baseline's count has it.
	}
	entry, known := r.Mirror.Get(parent)
	if entry.Way {
		return // Its count is that of the last look.
	}
	if known {
		entry.Cversion++
		r.Mirror.Put(parent, entry)
	}
	if known && !r.replaying && !r.resync.active || first || !r.Policy.Wants(parent) {
		return
	}
	if r.place.Orphans == nil {
		r.place.Orphans = map[string][]audit.Zxid{}
	}
	orphans := r.place.Orphans[parent]
	if len(orphans) < maxOrphans && (orphans != nil || len(r.place.Orphans) < maxOrphanages) {
		r.place.Orphans[parent] = append(orphans, bornAt(e))
	}
}

// bornAt is the incarnation of a child, or the best that is known of it.
func bornAt(e audit.Event) audit.Zxid {
	switch {
	case e.Czxid != 0:
		return e.Czxid
	case e.Zxid != 0:
		return e.Zxid
	}
	return *e.ZxidUntil
}

// adopted returns how many changes of its children are recorded of an
// incarnation that was found: children of earlier ones were born before it.
func (r *Recorder) adopted(path string, czxid audit.Zxid) int32 {
	var count int32
	for _, born := range r.place.Orphans[path] {
		if born >= czxid {
			count++
		}
	}
	return count
}
