package logsource

import (
	"fmt"
	"sync"
	"testing"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// isACL is the mark that knows of every change of an ACL through zxid.
func isACL(zxid int64) func(audit.Observation) bool {
	return func(o audit.Observation) bool {
		m, ok := o.(audit.Mark)
		return ok && m.ACL >= audit.Zxid(zxid)
	}
}

// TestACLsOfTheFirstSync: no watch tells of an ACL that changes between the
// beginning of the first sync and the moment at which the log takes over. The
// log does, and its marks reach over it.
func TestACLsOfTheFirstSync(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	conn := connect(t, server.Addr())
	const znodes = 200
	must[string](t)(conn.Create("/r", nil, 0, zk.WorldACL(zk.PermAll)))
	for n := range znodes {
		must[string](t)(conn.Create(fmt.Sprintf("/r/%d", n), nil, 0, zk.WorldACL(zk.PermAll)))
	}
	s := newStory(t, under("/r"))
	change := sync.OnceFunc(func() {
		for n := range znodes {
			must[*zk.Stat](t)(conn.SetACL(fmt.Sprintf("/r/%d", n), zk.WorldACL(zk.PermRead), -1))
		}
	})
	s.meanwhile = func(o audit.Observation) {
		if seen, ok := o.(audit.Seen); ok && seen.Path != "/r" {
			change()
		}
	}
	_, stat, err := conn.Get("/r")
	if err != nil {
		t.Fatal(err)
	}
	start(s, 0, server)
	_, led := s.await("handing over", 0, isMode(audit.ModeTxnlog))
	told, _ := s.await("mark of ACLs", led, isACL(stat.Czxid+2*znodes))
	changed := map[string]bool{}
	for _, o := range told {
		if txn, ok := o.(audit.Txn); ok {
			if txn.Op != audit.OpACLChanged || txn.Version != 1 || txn.Index != 0 {
				t.Errorf("told %+v", txn)
			}
			changed[txn.Path] = true
		}
	}
	if len(changed) != znodes {
		t.Errorf("the log told of %d ACLs, want %d", len(changed), znodes)
	}
}
