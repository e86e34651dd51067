package watch

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"zkwarden/audit"
)

// follower turns the frames of one link into observations.
type follower struct {
	*tracker
	link *link

	fifo  fifo
	open  []*item               // Hints whose zxid has no upper bound yet.
	paths map[string]*pathState // Paths that wait for an answer.
	spare []frame

	// Requests to send: the link's own business first, then what hints wait
	// for, then the walk.
	control []request
	hinted  []string
	walking []request

	mode  audit.Mode
	shots *shots // Nil with recursive watches.

	roots       map[string]bool // As the scope had them last.
	added       []string        // Those that were added since, and are not walked yet.
	widening    bool            // Whether such a walk is under way.
	told        map[string]bool // Roots that a comparison has told of.
	unconfirmed map[string]bool // Roots whose watch the server has not confirmed.
	watched     audit.Zxid      // The newest zxid at which a watch was confirmed.
	caughtUp    audit.Zxid      // The zxid of the answer to Sync.

	checking      map[string]bool // Roots whose watch the server is asked for.
	checkedAt     audit.Zxid      // When it had the first of them.
	confirmedAt   time.Time       // When it was asked last,
	confirmedZxid audit.Zxid      // and the zxid of the last answer that all are there.

	since    audit.Zxid // What the walk shows changed after it; zero when everything may have.
	reached  audit.Zxid // A server that has applied it shows everything that was missed.
	why      string     // The reason of the gap.
	adopted  bool       // Whether the items that the last link left are in fifo.
	recorded audit.Zxid // Changes through it were handed over by earlier links.
	synced   bool       // Whether nothing that was missed is left to be shown.
	settled  bool       // Whether that was handed over, too.
	last     audit.Zxid // The newest zxid of an answer or ping.
	notified audit.Zxid // Everything at or before it was notified.
	marked   audit.Zxid // The last mark's that was queued,
	handed   audit.Zxid // and the last one's that was handed over.
	heard    time.Time  // When an answer came, or nothing was waited for.

	walk    int              // Steps of the walk, or of a sweep, that have not ended.
	listing map[string]visit // The znodes whose children are asked for.
	acls    map[string][]*aclWait
	orders  chan order      // From the goroutines that work for this link.
	workers sync.WaitGroup  // Those goroutines.
	working context.Context //nolint:containedctx // Theirs: it ends with the link.

	sweptQueued bool // Whether the mark at the end of a sweep is in fifo.
}

// pathState is one path that waits for an answer.
type pathState struct {
	hints  []*item // Oldest first.
	visit  *visit  // Who else wants the answer, or nil.
	sent   bool    // Whether a read is under way,
	bare   bool    // and whether it is one that leaves out the data.
	hinted bool    // Whether it is in the queue of hinted paths.
}

func newFollower(t *tracker, l *link) *follower {
	return &follower{
		tracker: t, link: l, recorded: t.through, heard: time.Now(),
		paths: map[string]*pathState{}, unconfirmed: map[string]bool{}, listing: map[string]visit{},
		acls: map[string][]*aclWait{}, orders: make(chan order),
		roots: map[string]bool{}, told: map[string]bool{}, checking: map[string]bool{}, confirmedAt: time.Now(),
	}
}

// receive handles the frames that wait in the link's queue.
func (f *follower) receive() error {
	frames, ended := f.link.frames.drain(f.spare)
	for i := range frames {
		if err := f.handle(&frames[i]); err != nil {
			return err
		}
	}
	clear(frames) // Let go of the data.
	f.spare = frames
	if ended && len(frames) == 0 {
		return f.link.frames.why()
	}
	if ended {
		f.link.frames.wake()
	}
	return nil
}

func (f *follower) handle(fr *frame) error {
	if fr.xid == xidNotification {
		if f.shots != nil {
			f.shots.fired(fr)
		} else {
			f.notification(fr)
		}
		return nil
	}
	if err := f.forward(fr.zxid); err != nil {
		return err
	}
	f.advance(fr.zxid)
	if fr.xid == xidPing {
		f.mark()
		return nil
	}
	f.heard = time.Now()
	switch fr.op {
	case opAddWatch:
		return f.confirmed(fr)
	case opCheckWatches:
		return f.checked(fr)
	case opSync:
		f.caughtUp = fr.zxid
	case opGetACL:
		f.answeredACL(fr)
	default:
		return f.answer(fr)
	}
	return nil
}

// answer handles the answer to a request that shows a znode.
func (f *follower) answer(fr *frame) error {
	if f.shots != nil {
		if err := f.shots.handle(fr); err != nil {
			return err
		}
	}
	switch fr.op {
	case opGetData, opExists:
		return f.answered(fr)
	case opGetChildren2:
		return f.listed(fr)
	}
	return nil
}

