package mirror

import (
	"iter"
	"maps"
	"slices"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// walkPage is how many znodes are read of the file at once. No lock is held
// between two pages, so the recorder never waits for who walks.
const walkPage = 1024

// Walk yields the entries from path on, down to depth levels below it: zero is
// path alone, negative is everything. They come in the order of their paths as
// bytes; a znode's descendants therefore follow it, but not always at once,
// since some characters sort before the slash. What changes during the walk
// may be seen or not.
func (m *Mirror) Walk(path string, depth int) iter.Seq2[string, Entry] {
	return func(yield func(string, Entry) bool) {
		if entry, known := m.Get(path); known && !yield(path, entry) || depth == 0 {
			return
		}
		w := walk{mirror: m, below: prefix(path), depth: depth}
		for page := w.next(); len(page) > 0; page = w.next() {
			for _, found := range page {
				if !yield(found.path, found.entry) {
					return
				}
			}
		}
	}
}

// walk is a place in the paths that begin with below.
type walk struct {
	mirror *Mirror
	below  string
	depth  int
	last   string // The last path of the page before.
	done   bool
}

type located struct {
	path  string
	entry Entry
}

// next returns the entries of the next page, and none at the end.
func (w *walk) next() []located {
	if w.done {
		return nil
	}
	m := w.mirror
	m.mu.RLock()
	defer m.mu.RUnlock()
	page := map[string]Entry{}
	end := ""
	m.view(func(znodes *bolt.Bucket) { end = w.read(znodes.Cursor(), page) })
	for path, entry := range m.dirty {
		if !w.inside(path) || end != "" && path > end {
			continue
		}
		delete(page, path)
		if entry != nil {
			page[path] = *entry
		}
	}
	w.done = end == ""
	w.last = end
	found := make([]located, 0, len(page))
	for _, path := range slices.Sorted(maps.Keys(page)) {
		found = append(found, located{path, page[path]})
	}
	if len(found) == 0 && !w.done {
		return w.empty()
	}
	return found
}

// empty goes on behind a page of which nothing is left.
func (w *walk) empty() []located {
	w.mirror.mu.RUnlock()
	defer w.mirror.mu.RLock()
	return w.next()
}

// read fills page from the file and returns the last path that it covers, or
// nothing when it reached the end.
func (w *walk) read(cursor *bolt.Cursor, page map[string]Entry) string {
	from := w.below
	if w.last != "" {
		from = w.last
	}
	key, text := cursor.Seek([]byte(from))
	for key != nil && strings.HasPrefix(string(key), w.below) {
		path := string(key)
		if deeper, ok := w.tooDeep(path); ok {
			key, text = cursor.Seek([]byte(deeper + "0")) // "0" follows "/": the subtree is stepped over.
			continue
		}
		if w.inside(path) {
			page[path] = decode(text)
			if len(page) == walkPage {
				return path
			}
		}
		key, text = cursor.Next()
	}
	return ""
}

// inside reports whether path belongs to what is left of the walk.
func (w *walk) inside(path string) bool {
	if len(path) <= len(w.below) || !strings.HasPrefix(path, w.below) || path <= w.last {
		return false
	}
	_, deep := w.tooDeep(path)
	return !deep
}

// tooDeep returns the ancestor of path at the deepest level of the walk, if
// path lies below that.
func (w *walk) tooDeep(path string) (ancestor string, deep bool) {
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
