package watch

import "zkwarden/audit"

// aclTries is how often an ACL is asked for, when it changes between the read of
// a znode and that of its ACL.
const aclTries = 3

// aclWait is a znode that was read, and what waits for its ACL.
type aclWait struct {
	node  *audit.Znode
	items []*item
	tries int
}

// wantsACL reports whether the ACL of a znode that was read is news. No watch
// tells of ACLs, but every answer counts their changes. Most have none.
func (f *follower) wantsACL(path string, node *audit.Znode, v *visit) bool {
	switch {
	case v != nil && v.origin == audit.OriginSweep:
		return true
	case node.Stat.Aversion == 0, v != nil && v.baseline:
		return false
	}
	for _, known := range f.known.Walk(path, 0) {
		if known.Czxid == node.Stat.Czxid {
			return known.Aversion != node.Stat.Aversion
		}
	}
	return true
}

// askACL lets what was answered with node wait for its ACL as well.
func (f *follower) askACL(path string, node *audit.Znode, items []*item) {
	wait := &aclWait{node: node}
	for _, it := range items {
		if it.seen.Node == node {
			it.done = false
			wait.items = append(wait.items, it)
		}
	}
	if len(wait.items) == 0 {
		return
	}
	f.acls[path] = append(f.acls[path], wait)
	if len(f.acls[path]) == 1 {
		f.control = append(f.control, request{op: opGetACL, path: path})
	}
}

// answeredACL completes what waits for the ACL of a path. One that belongs to
// a later state of the znode is of no use; one of an earlier state was read too
// early, and is asked for again.
func (f *follower) answeredACL(fr *frame) {
	var again []*aclWait
	for _, wait := range f.acls[fr.path] {
		wait.tries++
		if fr.node != nil && fr.node.Stat.Czxid == wait.node.Stat.Czxid {
			switch has, wants := fr.node.Stat.Aversion, wait.node.Stat.Aversion; {
			case has == wants:
				wait.node.ACL = fr.node.ACL
				f.fifo.grow(wait.items[0], sizeOf(fr.node.ACL))
			case has < wants && wait.tries < aclTries:
				again = append(again, wait)
				continue
			}
		}
		wait.complete()
	}
	delete(f.acls, fr.path)
	if len(again) > 0 {
		f.acls[fr.path] = again
		f.control = append(f.control, request{op: opGetACL, path: fr.path})
	}
}

// complete says that the items wait no longer.
func (w *aclWait) complete() {
	for _, it := range w.items {
		it.done = true
	}
}

// forgetACLs gives up the ACLs that a link did not answer: what was read of the
// znodes stands.
func (f *follower) forgetACLs() {
	for path, waits := range f.acls {
		for _, wait := range waits {
			wait.complete()
		}
		delete(f.acls, path)
	}
}
