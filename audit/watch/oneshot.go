package watch

import (
	"fmt"
	"slices"

	"zkwarden/audit"
)

// shots is a follower's way to observe without recursive watches: a data and a
// child watch on every znode, set by the very reads that show what they guard.
//
// A watch that fires says that something changed, once. What the znode becomes
// until it is read again is told by nobody, so everything but a deletion is
// handed over as it was read, without a hint, and the recorder counts what the
// counters show. Children that came and went between two lists have no name any
// more: [audit.Counted] tells how many there were.
//
// Reads set the watches by themselves, the link turns the flag on. The client
// library knows nothing of them: what it would set again after the loss of a
// connection it sets with a zxid that moves on meanwhile, and changes fall
// through. Every link begins with a walk instead.
type shots struct {
	*follower
	paths map[string]*shot
	queue []request

	// Reads and rounds that have begun belong to one of two phases. A mark
	// waits until those of the phase before it have ended; what begins
	// meanwhile belongs to the other.
	phase     int
	begun     [2]int
	candidate audit.Zxid // Of the mark that waits; zero when none does.
	walking   bool       // Whether a walk is under way,
	walkedIn  int        // and the phase that it belongs to.
}

// shot is what is known about the watches on one path, and what is asked.
type shot struct {
	data, child, born bool // Which watches are set; born waits for a root that does not exist.

	reading, listing, expecting *pending
	rounds                      []*round // They wait for the read.
}

// pending is a request that has no answer yet.
type pending struct {
	op    int32
	phase int
}

// round is a list of children some of which are yet to be read.
type round struct {
	audit.Counted
	phase, waiting int
}

func newShots(f *follower) *shots { return &shots{follower: f, paths: map[string]*shot{}} }

func (s *shots) at(path string) *shot {
	st := s.paths[path]
	if st == nil {
		st = &shot{}
		s.paths[path] = st
	}
	return st
}

// tidy forgets a path of which nothing is left to know.
func (s *shots) tidy(path string, st *shot) {
	if !st.data && !st.child && !st.born && st.reading == nil && st.listing == nil && st.expecting == nil {
		delete(s.paths, path)
	}
}

// watching reports whether the server must have a watch on path.
func (s *shots) watching(path string) bool {
	st := s.paths[path]
	return st != nil && (st.data || st.child || st.born)
}

func (s *shots) ask(op int32, path string, phase int) *pending {
	s.queue = append(s.queue, request{op: op, path: path})
	s.begun[phase]++
	return &pending{op, phase}
}

// read asks for a znode, unless its answer is on the way already.
func (s *shots) read(path string, phase int) {
	st := s.at(path)
	if st.reading != nil {
		return
	}
	if !followable(path) {
		s.tell(&frame{request: request{path: path}}, audit.Denied)
		s.tidy(path, st)
		return
	}
	st.reading = s.ask(s.readOp(path), path, phase)
}

// list asks for the children, unless a watch on them is there or on its way.
func (s *shots) list(path string, phase int) {
	if st := s.at(path); !st.child && st.listing == nil {
		st.listing = s.ask(opGetChildren2, path, phase)
	}
}

// handle takes the answers that show a znode.
func (s *shots) handle(fr *frame) error {
	st := s.at(fr.path)
	defer s.tidy(fr.path, st)
	switch fr.op {
	case opGetData:
		return s.answered(fr, st)
	case opGetChildren2:
		return s.listed(fr, st)
	case opExists:
		if st.expecting == nil {
			return s.answered(fr, st)
		}
		return s.expected(fr, st)
	}
	return nil
}

// forget lets everything from roots on be read and listed once more. The server
// has no watch twice.
func (s *shots) forget(roots []string) {
	for path, st := range s.paths {
		if slices.ContainsFunc(roots, func(root string) bool { return audit.Within(path, root) }) {
			st.data, st.child = false, false
			s.tidy(path, st)
		}
	}
}

// fired looks again at what a watch was on.
func (s *shots) fired(fr *frame) {
	st := s.at(fr.path)
	switch wanted := s.looksAt(fr.path); {
	case !wanted:
		st.data, st.child, st.born = false, false, false // Set before the scope changed.
	case fr.event == eventCreated, fr.event == eventDataChanged:
		st.data, st.born = false, false
		s.read(fr.path, s.phase)
	case fr.event == eventChildrenChanged:
		st.child = false
		s.list(fr.path, s.phase)
	case fr.event == eventDeleted:
		s.deleted(fr, st)
	}
	s.tidy(fr.path, st)
}

// deleted hands over a death. With a data watch that had not fired, the version
// that was read last is the one that died. The list of the parent shows whether
// there is a successor; a root has no parent that is watched.
func (s *shots) deleted(fr *frame, st *shot) {
	it := &item{done: true, bytes: len(fr.path), seen: audit.Seen{Path: fr.path, Origin: audit.OriginWatch}}
	if st.data && st.reading == nil {
		it.seen.Hint, it.seen.After, it.seen.Until = audit.OpDeleted, fr.zxid, fr.zxid
	} else {
		it.seen.Read, it.seen.At = audit.Absent, fr.zxid
	}
	if fr.zxid == 0 {
		it.seen.After, it.unbounded = s.last, true
		s.open = append(s.open, it)
	}
	s.fifo.push(it)
	st.data, st.child, st.born = false, false, false
	if s.isRoot(fr.path) {
		s.read(fr.path, s.phase)
	}
}

