package app

import (
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// TestAttributionByLog: beside a log, whatever fifty clients of three servers do
// carries their session, and their address once they were connected for longer
// than a poll: of znodes that are not ephemeral, too, and of deletions.
func TestAttributionByLog(t *testing.T) {
	const clients = 50
	servers := zktest.Start(t, zktest.Options{Servers: 3, Dynamic: true})
	mustCreate(t, client(t, servers.Server(1).Addr()), "/a", "", 0)
	stdout := newRecords()
	o := auditOptions(t.TempDir(), stdout, []string{servers.Server(1).Addr()}, "/a")
	o.Audit.TxnlogDir, o.Audit.AttributionInterval = servers.Server(1).TxnLogDir(), 500*time.Millisecond
	startApp(t, o)
	stdout.await(t, "lead of the log", func(e audit.Event) bool { return e.Mode == audit.ModeTxnlog })

	var conns [clients]*zk.Conn
	var addresses [clients]func() string
	for i := range conns {
		conns[i], addresses[i] = clientFrom(t, fmt.Sprintf("127.0.0.%d", 20+i), servers.Server(i%3+1).Addr())
		mustCreate(t, conns[i], fmt.Sprintf("/a/%d", i), "", 0)
	}
	// What polls find shows in the records of later changes only.
	for i, conn := range conns {
		for n := 0; ; n++ {
			path := fmt.Sprintf("/a/%d/%d", i, n)
			mustCreate(t, conn, path, "", 0)
			if made := recorded(t, stdout, path, audit.OpCreated); made.Actor != nil && made.Actor.Client != "" {
				break
			}
			if n > 100 {
				t.Fatalf("nobody knows who makes %s", path)
			}
		}
	}
	acl := zk.WorldACL(zk.PermAll)
	for i, conn := range conns {
		path := fmt.Sprintf("/a/%d/x", i)
		mustCreate(t, conn, path, "", 0)
		if _, err := conn.Set(path, []byte("new"), -1); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.SetACL(path, acl, -1); err != nil {
			t.Fatal(err)
		}
		if err := conn.Delete(path, -1); err != nil {
			t.Fatal(err)
		}
	}
	exact := 0
	for i, conn := range conns {
		for _, op := range []audit.Op{audit.OpCreated, audit.OpDataChanged, audit.OpACLChanged, audit.OpDeleted} {
			e := recorded(t, stdout, fmt.Sprintf("/a/%d/x", i), op)
			switch {
			case e.Source != audit.OriginTxnlog || e.Actor == nil, e.Actor.Session != audit.SessionID(conn.SessionID()),
				e.Actor.Client != addresses[i](), e.Actor.Confidence == audit.ConfidenceUnknown:
				t.Errorf("%s %s by %+v, want %s", e.Op, e.Path, e.Actor, addresses[i]())
			case e.Actor.Confidence == audit.ConfidenceExact:
				exact++
			}
		}
	}
	t.Logf("%d of %d are graded exact", exact, 4*clients)
}

// recorded waits for the record of the first such change of a path.
func recorded(t *testing.T, stdout *records, path string, op audit.Op) (found audit.Event) {
	t.Helper()
	stdout.await(t, path, func(e audit.Event) bool {
		if e.Path != path || e.Op != op {
			return false
		}
		found = e
		return true
	})
	return found
}
