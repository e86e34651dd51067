package txnlog

import (
	"bytes"
	"slices"
	"strconv"
)

// Type is the operation code of a transaction (ZooDefs.OpCode).
type Type int32

// The types that transaction logs hold. Any other is refused.
const (
	TypeError           Type = -1
	TypeCreateSession   Type = -10
	TypeCloseSession    Type = -11
	TypeCreate          Type = 1
	TypeDelete          Type = 2
	TypeSetData         Type = 5
	TypeSetACL          Type = 7
	TypeCheck           Type = 13 // Only within a multi.
	TypeMulti           Type = 14
	TypeCreate2         Type = 15 // 3.5.0+, see ZOOKEEPER-1297.
	TypeReconfig        Type = 16 // 3.5.0+, see ZOOKEEPER-107.
	TypeCreateContainer Type = 19 // 3.5.1+, see ZOOKEEPER-2163.
	TypeDeleteContainer Type = 20 // Also the end of a TTL znode.
	TypeCreateTTL       Type = 21 // 3.5.3+, see ZOOKEEPER-2169.
)

// String returns ZooKeeper's name of the type, and the number of an unknown one.
func (t Type) String() string {
	switch t {
	case TypeError:
		return "error"
	case TypeCreateSession:
		return "createSession"
	case TypeCloseSession:
		return "closeSession"
	case TypeCreate:
		return "create"
	case TypeDelete:
		return "delete"
	case TypeSetData:
		return "setData"
	case TypeSetACL:
		return "setACL"
	case TypeCheck:
		return "check"
	case TypeMulti:
		return "multi"
	case TypeCreate2:
		return "create2"
	case TypeReconfig:
		return "reconfig"
	case TypeCreateContainer:
		return "createContainer"
	case TypeDeleteContainer:
		return "deleteContainer"
	case TypeCreateTTL:
		return "createTTL"
	}
	return "type " + strconv.Itoa(int(t))
}

// Header begins every transaction.
type Header struct {
	Session uint64 // The session that asked; 0 where the leader acted by itself.
	Cxid    int32  // The session's own number of the request; 0 in the closeSession of an expired session.
	Zxid    uint64 // Epoch in the high 32 bits, counter in the low ones.
	Time    int64  // Milliseconds since 1970 by the leader's clock when it prepared the request.
	Type    Type
}

// Txn is one transaction of the log.
//
// The byte slices within are borrowed from the [Reader] that returned it and
// the whole is valid until that reader's next Next. [Txn.Clone] makes one to
// keep.
type Txn struct {
	Header
	// Ops are the operations: one, except in a multi, which has as many as it
	// was asked for. That they are here doesn't mean that they were applied;
	// see [Txn.Changes].
	Ops []Op
	// Digest is that of the whole tree after the transaction, if HasDigest:
	// 3.6+ unless it is switched off, and never with an error.
	Digest    Digest
	HasDigest bool
}

// Op is one operation. Which fields it has depends on its Type; the others are
// zero.
//
//	create, create2                Path Data ACL Ephemeral ParentCversion
//	createContainer                Path Data ACL ParentCversion
//	createTTL                      Path Data ACL ParentCversion TTL
//	delete, deleteContainer        Path
//	setData, reconfig              Path Data Version
//	setACL                         Path ACL Version
//	check                          Path Version
//	error                          Code
//	createSession                  Timeout
//	closeSession                   Paths HasPaths
type Op struct {
	Type Type
	// Path is as the server wrote it; a sequential znode's has its number.
	Path []byte
	// Data is nil when the znode's data is null.
	Data []byte
	ACL  []ACL
	// Ephemeral znodes belong to the session of the header.
	Ephemeral bool
	// ParentCversion is the parent's raw cversion, which counts creates only,
	// after the operation; -1 in logs from before 3.4, which don't tell.
	ParentCversion int32
	// TTL is in milliseconds.
	TTL int64
	// Version is the znode's version after a setData, its aversion after a
	// setACL, and one more than the version that a check found.
	Version int32
	// Code is a KeeperException.Code, negative.
	Code int32
	// Timeout is what was agreed for the session, in milliseconds.
	Timeout int32
	// Paths are the ephemeral znodes that went with the session, if HasPaths.
	// Without it, a reader has to know them by itself: before 3.6, and with
	// closeSessionTxn.enabled=false.
	Paths    [][]byte
	HasPaths bool
}

// ACL is one entry of an access control list.
type ACL struct {
	Perms  int32  // Bits: 1 read, 2 write, 4 create, 8 delete, 16 admin.
	Scheme []byte // "world", "digest", "ip", ...
	ID     []byte // For "digest" the user and the hash of user and password: a secret.
}

// Digest is the sum over all znodes outside /zookeeper, as [Digests] computes
// it.
type Digest struct {
	Version int32 // Of the way to compute it: 2 in 3.6 to 3.9.
	Sum     uint64
}

// Clone returns a copy that stays valid.
func (t *Txn) Clone() *Txn {
	clone := *t
	clone.Ops = slices.Clone(t.Ops)
	for i := range clone.Ops {
		clone.Ops[i] = clone.Ops[i].clone()
	}
	return &clone
}

func (op Op) clone() Op {
	op.Path, op.Data = bytes.Clone(op.Path), bytes.Clone(op.Data)
	op.ACL, op.Paths = slices.Clone(op.ACL), slices.Clone(op.Paths)
	for i, acl := range op.ACL {
		op.ACL[i].Scheme, op.ACL[i].ID = bytes.Clone(acl.Scheme), bytes.Clone(acl.ID)
	}
	for i, path := range op.Paths {
		op.Paths[i] = bytes.Clone(path)
	}
	return op
}
