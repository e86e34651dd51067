package watch

import "zkwarden/audit"

// looksAt reports whether the source has to look at path: it is recorded, or a
// way to what is.
func (t *tracker) looksAt(path string) bool { return t.scope.Wants(path) || t.scope.Leads(path) }

// isWay reports whether path only leads to znodes that are recorded. Its data
// are nobody's business.
func (t *tracker) isWay(path string) bool { return !t.scope.Wants(path) && t.scope.Leads(path) }

// readOp is the request that shows path: its data are read where they are
// recorded.
func (t *tracker) readOp(path string) int32 {
	if t.scope.Wants(path) {
		return opGetData
	}
	return opExists
}

// reads reports whether a request shows a znode, and not its children.
func (r request) reads() bool { return r.op == opGetData || r.op == opExists }

// answers reports whether a frame shows what is wanted of its path.
func (t *tracker) answers(fr *frame) bool { return fr.op == opGetData || !t.scope.Wants(fr.path) }

// sight is what the list of a way's children shows: whether it can be read at
// all, which a look at the way alone does not tell.
func sight(fr *frame) (audit.Read, *audit.Znode) {
	read, err := readOf(fr)
	if err != nil || read != audit.Found {
		return read, nil
	}
	return read, fr.node
}
