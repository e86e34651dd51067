package journal

import (
	"cmp"
	"fmt"
	"sort"

	"zkwarden/audit"
)

// RemovedError says that retention removed records before they could be read,
// or, with By, before Browse began.
type RemovedError struct {
	From, To uint64
	By       uint64 // The retention record that says so.
	Reason   string // As that record has it.
}

// Error names the records.
func (e *RemovedError) Error() string {
	if e.By > 0 {
		return fmt.Sprintf("the records %d to %d are not here: retention removed them by %s, as record %d says", e.From, e.To, e.Reason, e.By)
	}
	return fmt.Sprintf("retention removed the records %d to %d before they could be read", e.From, e.To)
}

// before tells of records that are asked for by their seqs and lie before all
// that are here.
func (b *browser) before(segments []stored) error {
	o := b.options
	if len(segments) == 0 || o.From == 0 && o.To == 0 {
		return nil
	}
	kept := segments[0].first
	from, to := max(o.From, 1), min(cmp.Or(o.To, kept), kept-1)
	if from > to {
		return nil
	}
	if by := b.vouching(segments); by.Seq > 0 {
		return b.tell(&RemovedError{From: from, To: to, By: by.Seq, Reason: by.Reason})
	}
	return b.tell(&BrokenError{
		File: segmentPath(b.dir, from), Seq: from,
		Problem: fmt.Sprintf("the records %d to %d are missing, and no retention record vouches for all that is gone before record %d", from, to, kept),
	})
}

// vouching returns the retention record for what is gone before the first
// segment, or none. The first record of each segment repeats the newest anchor
// before it, so the one that is looked for stands in the last segment that
// begins with an older anchor, or begins the next one.
func (b *browser) vouching(segments []stored) (by audit.Event) {
	oldest, _ := b.first(segments[0]) // Damage, which is told of when it is read, leaves the hash empty.
	gone := mark{seq: segments[0].first - 1, hash: oldest.Prev}
	next := sort.Search(len(segments), func(i int) bool {
		e, err := b.first(segments[i])
		anchor, anchorErr := parseAnchor(e.Anchor)
		return err == nil && anchorErr == nil && anchor.seq >= gone.seq
	})
	for _, s := range segments[max(next-1, 0):min(next+1, len(segments))] {
		look := browser{
			ctx: b.ctx, dir: b.dir, last: mark{seq: s.first - 1},
			yield: func(line audit.Line, err error) bool {
				if err != nil || !isRetention(line.JSON) {
					return true
				}
				e, err := Decode(line)
				anchor, anchorErr := parseAnchor(e.Anchor)
				if err == nil && anchorErr == nil && anchor.seq == gone.seq && (gone.hash == "" || anchor == gone) {
					by = e
				}
				return by.Seq == 0
			},
		}
		if _ = look.segment(s, true); by.Seq > 0 {
			break
		}
	}
	return by
}

// within tells of records that are asked for by their seqs and would stand
// between the segments that were read and the next one.
func (b *browser) within(segments, read []stored) error {
	next := sort.Search(len(segments), func(i int) bool { return segments[i].first > b.last.seq })
	if len(read) == 0 || next == len(segments) || b.options.To <= b.last.seq || segments[next].first == b.last.seq+1 {
		return nil
	}
	return b.tell(missing(b.dir, b.last.seq+1, segments[next].first))
}

// removed goes to the first segment that retention has left.
func (b *browser) removed() error {
	segments, err := listSegments(b.dir)
	if err != nil {
		return err
	}
	if len(segments) == 0 || segments[0].first <= b.last.seq+1 {
		return nil // Nothing is missing that is not told of when the next segment is read.
	}
	gone := &RemovedError{From: b.last.seq + 1, To: segments[0].first - 1}
	b.last = mark{seq: gone.To}
	return b.tell(gone)
}
