package audit

// Observation is what a source hands over. The set is closed: [Seen], [Txn],
// [Gap], [Counted], [Mark] and [Mode].
type Observation interface{ observation() }

// Read says what the read behind a [Seen] found.
type Read uint8

// The outcomes of a read.
const (
	NotRead Read = iota // No answer belongs to this observation: the connection was lost, or the incarnation died first.
	Found               // Node is set.
	Absent              // The znode did not exist.
	Denied              // The znode could not be read: its ACL refuses READ.
)

// Seen is one look at one znode: a notification and the read that followed
// it, or a read alone.
//
// A source sends Seen in the order in which its server sent the notification,
// or the answer where there was no notification. That order is the order of
// commits, and an answer reflects every notification sent before it; the
// recorder relies on both.
type Seen struct {
	Path   string
	Origin Origin

	// Hint is what the notification said, or empty when the path was read
	// unasked.
	Hint Op

	// After and Until bracket the zxid of the hinted change: it lies after
	// After and at or before Until. They are equal when the zxid is exact.
	// Without a hint, Until is set where the read may show changes that are
	// younger than the last Gap and were not notified: they are no younger.
	After, Until Zxid

	// Read and Node are the answer, and At is the last zxid that the server
	// had applied when it gave it. With a hint, Node is set only if it is the
	// incarnation that the hint spoke of.
	Read Read
	Node *Znode
	At   Zxid

	// Behind counts the data changes of Node that were notified after the
	// hint and before the answer. When it is zero, Node is the very state
	// that the hinted change left.
	Behind int32

	// Late is set when the connection was lost before the answer and another
	// one gave it. What happened in between went unnotified: Node belongs to
	// the hint only if its counters say so.
	Late bool
}

// Txn is one operation of a committed transaction, as a transaction log tells
// it: nothing about it is guessed. A source sends the operations in the order
// of the log, those of a multi and of a closed session one by one, and only
// what was applied. It sends what the scope wants, what leads to it, and the
// children of what it wants, because these count in their parent's cversion.
//
// What a source reads of the tree beside its log stands in the same order: an
// answer comes behind the operations up to its At, and before those beyond it.
// Operations that were sent before may be sent again, from behind any earlier
// Mark on; a [Mode] comes first then.
//
// Everything that a Txn holds is the recorder's to keep.
type Txn struct {
	Zxid    Zxid
	Index   int       // Place among the changes of its transaction, from zero.
	Session SessionID // Who asked for it, or whose end it was; zero where the leader acted by itself.
	Time    Millis    // The leader's clock when it prepared the transaction.
	Op      Op        // OpCreated, OpDataChanged, OpACLChanged or OpDeleted.
	Cause   Cause     // Of a deletion.
	Path    string
	Data    []byte    // Of a creation or change of data; nil when the znode's data is null.
	ACL     []ACL     // Of a creation or change of the ACL. Ids of the digest scheme hold the hash, which a client would not see.
	Version int32     // The version behind a change of data, the aversion behind one of the ACL.
	Owner   SessionID // Of the creation of an ephemeral znode.
}

// Gap says that changes after After and at or before Until may have gone
// unseen. What they left behind follows as Seen without a hint, up to the
// next Mark. A transaction log sends no Txn before that Mark: its operations
// go on behind what was read.
type Gap struct {
	After, Until Zxid
	Reason       string // One of the Gap* reasons.
}

// The reasons of gaps.
const (
	GapReconnect        = "reconnect"         // The connection was lost and made anew.
	GapRestart          = "restart"           // The auditor was not running.
	GapOverflow         = "overflow"          // The auditor could not keep up and cut its own connection.
	GapHistoryRewritten = "history_rewritten" // The ensemble went back in time: wiped or restored.
	GapWatchLost        = "watch_lost"        // The server had forgotten a watch, and the session did not notice.
	GapMirrorLost       = "mirror_lost"       // The last known state is gone; the first sync begins anew.
	GapLogLost          = "log_lost"          // The transaction log could not be read any further, and the live source took over.
	GapLogHole          = "log_hole"          // The server's log never had the transactions: it was synced by a snapshot.
	GapLogUnconfirmed   = "log_unconfirmed"   // Nobody can tell whether the log's transactions committed.
	GapDigestMismatch   = "digest_mismatch"   // The operations do not add up to the digest of the server's tree.
)

// ResyncPolicy is the reason of a resync without a gap: a policy that may allow
// more came into force, and what it watches was read whole.
const ResyncPolicy = "policy"

// Counted says how many children of a znode were created and deleted, and
// comes behind a Seen of each of them that can still be named. What Cversion
// shows beyond the changes that were recorded has lost its name: children that
// came and went between two looks. Only a source without recursive watches
// sends it; with them every child is notified.
type Counted struct {
	Path     string
	Czxid    Zxid  // The incarnation that was counted.
	Cversion int32 // As of At. Children may have been seen since.
	At       Zxid
}

// Mark says that everything through Zxid has been handed over. It ends a
// first sync or the resync behind a Gap.
type Mark struct {
	Zxid   Zxid
	Znodes uint64 // Znodes read by the walk that the mark ends; zero when it ends none.
	Walk   bool   // Whether the mark ends a walk over every root.

	// ACL is set by the end of a sweep over every root, by that of a first
	// sync, and by a transaction log that lacks none of them: every change of
	// an ACL through it has been handed over. No watch tells of these.
	ACL   Zxid
	Sweep bool // Whether the mark ends a sweep over every root.

	// Verified is set by a transaction log with digests: the operations up to
	// here changed the tree's digest as the server says that it changed.
	Verified Zxid
}

// Mode says how a source observes from here on.
type Mode struct {
	Name   string // One of the Mode* names.
	Server string // The version of the server that asks for it, where it is known.
}

// The modes of observation.
const (
	ModeRecursive = "recursive" // Persistent recursive watches, one a root: ZooKeeper 3.6 and newer.
	ModeOneShot   = "one_shot"  // A data and a child watch on every znode, each set anew after it fired.
	ModeTxnlog    = "txnlog"    // The server's transaction log, confirmed by a live session.
)

func (Seen) observation()    {}
func (Txn) observation()     {}
func (Gap) observation()     {}
func (Counted) observation() {}
func (Mark) observation()    {}
func (Mode) observation()    {}

// Znode is data and metadata of a znode, from one answer of a server.
type Znode struct {
	Data []byte // Nil when the znode has null data, or Bare is set.
	Bare bool   // Whether the data were not read: the scope wants only what lies below.
	Stat Stat
	ACL  []ACL // Nil when it was not read; a znode has at least one entry.
}

// Stat is ZooKeeper's znode metadata as clients see it. Cversion counts
// creates and deletes of children; EphemeralOwner is zero for container and
// TTL znodes, as the server hides it.
type Stat struct {
	Czxid, Mzxid, Pzxid         Zxid
	Ctime, Mtime                int64 // Milliseconds since 1970, leader's clock.
	Version, Cversion, Aversion int32
	EphemeralOwner              SessionID
	DataLength, NumChildren     int32
}
