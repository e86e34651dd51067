package txnlog

import (
	"encoding/binary"
	"fmt"
	"io"
)

const (
	magicSnapshot = "ZKSN" // Format version 2 follows.

	// noACL is the key of the one list that is not in the cache of lists:
	// everybody may do everything (ReferenceCountedACLCache).
	noACL = -1
)

// What a snapshot may hold besides its znodes. A file that was compressed can
// claim more than it has bytes for.
const (
	maxSessions = 1 << 22
	maxACLs     = 1 << 22 // Lists, and entries of all lists together.
)

// Node is a znode of a snapshot. Path and Data are valid until the next Next,
// ACL as long as the [Snapshot].
type Node struct {
	Path []byte // "/" for the root.
	Data []byte // Nil when null.
	ACL  []ACL
	Stat Stat
}

// Stat is what the server keeps of a znode (StatPersisted), which is not quite
// what it tells its clients.
type Stat struct {
	Czxid, Mzxid, Pzxid uint64
	Ctime, Mtime        int64 // Milliseconds since 1970, leader's clock.
	Version             int32
	// Cversion counts the creates of children. Clients are told creates plus
	// deletes.
	Cversion int32
	Aversion int32
	// EphemeralOwner is the session of an ephemeral znode, [ContainerOwner] or
	// what [TTLOwner] returns.
	EphemeralOwner uint64
}

// ContainerOwner marks a container znode (EphemeralType.CONTAINER).
const ContainerOwner = uint64(1) << 63

// ttlMask marks a TTL znode: a session of a server with the id 255 cannot be
// told from it, which is why that id is not allowed with extendedTypesEnabled.
const ttlMask = uint64(0xff) << 56

// TTLOwner marks a znode with a TTL in milliseconds (EphemeralType.TTL).
func TTLOwner(ttl int64) uint64 { return ttlMask | uint64(ttl) }

// TTL tells whether the znode has one, and which, in milliseconds.
func (s Stat) TTL() (ttl int64, ok bool) {
	if s.EphemeralOwner&ttlMask != ttlMask {
		return 0, false
	}
	return int64(s.EphemeralOwner & (1<<40 - 1)), true
}

// Session tells whether the znode is ephemeral, and whose.
func (s Stat) Session() (session uint64, ok bool) {
	if _, ttl := s.TTL(); ttl || s.EphemeralOwner == 0 || s.EphemeralOwner == ContainerOwner {
		return 0, false
	}
	return s.EphemeralOwner, true
}

// Session is one that was open when the snapshot was begun.
type Session struct {
	ID      uint64
	Timeout int32 // Milliseconds.
}

// Snapshot reads a snapshot from front to back, without keeping its znodes.
//
//	for s.Next() {
//		use(s.Node())
//	}
//	err := s.Err()
//
// Only when Next returned false and Err is nil the snapshot is known to be
// whole: its checksum is at the end.
//
// A snapshot is fuzzy: it was written while transactions went on, so it holds
// some of those after its zxid and not others. Transactions from its zxid on
// have to be applied again, and make it the tree that the server had once all
// up to its end are.
type Snapshot struct {
	in       summed
	name     string
	err      error
	done     bool
	sessions []Session
	acls     map[int64][]ACL
	node     Node

	digest     Digest
	digestZxid uint64
	hasDigest  bool
	lastZxid   uint64
	hasLast    bool
}

// NewSnapshot reads a snapshot that is not compressed up to its znodes; name
// is for errors.
func NewSnapshot(name string, r io.Reader) (*Snapshot, error) {
	s := &Snapshot{in: newSummed(r), name: name, acls: map[int64][]ACL{noACL: {{Perms: 31, Scheme: []byte("world"), ID: []byte("anyone")}}}}
	s.head()
	s.readSessions()
	s.readACLs()
	return s, s.Err()
}

// Node returns the znode that Next found, parents before their children.
func (s *Snapshot) Node() *Node { return &s.node }

// Err returns what is wrong with the snapshot, a [FileError] unless it could
// not be read.
func (s *Snapshot) Err() error {
	if s.err == nil && s.in.err != nil {
		s.err = s.in.explain(s.name)
	}
	return s.err
}

// Sessions returns those that were open.
func (s *Snapshot) Sessions() []Session { return s.sessions }

// Digest returns the digest of the tree after the transaction zxid, which may
// lie above the snapshot's own. It is there once Next returned false, from 3.6
// on unless it is switched off.
func (s *Snapshot) Digest() (zxid uint64, digest Digest, ok bool) {
	return s.digestZxid, s.digest, s.hasDigest
}

// LastZxid returns the last transaction that was applied when the snapshot was
// finished: from then on it is no longer fuzzy. It is there once Next returned
// false, from 3.9 on unless it is switched off (ZOOKEEPER-4558).
func (s *Snapshot) LastZxid() (zxid uint64, ok bool) { return s.lastZxid, s.hasLast }

