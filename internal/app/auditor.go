package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/audit"
	"zkwarden/audit/journal"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
	"zkwarden/audit/recorder"
	"zkwarden/audit/sink/stdout"
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

// auditor is source, recorder, journal and sink, and the goroutines between
// them.
type auditor struct {
	options Audit
	policy  *policy.Policy
	journal *journal.Journal
	mirror  *mirror.Mirror
	source  *watch.Source
	record  *recorder.Recorder
	pump    *journal.Pump

	stopSource context.CancelFunc // Ends observing; the rest follows in order.
	abort      context.CancelFunc // Ends everything at once.
	sourced    chan error
	recorded   chan error
	pumped     chan error
	ended      chan struct{} // Closed by wait.
}

// newAuditor opens the journal first: its lock keeps other processes away
// from the whole directory.
func newAuditor(o Options, dialer *fourletter.Dialer, reg prometheus.Registerer) (*auditor, error) {
	a := &auditor{options: o.Audit}
	var err error
	a.journal, err = journal.Open(journal.Options{
		Dir: o.Audit.Dir, Logger: o.Logger, Registerer: reg,
		Ensemble: o.Audit.Ensemble, Recorder: o.Audit.Recorder,
	})
	if err != nil {
		return nil, err
	}
	if err := a.open(o, dialer, reg); err != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		return nil, errors.Join(err, a.close(ctx))
	}
	return a, nil
}

func (a *auditor) open(o Options, dialer *fourletter.Dialer, reg prometheus.Registerer) error {
	key, err := digestKey(o.Audit)
	if err != nil {
		return err
	}
	if a.policy, err = policy.ForPaths(o.Audit.Paths, o.Audit.Level, key); err != nil {
		return err
	}
	var place mirror.Place
	if a.mirror, place, err = mirror.Open(filepath.Join(o.Audit.Dir, mirrorFile)); err != nil {
		return err
	}
	head, _ := a.journal.Durable()
	a.record, err = recorder.New(recorder.Options{
		Ensemble: o.Audit.Ensemble, Recorder: o.Audit.Recorder,
		Policy: a.policy, Mirror: a.mirror, Place: place,
		Journal: a.journal, Chain: a.journal.ChainID(), Head: head,
		Logger: o.Logger, Registry: reg,
	})
	if err != nil {
		return err
	}
	for line, err := range a.journal.Replay(context.Background(), a.record.Place().Seq) {
		if err != nil {
			return fmt.Errorf("replay journal: %w", err)
		}
		if err := a.record.Replay(line); err != nil {
			return err
		}
	}
	a.source = watch.New(watch.Options{
		Servers: o.ZooKeeper.Addresses, SessionTimeout: sessionTimeout, Timeout: o.ZooKeeper.Timeout,
		Dial: dialer.DialContext, Logger: o.Logger, Registry: reg,
	})
	if a.pump, err = a.journal.NewPump("stdout", stdout.New(o.Stdout)); err != nil {
		return err
	}
	return nil
}

func digestKey(o Audit) ([]byte, error) {
	if o.DigestKeyFile != "" {
		return policy.LoadKey(o.DigestKeyFile)
	}
	return policy.LoadOrCreateKey(filepath.Join(o.Dir, digestKeyFile))
}

// start runs the parts.
func (a *auditor) start() {
	ctx, abort := context.WithCancel(context.Background())
	a.abort = abort
	sourceCtx, stopSource := context.WithCancel(ctx)
	a.stopSource = stopSource
	a.sourced, a.recorded, a.pumped = make(chan error, 1), make(chan error, 1), make(chan error, 1)
	a.ended = make(chan struct{})

	observations := make(chan audit.Observation, observed)
	from := a.record.Place().Mark
	go func() {
		err := a.source.Run(sourceCtx, from, a.policy, a.record.Known(), observations)
		close(observations)
		a.sourced <- err
	}()
	go func() {
		err := a.record.Run(ctx, observations)
		stopSource() // Without a recorder nobody takes what the source sees.
		a.recorded <- err
	}()
	go func() { a.pumped <- a.pump.Run(ctx) }()
}

// wait returns when the source and the recorder have ended, with what was
// wrong, and when the lines of the latter were delivered.
func (a *auditor) wait() error {
	defer close(a.ended)
	recordErr := <-a.recorded
	sourceErr := <-a.sourced
	if errors.Is(sourceErr, context.Canceled) {
		sourceErr = nil
	}
	return errors.Join(recordErr, sourceErr)
}

// stop ends observing and waits until everything seen is recorded, durable
// and delivered. When ctx ends first, what is left stays in the journal.
func (a *auditor) stop(ctx context.Context) error {
	a.stopSource()
	select {
	case <-a.ended:
	case <-ctx.Done():
		a.abort()
		<-a.ended
		return fmt.Errorf("stop auditor: %w", ctx.Err())
	}
	return nil
}

// close drains the sink and releases the files.
func (a *auditor) close(ctx context.Context) error {
	var errs []error
	if a.pumped != nil {
		errs = append(errs, a.drain(ctx))
	}
	if a.mirror != nil {
		errs = append(errs, a.mirror.Close())
	}
	return errors.Join(append(errs, a.journal.Close(ctx))...)
}

// drain lets the sink receive what is durable. A sink that does not take it in
// time gets it after the next start.
func (a *auditor) drain(ctx context.Context) error {
	defer a.abort()
	if err := a.journal.Finish(ctx); err != nil {
		return fmt.Errorf("finish journal: %w", err)
	}
	select {
	case err := <-a.pumped:
		return err
	case <-ctx.Done():
		return fmt.Errorf("deliver the last records to stdout: %w", ctx.Err())
	}
}

// ready returns why the auditor cannot be relied on yet.
func (a *auditor) ready() error {
	if err := a.journal.Err(); err != nil {
		return fmt.Errorf("journal is not writable: %w", err)
	}
	select {
	case <-a.record.Synced():
		return nil
	default:
	}
	if err := a.source.Err(); err != nil {
		return fmt.Errorf("first sync is waiting: %w", err)
	}
	return fmt.Errorf("first sync is under way: %d znodes read", a.source.Walked())
}
