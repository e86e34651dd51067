package recorder

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
	// commitRetry is the pause after a disk refused the mirror.
	commitRetry = time.Second
	// maxDirty bounds the memory between two commits of the mirror.
	maxDirty = 8192
	// maxSeparate is how many missed versions of one znode get a record each.
	maxSeparate = 16
)

// Options names what a recorder works with; all but Now are required.
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
	Now      func() time.Time // time.Now by default.
}

// Recorder turns observations into events. Its state belongs to the goroutine
// in Run; Known and Synced may be used beside it.
type Recorder struct {
	Options
	metrics *metrics
	place   mirror.Place
	resync  *resync
	repeats repeats
	moved   bool   // Whether place moved since the last commit.
	unseen  string // Why the time before the first sync is a gap of its own, or empty.
	settle  chan chan struct{}
	done    chan struct{}
	synced  chan struct{} // Closed when the first sync or resync of this run is complete.
}

// New prepares a recorder. A mirror that belongs to another journal is
// cleared: its state has no record to lean on.
func New(o Options) (*Recorder, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &Recorder{
		Options: o,
		metrics: newMetrics(o.Registry, o.Mirror),
		place:   o.Place,
		resync:  newResync(audit.Gap{}),
		settle:  make(chan chan struct{}),
		done:    make(chan struct{}),
		synced:  make(chan struct{}),
	}
	switch {
	case r.place.Chain != o.Chain:
		r.startMirror()
	case r.place.Seq > o.Head:
		return nil, fmt.Errorf("the journal ends at record %d, but the mirror has seen record %d of it: records are missing", o.Head, r.place.Seq)
	}
	return r, nil
}

// startMirror begins an empty mirror. Where the journal has records already,
// the mirror that belonged to them is gone, and what happened since then can
// only be declared as a gap.
func (r *Recorder) startMirror() {
	if r.Mirror.Len() > 0 {
		level.Warn(r.Logger).Log("msg", "mirror belongs to another journal, starting it anew")
	}
	if r.Head > 0 {
		r.unseen = audit.GapMirrorLost
	}
	r.place = mirror.Place{Chain: r.Chain, Seq: r.Head, Generation: 1, Synced: map[string]bool{}}
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
	if err := r.begin(ctx); err != nil {
		return err
	}
	ticker := time.NewTicker(commitInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o, ok := <-in:
			if !ok {
				return r.end(ctx)
			}
			if err := r.observe(ctx, o); err != nil {
				return err
			}
		case settled := <-r.settle:
			if err := r.drain(ctx, in); err != nil {
				return err
			}
			close(settled)
		case <-ticker.C:
			if err := r.commit(ctx); err != nil {
				return err
			}
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

func (r *Recorder) begin(ctx context.Context) error {
	if err := r.adoptPolicy(); err != nil {
		return err
	}
	if r.Head > 0 && r.place.Mark == 0 && r.unseen == "" {
		r.unseen = audit.GapRestart // The last run ended before its first sync did.
	}
	r.resync.cover(r.Policy.Roots(), r.place.Synced)
	start := audit.Event{Kind: audit.KindControl, Control: audit.ControlStart, Roots: r.Policy.Roots()}
	if err := r.append(ctx, start); err != nil {
		return err
	}
	return r.commit(ctx) // From here on the mirror belongs to this journal.
}

func (r *Recorder) end(ctx context.Context) error {
	if err := r.append(ctx, audit.Event{Kind: audit.KindControl, Control: audit.ControlStop}); err != nil {
		return err
	}
	return r.commit(ctx)
}

// adoptPolicy cuts the mirror down to what the policy of this run allows, and
// forgets the roots that it no longer has.
func (r *Recorder) adoptPolicy() error {
	rotated := r.place.DigestKey != r.Policy.KeyFingerprint()
	if r.place.Fingerprint == r.Policy.Fingerprint() && !rotated {
		return nil
	}
	for _, path := range append(r.Mirror.Below("/"), "/") {
		entry, known := r.Mirror.Get(path)
		if !known {
			continue
		}
		rule, wanted := r.Policy.Match(path)
		if !wanted {
			r.Mirror.Delete(path)
			continue
		}
		if rotated {
			entry.Content = policy.Undigested(entry.Content)
		}
		entry.Content = r.Policy.Allow(rule, entry.Content)
		r.Mirror.Put(path, entry)
	}
	synced := map[string]bool{}
	for _, root := range r.Policy.Roots() {
		synced[root] = r.place.Synced[root]
	}
	r.place.Synced = synced
	r.place.Fingerprint, r.place.DigestKey = r.Policy.Fingerprint(), r.Policy.KeyFingerprint()
	r.moved = true
	return nil
}

// append completes the record, hands it to the journal and applies it to the
// mirror.
func (r *Recorder) append(ctx context.Context, e audit.Event) error {
	e.Schema, e.Ensemble, e.Recorder = audit.Schema, r.Ensemble, r.Recorder
	e.Observed = audit.AtTime(r.Now())
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

// bound keeps the changes that wait for a commit of the mirror few.
func (r *Recorder) bound(ctx context.Context) error {
	if r.Mirror.Dirty() < maxDirty {
		return nil
	}
	return r.commit(ctx)
}

// commit makes the mirror durable, behind the journal: a mirror ahead of it
// would hide changes that were never recorded. While the disk refuses, commit
// waits, and so does everything before it.
func (r *Recorder) commit(ctx context.Context) error {
	if !r.moved && r.Mirror.Dirty() == 0 {
		return nil
	}
	if err := r.Journal.Flush(ctx); err != nil {
		return fmt.Errorf("flush journal: %w", err)
	}
	for refused := false; ; refused = true {
		err := r.Mirror.Commit(r.place)
		if err == nil {
			r.moved = false
			return nil
		}
		if !refused {
			level.Error(r.Logger).Log("msg", "mirror cannot be written, waiting", "err", err)
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-time.After(commitRetry):
		}
	}
}

// Known returns the mirror's read side for a source.
func (r *Recorder) Known() audit.Known { return known{r} }

type known struct{ r *Recorder }

func (k known) Settle(ctx context.Context) error {
	settled := make(chan struct{})
	select {
	case k.r.settle <- settled:
	case <-ctx.Done():
		return ctx.Err()
	case <-k.r.done:
		return fmt.Errorf("settle: recorder has ended")
	}
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-k.r.done:
		return fmt.Errorf("settle: recorder has ended")
	}
}

func (k known) Walk(path string, depth int) iter.Seq2[string, audit.Stat] {
	return func(yield func(string, audit.Stat) bool) {
		for path, e := range k.r.Mirror.Walk(path, depth) {
			stat := audit.Stat{
				Czxid: e.Czxid, Version: e.Version, Cversion: e.Cversion, Aversion: e.Aversion, EphemeralOwner: e.EphemeralOwner,
			}
			if !yield(path, stat) {
				return
			}
		}
	}
}
