package txnlog

import (
	"bytes"
	"hash/crc32"
	"hash/maphash"
	"slices"
)

// DigestVersion is the way of computing digests that [Digests] knows: that of
// 3.6 to 3.9 (DigestCalculator).
const DigestVersion = 2

// Digests follows the digest of a tree through its changes, to compare with
// the one that a server of 3.6 or later logs with each transaction. It needs
// neither the data nor the metadata of the znodes, and keeps 32 bytes for each
// behind a hash of its path.
//
// ZooKeeper sums, over all znodes, the CRC-32 of path, data and metadata. A
// CRC is linear: what a field contributes can be taken out and another put in
// without knowing the rest.
//
// Outside are the contents of ACLs, of which only the aversion counts, and
// everything below /zookeeper.
//
// The server turns paths into bytes with its virtual machine's default
// encoding. On one that is older than Java 18 and has another locale than
// UTF-8, digests of trees with paths that aren't ASCII don't agree.
type Digests struct {
	seed  maphash.Seed
	nodes map[uint64]parts
	sum   uint64
	stat  *linear

	trying int      // How deep in [Digests.Try].
	before []change // What it takes back, oldest first.
}

// change is what was there before a change.
type change struct {
	key   uint64
	node  parts
	there bool
}

// parts is what the CRC of one znode consists of; they are combined by
// exclusive or.
type parts struct {
	pzxid    uint64 // Pzxid and cversion contribute as they are: they are compared, too.
	cversion int32
	version  int32  // It contributes through content.
	content  uint32 // Path, data, mzxid, mtime and version.
	origin   uint32 // Czxid, ctime and owner.
	aversion uint32
}

// NewDigests returns the digests of a server's tree before its first
// transaction. To begin with a snapshot, [Digests.Add] all of its znodes.
func NewDigests() *Digests {
	d := &Digests{seed: maphash.MakeSeed(), nodes: map[uint64]parts{}, stat: newLinear()}
	for _, path := range []string{"/", "/zookeeper"} {
		d.Add(&Node{Path: []byte(path)})
	}
	return d
}

// Try calls f and takes back what that changed. It can be nested.
func (d *Digests) Try(f func()) {
	start := len(d.before)
	d.trying++
	f()
	d.trying--
	for _, c := range slices.Backward(d.before[start:]) {
		if node, there := d.nodes[c.key]; there {
			d.sum -= d.crc(node)
		}
		if delete(d.nodes, c.key); c.there {
			d.nodes[c.key] = c.node
			d.sum += d.crc(c.node)
		}
	}
	d.before = d.before[:start]
}

// Sum is the digest of the tree.
func (d *Digests) Sum() uint64 { return d.sum }

// Len is the number of znodes that count.
func (d *Digests) Len() int { return len(d.nodes) }

// Add puts a znode of a snapshot into the tree, in the place of one that is
// there with its path.
func (d *Digests) Add(n *Node) {
	if below(n.Path) {
		return
	}
	s := n.Stat
	d.put(d.hash(n.Path), parts{
		pzxid: s.Pzxid, cversion: s.Cversion, version: s.Version,
		content:  d.content(n.Path, n.Data, s.Mzxid, s.Mtime, s.Version),
		origin:   d.origin(s.Czxid, s.Ctime, s.EphemeralOwner),
		aversion: d.stat.uint32(offAversion, uint32(s.Aversion)),
	})
}

// Change makes one change of a transaction, as [Txn.Changes] and
// [Ephemerals.Changes] yield them. What a fuzzy snapshot holds already can be
// changed once more; the digest is right again at the snapshot's end.
func (d *Digests) Change(h Header, op Op) {
	key := d.hash(op.Path)
	node, there := d.nodes[key]
	switch op.Type {
	case TypeCreate, TypeCreate2, TypeCreateContainer, TypeCreateTTL:
		d.born(op.Path, h.Zxid, op.ParentCversion)
		if !there && !below(op.Path) {
			d.put(key, parts{
				pzxid:   h.Zxid,
				content: d.content(op.Path, op.Data, h.Zxid, h.Time, 0),
				origin:  d.origin(h.Zxid, h.Time, op.owner(h.Session)),
			})
		}
	case TypeDelete, TypeDeleteContainer:
		d.remove(key)
		d.died(op.Path, h.Zxid)
	case TypeSetData:
		if there {
			node.version, node.content = op.Version, d.content(op.Path, op.Data, h.Zxid, h.Time, op.Version)
			d.put(key, node)
		}
	case TypeSetACL:
		if there {
			node.aversion = d.stat.uint32(offAversion, uint32(op.Version))
			d.put(key, node)
		}
	}
}

