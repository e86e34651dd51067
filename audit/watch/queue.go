package watch

import (
	"fmt"
	"sync"
)

// maxQueued and maxQueuedBytes bound the frames that wait for the source.
// Replies are few, as the source asks for a bounded number of reads; the bound
// on frames is for notifications.
const (
	maxQueued      = 1 << 17
	maxQueuedBytes = 256 << 20
)

// queue hands frames from the client's reading goroutine to the source. It
// never blocks the former: a queue that is full closes, which is a gap.
type queue struct {
	ready  chan struct{} // Has a token when there is news: frames, or the end.
	opened chan struct{} // Closed when the server has accepted the session.

	discard bool // Whether nobody wants the frames.

	mu       sync.Mutex
	frames   []frame
	bytes    int // Of paths and data in frames.
	closed   bool
	overflow bool
	cause    error // Why the connection ended, where that is known.
}

func newQueue() *queue {
	return &queue{ready: make(chan struct{}, 1), opened: make(chan struct{})}
}

// open announces that the session stands. It is called once at most.
func (q *queue) open() { close(q.opened) }

// push reports false when the queue is closed or has just overflowed.
func (q *queue) push(f frame) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.discard {
		return !q.closed
	}
	q.bytes += f.size()
	if len(q.frames) >= maxQueued || q.bytes > maxQueuedBytes {
		q.overflow, q.closed = true, true
		q.wake()
		return false
	}
	q.frames = append(q.frames, f)
	q.wake()
	return true
}

// drain returns the frames that wait, and whether no more will come. spare is
// reused for the frames to come.
func (q *queue) drain(spare []frame) (frames []frame, ended bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	frames, q.frames, q.bytes = q.frames, spare[:0], 0
	return frames, q.closed
}

func (q *queue) close() { q.fail(nil) }

// fail closes the queue. The first cause counts: others follow from it.
func (q *queue) fail(cause error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.cause = cause
	}
	q.closed = true
	q.wake()
}

// why returns what ended the connection.
func (q *queue) why() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.cause == nil {
		return errLinkClosed
	}
	return fmt.Errorf("%w: %w", errLinkClosed, q.cause)
}

func (q *queue) overflowed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.overflow
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
