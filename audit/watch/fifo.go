package watch

import "zkwarden/audit"

const (
	// maxItems and maxBytes bound what waits to be handed over.
	maxItems = 1 << 16
	maxBytes = 64 << 20
)

// item is one observation on its way to the recorder, in the order of the wire.
type item struct {
	seen  audit.Seen
	other audit.Observation // A Gap, Mark, Mode or Counted in place of seen.
	then  func()            // No observation: it is called when this is first and the recorder has applied what came before.
	done  bool              // Whether the answer that it waits for has come.
	known bool              // Told again by a server that is behind: it is not handed over.
	older bool              // Whether an earlier link told of it: it stands before the gap.
	bytes int

	unbounded bool // Whether the zxid of the next answer is still to be filled in.
}

// fifo keeps items in the order of the wire.
type fifo struct {
	items []*item
	next  int // Items before it are gone.
	bytes int // Paths and data held by the items.
}

func (q *fifo) push(it *item) {
	q.items = append(q.items, it)
	q.bytes += it.bytes
}

func (q *fifo) prepend(items []*item) {
	for _, it := range items {
		q.bytes += it.bytes
	}
	q.items, q.next = append(items, q.rest()...), 0
}

func (q *fifo) first() *item {
	if q.next == len(q.items) {
		return nil
	}
	return q.items[q.next]
}

func (q *fifo) last() *item {
	if q.next == len(q.items) {
		return nil
	}
	return q.items[len(q.items)-1]
}

func (q *fifo) pop() {
	q.bytes -= q.items[q.next].bytes
	q.items[q.next] = nil
	q.next++
	if q.next == len(q.items) || q.next > maxItems {
		q.items, q.next = append(q.items[:0], q.items[q.next:]...), 0
	}
}

// grow accounts for data that came with an answer.
func (q *fifo) grow(it *item, bytes int) {
	it.bytes += bytes
	q.bytes += bytes
}

func (q *fifo) rest() []*item { return q.items[q.next:] }

// full reports whether no more frames should be taken.
func (q *fifo) full() bool { return len(q.items)-q.next >= maxItems }

// flooded reports whether there are too many items to wait any longer.
func (q *fifo) flooded() bool { return len(q.items)-q.next >= 4*maxItems || q.bytes >= 4*maxBytes }

// heavy reports whether no more should be read unasked.
func (q *fifo) heavy() bool { return q.full() || q.bytes >= maxBytes }
