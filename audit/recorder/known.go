package recorder

import (
	"context"
	"errors"
	"iter"

	"zkwarden/audit"
)

var errEnded = errors.New("recorder has ended")

// Known returns the mirror's read side for a source. A root whose first sync is
// not complete is not known, whatever is known below it: what was not read yet
// cannot be compared.
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
		hidden := k.r.hidden.Load()
		for path, stat := range k.r.Mirror.Stats(path, depth) {
			if hidden != nil && (*hidden)[path] {
				continue
			}
			if !yield(path, stat) {
				return
			}
		}
	}
}
