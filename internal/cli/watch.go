package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/go-kit/log"
	"golang.org/x/sync/errgroup"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
	"zkwarden/audit/recorder"
	"zkwarden/audit/watch"
)

// WatchOptions say what [Watch] follows and how it prints that.
type WatchOptions struct {
	Session SessionOptions
	Paths   []string
	JSON    bool // One event a line, as the journal would hold it but for the chain.
	Color   bool // Color the text.
}

// Watch prints changes of the znodes at and below the paths as they happen,
// until ctx is done or nobody reads out any more. It is the auditor without a
// journal: what happened while it was not connected is found by comparison and
// marked as such.
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

	err = follow(ctx, o, followed, known, place, out)
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

func follow(ctx context.Context, o WatchOptions, followed *policy.Policy, known *mirror.Mirror, place mirror.Place, out io.Writer) error {
	record, err := recorder.New(recorder.Options{
		Policy: followed, Mirror: known, Place: place, Journal: &screen{options: o, out: out},
		Logger: log.NewNopLogger(),
	})
	if err != nil {
		return err
	}
	source := watch.New(watch.Options{
		Servers: o.Session.Servers, SessionTimeout: sessionTimeout, Dial: o.Session.Dial, Logger: log.NewNopLogger(),
	})
	group, ctx := errgroup.WithContext(ctx)
	observations := make(chan audit.Observation)
	group.Go(func() error {
		defer close(observations)
		return source.Run(ctx, 0, followed, record.Known(), observations)
	})
	group.Go(func() error { return record.Run(ctx, observations) })
	return group.Wait()
}

// screen is a journal that nobody can turn back: it prints every record.
type screen struct {
	options WatchOptions
	out     io.Writer
	seq     uint64
	line    bytes.Buffer
}

// unchained hides the member that means something in a journal only.
type unchained struct {
	audit.Event
	Prev *string `json:"prev,omitempty"`
}

// Append implements [audit.Journal].
func (s *screen) Append(_ context.Context, e audit.Event) (uint64, error) {
	s.seq++
	e.Seq = s.seq
	if e.ID == "" {
		e.ID = e.SeqID("watch")
	}
	s.line.Reset()
	if s.options.JSON {
		encoder := json.NewEncoder(&s.line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(unchained{Event: e}); err != nil {
			return 0, fmt.Errorf("encode record: %w", err)
		}
	} else {
		s.text(&e)
	}
	if _, err := s.out.Write(s.line.Bytes()); err != nil {
		return 0, fmt.Errorf("print record: %w", err)
	}
	return s.seq, nil
}

// Flush implements [audit.Journal]; what is printed is printed.
func (s *screen) Flush(context.Context) error { return nil }
