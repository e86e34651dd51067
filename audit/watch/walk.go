package watch

import (
	"fmt"

	"zkwarden/audit"
)

// startWalk reads every znode below the roots. The answers stand in the order
// of the wire like everything else, so the walk needs no quiet tree.
func (f *follower) startWalk() {
	f.source.walked.Store(0)
	f.walk++ // The roots are one step, which ends when all were asked for.
	for _, root := range f.scope.Roots() {
		f.walkTo(root)
	}
	f.walk--
	f.endWalk()
}

// walkTo asks for a znode, unless its answer is on the way already.
func (f *follower) walkTo(path string) {
	if !f.scope.Wants(path) {
		return
	}
	st := f.paths[path]
	if st == nil {
		st = &pathState{}
		f.paths[path] = st
	}
	if st.walk {
		return
	}
	st.walk = true
	f.walk++
	if !followable(path) {
		f.walked(&frame{request: request{path: path}}, audit.Denied)
		delete(f.paths, path)
		return
	}
	if !st.sent && !st.hinted {
		f.walking = append(f.walking, request{op: opGetData, path: path})
	}
}

// walked hands over the answer of one step and goes on below it.
func (f *follower) walked(fr *frame, read audit.Read) {
	f.source.walked.Add(1)
	it := &item{done: true, seen: audit.Seen{
		Path: fr.path, Origin: audit.OriginResync, Read: read, Node: fr.node, At: fr.zxid,
	}}
	it.bytes = len(fr.path)
	if fr.node != nil {
		it.bytes += len(fr.node.Data)
	}
	f.fifo.push(it)
	switch read {
	case audit.Denied:
		// ACLs are not inherited: what is known below may still be read.
		f.suspect(fr.path, nil)
	case audit.Found:
		if fr.node.Stat.NumChildren > 0 {
			f.walk++
			f.listing[fr.path] = true
			f.walking = append(f.walking, request{op: opGetChildren2, path: fr.path})
		} else {
			f.suspect(fr.path, nil)
		}
	}
	f.walk--
	f.endWalk()
}

// listed goes on with the children of a znode, and with what was known below
// it where the list is refused. One that died meanwhile was notified.
func (f *follower) listed(fr *frame) error {
	if !f.listing[fr.path] {
		return nil // A request of an earlier link that was sent on this one.
	}
	delete(f.listing, fr.path)
	if fr.code != 0 && fr.code != errNoNode && fr.code != errNoAuth {
		return fmt.Errorf("list children of %s: server answered code %d", fr.path, fr.code)
	}
	for _, name := range fr.children {
		f.walkTo(audit.Child(fr.path, name))
	}
	f.suspect(fr.path, fr.children)
	f.walk--
	f.endWalk()
	return nil
}

// suspect reads the known children that a list does not have. The recorder may
// lag behind, so the answer decides, not the list.
func (f *follower) suspect(parent string, listed []string) {
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
			f.walkTo(path)
		}
	}
}

// endWalk marks the end of the walk once every answer is queued.
func (f *follower) endWalk() {
	if f.walk > 0 || f.synced {
		return
	}
	f.synced = true
	f.marked = f.last
	f.fifo.push(&item{done: true, other: audit.Mark{Zxid: f.last, Walk: true, Znodes: f.source.Walked()}})
}
