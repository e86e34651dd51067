package mirror

import (
	"iter"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"

	"zkwarden/audit"
)

// walkPage is how many znodes are read of the file at once. No lock is held
// between two pages, so the recorder never waits for who walks.
const walkPage = 4096

// Walk yields the entries from path on, down to depth levels below it: zero is
// path alone, negative is everything. They come in the order of their paths as
// bytes; a znode's descendants therefore follow it, but not always at once,
// since some characters sort before the slash. What changes during the walk
// may be seen or not.
func (m *Mirror) Walk(path string, depth int) iter.Seq2[string, Entry] {
	return walking(m, path, depth, decode, func(e *Entry) Entry { return *e })
}

// Stats is Walk for who needs no content.
func (m *Mirror) Stats(path string, depth int) iter.Seq2[string, audit.Stat] {
	return walking(m, path, depth, decodeStat, (*Entry).stat)
}

func walking[T any](m *Mirror, path string, depth int, decode func([]byte) T, of func(*Entry) T) iter.Seq2[string, T] {
	return func(yield func(string, T) bool) {
		if entry, known := m.Get(path); known && !yield(path, of(&entry)) || depth == 0 {
			return
		}
		w := walk[T]{mirror: m, below: prefix(path), depth: depth, decode: decode, of: of}
		for !w.done {
			for _, found := range w.next() {
				if !yield(found.path, found.value) {
					return
				}
			}
		}
	}
}

// walk is a place in the paths that begin with below.
type walk[T any] struct {
	mirror *Mirror
	below  string
	depth  int
	decode func([]byte) T
	of     func(*Entry) T

	last string // The last path of the page before.
	done bool   // Whether the page was the last one.
}

type located[T any] struct {
	path  string
	value T
}

// next returns the next page, which may be empty.
func (w *walk[T]) next() []located[T] {
	m := w.mirror
	m.mu.RLock()
	defer m.mu.RUnlock()
	var page []located[T]
	end := ""
	m.view(func(znodes *bolt.Bucket) { page, end = w.read(znodes.Cursor()) })
	var changed []located[T]
	for path, entry := range m.overlay() {
		if entry != nil && w.inside(path) && (end == "" || path <= end) {
			changed = append(changed, located[T]{path, w.of(entry)})
		}
	}
	w.done, w.last = end == "", end
	return merge(page, changed)
}

// merge returns both in order. No path is in both.
func merge[T any](page, changed []located[T]) []located[T] {
	if len(changed) == 0 {
		return page
	}
	byPath := func(a, b located[T]) int { return strings.Compare(a.path, b.path) }
	slices.SortFunc(changed, byPath)
	all := make([]located[T], 0, len(page)+len(changed))
	for _, c := range changed {
		before, _ := slices.BinarySearchFunc(page, c, byPath)
		all = append(append(all, page[:before]...), c)
		page = page[before:]
	}
	return append(all, page...)
}

// read returns the page of the file without what has changed since, and the
// last path that it covers, or nothing when it reached the end.
func (w *walk[T]) read(cursor *bolt.Cursor) (page []located[T], end string) {
	from := w.below
	if w.last != "" {
		from = w.last
	}
	key, text := cursor.Seek([]byte(from))
	for count := 0; key != nil; count++ {
		path := string(key)
		switch {
		case !strings.HasPrefix(path, w.below):
			return page, ""
		case count == walkPage:
			return page, end
		}
		end = path
		if deeper, ok := w.tooDeep(path); ok {
			key, text = cursor.Seek([]byte(deeper + "0")) // "0" follows "/": the subtree is stepped over.
			continue
		}
		if _, said := w.mirror.above(path); !said && w.inside(path) {
			page = append(page, located[T]{path, w.decode(text)})
		}
		key, text = cursor.Next()
	}
	return page, ""
}

// inside reports whether path belongs to what is left of the walk.
func (w *walk[T]) inside(path string) bool {
	if len(path) <= len(w.below) || !strings.HasPrefix(path, w.below) || path <= w.last {
		return false
	}
	_, deep := w.tooDeep(path)
	return !deep
}

// tooDeep returns the ancestor of path at the deepest level of the walk, if
// path lies below that.
func (w *walk[T]) tooDeep(path string) (ancestor string, deep bool) {
	if w.depth < 0 {
		return "", false
	}
	at := len(w.below)
	for range w.depth {
		i := strings.IndexByte(path[min(at, len(path)):], '/')
		if i < 0 {
			return "", false
		}
		at += i + 1
	}
	return path[:at-1], true
}
