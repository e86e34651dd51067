package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/audit"
	"zkwarden/audit/attribution"
	"zkwarden/audit/journal"
	"zkwarden/audit/mirror"
	"zkwarden/audit/recorder"
	"zkwarden/audit/watch"
	"zkwarden/internal/fourletter"
)

const (
	mirrorFile    = "mirror.db"
	digestKeyFile = "digest-key"

	// sessionTimeout is what the auditor asks the ensemble for. A third of it
	// is the interval of pings, which carry the watermark.
	sessionTimeout = 10 * time.Second

	// observed is how many observations may wait for the recorder.
	observed = 1024
)

// auditor is source, recorder, journal and sinks, and the goroutines between
// them.
type auditor struct {
	logger  log.Logger
	scope   inForce
	journal *journal.Journal
	mirror  *mirror.Mirror
	source  source
	release func() // Ends what the source leaves open.
	record  *recorder.Recorder
	actors  *attribution.Attributor // Nil: nobody is asked who made a change.
	sinks   []sink
	show    func(progress string) // Or nil.
	syncs   string                // What it begins with: firstSync or resync.
}

// openAuditor opens the journal first: its lock keeps other processes away
// from the whole directory. It reads what a long run has left, which ctx can
// end. Where actors are not nil, they tell who made a change.
func openAuditor(ctx context.Context, o Options, dialer *fourletter.Dialer, actors *attribution.Attributor, reg prometheus.Registerer) (*auditor, error) {
	a := &auditor{logger: o.Logger, show: o.Progress, actors: actors}
	var err error
	a.journal, err = journal.Open(journal.Options{
		Dir: o.Audit.Dir, Logger: o.Logger, Registerer: reg,
		Ensemble: o.Audit.Ensemble, Recorder: o.Audit.Recorder, Limits: o.Audit.Journal,
	})
	if err != nil {
		return nil, err
	}
	if err := a.open(ctx, o, dialer, reg); err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		return nil, errors.Join(err, a.close(ctx))
	}
	return a, nil
}

func (a *auditor) open(ctx context.Context, o Options, dialer *fourletter.Dialer, reg prometheus.Registerer) error {
	current, err := o.Audit.loadPolicy()
	if err != nil {
		return err
	}
	a.scope.current.Store(current)
	var place mirror.Place
	if a.mirror, place, err = openMirror(filepath.Join(o.Audit.Dir, mirrorFile), o.Logger); err != nil {
		return err
	}
	head, _ := a.journal.Durable()
	options := recorder.Options{
		Ensemble: o.Audit.Ensemble, Recorder: o.Audit.Recorder,
		Policy: current, Mirror: a.mirror, Place: place,
		Journal: a.journal, Chain: a.journal.ChainID(), Head: head,
		Committed: a.journal.Keep, CheckpointInterval: o.Audit.CheckpointInterval,
		Logger: o.Logger, Registry: reg,
	}
	if a.actors != nil {
		options.Actors = a.actors
	}
	if a.record, err = recorder.New(options); err != nil {
		return err
	}
	for line, err := range a.journal.Replay(ctx, a.record.Place().Seq) {
		if err != nil {
			return fmt.Errorf("replay journal: %w", err)
		}
		if err := a.record.Replay(line); err != nil {
			return err
		}
	}
	a.syncs = firstSync
	for _, synced := range a.record.Place().Synced {
		if synced {
			a.syncs = resync
		}
	}
	a.source, a.release = openSource(o, watch.Options{
		Servers: o.ZooKeeper.Addresses, SessionTimeout: sessionTimeout, Timeout: o.ZooKeeper.Timeout,
		Dial: dialer.DialContext, Auth: Credentials(o.ZooKeeper.AuthFile, o.Logger), Version: versionOf(dialer),
		SweepInterval: o.Audit.SweepInterval, Logger: o.Logger, Registry: reg,
	}, a.record.Place().ACL, dialer, reg)
	a.sinks, err = openSinks(o, a.journal, reg)
	return err
}

// openMirror begins a new mirror where the old one is of no use: the recorder
// declares a gap and reads everything anew, while a process that gave up would
// give up at every start.
func openMirror(file string, logger log.Logger) (*mirror.Mirror, mirror.Place, error) {
	m, place, err := mirror.Open(file)
	if !errors.Is(err, mirror.ErrUnusable) {
		return m, place, err
	}
	level.Error(logger).Log("msg", "last known state is lost, beginning anew", "err", err)
	if err := mirror.Discard(file); err != nil {
		return nil, mirror.Place{}, err
	}
	return mirror.Open(file)
}

