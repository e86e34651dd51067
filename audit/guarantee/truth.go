package guarantee

import (
	"errors"
	"sort"

	"zkwarden/audit"
)

// The guarantees. Every violation wraps one of them.
var (
	ErrAccounted = errors.New("accounted: a committed change is neither recorded nor counted nor in a declared gap")
	ErrOrdered   = errors.New("ordered: records with a zxid do not stand in commit order")
	ErrUnique    = errors.New("unique: one change has two ids, or one id two records")
	ErrResumable = errors.New("resumable: what was durable is gone, or came back as something else")
	ErrCommitted = errors.New("committed: a record tells of a change that never happened")
	ErrHonest    = errors.New("honest: a record claims to know what is not so")
	ErrProgress  = errors.New("progress: a checkpoint promised that nothing else had changed")
	ErrVerified  = errors.New("verified: a checkpoint vouches for operations that do not add up")
	ErrRedacted  = errors.New("redacted: a record tells what the policy leaves out")
)

// Change is one committed change of one znode. Creation and deletion of a
// child are changes of the child.
type Change struct {
	Zxid  audit.Zxid
	Op    audit.Op // Created, data_changed, acl_changed or deleted.
	Path  string
	Czxid audit.Zxid // The incarnation that changed.
	Birth int        // How many before it the same transaction had created at the path.

	// Counter is what the operation moved, after it: version or aversion; zero
	// for creation and deletion. Version is the data version that it left.
	Counter, Version int32
	Aversion         int32 // That it left, or that the dead had.

	Data    []byte // After a creation or data change; nil for null data.
	Owner   audit.SessionID
	Parent  audit.Zxid // Czxid of the parent's incarnation.
	Ordered bool       // Whether its place within its transaction is certain.

	// Session is who made it, or whose end did; zero where nobody did, or where
	// the truth does not tell. Index is its place within its transaction.
	Session audit.SessionID
	Index   int
	Hidden  bool // Whether the ACL that it left, or that the dead had, refuses the auditor. ACLs of what lies above don't count.
}

// Truth is everything that happened below the roots of a policy, from before
// the first record on.
type Truth struct {
	Ensemble   string
	Generation uint64
	Changes    []Change // In commit order.
	// OneShot says that the records were made by one-shot watches, which count
	// what happens between two of them.
	OneShot bool
	// Mismatched are the transactions whose operations do not change the tree's
	// digest as the server says that it changed.
	Mismatched []audit.Zxid
	// Scope is what of it was to be recorded; nil is all.
	Scope Scope
}

// Scope says what of the truth a policy records.
type Scope interface {
	// Wants reports whether the changes of path are recorded.
	Wants(path string) bool
	// Leads reports whether changes of something below path may be: such a path
	// is looked at.
	Leads(path string) bool
	// Whole reports whether all children that path may have are recorded.
	Whole(path string) bool
}

func (t Truth) wants(path string) bool   { return t.Scope == nil || t.Scope.Wants(path) }
func (t Truth) looksAt(path string) bool { return t.wants(path) || t.Scope.Leads(path) }
func (t Truth) whole(path string) bool   { return t.Scope == nil || t.Scope.Whole(path) }

// Through returns what had happened when zxid was committed.
func (t Truth) Through(zxid audit.Zxid) Truth {
	end := sort.Search(len(t.Changes), func(i int) bool { return t.Changes[i].Zxid > zxid })
	t.Changes = t.Changes[:end]
	return t
}
