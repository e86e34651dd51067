package audit

import (
	"context"
	"iter"
	"time"
)

// Scope tells a source where to look.
type Scope interface {
	// Roots returns the subtrees to watch; none contains another.
	Roots() []string
	// Wants reports whether changes of path are recorded.
	Wants(path string) bool
	// Leads reports whether something below path may be recorded. Where Wants
	// is false, such a znode is looked at for its Stat and its children, and
	// its data are not read.
	Leads(path string) bool
}

// Known is what is already recorded about the tree, safe to use beside the
// recorder that updates it.
type Known interface {
	// Settle returns when all observations sent so far are applied.
	Settle(ctx context.Context) error
	// Walk yields the known znodes from path on, down to depth levels below it
	// (zero is path alone, negative is everything), in the order of their
	// paths as bytes: parents before children. Of a Stat it knows the czxid,
	// the three counters and the ephemeral owner. The zero Stat is that of a
	// znode which was born in a gap and is known from a hint alone: it may have
	// children that nobody knows. What changes meanwhile may be seen or not.
	Walk(path string, depth int) iter.Seq2[string, Stat]
}

// Source observes one ensemble.
type Source interface {
	// Run observes until ctx is done or the source can never work, and then
	// returns the reason; it has ended every goroutine it started by then.
	// It resumes after from, the last [Mark] that became durable; zero means
	// that nothing was ever observed. It owns no order but that of out:
	// everything sent before a Mark is covered by it.
	Run(ctx context.Context, from Zxid, scope Scope, known Known, out chan<- Observation) error
}

// Applied tells how far the server beside a transaction log has got.
type Applied interface {
	// Applied returns the last zxid that the server had applied when it
	// answered a read. A server that answers reads of this session belongs to a
	// quorum or stands alone: one that is read-only refuses the session.
	Applied(ctx context.Context) (Zxid, error)
}

// Actors tells who is behind a session.
type Actors interface {
	// Actor returns what is known about the session's client, and waits a
	// bounded time for an answer about one that is not known yet: not at all
	// when ctx is done already.
	Actor(ctx context.Context, session SessionID) Actor
}

// Journal keeps events in the order in which they are appended.
type Journal interface {
	// Append gives e the next place in the journal, chains it and returns its
	// seq. The event is not durable yet. Append blocks while too much waits
	// to be written, for as long as the disk refuses, until ctx is done.
	Append(ctx context.Context, e Event) (seq uint64, err error)
	// Flush returns when everything appended so far is durable.
	Flush(ctx context.Context) error
}

// Line is one durable record.
type Line struct {
	Seq  uint64
	JSON []byte // The very bytes that are chained, without the newline.
}

// Cursor is a durable place in the journal, one for each consumer.
type Cursor interface {
	// Next returns the lines behind the last one acknowledged or returned, in
	// order and at least one, waiting for it if necessary. The lines are
	// valid until the next call.
	Next(ctx context.Context) ([]Line, error)
	// Ack says that everything through seq was delivered. After a crash, Next
	// begins behind the last acknowledged line or shortly before it.
	Ack(seq uint64) error
}

// Sink delivers lines to where people or programs read them.
type Sink interface {
	// Deliver returns nil when it has all of the lines, in order. After an
	// error the same lines, perhaps with more behind them, are delivered
	// again: sinks see every line at least once.
	Deliver(ctx context.Context, lines []Line) error
}

// RetryError is the error of a [Sink] whose far end said when to come again.
type RetryError struct {
	After time.Duration
	Err   error
}

func (e *RetryError) Error() string { return e.Err.Error() }

// Unwrap returns what the far end refused with.
func (e *RetryError) Unwrap() error { return e.Err }
