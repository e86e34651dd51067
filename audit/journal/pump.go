package journal

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/audit"
)

// The pauses after deliveries that failed double between these bounds, and are
// random by as much, so that many auditors do not return to a sink at once.
const (
	minPause = time.Second
	maxPause = 30 * time.Second

	// maxRetryAfter is the longest pause that a sink can ask for.
	maxRetryAfter = 10 * time.Minute
)

// Pump brings the lines of a cursor to a sink, for as long as that takes.
type Pump struct {
	cursor *Cursor
	feed
}

// feed is a pump without the journal.
type feed struct {
	cursor audit.Cursor
	sink   audit.Sink
	logger log.Logger
	errors prometheus.Counter
	trial  atomic.Pointer[trial] // Nil while nothing waits for the sink.
}

// trial is what became so far of lines that the sink does not have yet.
type trial struct {
	since time.Time
	err   error
}

// PumpState is how far a sink is.
type PumpState struct {
	Acked uint64    // Place of the last record that it accepted.
	Since time.Time // When it was first given the records behind; zero while it has none to accept.
	Err   error     // Why it did not accept them when it was last asked; nil before it has answered.
}

// NewPump opens the cursor of that name for sink. [Pump.Run] closes it.
func (j *Journal) NewPump(name string, sink audit.Sink) (*Pump, error) {
	cursor, err := j.OpenCursor(name)
	if err != nil {
		return nil, err
	}
	return &Pump{cursor: cursor, feed: feed{
		cursor: cursor,
		sink:   sink,
		logger: log.With(j.logger, "sink", name),
		errors: j.metrics.sinkErrors.WithLabelValues(name),
	}}, nil
}

// State may be called beside Run.
func (p *Pump) State() PumpState {
	state := PumpState{Acked: p.cursor.acked.Load()}
	if t := p.trial.Load(); t != nil {
		state.Since, state.Err = t.since, t.err
	}
	return state
}

// Run delivers until ctx is done, or until the journal was finished and the
// sink has every durable line; it returns nil in both cases. To drain it, call
// [Journal.Finish], wait for Run for as long as is bearable, and end ctx then.
// A sink that refuses is asked again, after 1 s at first and 30 s at last, or
// when it said, and holds up nobody else; a disk that refuses the cursor likewise. The error
// is that of a journal that cannot be read, or of closing the cursor.
func (p *Pump) Run(ctx context.Context) error {
	return errors.Join(p.run(ctx), p.cursor.Close())
}

func (f *feed) run(ctx context.Context) error {
	for {
		lines, err := f.cursor.Next(ctx)
		switch {
		case ctx.Err() != nil, errors.Is(err, ErrClosed):
			return nil
		case err != nil:
			return err
		}
		f.trial.Store(&trial{since: time.Now()})
		delivered := f.insist(ctx, log.With(f.logger, "seq", lines[0].Seq), "sink does not accept records, they wait in the journal",
			func() error { return f.sink.Deliver(ctx, lines) })
		if !delivered {
			return nil
		}
		last := lines[len(lines)-1].Seq
		acked := f.insist(ctx, log.With(f.logger, "seq", last), "cursor cannot be written, records wait in the journal",
			func() error { return f.cursor.Ack(last) })
		if !acked {
			return nil
		}
		f.trial.Store(nil)
	}
}

// insist repeats try until it succeeds, which it returns true for, or until
// ctx ends. It counts the failures, and logs the first and the end of them.
func (f *feed) insist(ctx context.Context, logger log.Logger, refused string, try func() error) bool {
	for failures := 0; ; failures++ {
		err := try()
		if err == nil {
			if failures > 0 {
				level.Info(logger).Log("msg", "records are delivered again", "failures", failures)
			}
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		f.errors.Inc()
		f.trial.Store(&trial{since: f.trial.Load().since, err: err})
		if failures == 0 {
			level.Warn(logger).Log("msg", refused, "err", err)
		}
		select {
		case <-time.After(max(pause(failures), asked(err))):
		case <-ctx.Done():
			return false
		}
	}
}

// asked returns the pause that the sink asked for, if it did.
func asked(err error) time.Duration {
	if retry, ok := errors.AsType[*audit.RetryError](err); ok {
		return min(retry.After, maxRetryAfter)
	}
	return 0
}

// pause returns how long to wait after so many failures before.
func pause(failures int) time.Duration {
	lower := maxPause / 2
	if failures < 4 {
		lower = minPause << failures
	}
	return lower + rand.N(lower)
}
