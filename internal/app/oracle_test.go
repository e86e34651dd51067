package app

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/guarantee"
	"zkwarden/audit/txnlog"
	"zkwarden/internal/zktest"
)

// committed returns every transaction that the ensemble committed, in order,
// by the logs of its members. A transaction is committed when a quorum has
// logged it: any later leader is elected by a quorum, so one of its voters has
// it. One that a single member of several has logged is the tail of a leader
// that nobody followed.
func committed(t *testing.T, ensemble *zktest.Ensemble) []*txnlog.Txn {
	t.Helper()
	holders, txns := map[uint64]int{}, map[uint64]*txnlog.Txn{}
	voters := 0
	for _, server := range ensemble.Servers() {
		files, err := txnlog.Logs(server.TxnLogDir())
		if err != nil {
			t.Fatal(err)
		}
		if !server.Observer() {
			voters++
		}
		logged := map[uint64]bool{}
		for txn, err := range txnlog.Records(files) {
			switch {
			case errors.Is(err, txnlog.ErrTorn): // A server was killed.
			case err != nil:
				t.Fatal(err)
			case !logged[txn.Zxid]:
				logged[txn.Zxid] = true
				holders[txn.Zxid]++
				txns[txn.Zxid] = txn.Clone()
			}
		}
	}
	for zxid, n := range holders {
		if n <= voters/2 {
			delete(txns, zxid)
		}
	}
	return slices.SortedFunc(maps.Values(txns), func(a, b *txnlog.Txn) int { return cmp.Compare(a.Zxid, b.Zxid) })
}

// truth is what happened at and below root.
func truth(t *testing.T, ensemble *zktest.Ensemble, root string) guarantee.Truth {
	t.Helper()
	o := oracle{root: root, live: map[string]guarantee.Change{}}
	for _, txn := range committed(t, ensemble) {
		births := map[string]int{}
		for index, op := range o.ephemerals.Changes(txn) {
			o.apply(txn, index, op, births)
		}
	}
	return guarantee.Truth{Ensemble: "test", Generation: 1, Changes: o.changes}
}

// oracle replays a log.
type oracle struct {
	root       string
	live       map[string]guarantee.Change // The last change of each living path, anywhere.
	ephemerals txnlog.Ephemerals
	changes    []guarantee.Change
}

func (o *oracle) apply(txn *txnlog.Txn, index int, op txnlog.Op, births map[string]int) {
	path := string(op.Path)
	c := o.live[path]
	c.Zxid, c.Path, c.Ordered = audit.Zxid(txn.Zxid), path, txn.Type != txnlog.TypeCloseSession
	switch op.Type {
	case txnlog.TypeCreate, txnlog.TypeCreate2, txnlog.TypeCreateContainer, txnlog.TypeCreateTTL:
		c = guarantee.Change{Zxid: c.Zxid, Path: path, Ordered: c.Ordered, Czxid: c.Zxid, Birth: births[path], Data: clone(op.Data)}
		births[path]++
		c.Op, c.Hidden = audit.OpCreated, refusesAnyone(op.ACL)
		if op.Ephemeral {
			c.Owner = audit.SessionID(txn.Session)
		}
	case txnlog.TypeSetData, txnlog.TypeReconfig:
		c.Op, c.Version, c.Data = audit.OpDataChanged, op.Version, clone(op.Data)
		c.Counter = op.Version
	case txnlog.TypeSetACL:
		c.Op, c.Counter, c.Aversion = audit.OpACLChanged, op.Version, op.Version
		c.Hidden = refusesAnyone(op.ACL)
	case txnlog.TypeDelete, txnlog.TypeDeleteContainer:
		c.Op, c.Counter = audit.OpDeleted, 0
	default:
		return
	}
	c.Session, c.Index = audit.SessionID(txn.Session), index
	c.Parent = o.live[audit.Parent(path)].Czxid
	if o.live[path] = c; c.Op == audit.OpDeleted {
		delete(o.live, path)
	}
	if audit.Within(path, o.root) {
		o.changes = append(o.changes, c)
	}
}

// refusesAnyone reports whether an auditor without credentials may not read.
func refusesAnyone(acl []txnlog.ACL) bool {
	return !slices.ContainsFunc(acl, func(a txnlog.ACL) bool {
		return string(a.Scheme) == "world" && a.Perms&zk.PermRead != 0
	})
}

// clone keeps null data apart from data of no bytes.
func clone(data []byte) []byte {
	if data == nil {
		return nil
	}
	return append([]byte{}, data...)
}
