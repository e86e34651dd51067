package recorder

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
)

const (
	// commitInterval bounds how much of the journal is replayed after a crash.
	commitInterval = 2 * time.Second
	// checkpointInterval is the default of Options.CheckpointInterval.
	checkpointInterval = time.Minute
	// maxSeparate is how many missed versions of one znode get a record each.
	maxSeparate = 16
)

// Options names what a recorder works with; all but CheckpointInterval, Now,
// Actors and Committed are required.
type Options struct {
	Ensemble string // Written to every record, and part of every id.
	Recorder string // Name of this auditor, by convention the host's.
	Policy   *policy.Policy
	Mirror   *mirror.Mirror
	Place    mirror.Place // As returned by mirror.Open.
	Journal  audit.Journal
	Chain    string // The journal's chain id.
	Head     uint64 // The seq of the journal's last record.
	Logger   log.Logger
	Registry prometheus.Registerer

	CheckpointInterval time.Duration    // One minute by default.
	Now                func() time.Time // time.Now by default.
	Actors             audit.Actors     // Nil: nobody knows the clients of sessions.

	// Committed, if not nil, is told through which record of the journal the
	// mirror is durable: only what lies behind would have to be replayed.
	Committed func(seq uint64)
}

// Recorder turns observations into events. Its state belongs to the goroutine
// in Run; Known, Synced, State and Adopt may be used beside it.
type Recorder struct {
	Options
	metrics    *metrics
	place      mirror.Place
	roots      []string // Of the policy.
	resync     *resync
	owed       owed
	awaited    map[string]bool // Roots that no walk has begun with since the policy changed.
	unreadable *unreadable
	repeats    repeats
	last       transaction
	patience   patience
	taken      mirror.Operation // Through which operation place.Ahead has been counted down.

	committing *commit // Or nil.

	replaying bool   // Whether records come from the journal, and nobody knows what was stale then.
	moved     bool   // Whether place moved since the last commit.
	untold    bool   // Whether something of a log changed the mirror since the last commit that no record tells of.
	lost      bool   // Whether the mirror of the journal's records is gone, as Replay has to know.
	unseen    string // Why the time before the first sync is a gap of its own, or empty.
	swept     bool   // Whether a sweep of this run is complete.

	settle  chan chan struct{}
	adopt   chan adoption
	done    chan struct{}
	synced  chan struct{} // Closed when the first sync or resync of this run is complete.
	partial sync.Map      // The paths that are known in part, and why; see Known.
}

// New prepares a recorder. A mirror that belongs to another journal is
// cleared: its state has no record to lean on.
func New(o Options) (*Recorder, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.CheckpointInterval == 0 {
		o.CheckpointInterval = checkpointInterval
	}
	r := &Recorder{
		Options:    o,
		metrics:    newMetrics(o.Registry, o.Mirror),
		place:      o.Place,
		roots:      o.Policy.Roots(),
		resync:     newResync(audit.Gap{}),
		owed:       owed{},
		unreadable: newUnreadable(),
		replaying:  true,
		settle:     make(chan chan struct{}),
		adopt:      make(chan adoption),
		done:       make(chan struct{}),
		synced:     make(chan struct{}),
	}
	switch {
	case r.place.Chain != o.Chain:
		r.startMirror()
	case r.place.Seq > o.Head:
		return nil, fmt.Errorf("the journal ends at record %d, but the mirror has seen record %d of it: records are missing", o.Head, r.place.Seq)
	case r.place.Ensemble != "" && r.place.Ensemble != o.Ensemble:
		// Their trees have nothing to do with each other: every difference
		// would be recorded as a change that somebody made.
		return nil, fmt.Errorf("the journal and the last known state are those of the ensemble %q, not of %q: each needs a directory of its own", r.place.Ensemble, o.Ensemble)
	}
	r.place.Ensemble = o.Ensemble
	r.taken = r.place.Log
	return r, nil
}

// startMirror begins an empty mirror. Where the journal has records already,
// the mirror that belonged to them is gone, and what happened since then can
// only be declared as a gap; of the records, Replay takes the generation.
func (r *Recorder) startMirror() {
	if r.Mirror.Len() > 0 {
		level.Warn(r.Logger).Log("msg", "mirror belongs to another journal, starting it anew")
	}
	r.lost = r.Head > 0
	r.place = mirror.Place{Chain: r.Chain, Generation: max(1, r.place.Generation), Synced: map[string]bool{}}
	r.Mirror.Clear()
}

// Place returns where the recorder begins: the seq behind which the journal
// must be replayed and the zxid from which a source resumes. It belongs to
// the goroutine in Run once that has begun.
func (r *Recorder) Place() mirror.Place { return r.place }

// Synced is closed when the first sync or resync of this run is complete.
func (r *Recorder) Synced() <-chan struct{} { return r.synced }

// Run records until in is closed, then makes everything durable. A cancelled
// ctx ends it at once; what was not committed is replayed at the next start.
func (r *Recorder) Run(ctx context.Context, in <-chan audit.Observation) error {
	defer close(r.done)
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		_ = r.wait() // What it could not write is replayed at the next start.
	}()
	if err := r.begin(ctx); err != nil {
		return err
	}
	commits := time.NewTicker(commitInterval)
	defer commits.Stop()
	checkpoints := time.NewTicker(r.CheckpointInterval)
	defer checkpoints.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o, ok := <-in:
			if !ok {
				return r.end(ctx)
			}
			err = r.observe(ctx, o)
		case settled := <-r.settle:
			if err = r.drain(ctx, in); err == nil {
				close(settled)
			}
		case a := <-r.adopt:
			err = r.replacePolicy(ctx, a)
		case <-checkpoints.C:
			err = r.checkpoint(ctx)
		case <-commits.C:
			err = r.beginCommit(ctx)
		case done := <-r.written():
			err = r.wrote(done)
		}
		if err != nil {
			return err
		}
	}
}

// drain applies what waits in a buffered channel. The sender is waiting in
// Settle, so nothing can be added behind it.
func (r *Recorder) drain(ctx context.Context, in <-chan audit.Observation) error {
	for {
		select {
		case o, ok := <-in:
			if !ok {
				return nil
			}
			if err := r.observe(ctx, o); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// append completes the record, hands it to the journal and applies it to the
// mirror.
func (r *Recorder) append(ctx context.Context, e audit.Event) error {
	e.Schema, e.Ensemble, e.Recorder = audit.Schema, r.Ensemble, r.Recorder
	e.Observed = audit.AtTime(r.Now())
	if e.Op == audit.OpCreated && e.Actor == nil {
		e.Actor = r.actor(ctx, e.EphemeralOwner, e.Time) // Only its session creates an ephemeral znode.
	}
	seq, err := r.Journal.Append(ctx, e)
	if err != nil {
		return fmt.Errorf("append to journal: %w", err)
	}
	r.metrics.count(e)
	r.apply(e)
	r.place.Seq = seq
	r.moved = true
	return r.bound(ctx)
}
