package watch

import (
	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

// Rescope makes the source read the scope anew, after what is recorded was
// adapted to it. Roots that are new are watched and walked, and so are those
// that [audit.Known] leaves out since there may be more of them to record now;
// that ends with a [audit.Mark] of a walk. Roots that are gone are handed over no
// more. It does not wait for that, and may be called at any time.
func (s *Source) Rescope() {
	select {
	case s.rescoped <- struct{}{}:
	default: // It is to be done already.
	}
}

// rescope watches the roots that are new. The watches on those that are gone
// stay until the connection ends, and what they tell is not wanted.
func (f *follower) rescope() {
	wanted := map[string]bool{}
	for _, root := range f.scope.Roots() {
		wanted[root] = true
		switch {
		case !f.roots[root]:
			f.added = append(f.added, root)
		case !f.isKnown(root):
			f.added = append(f.added, root)
			delete(f.readRoots, root)
			continue // It is watched already.
		default:
			continue
		}
		if f.shots == nil {
			f.control = append(f.control, request{op: opAddWatch, path: root})
			f.unconfirmed[root] = true
		}
	}
	for root := range f.roots {
		if !wanted[root] {
			delete(f.unconfirmed, root)
			delete(f.origins, root)
			delete(f.readRoots, root)
		}
	}
	level.Info(f.source.Logger).Log("msg", "roots were read anew", "roots", len(wanted), "added", len(f.added))
	f.roots = wanted
	f.walkAdded()
}

// walkAdded queues the walk over roots that were added, once they are watched.
func (f *follower) walkAdded() {
	if !f.adopted || len(f.added) == 0 || len(f.unconfirmed) > 0 {
		return
	}
	f.fifo.push(&item{done: true, then: f.widen})
}

// widen reads the roots that were added, beside all that goes on. Should the
// link be lost meanwhile, the next one reads them.
func (f *follower) widen() {
	if len(f.added) == 0 || len(f.unconfirmed) > 0 {
		return // Another call has read them, or will: more were added meanwhile.
	}
	added := f.added
	f.added = nil
	if f.shots != nil {
		f.shots.forget(added)
		f.shots.walk(added)
		return
	}
	if f.synced { // Else it becomes a part of the walk that runs.
		f.source.walked.Store(0)
		f.widening = true
	}
	f.walk++
	for _, root := range added {
		f.partial[root] = true
		f.visitAll(root, 0)
	}
	f.walk--
	f.endWalk()
}

// endWidening marks the end of the walk over roots that were added.
func (f *follower) endWidening() {
	if !f.widening {
		return
	}
	f.widening = false
	f.marked = f.last
	f.fifo.push(&item{done: true, other: audit.Mark{Zxid: f.last, Walk: true, Znodes: f.source.Walked()}})
}

func (f *follower) isRoot(path string) bool { return f.roots[path] }

// walkShown notes that everything was handed over that a walk has found.
func (f *follower) walkShown() {
	f.settled, f.forgotten = true, false
	if len(f.added) > 0 {
		return // The roots that were added meanwhile have a mark of their own.
	}
	clear(f.partial)
	for root := range f.roots {
		f.readRoots[root] = true
	}
}

// unread reports whether there are roots that no walk has shown.
func (f *follower) unread() bool {
	for root := range f.roots {
		if !f.readRoots[root] {
			return true
		}
	}
	return false
}
