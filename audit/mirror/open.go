package mirror

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"zkwarden/audit"
)

// formatVersion changes when older files can no longer be read.
const formatVersion = 2

// lockTimeout bounds the wait for another process that has the file open.
const lockTimeout = time.Second

// ErrUnusable means that a file is damaged, or of a format that is not known
// here. A mirror can be made anew by a first sync, at the price of a gap: see
// [Discard].
var ErrUnusable = errors.New("mirror is unusable")

// Place says what the file of a mirror contains.
type Place struct {
	Format      int             `json:"format"`
	Chain       string          `json:"chain"`              // The journal that Seq belongs to.
	Ensemble    string          `json:"ensemble,omitempty"` // Whose znodes they are, by its name.
	Seq         uint64          `json:"seq"`                // The last record of that journal that is applied.
	Mark        audit.Zxid      `json:"mark"`               // Everything through it was handed over by the source.
	ACL         audit.Zxid      `json:"acl,omitzero"`       // The same for changes of ACLs, which only a sweep or a log sees.
	Verified    audit.Zxid      `json:"verified,omitzero"`  // The same for what the server's digests confirm.
	Widened     audit.Zxid      `json:"widened,omitzero"`   // The mark at which another policy came into force.
	Generation  uint64          `json:"generation"`         // See audit.Identity.
	Fingerprint string          `json:"fingerprint"`        // The policy under which content was kept.
	DigestKey   string          `json:"digest_key"`         // Fingerprint of the key behind its digests.
	Synced      map[string]bool `json:"synced"`             // The roots whose first sync is complete.
	Mode        audit.Mode      `json:"mode,omitzero"`      // How the source observes, as recorded last.

	// Told is the highest zxid that a record of a change has which no
	// transaction log told of, and Read the highest at which a znode was read.
	Told audit.Zxid `json:"told,omitzero"`
	Read audit.Zxid `json:"read,omitzero"`

	// Log is the last operation of a transaction log, and LogFrom the zxid
	// behind which the log had every change of an ACL.
	Log     Operation  `json:"log,omitzero"`
	LogFrom audit.Zxid `json:"log_from,omitzero"`

	// Ahead are the changes that are recorded beyond Mark, by path, but those
	// of a transaction log: a log may tell of them once more.
	Ahead map[string][]Change `json:"ahead,omitempty"`

	// Unread are the roots that have to be read whole once more: a policy that
	// may allow more of them came into force, and nothing tells of that part.
	Unread map[string]bool `json:"unread,omitempty"`

	// Orphans are the czxids of children whose birth or death is recorded, by
	// parent, where the parent's own incarnation was not known yet.
	Orphans map[string][]audit.Zxid `json:"orphans,omitempty"`
}

// Operation is a place in a transaction log: one change of one transaction.
type Operation struct {
	Zxid  audit.Zxid `json:"zxid"`
	Index int        `json:"index"`
}

// Change is what a record says of a change, or of several that it counts.
type Change struct {
	Op           audit.Op   `json:"op"`
	Czxid        audit.Zxid `json:"czxid,omitzero"`    // Zero where it is not known.
	Counter      *int32     `json:"counter,omitempty"` // The version or aversion that the last of them left, where it is known.
	After, Until audit.Zxid // Its zxid lies after the one and at or before the other.
	Count        uint64     `json:"count"`
}

// Names within the file.
const (
	bucketZnodes = "znodes"
	bucketPlace  = "place"
	keyPlace     = "place"
	keyCount     = "count"
)

// Open opens the mirror in file, creating it where it is missing, and returns
// the place at which it was committed. The error wraps [ErrUnusable] where
// another try is of no use.
func Open(file string) (*Mirror, Place, error) {
	// What a rewrite left that was cut off may be more than today's policy
	// allows.
	if err := os.Remove(unfinished(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, Place{}, fmt.Errorf("remove unfinished mirror: %w", err)
	}
	db, err := openFile(file)
	if err != nil {
		return nil, Place{}, fmt.Errorf("open mirror %s: %w", file, err)
	}
	m := &Mirror{file: file, db: db, fresh: newLayer()}
	place, err := m.load()
	if err != nil {
		return nil, Place{}, errors.Join(fmt.Errorf("read mirror %s: %w", file, err), db.Close())
	}
	return m, place, nil
}

// Discard removes a mirror that cannot be used.
func Discard(file string) error {
	if err := os.Remove(file); err != nil {
		return fmt.Errorf("discard mirror: %w", err)
	}
	return nil
}

func unfinished(file string) string { return file + ".new" }

// openFile is bolt.Open for files that may be damaged, which bbolt meets with a
// panic, or a fault where the file is shorter than it says.
func openFile(file string) (db *bolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrUnusable, p)
		}
	}()
	db, err = bolt.Open(file, 0o600, &bolt.Options{Timeout: lockTimeout, FreelistType: bolt.FreelistMapType})
	if err != nil {
		if damaged(err) {
			err = fmt.Errorf("%w: %w", ErrUnusable, err)
		}
		return nil, err
	}
	if err := checkSize(db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// damaged tells errors of bbolt about the content of a file from those of the
// system.
func damaged(err error) bool {
	var path *fs.PathError
	var errno syscall.Errno
	return !errors.Is(err, bolterrors.ErrTimeout) && !errors.As(err, &path) && !errors.As(err, &errno)
}

// checkSize finds a file that was cut short: bbolt would fault at the first
// page beyond its end.
func checkSize(db *bolt.DB) error {
	return db.View(func(tx *bolt.Tx) error {
		info, err := os.Stat(db.Path())
		if err != nil {
			return err
		}
		if info.Size() < tx.Size() {
			return fmt.Errorf("%w: it has %d bytes of %d", ErrUnusable, info.Size(), tx.Size())
		}
		return nil
	})
}

func (m *Mirror) load() (place Place, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrUnusable, p)
		}
	}()
	place = Place{Format: formatVersion, Synced: map[string]bool{}}
	err = m.db.Update(func(tx *bolt.Tx) error {
		if _, err := tx.CreateBucketIfNotExists([]byte(bucketZnodes)); err != nil {
			return err
		}
		bucket, err := tx.CreateBucketIfNotExists([]byte(bucketPlace))
		if err != nil {
			return err
		}
		if count := bucket.Get([]byte(keyCount)); len(count) == 8 {
			m.count.Store(int64(binary.BigEndian.Uint64(count)))
		}
		if text := bucket.Get([]byte(keyPlace)); text != nil {
			if err := json.Unmarshal(text, &place); err != nil {
				return fmt.Errorf("%w: %w", ErrUnusable, err)
			}
		}
		return nil
	})
	if err == nil && place.Format != formatVersion {
		err = fmt.Errorf("%w: its format %d is not the supported %d", ErrUnusable, place.Format, formatVersion)
	}
	return place, err
}
