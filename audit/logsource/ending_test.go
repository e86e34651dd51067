package logsource

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

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
	must[string](t)(conn.Create("/r/b", nil, 0, zk.WorldACL(zk.PermAll)))

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
		sibling
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
		"a write is missing":                {set1, nil, set3, 0, errHole},
		"an ACL is missing":                 {set3, nil, acl2, 0, errHole},
		"a child's life is missing":         {acl2, nil, sibling, 0, errHole},
		"a child's life":                    {acl2, log[child:sibling], sibling, sibling - child, nil},
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

// TestEndingOfUnlistedSession: a server may be told not to list what goes with a
// session, and then the ephemeral znodes that are known tell.
func TestEndingOfUnlistedSession(t *testing.T) {
	server := zktest.Start(t, zktest.Options{JVM: []string{"-Dzookeeper.closeSessionTxn.enabled=false"}}).Server(1)
	passing, events, err := zk.Connect([]string{server.Addr()}, 10*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/a", "/b"} {
		must[string](t)(passing.Create(path, nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll)))
	}
	passing.Close()
	for range events {
		// Until the session has ended.
	}
	must[string](t)(connect(t, server.Addr()).Create("/c", nil, 0, zk.WorldACL(zk.PermAll)))
	var log []*txnlog.Txn
	for txn, err := range txnlog.Records(must[[]txnlog.File](t)(txnlog.Logs(server.TxnLogDir()))) {
		if err != nil {
			t.Fatal(err)
		}
		log = append(log, txn.Clone())
	}
	ended := slices.IndexFunc(log, func(txn *txnlog.Txn) bool { return txn.Type == txnlog.TypeCloseSession })
	if ended < 0 || len(maps.Collect(log[ended].Changes())) > 0 {
		t.Fatalf("the server lists what goes: transaction %d of %d", ended, len(log))
	}
	for name, old := range map[string][]*txnlog.Txn{"all of it": log[1 : len(log)-1], "nothing": nil} {
		l := &ledger{digests: txnlog.NewDigests(), begun: true}
		if err := l.add(log[0]); err != nil {
			t.Fatal(err)
		}
		got, err := l.fitting(old, log[len(log)-1])
		if whole := old != nil; whole && (err != nil || got != len(old)) || !whole && !errors.Is(err, errHole) {
			t.Errorf("%s: fitting() = %d, %v", name, got, err)
		}
	}
	// The one that ends the session is the witness.
	l := &ledger{digests: txnlog.NewDigests(), begun: true}
	for _, txn := range log[:ended] {
		if err := l.add(txn); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := l.fitting(nil, log[ended]); got != 0 || err != nil {
		t.Errorf("fitting() = %d, %v, want 0", got, err)
	}
}

// TestEpochWithoutDigests: between two leaders there may have been one in whose
// time nothing but failed requests was logged, which have no digest. They end
// with their epoch, and are handed over.
func TestEpochWithoutDigests(t *testing.T) {
	l := &ledger{digests: txnlog.NewDigests(), begun: true}
	failed := &txnlog.Txn{Header: txnlog.Header{Zxid: 2<<32 | 1, Type: txnlog.TypeError}}
	witness := &txnlog.Txn{
		Header: txnlog.Header{Zxid: 3<<32 | 2, Type: txnlog.TypeCreateSession}, HasDigest: true,
		Digest: txnlog.Digest{Version: txnlog.DigestVersion, Sum: l.digests.Sum()},
	}
	its := &txnlog.Txn{Header: txnlog.Header{Zxid: 3<<32 | 1, Type: txnlog.TypeError}}
	tail := &tail{ledger: l, at: 1<<32 | 7, held: []*txnlog.Txn{failed, its, witness}, logger: logger()}
	if decided, err := tail.settle(3<<32 | 2); !decided || err != nil {
		t.Fatalf("settle() = %t, %v", decided, err)
	}
	if tail.proven != 2<<32|1 || tail.epoch() != 3 || len(tail.held) != 3 {
		t.Errorf("proven through %v, in epoch %d, %d wait", tail.proven, tail.epoch(), len(tail.held))
	}
}
