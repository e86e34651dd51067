package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"

	"zkwarden/audit"
)

// Replay yields the lines behind the record after that are durable when it
// begins, checked against the chain; from 0 it yields all that are kept. A line is
// valid until the next one. An error, that of ctx or a [*BrokenError], comes
// last and without a line.
func (j *Journal) Replay(ctx context.Context, after uint64) iter.Seq2[audit.Line, error] {
	return func(yield func(audit.Line, error) bool) {
		j.mu.Lock()
		begin, end := j.beginning(), j.durable
		j.mu.Unlock()
		if after == 0 {
			after = begin.seq
		}
		w, err := openWalker(j.dir, after, begin, end)
		if err != nil {
			yield(audit.Line{}, fmt.Errorf("replay journal from seq %d: %w", after, err))
			return
		}
		defer w.close()
		for {
			line, err := w.next(end)
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(audit.Line{}, fmt.Errorf("replay journal from seq %d: %w", after, err))
				return
			}
			if !yield(audit.Line{Seq: w.last().seq, JSON: line}, nil) {
				return
			}
		}
	}
}
