package watch

import (
	"context"
	"fmt"
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

	since audit.Zxid // What the walk shows changed after it; zero when everything may have.
	// wholeFrom is the zxid behind which the walk reads every znode, and so every
	// ACL's count; zero when it reads only those that changed.
	wholeFrom audit.Zxid

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