// advance notes that the server has applied zxid: everything up to it was
// notified, and hints without an upper bound get one.
func (f *follower) advance(zxid audit.Zxid) {
	if zxid == 0 {
		return
	}
	for _, it := range f.open {
		it.seen.Until = zxid
		if it.seen.Read == audit.Absent && it.seen.Hint == "" {
			it.seen.At = zxid
		}
		it.known, it.unbounded = zxid <= f.recorded, false
	}
	f.open = f.open[:0]
	f.last = max(f.last, zxid)
	f.notified = max(f.notified, zxid)
}

func (f *follower) confirmed(fr *frame) error {
	switch fr.code {
	case 0:
	case errUnimplemented, errMarshalling:
		return fmt.Errorf("%w: it answered code %d", errNoRecursiveWatch, fr.code)
	default:
		return fmt.Errorf("add watch on %s: server answered code %d", fr.path, fr.code)
	}
	f.watched = max(f.watched, fr.zxid)
	delete(f.unconfirmed, fr.path)
	f.walkAdded()
	return nil
}

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

// mark queues the news that everything so far was handed over, in place of an
// older one that nothing has followed.
func (f *follower) mark() {
	if f.shots != nil {
		f.shots.mark()
		return
	}
	if !f.synced {
		return
	}
	m := audit.Mark{Zxid: f.last}
	if it := f.fifo.last(); it != nil {
		if older, ok := it.other.(audit.Mark); ok && !older.Walk && older.ACL == 0 {
			it.other = m
			return
		}
	}
	f.marked = m.Zxid
	f.fifo.push(&item{other: m, done: true})
}

// idleMark is a mark for when nothing waits to be handed over.
func (f *follower) idleMark() (audit.Mark, bool) {
	if !f.synced || f.last <= f.marked || f.shots != nil && f.shots.due() {
		return audit.Mark{}, false
	}
	f.marked = f.last
	return audit.Mark{Zxid: f.last}, true
}

// nextAsk returns the next request to send, and a nil channel when there is
// none or too much is under way.
func (f *follower) nextAsk(asks chan<- ask) (ask, chan<- ask) {
	for len(f.hinted) > 0 && !f.waiting(f.hinted[0]) {
		f.hinted = f.hinted[1:]
	}
	for n := len(f.walking); n > 0 && f.stale(f.walking[n-1]); n = len(f.walking) {
		f.walking = f.walking[:n-1]
	}
	var r request
	switch head := f.fifo.first(); {
	case len(f.control) > 0:
		r = f.control[0]
	case len(f.hinted) > 0 && (!f.fifo.heavy() || head != nil && !head.done):
		r = request{op: f.readOp(f.hinted[0]), path: f.hinted[0]}
	case len(f.walking) > 0 && !f.fifo.heavy():
		r = f.walking[len(f.walking)-1]
	case f.shots != nil && len(f.shots.queue) > 0 && !f.fifo.heavy():
		r = f.shots.queue[0]
	default:
		return ask{}, nil
	}
	return ask{request: r, link: f.link}, asks
}

// asked notes that the request of nextAsk is under way.
func (f *follower) asked() {
	switch {
	case len(f.control) > 0:
		f.control = f.control[1:]
	case len(f.hinted) > 0:
		f.sending(f.readOp(f.hinted[0]), f.hinted[0])
		f.hinted = f.hinted[1:]
	case len(f.walking) == 0:
		f.shots.queue = f.shots.queue[1:]
	default:
		r := f.walking[len(f.walking)-1]
		f.walking = f.walking[:len(f.walking)-1]
		if r.reads() {
			f.sending(r.op, r.path)
		}
	}
}

func (f *follower) sending(op int32, path string) {
	st := f.paths[path]
	st.sent, st.hinted, st.bare = true, false, op == opExists
}

// waiting reports whether a read of path is wanted and not yet under way.
func (f *follower) waiting(path string) bool {
	st := f.paths[path]
	return st != nil && !st.sent
}

// silent reports whether an answer is overdue. Pings may go on all the while.
func (f *follower) silent() bool {
	head := f.fifo.first()
	full := f.fifo.heavy() && head != nil && head.done // Then it is the recorder who is waited for.
	if full || len(f.paths) == 0 && len(f.listing) == 0 && len(f.acls) == 0 && len(f.unconfirmed) == 0 &&
		len(f.checking) == 0 && (f.shots == nil || !f.shots.due()) {
		f.heard = time.Now()
	}
	return time.Since(f.heard) > answerTimeout
}

// stale reports whether an answer for the walk came before it was asked for.
func (f *follower) stale(r request) bool { return r.reads() && !f.waiting(r.path) }
