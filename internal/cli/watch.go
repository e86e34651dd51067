package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/go-kit/log"
	"golang.org/x/sync/errgroup"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
	"zkwarden/audit/recorder"
	"zkwarden/audit/watch"
)

const (
	// watchChain stands where a journal's chain id would in the ids of records
	// that are not changes.
	watchChain = "watch"

	// glance is how often Watch looks whether its connection is well.
	glance = 100 * time.Millisecond
)

// WatchOptions say what [Watch] follows and how it prints that.
type WatchOptions struct {
	Session  SessionOptions
	Ensemble string // Makes the ids of changes those of an auditor of that name; may be empty.
	Paths    []string
	JSON     bool // One event a line, as the journal would hold it but for the chain.
	Color    bool // Color the text.
}

// Watch prints changes of the znodes at and below the paths as they happen. It
// is the auditor without a journal: what happened while it was not connected
// is found by comparison and marked as such.
//
// Watch ends without an error when nobody reads out any more, and with the
// error of ctx when that is done. It fails at once when no server answers, or
// when the server refuses the credentials or demands others.
func Watch(ctx context.Context, o WatchOptions, out io.Writer) (err error) {
	followed, err := policy.ForPaths(o.Paths, policy.LevelData, nil)
	if err != nil {
		return err
	}
	// A server that cannot be reached should be an error now, not a silence.
	probe, err := openSession(ctx, o.Session)
	if err != nil {
		return err
	}
	probe.close()

	dir, err := os.MkdirTemp("", "zkwarden-watch-")
	if err != nil {
		return fmt.Errorf("make room for the known state: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	known, place, err := mirror.Open(filepath.Join(dir, "mirror.db"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, known.Close()) }()

	err = follow(ctx, o, followed, known, place, &screen{options: o, out: out})
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

func follow(ctx context.Context, o WatchOptions, followed *policy.Policy, known *mirror.Mirror, place mirror.Place, s *screen) error {
	record, err := recorder.New(recorder.Options{
		Ensemble: o.Ensemble, Policy: followed, Mirror: known, Place: place, Journal: s, Chain: watchChain,
		Logger: log.NewNopLogger(),
	})
	if err != nil {
		return err
	}
	source := watch.New(watch.Options{
		Servers: o.Session.Servers, SessionTimeout: sessionTimeout, Timeout: o.Session.Timeout, Dial: o.Session.Dial,
		Auth: o.Session.Auth, Logger: log.NewNopLogger(),
	})
	group, ctx := errgroup.WithContext(ctx)
	observations := make(chan audit.Observation)
	group.Go(func() error {
		defer close(observations)
		return source.Run(ctx, 0, followed, record.Known(), observations)
	})
	group.Go(func() error { return record.Run(ctx, observations) })
	group.Go(func() error { return s.attend(ctx, source.Err) })
	return group.Wait()
}

// attend tells what becomes of the connection, and returns an error when no
// connection would help. The source itself hopes for a change of the server.
func (s *screen) attend(ctx context.Context, trouble func() error) error {
	ticker := time.NewTicker(glance)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		err := trouble()
		if errors.Is(err, watch.ErrAuthDemanded) || errors.Is(err, watch.ErrCredentialsRefused) {
			return err
		}
		if err := s.connection(err); err != nil {
			return err
		}
	}
}
