package txnlog

import (
	"bytes"
	"strings"
	"testing"
)

// znode is a znode to keep.
type znode struct {
	Data []byte
	ACL  []ACL
	Stat Stat
}

// tree is what transactions make, as DataTree makes it: the oracle of
// snapshots.
type tree struct {
	nodes      map[string]*znode
	ephemerals Ephemerals
}

func newTree() *tree {
	return &tree{nodes: map[string]*znode{"/": {}, "/zookeeper": {}}}
}

func (t *tree) apply(txn *Txn) {
	for _, op := range t.ephemerals.Changes(txn) {
		op := op.clone()
		path := string(op.Path)
		up := t.nodes[string(parent(op.Path))]
		node := t.nodes[path]
		switch op.Type {
		case TypeDelete, TypeDeleteContainer:
			delete(t.nodes, path)
			if up != nil && txn.Zxid > up.Stat.Pzxid {
				up.Stat.Pzxid = txn.Zxid
			}
		case TypeSetData:
			if node != nil {
				node.Data, node.Stat.Version, node.Stat.Mzxid, node.Stat.Mtime = op.Data, op.Version, txn.Zxid, txn.Time
			}
		case TypeSetACL:
			if node != nil {
				node.ACL, node.Stat.Aversion = op.ACL, op.Version
			}
		case TypeReconfig:
		default:
			if up != nil && op.ParentCversion > up.Stat.Cversion {
				up.Stat.Cversion, up.Stat.Pzxid = op.ParentCversion, txn.Zxid
			}
			if node == nil {
				t.nodes[path] = &znode{op.Data, op.ACL, Stat{
					Czxid: txn.Zxid, Mzxid: txn.Zxid, Pzxid: txn.Zxid, Ctime: txn.Time, Mtime: txn.Time, EphemeralOwner: op.owner(txn.Session),
				}}
			}
		}
	}
}

// trim drops what only the server itself writes.
func (t *tree) trim() map[string]*znode {
	for path, node := range t.nodes {
		if strings.HasPrefix(path, "/zookeeper/") {
			delete(t.nodes, path)
		}
		if path == "/" || path == "/zookeeper" {
			// The server gives both the lists that it likes, and empty data.
			node.ACL, node.Data = nil, nil
		}
	}
	return t.nodes
}

// load keeps a snapshot whole.
func load(t testing.TB, path string) (*tree, *SnapshotFile) {
	t.Helper()
	s, err := OpenSnapshot(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	loaded := &tree{nodes: map[string]*znode{}}
	for s.Next() {
		n := s.Node()
		loaded.nodes[string(n.Path)] = &znode{bytes.Clone(n.Data), n.ACL, n.Stat}
		if session, ok := n.Stat.Session(); ok {
			loaded.ephemerals.Add(session, string(n.Path))
		}
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return loaded, s
}
