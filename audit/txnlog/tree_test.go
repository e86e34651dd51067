package txnlog

import (
	"maps"
	"strings"
	"testing"
)

// everything is kept.
func everything([]byte) bool { return true }

// trimmed drops what only the server itself writes.
func trimmed(t *Tree) map[string]*Znode {
	nodes := maps.Collect(t.All())
	for path, node := range nodes {
		if strings.HasPrefix(path, "/zookeeper/") {
			delete(nodes, path)
		}
		switch path {
		case "/zookeeper":
			node.Children = 0
			fallthrough
		case "/":
			// The server gives both the lists that it likes, and empty data.
			node.ACL, node.Data = nil, nil
		}
	}
	return nodes
}

// load keeps a snapshot whole.
func load(t testing.TB, path string) (*Tree, *SnapshotFile) {
	t.Helper()
	s, err := OpenSnapshot(path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	loaded := NewTree(everything)
	for s.Next() {
		loaded.Add(s.Node())
	}
	if s.Err() != nil {
		t.Fatal(s.Err())
	}
	return loaded, s
}
