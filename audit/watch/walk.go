package watch

import (
	"fmt"
	"maps"
	"slices"

	"zkwarden/audit"
)

// visit is a look at a znode that no notification asked for. The answers stand
// in the order of the wire like everything else, so visits need no quiet tree.
type visit struct {
	origin   audit.Origin
	children bool       // Whether children that are not known are visited, too.
	deep     bool       // Whether everything below is, whatever is known of it.
	baseline bool       // Whether this is a first sync: nobody compares ACLs.
	blank    bool       // Whether nothing was known below, so that nothing can be missing there.
	newer    audit.Zxid // Answers from before it do not count.
	share    float64    // How much of the walk this is; see [Source.Progress].
}

// below is the visit of everything below a child of v's znode.
func (v visit) below(share float64) visit {
	v.children, v.deep, v.share = true, true, share
	return v
}

// startWalk shows what a gap left: roots of which nothing is known, or not all,
// are read znode by znode, and of the others the server tells what changed.
func (f *follower) startWalk() {
	f.source.walked.Store(0)
	f.source.progress.reset()
	f.wholeFrom = 0
	if f.shots != nil {
		if f.since == 0 {
			f.wholeFrom = f.last
		}
		f.shots.walk(slices.Sorted(maps.Keys(f.roots)))
		return
	}
	f.walk++ // The roots are one step, which ends when all were asked for.
	var deep, known []string
	for _, root := range slices.Sorted(maps.Keys(f.roots)) {
		switch {
		case f.since == 0 || f.partial[root] || !f.isKnown(root):
			f.partial[root] = true
			deep = append(deep, root)
		case f.forgotten:
			// A server that was restored has forgotten what changed as well.
			f.visit(root, visit{origin: audit.OriginResync}.below(0))
		default:
			known = append(known, root)
		}
	}
	if len(known) == 0 && !f.forgotten {
		f.wholeFrom = f.last
	}
	share := 1 / float64(max(1, len(deep)+len(known)))
	for _, root := range deep {
		f.visitAll(root, share)
	}
	if len(known) > 0 {
		f.compare(known, share*float64(len(known)))
	}
	f.walk--
	f.endWalk()
}

// visitAll reads a root whole.
func (f *follower) visitAll(root string, share float64) {
	blank := !f.anyKnown(root)
	f.visit(root, visit{origin: audit.OriginResync, baseline: blank, blank: blank}.below(share))
}

func (f *follower) isKnown(path string) bool {
	for range f.known.Walk(path, 0) {
		return true
	}
	return false
}

func (f *follower) anyKnown(root string) bool {
	for range f.known.Walk(root, -1) {
		return true
	}
	return false
}

// visit asks for a znode, unless its answer is on the way already.
func (f *follower) visit(path string, v visit) {
	if !f.looksAt(path) {
		f.source.progress.add(v.share)
		return
	}
	st := f.paths[path]
	if st == nil {
		st = &pathState{}
		f.paths[path] = st
	}
	if st.visit != nil {
		st.visit.children = st.visit.children || v.children
		st.visit.deep = st.visit.deep || v.deep
		st.visit.blank = st.visit.blank && v.blank
		st.visit.newer = max(st.visit.newer, v.newer)
		st.visit.share += v.share
		return
	}
	st.visit = &v
	f.walk++
	if !followable(path) {
		delete(f.paths, path)
		f.visited(&frame{request: request{path: path}}, audit.Denied, v)
		return
	}
	if !st.sent && !st.hinted {
		f.walking = append(f.walking, request{op: f.readOp(path), path: path})
	}
}