// answered hands over a read and goes on with what it calls for.
func (s *shots) answered(fr *frame, st *shot) error {
	asked := st.reading
	if asked == nil || asked.op != fr.op {
		// A sweep has asked, and hands over the answer. Or an earlier link has,
		// and nobody does: then the znode is still to be read.
		if fr.code == 0 && s.follower.paths[fr.path] != nil && s.looksAt(fr.path) {
			st.data = true
			s.list(fr.path, s.phase)
		}
		return nil
	}
	if !s.answers(fr) {
		st.reading = nil
		s.read(fr.path, asked.phase) // What was a way is recorded by now.
		s.close(asked.phase)
		return nil
	}
	read, err := readOf(fr)
	if err != nil {
		return err
	}
	if read == audit.Found {
		if err := s.consistent(fr.path, fr.node.Stat); err != nil {
			return err
		}
	}
	st.reading, st.data = nil, read == audit.Found
	if s.listTells(fr, read, st) {
		s.list(fr.path, asked.phase)
		s.arrive(st)
		s.close(asked.phase)
		return nil
	}
	it := s.tell(fr, read)
	if read == audit.Found && fr.op == opGetData && s.wantsACL(fr.path, fr.node, nil) {
		s.askACL(fr.path, fr.node, []*item{it})
	}
	switch {
	case read == audit.Found:
		s.list(fr.path, asked.phase)
	case read == audit.Absent && s.isRoot(fr.path) && st.expecting == nil:
		st.expecting = s.ask(opExists, fr.path, asked.phase)
	case read == audit.Denied:
		// ACLs are not inherited: what is known below may still be read.
		s.lookAt(s.unlisted(fr.path, nil), nil, asked.phase)
	}
	s.arrive(st)
	s.close(asked.phase)
	return nil
}

// listTells reports whether the list of children is to tell of a way: it also
// shows whether the way can be read.
func (s *shots) listTells(fr *frame, read audit.Read, st *shot) bool {
	return read == audit.Found && s.isWay(fr.path) && fr.node.Stat.NumChildren > 0 && !st.child
}

// arrive ends the wait of the rounds for a read.
func (s *shots) arrive(st *shot) {
	rounds := st.rounds
	st.rounds = nil
	for _, r := range rounds {
		s.arrived(r)
	}
}

// tell hands over what a read found.
func (s *shots) tell(fr *frame, read audit.Read) *item {
	origin := audit.OriginWatch
	if s.walking {
		origin = audit.OriginResync
		s.source.walked.Add(1)
	}
	it := &item{done: true, bytes: len(fr.path), seen: audit.Seen{
		Path: fr.path, Origin: origin, Read: read, Node: fr.node, At: fr.zxid, Until: fr.zxid,
	}}
	if fr.node != nil {
		it.bytes += len(fr.node.Data)
	}
	s.fifo.push(it)
	return it
}

// listed reads the children that have no watch yet, and those that are known
// but not on the list.
func (s *shots) listed(fr *frame, st *shot) error {
	asked := st.listing
	if asked == nil {
		return nil
	}
	st.listing = nil
	if s.isWay(fr.path) {
		read, node := sight(fr)
		s.tell(&frame{request: fr.request, zxid: fr.zxid, node: node}, read)
	}
	switch fr.code {
	case 0:
		st.child = true
		r := &round{phase: asked.phase, Counted: audit.Counted{
			Path: fr.path, Czxid: fr.node.Stat.Czxid, Cversion: fr.node.Stat.Cversion, At: fr.zxid,
		}}
		var children []string
		for _, name := range fr.children {
			if child := audit.Child(fr.path, name); s.looksAt(child) && !s.watchesData(child) {
				children = append(children, child)
			}
		}
		s.lookAt(append(children, s.unlisted(fr.path, fr.children)...), r, asked.phase)
	case errNoAuth:
		s.lookAt(s.unlisted(fr.path, nil), nil, asked.phase)
	case errNoNode: // Its deletion was told, or the read tells.
	default:
		return fmt.Errorf("list children of %s: server answered code %d", fr.path, fr.code)
	}
	s.close(asked.phase)
	return nil
}

func (s *shots) watchesData(path string) bool {
	st := s.paths[path]
	return st != nil && st.data
}

// lookAt reads paths. The round, if there is one, ends when all are there.
func (s *shots) lookAt(paths []string, r *round, phase int) {
	if r != nil {
		s.begun[phase]++
		r.waiting = 1
	}
	for _, path := range paths {
		s.read(path, phase)
		if st := s.paths[path]; r != nil && st != nil && st.reading != nil {
			st.rounds = append(st.rounds, r)
			r.waiting++
		}
	}
	if r != nil {
		s.arrived(r)
	}
}

// arrived notes that one of the reads that a round waits for is there.
func (s *shots) arrived(r *round) {
	if r.waiting--; r.waiting == 0 {
		s.fifo.push(&item{done: true, other: r.Counted, bytes: len(r.Path)})
		s.close(r.phase)
	}
}

// expected waits for a root to be created, or reads the one that was created
// meanwhile.
func (s *shots) expected(fr *frame, st *shot) error {
	asked := st.expecting
	if asked == nil {
		return nil
	}
	st.expecting = nil
	switch fr.code {
	case 0:
		st.data = true
		s.read(fr.path, asked.phase)
	case errNoNode:
		st.born = true
	case errNoAuth: // There is one, and it is not to be read.
	default:
		return fmt.Errorf("look for %s: server answered code %d", fr.path, fr.code)
	}
	s.close(asked.phase)
	return nil
}
