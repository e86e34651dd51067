package mirror

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	bolt "go.etcd.io/bbolt"
)

const (
	// leafFill is how full the pages of the file become: most znodes are only
	// ever changed, and a half empty page takes as much memory as a full one.
	leafFill = 0.9
	// rewriteBatch is how many znodes a rewrite writes in one transaction,
	// which holds them in memory.
	rewriteBatch = 1 << 14
)

// Begin takes all changes and the place that they belong to for a commit.
// What it returns writes them in one durable transaction, and may do so while
// the mirror changes further; it can be called again after an error. The next
// commit may begin when it has succeeded, and not before: Begin refuses then.
// It is called when the journal is durable through place.Seq.
func (m *Mirror) Begin(place Place) (write func() error, err error) {
	text, err := placeText(place)
	if err != nil {
		return nil, fmt.Errorf("commit mirror: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.writing.entries != nil {
		return nil, errors.New("commit mirror: the last commit is not complete")
	}
	m.writing, m.fresh = m.fresh, newLayer()
	count := m.count.Load()
	return func() error { return m.write(text, count) }, nil
}

// write needs no lock for what it writes: nobody changes that any more.
func (m *Mirror) write(place []byte, count int64) error {
	defer m.guard()
	err := m.db.Update(func(tx *bolt.Tx) error {
		znodes, err := m.begin(tx)
		if err != nil {
			return err
		}
		znodes.FillPercent = leafFill
		// Sorted keys keep the B+tree's pages together.
		for _, path := range slices.Sorted(maps.Keys(m.writing.entries)) {
			if err := write(znodes, path, m.writing.entries[path]); err != nil {
				return fmt.Errorf("write %q: %w", path, err)
			}
		}
		return writePlace(tx, place, count)
	})
	if err != nil {
		return fmt.Errorf("commit mirror: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.writing = layer{}
	return nil
}

func placeText(place Place) ([]byte, error) {
	place.Format = formatVersion
	return json.Marshal(place)
}

func writePlace(tx *bolt.Tx, text []byte, count int64) error {
	bucket := tx.Bucket([]byte(bucketPlace))
	if err := bucket.Put([]byte(keyCount), binary.BigEndian.AppendUint64(nil, uint64(count))); err != nil {
		return err
	}
	return bucket.Put([]byte(keyPlace), text)
}

func (m *Mirror) begin(tx *bolt.Tx) (znodes *bolt.Bucket, err error) {
	if !m.writing.cleared {
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

// Rewrite makes a new file of what keep returns of every znode, with place, and
// puts it in the place of the old one. Unlike after a commit, nothing of what
// was there before is left in the file: bbolt keeps the content of pages that
// it freed. The old file stays as it is until the new one is complete and
// durable. The caller has made the journal durable through place.Seq, and no
// commit is being written.
func (m *Mirror) Rewrite(place Place, keep func(path string, e Entry) (Entry, bool)) error {
	db, count, err := m.rewrite(place, keep)
	if err != nil {
		return fmt.Errorf("rewrite mirror %s: %w", m.file, err)
	}
	if err := os.Rename(unfinished(m.file), m.file); err != nil {
		return errors.Join(fmt.Errorf("rewrite mirror: %w", err), db.Close(), os.Remove(unfinished(m.file)))
	}
	// A power cut may bring the old file back. Its place says what is missing
	// from it, so that is no failure.
	_ = syncDir(filepath.Dir(m.file))
	m.mu.Lock()
	old := m.db
	m.db = db
	m.fresh, m.writing = newLayer(), layer{}
	m.count.Store(count)
	m.mu.Unlock()
	return old.Close() // It was only read; its file is gone already.
}

func (m *Mirror) rewrite(place Place, keep func(string, Entry) (Entry, bool)) (_ *bolt.DB, count int64, err error) {
	text, err := placeText(place)
	if err != nil {
		return nil, 0, err
	}
	file := unfinished(m.file)
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, 0, err
	}
	db, err := bolt.Open(file, 0o600, &bolt.Options{Timeout: lockTimeout, FreelistType: bolt.FreelistMapType, NoSync: true})
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close(), os.Remove(file))
		}
	}()
	if count, err = m.copyTo(db, keep); err != nil {
		return nil, 0, err
	}
	if err = db.Update(func(tx *bolt.Tx) error { return writePlace(tx, text, count) }); err != nil {
		return nil, 0, err
	}
	if err = db.Sync(); err != nil {
		return nil, 0, err
	}
	db.NoSync = false
	return db, count, nil
}

func (m *Mirror) copyTo(db *bolt.DB, keep func(string, Entry) (Entry, bool)) (count int64, err error) {
	tx, err := db.Begin(true)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rollback(tx)) }()
	for _, name := range []string{bucketZnodes, bucketPlace} {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return 0, err
		}
	}
	written := 0
	for path, entry := range m.Walk("/", -1) {
		kept, ok := keep(path, entry)
		if !ok {
			continue
		}
		znodes := tx.Bucket([]byte(bucketZnodes))
		znodes.FillPercent = leafFill
		if err := znodes.Put([]byte(path), encode(kept)); err != nil {
			return 0, fmt.Errorf("write %q: %w", path, err)
		}
		count += kept.counts()
		if written++; written%rewriteBatch != 0 {
			continue
		}
		if err := tx.Commit(); err != nil {
			return 0, err
		}
		if tx, err = db.Begin(true); err != nil {
			return 0, err
		}
	}
	return count, tx.Commit()
}

// rollback ends a transaction that may have ended already.
func rollback(tx *bolt.Tx) error {
	if tx == nil || tx.DB() == nil {
		return nil
	}
	return tx.Rollback()
}

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
