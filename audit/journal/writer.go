package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-kit/log/level"
)

const (
	retryInterval = time.Second // Between attempts on a disk that refuses.
	abandonGrace  = time.Second // For a system call in progress, when the writer is told to give up.
)

// write makes groups durable until no more will come. Whatever is appended
// while one group is on its way to the disk makes the next, so groups grow
// with the load and nothing ever waits for company. An idle journal looks for
// old segments now and then, if it is to remove any.
func (j *Journal) write(removes bool) {
	defer close(j.done)
	defer j.finish()
	var tick <-chan time.Time
	if removes {
		ticker := time.NewTicker(retentionInterval)
		defer ticker.Stop()
		tick = ticker.C
	}
	j.retain() // A crash may have left a removal half done.
	for {
		g, ok := j.take(tick)
		if !ok || len(g.lines) > 0 && !j.commit(g) {
			return
		}
		j.retain()
	}
}

func (j *Journal) wakeWriter() {
	select {
	case j.work <- struct{}{}:
	default:
	}
}

// take waits for a group, which is empty when the tick came first.
func (j *Journal) take(tick <-chan time.Time) (group, bool) {
	for {
		g, closed := j.dequeue()
		if len(g.lines) > 0 {
			return g, true
		}
		if closed {
			return group{}, false
		}
		select {
		case <-j.work:
		case <-tick:
			return group{}, true
		}
	}
}

func (j *Journal) dequeue() (g group, closed bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.queue) == 0 {
		return group{}, j.closed
	}
	g, j.queue = j.queue[0], j.queue[1:]
	j.pending -= len(g.lines)
	j.announce() // There is room again.
	return g, false
}

// commit makes g durable, however long the disk refuses, and says so. It
// returns false if it had to give up.
func (j *Journal) commit(g group) bool {
	synced := false
	for {
		err := j.rotate(g.first)
		if err == nil && !synced {
			err = j.segment.append(g.lines, j.metrics.fsynced)
		}
		if err == nil {
			synced = true
			err = j.head.write(g.last)
		}
		j.report(err)
		if err == nil {
			j.publish(g)
			return true
		}
		select {
		case <-time.After(retryInterval):
		case <-j.abandon:
			return false
		}
	}
}

// rotate makes the segment that begins with the record first the last one,
// unless it is or first is 0. The file is durable in the directory before it
// gets records: a crash leaves it empty or, like any last segment, torn.
func (j *Journal) rotate(first uint64) error {
	if first == 0 || first == j.segment.first {
		return nil
	}
	file, err := openForWriting(j.dir, first)
	if err != nil {
		return err
	}
	if err := syncDir(j.dir); err != nil {
		return errors.Join(fmt.Errorf("make segment %s durable: %w", file.Name(), err), file.Close())
	}
	_ = j.file.Close() // All of it is durable.
	j.file = file
	j.segment = segment{first: first, disk: j.wrap(file)}
	return nil
}

func (j *Journal) publish(g group) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if was := j.durable; was.segment != j.segment.first {
		j.sealed = append(j.sealed, sealed{stored: stored{first: was.segment, size: was.size}, last: was.mark, began: j.began})
	}
	if g.first != 0 {
		j.began = g.began
	}
	j.durable = position{mark: g.last, segment: j.segment.first, size: j.segment.size}
	j.spare = g.lines
	j.announce()
}

// report keeps the state of the disk, and logs when it changes.
func (j *Journal) report(err error) {
	j.mu.Lock()
	before := j.err
	j.err = err
	j.mu.Unlock()
	switch {
	case err != nil && before == nil:
		level.Error(j.logger).Log("msg", "journal cannot be written, records are kept in memory and tried again",
			"file", j.file.Name(), "interval", retryInterval, "err", err)
	case err == nil && before != nil:
		level.Info(j.logger).Log("msg", "journal can be written again", "file", j.file.Name())
	}
}

func (j *Journal) finish() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.closed, j.finished = true, true
	j.announce()
}

// Finish accepts no more records and returns when all are durable. If ctx
// ends before, the writer gives up, and the error says what is lost. Cursors
// deliver what is durable and then return [ErrClosed], so that a pump ends by
// itself when it is drained.
func (j *Journal) Finish(ctx context.Context) error {
	j.mu.Lock()
	j.closed = true
	j.announce()
	j.mu.Unlock()
	j.wakeWriter()
	select {
	case <-j.done:
	case <-ctx.Done():
		j.leave()
		select {
		case <-j.done:
		case <-time.After(abandonGrace):
			return fmt.Errorf("finish journal %s: the disk does not answer: %w", j.dir, ctx.Err())
		}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.durable.seq < j.last.seq {
		return fmt.Errorf("finish journal %s: records %d to %d are lost: %w",
			j.dir, j.durable.seq+1, j.last.seq, errors.Join(ctx.Err(), j.err))
	}
	return nil
}

// Close finishes the journal and gives its directory free. Pumps and cursors
// have ended by then. Only the first call has an effect.
func (j *Journal) Close(ctx context.Context) error {
	err := j.Finish(ctx)
	j.mu.Lock()
	lock := j.lock
	j.lock = nil
	finished := j.finished
	j.mu.Unlock()
	if lock == nil {
		return err
	}
	if !finished {
		return err // The writer hangs in a system call and still owns the files; the lock ends with the process.
	}
	return errors.Join(err, j.head.close(), j.file.Close(), lock.Close())
}