// run works until ctx is done or a part of it ends, and then waits until
// everything seen is recorded, durable and delivered, and releases the files.
// What cannot be recorded by then is an error.
func (a *auditor) run(ctx context.Context) error {
	working, abort := context.WithCancel(context.Background())
	defer abort()
	observing, stopObserving := context.WithCancel(working)
	defer stopObserving()
	attributed := a.attribute(working)
	recorded, pumped := make(chan error, 1), make(chan error, 1)
	go func() { recorded <- a.observe(working, observing, stopObserving) }()
	shown := a.showProgress(observing)
	go func() { pumped <- deliver(working, a.sinks) }()

	var errs []error
	select {
	case <-ctx.Done():
	case err := <-recorded:
		errs, recorded = append(errs, err), nil
	case err := <-pumped:
		errs, pumped = append(errs, err), nil
	}
	ending, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	stopObserving()
	<-shown
	if recorded != nil {
		errs = append(errs, finish(ending, abort, recorded))
	}
	// Close says again what Finish could not do.
	if err := a.journal.Finish(ending); err == nil && pumped != nil {
		errs = append(errs, a.drain(ending, pumped))
	}
	abort()
	<-attributed
	return errors.Join(append(errs, a.close(ending))...)
}

// attribute asks who is behind the sessions until ctx is done. The channel is
// closed when it has ended.
func (a *auditor) attribute(ctx context.Context) <-chan struct{} {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if a.actors != nil {
			a.actors.Run(ctx)
		}
	}()
	return ended
}

// observe returns when the source and the recorder have ended, with what was
// wrong. The end of observing ends the source, and the recorder has recorded
// everything then; the end of ctx ends both at once.
func (a *auditor) observe(ctx, observing context.Context, stopObserving context.CancelFunc) error {
	observations := make(chan audit.Observation, observed)
	from := a.record.Place().Mark
	sourced := make(chan error, 1)
	go func() {
		err := a.source.Run(observing, from, &a.scope, a.record.Known(), observations)
		close(observations)
		sourced <- err
	}()
	recordErr := a.record.Run(ctx, observations)
	stopObserving() // Without a recorder nobody takes what the source sees.
	sourceErr := <-sourced
	if errors.Is(sourceErr, context.Canceled) {
		sourceErr = nil // It was asked to end, and what it has not seen the next one finds.
	}
	return errors.Join(recordErr, sourceErr)
}

// finish waits until what was seen is recorded, and gives up when ctx ends.
func finish(ctx context.Context, abort context.CancelFunc, recorded <-chan error) error {
	select {
	case err := <-recorded:
		return err
	case <-ctx.Done():
		abort()
		return errors.Join(fmt.Errorf("record what was seen: %w", ctx.Err()), <-recorded)
	}
}

// drain lets the sinks receive what is durable. One that does not take it in
// time gets it after the next start, so nothing is lost.
func (a *auditor) drain(ctx context.Context, pumped <-chan error) error {
	select {
	case err := <-pumped:
		return err
	case <-ctx.Done():
		level.Warn(a.logger).Log("msg", "a sink does not take the last records, they wait in the journal for the next start")
		return nil
	}
}

// close releases the files.
func (a *auditor) close(ctx context.Context) error {
	var err error
	if a.release != nil {
		a.release()
	}
	if a.mirror != nil {
		err = a.mirror.Close()
	}
	return errors.Join(err, a.journal.Close(ctx))
}

// ready returns why the auditor cannot be relied on yet. That ZooKeeper is away
// later is no reason: the next process would have to wait for it as well.
func (a *auditor) ready() error {
	if err := a.journal.Err(); err != nil {
		return fmt.Errorf("journal is not writable: %w", err)
	}
	if err := a.mismatch(); err != nil {
		return fmt.Errorf("transaction log: %w", err)
	}
	select {
	case <-a.record.Synced():
		return nil
	default:
	}
	if err := a.source.Err(); err != nil {
		return fmt.Errorf("%s is waiting: %w", a.syncs, err)
	}
	return errors.New(syncing(a.syncs, a.source.Progress(), a.source.Walked()))
}
