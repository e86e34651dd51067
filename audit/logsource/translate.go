package logsource

import (
	"bytes"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
)

// concerns reports whether an operation on path is to be handed over: it is
// recorded, it leads to what is, or it counts in the cversion of a znode that
// is.
func concerns(scope audit.Scope, path string) bool {
	return scope.Wants(path) || scope.Leads(path) || path != "/" && scope.Wants(audit.Parent(path))
}

// translate makes an observation of one change, which is borrowed from the
// log. It returns false for what changes no znode.
func translate(h txnlog.Header, index int, op txnlog.Op) (audit.Txn, bool) {
	t := audit.Txn{
		Zxid: audit.Zxid(h.Zxid), Index: index, Session: audit.SessionID(h.Session),
		Time: audit.AtUnixMilli(h.Time), Path: string(op.Path),
	}
	switch op.Type {
	case txnlog.TypeCreate, txnlog.TypeCreate2, txnlog.TypeCreateContainer, txnlog.TypeCreateTTL:
		t.Op, t.Data, t.ACL = audit.OpCreated, bytes.Clone(op.Data), entries(op.ACL)
		if op.Ephemeral {
			t.Owner = t.Session
		}
	case txnlog.TypeSetData, txnlog.TypeReconfig:
		t.Op, t.Data, t.Version = audit.OpDataChanged, bytes.Clone(op.Data), op.Version
	case txnlog.TypeSetACL:
		t.Op, t.ACL, t.Version = audit.OpACLChanged, entries(op.ACL), op.Version
	case txnlog.TypeDelete, txnlog.TypeDeleteContainer:
		t.Op, t.Cause = audit.OpDeleted, causeOf(h, op)
	default:
		return audit.Txn{}, false
	}
	return t, true
}

// causeOf tells why a znode was deleted. The server closes a session by itself
// with the cxid 0, and a client with one of its own.
func causeOf(h txnlog.Header, op txnlog.Op) audit.Cause {
	switch {
	case h.Type == txnlog.TypeCloseSession && h.Cxid == 0:
		return audit.CauseSessionExpired
	case h.Type == txnlog.TypeCloseSession:
		return audit.CauseSessionClosed
	case op.Type == txnlog.TypeDeleteContainer:
		return audit.CauseExpired
	}
	return audit.CauseExplicit
}

func entries(list []txnlog.ACL) []audit.ACL {
	acl := make([]audit.ACL, 0, len(list))
	for _, entry := range list {
		acl = append(acl, audit.ACL{Perms: audit.PermsOf(entry.Perms), Scheme: string(entry.Scheme), ID: string(entry.ID)})
	}
	return acl
}
