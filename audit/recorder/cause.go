package recorder

import "zkwarden/audit"

// transaction is what the hints told of the last transaction, as far as it
// says why a znode was deleted.
type transaction struct {
	zxid  audit.Zxid
	multi bool // Whether a second operation makes it a multi.
	seen  bool
	owner audit.SessionID // Of the ephemerals that it deleted.
}

// tell notes an operation and returns the cause of it where it is a deletion.
//
// Watches do not tell a client's deletion from the end of a session, or from the
// expiry of a container or TTL znode. But a server deletes of its own accord
// either the ephemerals of one session and nothing else, or one container or
// TTL znode alone. So where a transaction is seen to do anything beside that,
// it is a client's multi. The first operation of one is never known for that.
func (t *transaction) tell(zxid audit.Zxid, op audit.Op, owner audit.SessionID, known bool) audit.Cause {
	if zxid == 0 || zxid != t.zxid {
		*t = transaction{zxid: zxid}
	}
	first := !t.seen
	t.seen = true
	switch {
	case op != audit.OpDeleted, known && owner == 0, known && t.owner != 0 && t.owner != owner:
		t.multi = true
	case known:
		t.owner = owner
	}
	if op == audit.OpDeleted && t.multi && !first && zxid != 0 {
		return audit.CauseExplicit
	}
	return audit.CauseUnknown
}
