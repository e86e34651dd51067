package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sort"
	"time"

	"zkwarden/audit"
)

const (
	// pollInterval is how often Browse looks for more.
	pollInterval = 200 * time.Millisecond
	// clockSteps is how far the clock behind "observed" may have been set back
	// without records being taken for others of that time.
	clockSteps = time.Minute
)

// BrowseOptions say which lines [Browse] yields. The zero value yields all.
type BrowseOptions struct {
	From, To     uint64    // The first and the last seq; 0 for no bound.
	Since, Until time.Time // Segments observed wholly before or behind are skipped, give or take a minute. Match has to compare what is left.

	Match  func(audit.Line) bool // Whether a line is wanted; nil for all.
	Tail   int                   // Yields no more than the last so many of them; 0 for all.
	Follow bool                  // Goes on as the journal grows, until ctx ends.
}

// Browse yields lines of the journal in dir, each checked against its own hash
// and the line before. It changes nothing and takes no lock: it works beside
// the process that owns the journal, and on a copy. A line is valid until the
// next one.
//
// Damage is a [*BrokenError] without a line: what does not prove itself is
// left out, and Browse goes on behind it. So it does after a [*RemovedError],
// and after an error that matches [ErrWaiting]. Any other error is the last; it
// matches [ErrNoJournal] where there is nothing to read.
func Browse(ctx context.Context, dir string, o BrowseOptions) iter.Seq2[audit.Line, error] {
	return func(yield func(audit.Line, error) bool) {
		b := &browser{ctx: ctx, dir: dir, options: o, yield: yield}
		err := b.run()
		switch {
		case err == nil, errors.Is(err, errEnough):
			return
		case !errors.Is(err, ErrNoJournal): // Which names the directory.
			err = fmt.Errorf("read journal %s: %w", dir, err)
		}
		yield(audit.Line{}, err)
	}
}

// errEnough ends a browser without an error for its caller.
var errEnough = errors.New("enough")

type browser struct {
	ctx     context.Context
	dir     string
	options BrowseOptions
	yield   func(audit.Line, error) bool

	last  mark // The last line read; its hash is empty when that is not known.
	chain string
	drop  int // Matching lines that are none of the tail.
}

func (b *browser) run() error {
	head, damage, err := b.await()
	if err != nil {
		return err
	}
	if damage != nil {
		if err := b.tell(damage); err != nil {
			return err
		}
	}
	segments, err := listSegments(b.dir)
	if err != nil {
		return err
	}
	if err := b.before(segments); err != nil {
		return err
	}
	chosen := b.choose(segments)
	if len(chosen) > 0 {
		b.last.seq = chosen[0].first - 1
	}
	for _, s := range chosen {
		if s.first <= b.last.seq {
			continue // Removed with the one before.
		}
		if err := b.segment(s, s == segments[len(segments)-1]); err != nil {
			return err
		}
	}
	if err := b.within(segments, chosen); err != nil {
		return err
	}
	isWhole := len(segments) == 0 || len(chosen) > 0 && chosen[len(chosen)-1] == segments[len(segments)-1]
	if isWhole && b.last.seq < head.seq {
		err := b.tell(&BrokenError{
			File: segmentPath(b.dir, b.last.seq+1), Seq: b.last.seq + 1,
			Problem: fmt.Sprintf("the journal ends, although the file head says that it reached seq %d", head.seq),
		})
		if err != nil {
			return err
		}
	}
	if b.options.Follow {
		return b.follow()
	}
	return nil
}

// await returns the head of the journal, and what is wrong with the file. One
// that follows waits for a journal, but not for its directory, whose name may
// be mistyped.
func (b *browser) await() (head mark, damage *BrokenError, err error) {
	for isFirst := true; ; isFirst = false {
		head, damage, err = readHead(b.dir)
		if !errors.Is(err, ErrNoJournal) || errors.Is(err, os.ErrNotExist) || !b.options.Follow {
			return head, damage, err
		}
		if isFirst {
			if err := b.tell(fmt.Errorf("%w in %s", ErrWaiting, b.dir)); err != nil {
				return mark{}, nil, err
			}
		}
		if err := b.pause(); err != nil {
			return mark{}, nil, err
		}
	}
}

func (b *browser) pause() error {
	select {
	case <-b.ctx.Done():
		return b.ctx.Err()
	case <-time.After(pollInterval):
		return nil
	}
}

// choose returns the segments that can hold wanted lines.
func (b *browser) choose(segments []stored) []stored {
	o := b.options
	from, to := 0, len(segments)
	if o.From > 0 {
		from = sort.Search(len(segments), func(i int) bool { return segments[i].first > o.From }) - 1
	}
	if o.To > 0 {
		to = sort.Search(len(segments), func(i int) bool { return segments[i].first > o.To })
	}
	if !o.Since.IsZero() {
		from = max(from, b.firstBehind(segments, o.Since.Add(-clockSteps), 0)-1)
	}
	if !o.Until.IsZero() && !o.Follow {
		to = min(to, b.firstBehind(segments, o.Until.Add(clockSteps), len(segments)))
	}
	from = max(from, 0)
	if from >= to {
		return nil
	}
	if o.Tail > 0 {
		from = b.tail(segments, from, to)
	}
	return segments[from:to]
}