// Follows reports whether the counter that a change leaves is the next one of the
// tree's, as those of one transaction behind the other are: the version of data
// or ACL, or the cversion of a new znode's parent. The digest alone does not tell,
// where a change takes the place of everything that the one before it left. It is
// true for changes that count nothing, and where the tree does not tell.
func (d *Digests) Follows(op Op) bool {
	switch op.Type {
	case TypeCreate, TypeCreate2, TypeCreateContainer, TypeCreateTTL:
		node, there := d.nodes[d.hash(parent(op.Path))]
		return !there || op.ParentCversion == -1 || op.ParentCversion == node.cversion+1
	case TypeSetData:
		node, there := d.nodes[d.hash(op.Path)]
		return !there || op.Version == node.version+1
	case TypeSetACL:
		node, there := d.nodes[d.hash(op.Path)]
		return !there || node.aversion == d.stat.uint32(offAversion, uint32(op.Version-1))
	}
	return true
}

// owner is the EphemeralOwner of the znode that a create makes.
func (op *Op) owner(session uint64) uint64 {
	switch {
	case op.Type == TypeCreateContainer:
		return ContainerOwner
	case op.Type == TypeCreateTTL:
		return TTLOwner(op.TTL)
	case op.Ephemeral:
		return session
	}
	return 0
}

// born makes a parent know of its child (DataTree.createNode).
func (d *Digests) born(path []byte, zxid uint64, cversion int32) {
	key := d.hash(parent(path))
	if node, there := d.nodes[key]; there {
		if cversion == -1 {
			cversion = node.cversion + 1
		}
		if cversion > node.cversion {
			node.cversion, node.pzxid = cversion, zxid
			d.put(key, node)
		}
	}
}

// died makes a parent forget its child (DataTree.deleteNode).
func (d *Digests) died(path []byte, zxid uint64) {
	key := d.hash(parent(path))
	if node, there := d.nodes[key]; there && zxid > node.pzxid {
		node.pzxid = zxid
		d.put(key, node)
	}
}

func (d *Digests) put(key uint64, node parts) {
	d.leave(key)
	d.nodes[key] = node
	d.sum += d.crc(node)
}

func (d *Digests) remove(key uint64) {
	d.leave(key)
	delete(d.nodes, key)
}

// leave takes out of the sum what is there.
func (d *Digests) leave(key uint64) {
	before, there := d.nodes[key]
	if d.trying > 0 {
		d.before = append(d.before, change{key, before, there})
	}
	if there {
		d.sum -= d.crc(before)
	}
}

func (d *Digests) crc(node parts) uint64 {
	return uint64(node.content ^ node.origin ^ node.aversion ^
		d.stat.uint64(offPzxid, node.pzxid) ^ d.stat.uint32(offCversion, uint32(node.cversion)))
}

func (d *Digests) hash(path []byte) uint64 { return maphash.Bytes(d.seed, path) }

func (d *Digests) content(path, data []byte, mzxid uint64, mtime int64, version int32) uint32 {
	if string(path) == "/" {
		path = nil
	}
	var none [statLength]byte
	crc := crc32.Update(crc32.ChecksumIEEE(path), crc32.IEEETable, data)
	crc = crc32.Update(crc, crc32.IEEETable, none[:])
	return crc ^ d.stat.uint64(offMzxid, mzxid) ^ d.stat.uint64(offMtime, uint64(mtime)) ^ d.stat.uint32(offVersion, uint32(version))
}

func (d *Digests) origin(czxid uint64, ctime int64, owner uint64) uint32 {
	return d.stat.uint64(offCzxid, czxid) ^ d.stat.uint64(offCtime, uint64(ctime)) ^ d.stat.uint64(offOwner, owner)
}

// below tells whether the path is outside of the digest.
func below(path []byte) bool { return bytes.HasPrefix(path, []byte("/zookeeper/")) }

func parent(path []byte) []byte {
	return path[:max(bytes.LastIndexByte(path, '/'), min(1, len(path)))]
}

// The metadata at the end of what is summed.
const (
	offCzxid    = 0
	offMzxid    = 8
	offPzxid    = 16
	offCtime    = 24
	offMtime    = 32
	offVersion  = 40
	offCversion = 44
	offAversion = 48
	offOwner    = 52
	statLength  = 60
)

// linear is what each value of each byte of the metadata contributes.
type linear [statLength][256]uint32

func newLinear() *linear {
	var l linear
	l[statLength-1] = *crc32.IEEETable
	for at := statLength - 2; at >= 0; at-- {
		for value, crc := range l[at+1] {
			l[at][value] = crc32.IEEETable[byte(crc)] ^ crc>>8 // One byte more behind it.
		}
	}
	return &l
}

func (l *linear) uint32(at int, v uint32) uint32 {
	return l[at][byte(v>>24)] ^ l[at+1][byte(v>>16)] ^ l[at+2][byte(v>>8)] ^ l[at+3][byte(v)]
}

func (l *linear) uint64(at int, v uint64) uint32 {
	return l.uint32(at, uint32(v>>32)) ^ l.uint32(at+4, uint32(v))
}
