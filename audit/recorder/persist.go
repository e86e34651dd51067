package recorder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-kit/log/level"
)

const (
	// commitRetry is the pause after a disk refused the mirror.
	commitRetry = time.Second
	// maxDirty bounds the memory between two commits of the mirror.
	maxDirty = 8192
)

// commit is a commit of the mirror that is being written.
type commit struct {
	seq  uint64 // The record through which it makes the mirror durable.
	done chan error
}

// bound keeps the changes that wait for a commit of the mirror few.
func (r *Recorder) bound(ctx context.Context) error {
	if r.Mirror.Dirty() < maxDirty {
		return nil
	}
	if err := r.wait(); err != nil {
		return err
	}
	return r.beginCommit(ctx)
}

// beginCommit begins to make the mirror durable, behind the journal: a mirror
// ahead of it would hide changes that were never recorded. It goes on beside
// the recorder, which would otherwise let changes wait for the disk twice. One
// that is being written already is enough.
func (r *Recorder) beginCommit(ctx context.Context) error {
	if r.committing != nil || !r.moved && r.Mirror.Dirty() == 0 {
		return nil
	}
	write, err := r.Mirror.Begin(r.place)
	if err != nil {
		return err
	}
	r.moved, r.untold = false, false
	c := &commit{seq: r.place.Seq, done: make(chan error, 1)}
	r.committing = c
	go func() {
		if err := r.Journal.Flush(ctx); err != nil {
			c.done <- fmt.Errorf("flush journal: %w", err)
			return
		}
		c.done <- r.persist(ctx, write)
	}()
	return nil
}

// written is where the end of the commit that is being written is told.
func (r *Recorder) written() <-chan error {
	if r.committing == nil {
		return nil
	}
	return r.committing.done
}

// wrote takes note that the commit has ended.
func (r *Recorder) wrote(err error) error {
	c := r.committing
	r.committing = nil
	if err == nil && r.Committed != nil {
		r.Committed(c.seq)
	}
	return err
}

// wait returns when no commit is being written.
func (r *Recorder) wait() error {
	if r.committing == nil {
		return nil
	}
	return r.wrote(<-r.committing.done)
}

// commit returns when everything so far is durable.
func (r *Recorder) commit(ctx context.Context) error {
	if err := r.wait(); err != nil {
		return err
	}
	if err := r.beginCommit(ctx); err != nil {
		return err
	}
	if err := r.wait(); err != nil {
		return err
	}
	r.untold = false
	return nil
}

// persist writes the mirror. While the disk refuses, it waits.
func (r *Recorder) persist(ctx context.Context, write func() error) error {
	for refused := false; ; refused = true {
		err := write()
		if err == nil {
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
