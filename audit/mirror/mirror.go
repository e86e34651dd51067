package mirror

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"

	"zkwarden/audit"
)

// MaxPath is the longest path that a mirror can keep, in bytes. ZooKeeper
// allows longer ones; only the size of a request bounds them.
const MaxPath = bolt.MaxKeySize

// Mirror is the last known state of the watched znodes. Its methods are safe
// for concurrent use; only one goroutine may change it. However long the disk
// takes for a commit, neither reads nor changes wait for it.
type Mirror struct {
	file string

	mu      sync.RWMutex
	db      *bolt.DB
	fresh   layer // Changes since the last commit began.
	writing layer // What that commit writes, until it has succeeded.

	count atomic.Int64
}

// Get returns the entry of path.
func (m *Mirror) Get(path string) (Entry, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if entry, said := m.above(path); said {
		if entry == nil {
			return Entry{}, false
		}
		return *entry, true
	}
	var entry Entry
	var found bool
	m.view(func(znodes *bolt.Bucket) {
		if text := znodes.Get([]byte(path)); text != nil {
			entry, found = decode(text), true
		}
	})
	return entry, found
}

// Put sets the entry of path. A path longer than MaxPath is not kept: no
// commit could ever write it.
func (m *Mirror) Put(path string, entry Entry) {
	was, known := m.Get(path)
	if !known {
		m.Add(path, entry)
		return
	}
	m.put(path, entry)
	m.count.Add(entry.counts() - was.counts())
}

// Add is Put for a znode that is not known, as Get has told before: a first
// sync has many of them.
func (m *Mirror) Add(path string, entry Entry) {
	if len(path) <= MaxPath {
		m.put(path, entry)
		m.count.Add(entry.counts())
	}
}

func (m *Mirror) put(path string, entry Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fresh.change(path, &entry)
}

// Delete removes the entry of path, but none below it.
func (m *Mirror) Delete(path string) {
	was, known := m.Get(path)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fresh.change(path, nil)
	if known {
		m.count.Add(-was.counts())
	}
}

// Children yields the names of the known children of path, sorted.
func (m *Mirror) Children(path string) iter.Seq[string] {
	return slices.Values(m.children(path))
}

func (m *Mirror) children(path string) []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var names []string
	m.view(func(znodes *bolt.Bucket) {
		for name := range childKeys(znodes.Cursor(), prefix(path)) {
			names = append(names, name)
		}
	})
	changed := slices.Collect(m.namesAbove(path))
	if len(changed) == 0 {
		return names
	}
	names = slices.DeleteFunc(names, func(name string) bool {
		_, said := m.above(audit.Child(path, name))
		return said
	})
	for _, name := range changed {
		if entry, _ := m.above(audit.Child(path, name)); entry != nil {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// childKeys steps over everything below a child with one seek, so that
// listing a few children of a large subtree stays cheap.
func childKeys(cursor *bolt.Cursor, prefix string) iter.Seq[string] {
	return func(yield func(string) bool) {
		key, _ := cursor.Seek([]byte(prefix))
		for {
			rest, ok := strings.CutPrefix(string(key), prefix)
			if !ok || key == nil {
				return
			}
			name, below, deeper := strings.Cut(rest, "/")
			switch {
			case deeper && name != "" && below != "":
				key, _ = cursor.Seek([]byte(prefix + name + "0")) // "0" follows "/".
				continue
			case rest != "" && !yield(rest):
				return
			}
			key, _ = cursor.Next()
		}
	}
}

// prefix is what the paths of all children of parent begin with.
func prefix(parent string) string { return audit.Child(parent, "") }

// Below returns the known paths below root, every znode after its descendants:
// the order in which a subtree can be deleted. Znodes in between need not be
// known.
func (m *Mirror) Below(root string) []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	below := prefix(root)
	var paths []string
	m.view(func(znodes *bolt.Bucket) {
		cursor := znodes.Cursor()
		for key, _ := cursor.Seek([]byte(below)); bytes.HasPrefix(key, []byte(below)); key, _ = cursor.Next() {
			path := string(key)
			if _, said := m.above(path); !said && path != below {
				paths = append(paths, path)
			}
		}
	})
	paths = m.changedBelow(root, paths)
	slices.Sort(paths)
	slices.Reverse(paths)
	return paths
}

// changedBelow appends the paths below root that were set and are not in the file.
func (m *Mirror) changedBelow(root string, paths []string) []string {
	for name := range m.namesAbove(root) {
		path := audit.Child(root, name)
		if entry, _ := m.above(path); entry != nil {
			paths = append(paths, path)
		}
		paths = m.changedBelow(path, paths)
	}
	return paths
}

// Len returns the number of known znodes, without those that only lead to
// others.
func (m *Mirror) Len() int { return int(m.count.Load()) }

// Size returns the bytes of the file.
func (m *Mirror) Size() int64 {
	info, err := os.Stat(m.file)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Dirty returns the number of changes since the last commit began.
func (m *Mirror) Dirty() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.fresh.entries)
}

// Clear forgets every znode. The file follows with the next commit, so that
// place and contents change together.
func (m *Mirror) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fresh = newLayer()
	m.fresh.cleared = true
	m.count.Store(0)
}

// Close closes the file; what was not committed is lost.
func (m *Mirror) Close() error { return m.db.Close() }

// view reads the file, unless what it holds is forgotten. It cannot fail, since
// the bucket is made at Open and only Close ends the database.
func (m *Mirror) view(read func(znodes *bolt.Bucket)) {
	if m.hidden() {
		return
	}
	defer m.guard()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	_ = m.db.View(func(tx *bolt.Tx) error {
		read(tx.Bucket([]byte(bucketZnodes)))
		return nil
	})
}

// guard removes a file that bbolt panics over: with it, the next start would
// come to the same end, and so for ever.
func (m *Mirror) guard() {
	if p := recover(); p != nil {
		panic(fmt.Sprintf("mirror %s is damaged and was removed (%v): %v", m.file, os.Remove(m.file), p))
	}
}
