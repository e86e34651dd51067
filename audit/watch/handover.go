package watch

import (
	"context"
	"fmt"

	"zkwarden/audit"
)

// head returns the oldest observation and where to send it, or a nil channel
// while it waits for its answer.
func (f *follower) head() (audit.Observation, chan<- audit.Observation) {
	it := f.fifo.first()
	switch {
	case it == nil:
		if o, ok := f.idleMark(); ok {
			f.fifo.push(&item{other: o, done: true})
			return o, f.out
		}
		return nil, nil
	case !it.done || it.unbounded:
		return nil, nil
	case it.other != nil:
		return it.other, f.out
	}
	return it.seen, f.out
}

// proceed begins a walk, or a sweep, when everything before it was handed over
// and the recorder has applied it. It passes over what is known already.
func (f *follower) proceed(ctx context.Context) error {
	for it := f.fifo.first(); it != nil && (it.known || it.then != nil); it = f.fifo.first() {
		if it.then != nil {
			if err := f.known.Settle(ctx); err != nil {
				return fmt.Errorf("wait for the recorder: %w", err)
			}
		}
		f.fifo.pop()
		if it.then != nil {
			it.then()
		}
	}
	return nil
}

// handedOver takes the head off the queue.
func (f *follower) handedOver(head audit.Observation) {
	f.fifo.pop()
	switch o := head.(type) {
	case audit.Gap:
		if o.Reason == audit.GapHistoryRewritten {
			f.through, f.rewritten = 0, false // The recorder begins anew, and so does the next link.
			f.forgetSweep()
		}
	case audit.Mode:
		f.announced = o
	case audit.Mark:
		f.handed = o.Zxid
		if o.Walk {
			f.walkShown()
		}
		if o.Sweep {
			f.sweepTold(o.ACL)
		}
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
