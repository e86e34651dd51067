package recorder

import (
	"context"
	"errors"
	"iter"

	"zkwarden/audit"
)

var errEnded = errors.New("recorder has ended")

// Known returns the mirror's read side for a source. It leaves out what has to be
// read whole, with everything below it, though it is known in part: a root whose
// first sync is not complete, and what was born in a gap and is known from a
// hint.
func (r *Recorder) Known() audit.Known { return known{r} }

type known struct{ r *Recorder }

func (k known) Settle(ctx context.Context) error {
	settled := make(chan struct{})
	select {
	case k.r.settle <- settled:
	case <-ctx.Done():
		return ctx.Err()
	case <-k.r.done:
		return errEnded
	}
	select {
	case <-settled:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-k.r.done:
		return errEnded
	}
}

func (k known) Walk(path string, depth int) iter.Seq2[string, audit.Stat] {
	return func(yield func(string, audit.Stat) bool) {
		for path, stat := range k.r.Mirror.Stats(path, depth) {
			if _, partial := k.r.partial.Load(path); partial {
				continue
			}
			if !yield(path, stat) {
				return
			}
		}
	}
}