// visited hands over the answer and goes on below. Of a way that has children
// their list is the answer.
func (f *follower) visited(fr *frame, read audit.Read, v visit) *item {
	if read == audit.Found && f.isWay(fr.path) && fr.node.Stat.NumChildren > 0 {
		v.children = true
		f.list(fr.path, v)
		f.walk--
		return nil
	}
	it := &item{done: true, seen: audit.Seen{
		Path: fr.path, Origin: v.origin, Read: read, Node: fr.node, At: fr.zxid,
	}}
	it.bytes = len(fr.path)
	if fr.node != nil {
		it.bytes += len(fr.node.Data)
	}
	f.fifo.push(it)
	if v.deep {
		f.source.walked.Add(1)
	}
	switch {
	case read == audit.Found && (v.deep || v.children) && fr.node.Stat.NumChildren > 0:
		f.list(fr.path, v)
	case read == audit.Found, read == audit.Denied:
		// ACLs are not inherited: what is known below may still be read.
		f.suspect(fr.path, nil, v)
		fallthrough
	default:
		f.source.progress.add(v.share)
	}
	f.walk--
	f.endWalk()
	return it
}

// list asks for the children of a znode, as one more step of the walk. An
// answer that is on its way serves both who asked and who asks now.
func (f *follower) list(path string, v visit) {
	if asked, waiting := f.listing[path]; waiting {
		asked.children, asked.deep = asked.children || v.children, asked.deep || v.deep
		asked.blank = asked.blank && v.blank
		asked.share += v.share
		f.listing[path] = asked
		return
	}
	f.walk++
	f.listing[path] = v
	f.walking = append(f.walking, request{op: opGetChildren2, path: path})
}

// listed goes on with the children of a znode. One that died meanwhile was
// notified.
func (f *follower) listed(fr *frame) error {
	v, asked := f.listing[fr.path]
	if !asked {
		return nil // A request of an earlier link that was sent on this one.
	}
	delete(f.listing, fr.path)
	if fr.code != 0 && fr.code != errNoNode && fr.code != errNoAuth {
		return fmt.Errorf("list children of %s: server answered code %d", fr.path, fr.code)
	}
	if f.isWay(fr.path) {
		read, node := sight(fr)
		f.fifo.push(&item{done: true, bytes: len(fr.path), seen: audit.Seen{
			Path: fr.path, Origin: v.origin, Read: read, Node: node, At: fr.zxid,
		}})
	}
	if len(fr.children) == 0 {
		f.source.progress.add(v.share)
	}
	var known map[string]bool
	if !v.deep {
		known = f.children(fr.path)
	}
	below := v.below(v.share / float64(max(1, len(fr.children))))
	for _, name := range fr.children {
		child := audit.Child(fr.path, name)
		if known[child] {
			f.source.progress.add(below.share)
			continue
		}
		if !v.deep {
			below.blank = !f.anyKnown(child)
		}
		f.visit(child, below)
	}
	f.suspect(fr.path, fr.children, v)
	f.walk--
	f.endWalk()
	return nil
}

// children returns the paths of the known children, without those whose own
// children may be unknown.
func (f *follower) children(parent string) map[string]bool {
	known := map[string]bool{}
	for path, stat := range f.known.Walk(parent, 1) {
		known[path] = path != parent && stat != (audit.Stat{})
	}
	return known
}

// suspect reads the known children that a list does not have, where nobody else
// asks for them. The recorder may lag behind, so the answer decides, not the
// list.
func (f *follower) suspect(parent string, listed []string, v visit) {
	if !v.deep || v.blank {
		return
	}
	for _, path := range f.unlisted(parent, listed) {
		f.visit(path, v.below(0))
	}
}

// endWalk marks the end of the walk once every answer is queued.
func (f *follower) endWalk() {
	switch {
	case f.walk > 0:
	case f.synced:
		f.endWidening()
		f.endSweep()
	default:
		f.synced = true
		f.marked = f.last
		f.source.progress.end()
		f.fifo.push(&item{done: true, other: audit.Mark{Zxid: f.last, ACL: f.wholeFrom, Walk: true, Znodes: f.source.Walked()}})
		f.resumeSweep()
	}
}

// unlisted returns the known children that a list does not have.
func (f *follower) unlisted(parent string, listed []string) (paths []string) {
	var present map[string]bool
	for path := range f.known.Walk(parent, 1) {
		if present == nil {
			present = make(map[string]bool, len(listed)+1)
			present[parent] = true
			for _, name := range listed {
				present[audit.Child(parent, name)] = true
			}
		}
		if !present[path] {
			paths = append(paths, path)
		}
	}
	return paths
}
