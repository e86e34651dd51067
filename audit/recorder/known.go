package recorder

import (
	"context"
	"errors"
	"iter"

	"zkwarden/audit"
)

var errEnded = errors.New("recorder has ended")

// Known returns the mirror's read side for a source. It leaves out the roots
// whose first sync is not complete: they have to be read whole.
func (r *Recorder) Known() audit.Known { return known{r} }

// Why a znode is known in part.
const (
	unsynced = "unsynced" // A root before the end of its first sync.
	hinted   = "hinted"   // Born in a gap, and known from a hint alone.
)

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
			switch how, partial := k.r.partial.Load(path); {
			case partial && how == unsynced:
				continue
			case partial:
				stat = audit.Stat{}
			}
			if !yield(path, stat) {
				return
			}
		}
	}
}
