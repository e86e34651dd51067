package mirror

import (
	"iter"

	"zkwarden/audit"
)

// layer holds changes that the file does not have yet.
type layer struct {
	cleared bool                           // Whether nothing that lies behind the layer counts any more.
	entries map[string]*Entry              // Nil means removed.
	under   map[string]map[string]struct{} // The tree of the paths in entries, names by parent, so that nobody need scan it.
}

func newLayer() layer {
	return layer{entries: map[string]*Entry{}, under: map[string]map[string]struct{}{}}
}

func (l *layer) change(path string, entry *Entry) {
	l.entries[path] = entry
	for path != "/" {
		parent := audit.Parent(path)
		names := l.under[parent]
		if names == nil {
			names = map[string]struct{}{}
			l.under[parent] = names
		}
		name := path[len(prefix(parent)):]
		if _, there := names[name]; there {
			return // And so is everything above it.
		}
		names[name] = struct{}{}
		path = parent
	}
}

// layers are what lies above the file, the newest first.
func (m *Mirror) layers() []*layer {
	if m.fresh.cleared {
		return []*layer{&m.fresh}
	}
	return []*layer{&m.fresh, &m.writing}
}

// hidden reports whether nothing in the file counts any more.
func (m *Mirror) hidden() bool { return m.fresh.cleared || m.writing.cleared }

// above returns what the layers say of path: nil where it was removed.
func (m *Mirror) above(path string) (entry *Entry, said bool) {
	for _, l := range m.layers() {
		if entry, said = l.entries[path]; said {
			return entry, true
		}
	}
	return nil, false
}

// overlay yields every path in the layers once, with the newest that they say.
func (m *Mirror) overlay() iter.Seq2[string, *Entry] {
	return func(yield func(string, *Entry) bool) {
		for i, l := range m.layers() {
			for path, entry := range l.entries {
				if _, newer := m.fresh.entries[path]; newer && i > 0 {
					continue
				}
				if !yield(path, entry) {
					return
				}
			}
		}
	}
}

// namesAbove yields the names below parent that the layers know of, themselves
// or as ancestors, each once.
func (m *Mirror) namesAbove(parent string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i, l := range m.layers() {
			for name := range l.under[parent] {
				if _, newer := m.fresh.under[parent][name]; newer && i > 0 {
					continue
				}
				if !yield(name) {
					return
				}
			}
		}
	}
}
