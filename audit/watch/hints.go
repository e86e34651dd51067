package watch

import (
	"fmt"
	"slices"

	"zkwarden/audit"
)

// notification queues the hint and asks for the znode.
func (f *follower) notification(fr *frame) {
	op, ok := hintOf(fr.event)
	if fr.zxid != 0 {
		// Others of the same transaction may follow.
		f.notified = max(f.notified, fr.zxid-1)
	}
	if !ok || !f.looksAt(fr.path) || op == audit.OpDataChanged && f.isWay(fr.path) || fr.zxid != 0 && fr.zxid <= f.recorded {
		return
	}
	it := &item{seen: audit.Seen{Path: fr.path, Hint: op, Origin: audit.OriginWatch}, bytes: len(fr.path)}
	if fr.zxid != 0 {
		// Exact since ZooKeeper 3.9.0 (ZOOKEEPER-4655).
		it.seen.After, it.seen.Until = fr.zxid, fr.zxid
	} else {
		it.seen.After = f.last
		it.unbounded = true
		f.open = append(f.open, it)
	}
	f.fifo.push(it)
	switch {
	case !followable(fr.path):
		it.seen.Read, it.done = audit.Denied, true
	case op == audit.OpDeleted && fr.zxid != 0:
		it.done = true // There is nothing left to ask.
		f.wait(fr.path, it)
	default:
		f.wait(fr.path, it)
		f.askHinted(fr.path)
	}
}

func hintOf(event int32) (audit.Op, bool) {
	switch event {
	case eventCreated:
		return audit.OpCreated, true
	case eventDataChanged:
		return audit.OpDataChanged, true
	case eventDeleted:
		return audit.OpDeleted, true
	}
	return "", false // Watches of children never reach a recursive watch (ZOOKEEPER-4475).
}

// wait puts the hint behind the others of its path. A deletion waits as well,
// even if it needs no answer: it ends the incarnation of those before it.
func (f *follower) wait(path string, it *item) {
	st := f.paths[path]
	if st == nil {
		if it.done {
			return
		}
		st = &pathState{}
		f.paths[path] = st
	}
	st.hints = append(st.hints, it)
}

func (f *follower) askHinted(path string) {
	if st := f.paths[path]; !st.sent && !st.hinted {
		st.hinted = true
		f.hinted = append(f.hinted, path)
	}
}

// answered gives the answer to everything that waits for it.
func (f *follower) answered(fr *frame) error {
	st := f.paths[fr.path]
	if st == nil {
		return nil // A request of an earlier link that was sent on this one.
	}
	if !f.answers(fr) {
		f.readAgain(fr.path, st)
		return nil
	}
	read, err := readOf(fr)
	if err != nil {
		return err
	}
	delete(f.paths, fr.path)
	f.resolve(st.hints, fr, read)
	waiting := st.hints
	if st.visit != nil && st.visit.origin == audit.OriginResync && read == audit.Found {
		if err := f.consistent(fr.path, fr.node.Stat); err != nil {
			return err
		}
	}
	switch {
	case st.visit == nil:
	case fr.zxid < st.visit.newer:
		f.paths[fr.path] = &pathState{visit: st.visit}
		f.walking = append(f.walking, request{op: f.readOp(fr.path), path: fr.path})
		st.visit = nil
	default:
		if it := f.visited(fr, read, *st.visit); it != nil {
			waiting = append(waiting, it)
		}
	}
	if read == audit.Found && fr.op == opGetData && f.wantsACL(fr.path, fr.node, st.visit) {
		f.askACL(fr.path, fr.node, waiting)
	}
	return nil
}

func readOf(fr *frame) (audit.Read, error) {
	switch fr.code {
	case 0:
		return audit.Found, nil
	case errNoNode:
		return audit.Absent, nil
	case errNoAuth:
		return audit.Denied, nil
	}
	return audit.NotRead, fmt.Errorf("read %s: server answered code %d", fr.path, fr.code)
}

// readAgain asks for the data of a znode that was asked about while it was no
// more than a way.
func (f *follower) readAgain(path string, st *pathState) {
	if !st.bare {
		return // A sweep has asked. The answer that is waited for is on its way.
	}
	st.sent, st.bare = false, false
	f.askHinted(path)
}

// resolve hands an answer to hints of its path, newest first: the newest saw
// the very state of the answer, and each change of data before it one version
// less. Behind a deletion or creation lies another incarnation.
func (f *follower) resolve(hints []*item, fr *frame, read audit.Read) {
	var behind int32
	same := true
	for i, it := range slices.Backward(hints) {
		if it.seen.Hint == audit.OpDeleted {
			same = false
		}
		if same || i == len(hints)-1 {
			it.seen.Read, it.seen.At = read, fr.zxid
		}
		if same && read == audit.Found {
			it.seen.Node, it.seen.Behind = fr.node, behind
			f.fifo.grow(it, len(fr.node.Data))
		}
		switch it.seen.Hint {
		case audit.OpDataChanged:
			behind++
		case audit.OpCreated:
			same = false
		}
		it.done = true
	}
}
