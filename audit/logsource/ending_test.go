package logsource

import (
	"errors"
	"testing"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit/txnlog"
	"zkwarden/internal/zktest"
)

// TestEndings takes the log of a server apart: from its transactions are made
// ends of an epoch that may not have committed, and the first one of the next.
func TestEndings(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	conn := connect(t, server.Addr())
	must[string](t)(conn.Create("/r", nil, 0, zk.WorldACL(zk.PermAll)))
	for range 3 {
		must[*zk.Stat](t)(conn.Set("/r", []byte("set"), -1))
	}
	must[*zk.Stat](t)(conn.SetACL("/r", zk.WorldACL(zk.PermAll), -1))
	must[*zk.Stat](t)(conn.SetACL("/r", zk.WorldACL(zk.PermAll), -1))
	must[string](t)(conn.Create("/r/a", nil, 0, zk.WorldACL(zk.PermAll)))
	must[*zk.Stat](t)(conn.Set("/r/a", nil, -1))
	must[[]zk.MultiResponse](t)(conn.Multi(
		&zk.SetDataRequest{Path: "/r/a", Version: -1}, &zk.DeleteRequest{Path: "/r/a", Version: -1},
		&zk.CreateRequest{Path: "/r/a", Acl: zk.WorldACL(zk.PermAll)}, &zk.SetDataRequest{Path: "/r/a", Version: -1},
	))
	must[*zk.Stat](t)(conn.Set("/r/a", nil, -1))
	if err := conn.Delete("/r/a", -1); err != nil {
		t.Fatal(err)
	}

	// The transactions in their order, behind that of the session.
	const (
		made = iota
		set1
		set2
		set3
		acl1
		acl2
		child
		childSet
		reborn
		rebornSet
		childGone
		count
	)
	var log []*txnlog.Txn
	for txn, err := range txnlog.Records(must[[]txnlog.File](t)(txnlog.Logs(server.TxnLogDir()))) {
		if err != nil {
			t.Fatal(err)
		}
		if txn.Type != txnlog.TypeCreateSession {
			log = append(log, txn.Clone())
		}
	}
	if len(log) != count {
		t.Fatalf("the log has %d transactions, want %d", len(log), count)
	}
	// phantom is another leader's transaction in the place of one.
	phantom := func(n int) *txnlog.Txn {
		other := log[n].Clone()
		other.Time += 1000
		other.Ops[0].Data = []byte("never read")
		return other
	}
	for name, c := range map[string]struct {
		committed int // What the ledger has.
		old       []*txnlog.Txn
		witness   int
		want      int
		err       error
	}{
		"all of it":                         {made, log[set1:acl1], acl1, 3, nil},
		"a write before a write":            {set1, log[set2:set3], set3, 1, nil},
		"writes before a write":             {made, log[set1:set3], set3, 2, nil},
		"a birth and writes before a write": {made - 1, log[made:set3], set3, 3, nil},
		"a phantom before a write":          {set1, []*txnlog.Txn{phantom(set2)}, set2, 0, nil},
		"a phantom behind a write":          {made, []*txnlog.Txn{log[set1], phantom(set2)}, set2, 1, nil},
		"a phantom before another znode":    {set3, []*txnlog.Txn{phantom(acl1)}, acl1, 0, nil},
		"an ACL before an ACL":              {set3, log[acl1:acl2], acl2, 1, nil},
		"a write before a multi":            {child, log[childSet:reborn], reborn, 1, nil},
		"a multi before a write":            {childSet, log[reborn:rebornSet], rebornSet, 1, nil},
		"a write before a deletion":         {reborn, log[rebornSet:childGone], childGone, 0, errUnproven},
		"the last one is missing":           {made, log[set1:set2], set3, 0, errHole},
		"one that shows is missing":         {set3, log[acl1:acl2], child, 0, errHole},
	} {
		t.Run(name, func(t *testing.T) {
			l := &ledger{digests: txnlog.NewDigests(), begun: true}
			for _, txn := range log[:c.committed+1] {
				if err := l.add(txn); err != nil {
					t.Fatal(err)
				}
			}
			got, err := l.fitting(c.old, log[c.witness])
			if !errors.Is(err, c.err) || err == nil && got != c.want {
				t.Errorf("fitting() = %d, %v, want %d, %v", got, err, c.want, c.err)
			}
		})
	}
}
