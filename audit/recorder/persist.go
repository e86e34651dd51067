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

// bound keeps the changes that wait for a commit of the mirror few.
func (r *Recorder) bound(ctx context.Context) error {
	if r.Mirror.Dirty() < maxDirty {
		return nil
	}
	return r.commit(ctx)
}

// commit makes the mirror durable, behind the journal: a mirror ahead of it
// would hide changes that were never recorded.
func (r *Recorder) commit(ctx context.Context) error {
	if !r.moved && r.Mirror.Dirty() == 0 {
		return nil
	}
	if err := r.Journal.Flush(ctx); err != nil {
		return fmt.Errorf("flush journal: %w", err)
	}
	if err := r.persist(ctx, func() error { return r.Mirror.Commit(r.place) }); err != nil {
		return err
	}
	r.moved, r.untold = false, false
	r.committed()
	return nil
}

// committed tells who waits for it how far the mirror is durable.
func (r *Recorder) committed() {
	if r.Committed != nil {
		r.Committed(r.place.Seq)
	}
}

// persist writes the mirror. While the disk refuses, it waits, and so does
// everything before it.
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
