package mirror

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	bolt "go.etcd.io/bbolt"

	"zkwarden/audit"
)

// formatVersion changes when older files can no longer be read.
const formatVersion = 1

// MaxPath is the longest path that a mirror can keep, in bytes. ZooKeeper
// allows longer ones; only the size of a request bounds them.
const MaxPath = bolt.MaxKeySize

// lockTimeout bounds the wait for another process that has the file open.
const lockTimeout = time.Second

// Place says what the file of a mirror contains.
type Place struct {
	Format      int             `json:"format"`
	Chain       string          `json:"chain"`       // The journal that Seq belongs to.
	Seq         uint64          `json:"seq"`         // The last record of that journal that is applied.
	Mark        audit.Zxid      `json:"mark"`        // Everything through it was handed over by the source.
	Generation  uint64          `json:"generation"`  // See audit.Identity.
	Fingerprint string          `json:"fingerprint"` // The policy under which content was kept.
	DigestKey   string          `json:"digest_key"`  // Fingerprint of the key behind its digests.
	Synced      map[string]bool `json:"synced"`      // The roots whose first sync is complete.
}

// Mirror is the last known state of the watched znodes. Its methods are safe
// for concurrent use; only one goroutine may change and commit it. However
// long the disk takes for a commit, reads do not wait for it.
type Mirror struct {
	db *bolt.DB

	mu      sync.RWMutex
	cleared bool                       // Whether the next commit begins with an empty file.
	dirty   map[string]*Entry          // Changes since the last commit; nil means removed.
	under   map[string]map[string]bool // The names in dirty by parent, so that Children need not scan it.

	count atomic.Int64
}

// Names within the file.
const (
	bucketZnodes = "znodes"
	bucketPlace  = "place"
	keyPlace     = "place"
)

// Open opens the mirror in file, creating it where it is missing, and returns
// the place at which it was committed.
func Open(file string) (*Mirror, Place, error) {
	db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: lockTimeout, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return nil, Place{}, fmt.Errorf("open mirror %s: %w", file, err)
	}
	m := &Mirror{db: db, dirty: map[string]*Entry{}, under: map[string]map[string]bool{}}
	place, err := m.load()
	if err != nil {
		return nil, Place{}, errors.Join(fmt.Errorf("read mirror %s: %w", file, err), db.Close())
	}
	return m, place, nil
}

func (m *Mirror) load() (Place, error) {
	place := Place{Format: formatVersion, Synced: map[string]bool{}}
	err := m.db.Update(func(tx *bolt.Tx) error {
		znodes, err := tx.CreateBucketIfNotExists([]byte(bucketZnodes))
		if err != nil {
			return err
		}
		m.count.Store(int64(znodes.Stats().KeyN))
		bucket, err := tx.CreateBucketIfNotExists([]byte(bucketPlace))
		if err != nil {
			return err
		}
		if text := bucket.Get([]byte(keyPlace)); text != nil {
			return json.Unmarshal(text, &place)
		}
		return nil
	})
	if err == nil && place.Format != formatVersion {
		err = fmt.Errorf("format %d is not the supported %d", place.Format, formatVersion)
	}
	return place, err
}

// Get returns the entry of path.
func (m *Mirror) Get(path string) (Entry, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if entry, ok := m.dirty[path]; ok {
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
	if len(path) > MaxPath {
		return
	}
	_, known := m.Get(path)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.change(path, &entry)
	if !known {
		m.count.Add(1)
	}
}

// Delete removes the entry of path, but none below it.
func (m *Mirror) Delete(path string) {
	_, known := m.Get(path)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.change(path, nil)
	if known {
		m.count.Add(-1)
	}
}

func (m *Mirror) change(path string, entry *Entry) {
	m.dirty[path] = entry
	if path == "/" {
		return // The root has no parent.
	}
	parent := audit.Parent(path)
	names := m.under[parent]
	if names == nil {
		names = map[string]bool{}
		m.under[parent] = names
	}
	names[path[len(prefix(parent)):]] = true
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
	changed := m.under[path]
	if len(changed) == 0 {
		return names
	}
	names = slices.DeleteFunc(names, func(name string) bool { return changed[name] })
	for name := range changed {
		if m.dirty[audit.Child(path, name)] != nil {
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
	inside := func(path string) bool { return len(path) > len(below) && strings.HasPrefix(path, below) }
	var paths []string
	m.view(func(znodes *bolt.Bucket) {
		cursor := znodes.Cursor()
		for key, _ := cursor.Seek([]byte(below)); bytes.HasPrefix(key, []byte(below)); key, _ = cursor.Next() {
			path := string(key)
			if _, changed := m.dirty[path]; !changed && inside(path) {
				paths = append(paths, path)
			}
		}
	})
	for path, entry := range m.dirty {
		if entry != nil && inside(path) {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	slices.Reverse(paths)
	return paths
}

// Len returns the number of known znodes.
func (m *Mirror) Len() int { return int(m.count.Load()) }

// Dirty returns the number of changes that the next Commit writes.
func (m *Mirror) Dirty() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.dirty)
}

// Clear forgets every znode. The file follows with the next commit, so that
// place and contents change together.
func (m *Mirror) Clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.dirty)
	clear(m.under)
	m.count.Store(0)
	m.cleared = true
}

// Commit writes all changes and the place that they belong to, in one durable
// transaction. The caller has made the journal durable through place.Seq.
func (m *Mirror) Commit(place Place) error {
	place.Format = formatVersion
	text, err := json.Marshal(place)
	if err != nil {
		return fmt.Errorf("commit mirror: %w", err)
	}
	// Nothing changes during the transaction, since its caller is the one who
	// changes things: it needs no lock.
	err = m.db.Update(func(tx *bolt.Tx) error {
		znodes, err := m.begin(tx)
		if err != nil {
			return err
		}
		// Sorted keys keep the B+tree's pages together.
		for _, path := range slices.Sorted(maps.Keys(m.dirty)) {
			if err := write(znodes, path, m.dirty[path]); err != nil {
				return fmt.Errorf("write %q: %w", path, err)
			}
		}
		return tx.Bucket([]byte(bucketPlace)).Put([]byte(keyPlace), text)
	})
	if err != nil {
		return fmt.Errorf("commit mirror: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.dirty)
	clear(m.under)
	m.cleared = false
	return nil
}

func (m *Mirror) begin(tx *bolt.Tx) (znodes *bolt.Bucket, err error) {
	if !m.cleared {
		return tx.Bucket([]byte(bucketZnodes)), nil
	}
	if err := tx.DeleteBucket([]byte(bucketZnodes)); err != nil {
		return nil, err
	}
	return tx.CreateBucket([]byte(bucketZnodes))
}

func write(znodes *bolt.Bucket, path string, entry *Entry) error {
	if entry == nil {
		return znodes.Delete([]byte(path))
	}
	return znodes.Put([]byte(path), encode(*entry))
}

// Close closes the file; what was not committed is lost.
func (m *Mirror) Close() error { return m.db.Close() }

// view reads the file, unless what it holds is forgotten. It cannot fail, since
// the bucket is made at Open and only Close ends the database.
func (m *Mirror) view(read func(znodes *bolt.Bucket)) {
	if m.cleared {
		return
	}
	_ = m.db.View(func(tx *bolt.Tx) error {
		read(tx.Bucket([]byte(bucketZnodes)))
		return nil
	})
}