// firstBehind returns which segment is the first to begin later than t, or
// unknown if one cannot tell when it begins.
func (b *browser) firstBehind(segments []stored, t time.Time, unknown int) int {
	var failed error
	i := sort.Search(len(segments), func(i int) bool {
		began, err := b.began(segments[i])
		failed = errors.Join(failed, err)
		return began.After(t)
	})
	if failed != nil {
		return unknown
	}
	return i
}

func (b *browser) began(s stored) (time.Time, error) {
	e, err := b.first(s)
	return e.Observed.Time(), err
}

// first returns the first record of a segment.
func (b *browser) first(s stored) (audit.Event, error) {
	r, err := openSegment(b.dir, s.first, "")
	if err != nil {
		return audit.Event{}, err
	}
	defer r.close()
	line, err := r.next(s.size)
	if err != nil {
		return audit.Event{}, err
	}
	return Decode(audit.Line{Seq: s.first, JSON: line})
}

// tail counts matching lines from the last segment back until there are
// enough, and returns where to begin. Damage is told of when it is read again.
func (b *browser) tail(segments []stored, from, to int) int {
	found := 0
	for i := to - 1; i >= from; i-- {
		count := browser{
			ctx: b.ctx, dir: b.dir, options: b.options, last: mark{seq: segments[i].first - 1},
			yield: func(_ audit.Line, err error) bool {
				if err == nil {
					found++
				}
				return true
			},
		}
		_ = count.segment(segments[i], i == len(segments)-1)
		if found >= b.options.Tail {
			b.drop = found - b.options.Tail
			return i
		}
	}
	return from
}

// segment yields the lines of a segment, as far as it was when it was listed.
func (b *browser) segment(s stored, isLast bool) error {
	r, err := b.open(s.first)
	if broken, ok := errors.AsType[*BrokenError](err); ok {
		return b.tell(broken) // Something else has the segment's name.
	}
	if r == nil || err != nil {
		return err
	}
	defer r.close()
	for {
		line, err := r.next(s.size)
		if errors.Is(err, io.EOF) || isLast && isTorn(err, r, s.size) {
			return nil
		}
		if err := b.handle(r, line, err, s.size); err != nil {
			return err
		}
	}
}

// open opens the next segment, or returns nil if it is gone.
func (b *browser) open(first uint64) (*segmentReader, error) {
	if b.last.seq+1 != first {
		if err := b.tell(missing(b.dir, b.last.seq+1, first)); err != nil {
			return nil, err
		}
		b.last = mark{seq: first - 1}
	}
	if first == 1 {
		b.last.hash = noHash
	}
	r, err := openSegment(b.dir, first, b.last.hash)
	if errors.Is(err, os.ErrNotExist) {
		return nil, b.removed()
	}
	return r, err
}

// handle yields a line, or tells of the damage that stands in its place and
// goes behind it.
func (b *browser) handle(r *segmentReader, line []byte, err error, limit int64) error {
	var broken *BrokenError
	switch {
	case errors.As(err, &broken):
		if err := b.tell(broken); err != nil {
			return err
		}
		err := r.skip(b.ctx, limit)
		b.last = mark{seq: r.last.seq}
		return err
	case err != nil:
		return err
	}
	if r.line == 1 {
		if err := b.segmentBegins(r, line); err != nil {
			return err
		}
	}
	b.last = r.last
	return b.line(audit.Line{Seq: r.last.seq, JSON: line})
}

// segmentBegins checks that a segment is one of this journal.
func (b *browser) segmentBegins(r *segmentReader, line []byte) error {
	e, err := r.firstLine(line)
	if err != nil {
		return b.tell(err)
	}
	if b.chain != "" && e.Chain != b.chain {
		return b.tell(&BrokenError{File: r.file.Name(), Line: 1, Seq: e.Seq, Problem: anotherChain(e.Chain, b.chain)})
	}
	b.chain = e.Chain
	return nil
}

func (b *browser) line(line audit.Line) error {
	o := b.options
	switch {
	case o.To > 0 && line.Seq > o.To:
		return errEnough
	case line.Seq < o.From, o.Match != nil && !o.Match(line):
		return b.ctx.Err()
	case b.drop > 0:
		b.drop--
		return b.ctx.Err()
	case !b.yield(line, nil):
		return errEnough
	}
	return b.ctx.Err()
}

// tell yields an error that is not the last.
func (b *browser) tell(err error) error {
	if !b.yield(audit.Line{}, err) {
		return errEnough
	}
	return nil
}
