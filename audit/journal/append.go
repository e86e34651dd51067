package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"zkwarden/audit"
)

// maxPending is how many bytes wait for the writer before Append blocks. As
// much again can be on its way to the disk.
const maxPending = 4 << 20

// group is what one fsync makes durable: lines of one segment.
type group struct {
	first uint64    // The seq of the first line if that begins a segment, else 0.
	began time.Time // When that segment began.
	lines []byte
	last  mark
}

// Append implements [audit.Journal]. It fills Schema, Seq, Prev, ID where it
// is empty, and in the first record of a segment Chain and Anchor. The error
// is [ErrClosed] after [Journal.Finish], [ErrTooLarge] for an event that fits
// no line, or that of ctx; the event is not in the journal then.
func (j *Journal) Append(ctx context.Context, e audit.Event) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.await(ctx, func() bool { return j.closed || j.pending < maxPending })
	if err == nil && j.closed {
		err = ErrClosed
	}
	if err == nil {
		err = j.add(&e)
	}
	if err != nil {
		return 0, fmt.Errorf("append to journal: %w", err)
	}
	j.wakeWriter()
	return e.Seq, nil
}

// add chains e and puts it into the queue of the writer. The caller holds j.mu.
func (j *Journal) add(e *audit.Event) error {
	now := j.now()
	begins := j.filling.size == 0 || j.rotates(e, now)
	e.Schema, e.Seq, e.Prev = audit.Schema, j.last.seq+1, j.last.hash
	if begins {
		e.Chain = j.chain
		if e.Anchor == "" {
			e.Anchor = j.anchor
		}
	}
	if e.ID == "" {
		e.ID = e.SeqID(j.chain)
	}
	line, hash := seal(appendEvent(j.line[:0], e))
	j.line = line
	if len(line) > maxLine {
		return fmt.Errorf("%w: %s of %.100q has %d bytes", ErrTooLarge, e.Kind, e.Path, len(line))
	}
	if begins {
		j.filling = filling{first: e.Seq, began: now}
	}
	j.last = mark{seq: e.Seq, hash: hash}
	j.enqueue(line)
	return nil
}

// rotates says whether e belongs to a new segment. A repair stays where the
// torn line was: the writer cuts that in the same stroke.
func (j *Journal) rotates(e *audit.Event, now time.Time) bool {
	size, age := j.limits.SegmentSize, j.limits.SegmentAge
	return e.Control != audit.ControlRepair &&
		(size > 0 && j.filling.size >= size || age > 0 && now.Sub(j.filling.began) >= age)
}

// enqueue puts a line, which is j.last, behind the last group, or makes
// another one where a segment begins.
func (j *Journal) enqueue(line []byte) {
	begins := j.filling.size == 0
	if len(j.queue) == 0 || begins {
		g := group{lines: j.spare[:0]}
		j.spare = nil
		if begins {
			g.first, g.began = j.last.seq, j.filling.began
		}
		j.queue = append(j.queue, g)
	}
	g := &j.queue[len(j.queue)-1]
	g.lines = append(append(g.lines, line...), '\n')
	g.last = j.last
	j.pending += len(line) + 1
	j.filling.size += int64(len(line)) + 1
}

// Flush implements [audit.Journal].
func (j *Journal) Flush(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	target := j.last.seq
	err := j.await(ctx, func() bool { return j.finished || j.durable.seq >= target })
	if err == nil && j.durable.seq < target {
		err = ErrClosed
	}
	if err != nil {
		return fmt.Errorf("flush journal %s: records %d to %d are not durable: %w", j.dir, j.durable.seq+1, target, err)
	}
	return nil
}

// await returns when ready, which is asked whenever something moved on. The
// caller holds j.mu, as ready may expect.
func (j *Journal) await(ctx context.Context, ready func() bool) error {
	for !ready() {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, j.err)
		}
		changed := j.changed
		j.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		j.mu.Lock()
	}
	return nil
}

// announce wakes everyone in await. The caller holds j.mu.
func (j *Journal) announce() {
	close(j.changed)
	j.changed = make(chan struct{})
}