// Next goes to the next znode. It returns false at the end, and when Err is
// not nil.
func (s *Snapshot) Next() bool {
	if s.done || s.Err() != nil {
		return false
	}
	s.in.lend()
	path := s.in.bytes()
	if string(s.in.lent(path)) == "/" {
		// No znode, but the end of them: the root's path is empty.
		s.done = true
		s.tail()
		return false
	}
	data, null := s.in.nullable()
	key := s.in.int64()
	s.node.Stat = Stat{
		Czxid: s.in.uint64(), Mzxid: s.in.uint64(), Ctime: s.in.int64(), Mtime: s.in.int64(),
		Version: s.in.int32(), Cversion: s.in.int32(), Aversion: s.in.int32(),
		EphemeralOwner: s.in.uint64(), Pzxid: s.in.uint64(),
	}
	if s.Err() != nil {
		return false
	}
	acl, known := s.acls[key]
	if !known {
		return s.fail(ErrCorrupt, "znode %.80q has ACL %d, which is not there", s.in.lent(path), key)
	}
	s.node.ACL, s.node.Path, s.node.Data = acl, s.in.lent(path), s.in.lent(data)
	if len(s.node.Path) == 0 {
		s.node.Path = []byte("/")
	} else if s.node.Path[0] != '/' {
		return s.fail(ErrCorrupt, "znode %.80q has no path", s.node.Path)
	}
	if null {
		s.node.Data = nil
	}
	return true
}

func (s *Snapshot) fail(kind error, format string, args ...any) bool {
	if s.Err() == nil {
		s.err = &FileError{File: s.name, Offset: s.in.off, Kind: kind, Detail: fmt.Sprintf(format, args...)}
	}
	return false
}

func (s *Snapshot) head() {
	head := s.in.take(headerSize)
	switch {
	case s.Err() != nil:
	case string(head[:4]) != magicSnapshot:
		s.fail(ErrCorrupt, "it begins with %q, not %q", head[:4], magicSnapshot)
	case binary.BigEndian.Uint32(head[4:]) != 2:
		s.fail(ErrUnsupported, "format version %d", binary.BigEndian.Uint32(head[4:]))
	}
}

func (s *Snapshot) readSessions() {
	for range s.count("sessions", maxSessions) {
		s.sessions = append(s.sessions, Session{ID: s.in.uint64(), Timeout: s.in.int32()})
		if s.Err() != nil {
			return
		}
	}
}

func (s *Snapshot) readACLs() {
	entries := 0
	for range s.count("ACLs", maxACLs) {
		key := s.in.int64()
		var list []ACL
		for range s.count("entries of an ACL", maxACLs-entries) {
			acl := ACL{Perms: s.in.int32(), Scheme: s.in.copied(), ID: s.in.copied()}
			if s.Err() != nil {
				return
			}
			list = append(list, acl)
		}
		entries += len(list)
		if s.Err() != nil {
			return
		}
		s.acls[key] = list
	}
}

// count reads how many of something follow.
func (s *Snapshot) count(what string, limit int) int {
	n := s.in.int32()
	if s.Err() == nil && (n < 0 || int(n) > limit) {
		s.fail(ErrCorrupt, "%d %s", n, what)
	}
	if s.Err() != nil {
		return 0
	}
	return int(n)
}

// tail reads what is behind the znodes: a seal, and what newer versions add,
// each sealed again. Which of it is there is told by its size.
func (s *Snapshot) tail() {
	const sealSize = 8 + 4 + 1
	const digested, last = 8 + 4 + 8 + sealSize, 8 + sealSize
	s.seal()
	rest := s.in.left(digested + last)
	hasDigest := rest == digested || rest == digested+last
	hasLast := rest == last || rest == digested+last
	switch {
	case rest > digested+last:
		s.fail(ErrCorrupt, "more is behind the znodes than any version writes")
		return
	case rest > 0 && !hasDigest && !hasLast:
		s.fail(ErrTorn, "%d bytes are behind the znodes, which is too few", rest)
		return
	}
	if hasDigest {
		s.digestZxid, s.digest, s.hasDigest = s.in.uint64(), Digest{Version: s.in.int32(), Sum: s.in.uint64()}, true
		s.seal()
	}
	if hasLast {
		s.lastZxid, s.hasLast = s.in.uint64(), true
		s.seal()
	}
}

// seal checks the checksum of everything before it (SnapStream.sealStream).
func (s *Snapshot) seal() {
	computed := uint64(s.in.sum.Sum32())
	if read := s.in.uint64(); s.Err() == nil && read != computed {
		s.fail(ErrCorrupt, "checksum is %#x, the snapshot says %#x", computed, read)
	}
	if end := s.in.take(4 + 1); s.Err() == nil && string(end) != "\x00\x00\x00\x01/" {
		s.fail(ErrCorrupt, "%q after a checksum", end)
	}
}
