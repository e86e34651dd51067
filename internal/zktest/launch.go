package zktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

const (
	// launchAttempts bounds how often an ensemble that lost a port tries others.
	launchAttempts = 5
	// launchTimeout bounds one attempt, downloads excluded.
	launchTimeout = time.Minute
	// startTimeout bounds Start, a first download included.
	startTimeout = 8 * time.Minute
)

// Start launches an ensemble for a test and closes it at the test's end. It
// fails the test when that does not work. When the test failed, it shows the
// end of every server's log.
func Start(t testing.TB, opts Options) *Ensemble {
	t.Helper()
	if opts.Dir == "" {
		opts.Dir = t.TempDir()
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	ensemble, err := Launch(ctx, opts)
	if err != nil {
		t.Fatalf("start ZooKeeper: %v", err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(ensemble.logs())
		}
		if err := ensemble.Close(); err != nil {
			t.Errorf("close ensemble: %v", err)
		}
	})
	return ensemble
}

// Launch starts an ensemble and returns when all its servers serve. The
// context bounds the launch only; the servers run until Close, or until this
// process ends in whatever way.
func Launch(ctx context.Context, opts Options) (*Ensemble, error) {
	opts, err := opts.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("launch ensemble: %w", err)
	}
	installed, err := bring(ctx, opts.Version)
	if err != nil {
		return nil, fmt.Errorf("launch ensemble: %w", err)
	}
	return launch(ctx, opts, installed, portPicker{}.pick)
}

// launch tries until no server loses a port.
func launch(ctx context.Context, opts Options, installed install, pick func() (ports, error)) (*Ensemble, error) {
	for attempts := 1; ; attempts++ {
		ensemble, err := attempt(ctx, opts, installed, pick)
		switch {
		case err == nil:
			return ensemble, nil
		case !errors.Is(err, errPortTaken) || attempts == launchAttempts:
			return nil, fmt.Errorf("launch ensemble, attempt %d: %w", attempts, err)
		}
	}
}

// attempt launches once. Nothing of it is left when it fails, except the
// directory that the caller named; the error ends with the servers' logs.
func attempt(ctx context.Context, opts Options, installed install, pick func() (ports, error)) (_ *Ensemble, err error) {
	ensemble, err := lay(opts, installed, pick)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%w\n%s", err, ensemble.logs()), ensemble.Close())
		}
	}()
	for _, s := range ensemble.servers {
		if err := s.start(); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, launchTimeout)
	defer cancel()
	err = until(ctx, "the ensemble serves", func() error {
		_, err := ensemble.roles(ctx)
		if err != nil && ensemble.lostPort() {
			return &permanentError{errPortTaken}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, s := range ensemble.servers {
		if err := s.waitOpen(ctx); err != nil {
			return nil, err
		}
	}
	// A server may serve although it lost one of the other ports.
	if ensemble.lostPort() {
		return nil, errPortTaken
	}
	return ensemble, nil
}

// lay writes the files of all servers and starts none.
func lay(opts Options, installed install, pick func() (ports, error)) (_ *Ensemble, err error) {
	ensemble := &Ensemble{opts: opts, version: installed.version, spawner: newSpawner()}
	defer func() {
		if err != nil {
			err = errors.Join(err, ensemble.Close())
		}
	}()
	dir := opts.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "zktest-"); err != nil {
			return nil, fmt.Errorf("make directory of ensemble: %w", err)
		}
		ensemble.remove = dir
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("make directory of ensemble: %w", err)
	}
	for id := 1; id <= opts.Servers+opts.Observers; id++ {
		chosen, err := pick()
		if err != nil {
			return nil, err
		}
		ensemble.servers = append(ensemble.servers, &Server{
			id: id, observer: id > opts.Servers, dir: filepath.Join(dir, strconv.Itoa(id)),
			ports: chosen, spawner: ensemble.spawner, opts: opts, install: installed,
		})
	}
	for _, s := range ensemble.servers {
		s.members = ensemble.servers
		// What an attempt before this one left in the caller's directory.
		if err := os.RemoveAll(s.dir); err != nil {
			return nil, fmt.Errorf("clear directory of server %d: %w", s.id, err)
		}
		if err := s.writeConfig(); err != nil {
			return nil, err
		}
	}
	return ensemble, nil
}
