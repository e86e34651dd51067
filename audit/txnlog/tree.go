package txnlog

import (
	"bytes"
	"iter"
	"maps"
)

// Tree is the znodes of a server, made from a snapshot and the transactions
// behind it as the server itself makes them (DataTree). It has the metadata of
// each znode, and data and ACL of those that are to be kept.
type Tree struct {
	keep       func(path []byte) bool
	nodes      map[string]*Znode
	ephemerals Ephemerals
	digests    *Digests
}

// Znode is a znode of a [Tree].
type Znode struct {
	Stat     Stat
	Size     int // Bytes of data.
	Children int
	Data     []byte // Nil when null, or not kept.
	ACL      []ACL  // Nil when not kept, and in znodes that a server makes by itself.
}

// NewTree returns the tree of a server before its first transaction, but for
// /zookeeper/config, which servers since 3.5 make by themselves. It keeps data
// and ACL of the znodes that keep wants; nil wants none.
func NewTree(keep func(path []byte) bool) *Tree {
	if keep == nil {
		keep = func([]byte) bool { return false }
	}
	t := &Tree{keep: keep, nodes: map[string]*Znode{}, digests: NewDigests()}
	for _, path := range []string{"/", "/zookeeper", "/zookeeper/quota"} {
		t.add([]byte(path), &Znode{Data: []byte{}})
	}
	return t
}

// Add puts a znode of a snapshot into the tree, in the place of one that is
// there with its path. Parents come before their children.
func (t *Tree) Add(n *Node) {
	node := &Znode{Stat: n.Stat, Size: len(n.Data)}
	if t.keep(n.Path) {
		node.Data, node.ACL = bytes.Clone(n.Data), n.ACL
	}
	t.add(n.Path, node)
	t.digests.Add(n)
	if session, ok := n.Stat.Session(); ok {
		t.ephemerals.Add(session, string(n.Path))
	}
}

// Apply makes the changes of a transaction. One that is in the tree already,
// because a fuzzy snapshot had it, can be applied once more: see [Snapshot].
func (t *Tree) Apply(txn *Txn) {
	for _, op := range t.ephemerals.Changes(txn) {
		t.change(txn.Header, op)
		t.digests.Change(txn.Header, op)
	}
}

// Digest is what a server of 3.6 or later computes for such a tree.
func (t *Tree) Digest() Digest { return Digest{Version: DigestVersion, Sum: t.digests.Sum()} }

func (t *Tree) change(h Header, op Op) {
	node := t.nodes[string(op.Path)]
	switch op.Type {
	case TypeCreate, TypeCreate2, TypeCreateContainer, TypeCreateTTL:
		t.born(op.Path, h.Zxid, op.ParentCversion)
		if node != nil {
			return
		}
		node = &Znode{Stat: Stat{
			Czxid: h.Zxid, Mzxid: h.Zxid, Pzxid: h.Zxid, Ctime: h.Time, Mtime: h.Time, EphemeralOwner: op.owner(h.Session),
		}, Size: len(op.Data)}
		if t.keep(op.Path) {
			kept := op.clone()
			node.Data, node.ACL = kept.Data, kept.ACL
		}
		t.add(op.Path, node)
	case TypeDelete, TypeDeleteContainer:
		up := t.nodes[string(parent(op.Path))]
		if node != nil {
			delete(t.nodes, string(op.Path))
			if up != nil {
				up.Children--
			}
		}
		if up != nil && h.Zxid > up.Stat.Pzxid {
			up.Stat.Pzxid = h.Zxid
		}
	case TypeSetData, TypeReconfig:
		if node == nil {
			return
		}
		node.Stat.Version, node.Stat.Mzxid, node.Stat.Mtime, node.Size = op.Version, h.Zxid, h.Time, len(op.Data)
		if t.keep(op.Path) {
			node.Data = bytes.Clone(op.Data)
		}
	case TypeSetACL:
		if node == nil {
			return
		}
		node.Stat.Aversion = op.Version
		if t.keep(op.Path) {
			node.ACL = op.clone().ACL
		}
	}
}

// born makes a parent know of its child, as [Digests] does.
func (t *Tree) born(path []byte, zxid uint64, cversion int32) {
	up := t.nodes[string(parent(path))]
	if up == nil {
		return
	}
	if cversion == -1 {
		cversion = up.Stat.Cversion + 1
	}
	if cversion > up.Stat.Cversion {
		up.Stat.Cversion, up.Stat.Pzxid = cversion, zxid
	}
}

func (t *Tree) add(path []byte, node *Znode) {
	if there := t.nodes[string(path)]; there != nil {
		node.Children = there.Children
		t.nodes[string(path)] = node
		return
	}
	t.nodes[string(path)] = node
	if up := t.nodes[string(parent(path))]; up != nil && len(path) > 1 {
		up.Children++
	}
}

// Get returns a znode, or nil when there is none with that path.
func (t *Tree) Get(path string) *Znode { return t.nodes[path] }

// All yields every znode with its path, in no order.
func (t *Tree) All() iter.Seq2[string, *Znode] { return maps.All(t.nodes) }
