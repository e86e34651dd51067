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
		begin, end := j.bounds()
		if after == 0 {
			after = begin.seq
		}
		j.replay(ctx, after, begin, end, yield)
	}
}

// Later yields what Replay does, but where retention has removed records behind
// after, it begins with the first that is kept.
func (j *Journal) Later(ctx context.Context, after uint64) iter.Seq2[audit.Line, error] {
	return func(yield func(audit.Line, error) bool) {
		begin, end := j.bounds()
		j.replay(ctx, max(after, begin.seq), begin, end, yield)
	}
}

// bounds returns the record before the first that is kept, and the last.
func (j *Journal) bounds() (begin mark, end position) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.beginning(), j.durable
}

func (j *Journal) replay(ctx context.Context, after uint64, begin mark, end position, yield func(audit.Line, error) bool) {
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
