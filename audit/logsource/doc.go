// Package logsource is the source that follows the transaction log of a server.
// The log has every operation with its content, its session and its time, so
// nothing is guessed; but it is no proof that an operation committed, and not
// every server's log has them all. [Source] therefore runs one of two sources
// at a time: the log leads where what it says can be trusted, and where it
// cannot, the live source shows what became of the tree.
//
// # Handing over
//
// The live source runs first, and whenever the log is of no use. The log takes
// over at a mark of the live source that ends a walk, with nothing in front of
// it that shows the tree at a later moment; what the live source tells behind
// that mark is dropped, because the log goes on with the next transaction. In
// the other direction the live source begins at the last mark, as it does after
// a restart. The gap that it declares has the reason for which the log was
// left. After a restart of the auditor the log leads at once where it reaches
// back to the last durable mark.
//
// No watch tells of ACLs. The live source knows all of them as of the beginning
// of its first sync, or of its last sweep; when the log takes over it tells of
// those that changed since. Where it lacks transactions between, or another epoch
// began there, it waits for a sweep, which hurries then. That has a limit, behind
// which its marks say nothing of ACLs until the live source has swept.
//
// # What is committed
//
// An entry of the log counts when a server that answers this session has applied
// its zxid or one behind it, of the same epoch. Within an epoch one leader gives
// out the zxids, each once, and they commit in their order; so the entry is what
// that leader proposed, and it has committed wherever a later one was applied.
// That holds for any member that serves, and not for the owner of the log alone.
// These cases break simpler rules:
//
//   - A leader without followers logs what never commits. Nobody has applied
//     it, so nobody confirms it.
//   - The same server, alone and read-only after a restart, applies what its log
//     has and says so by srvr, with the zxid and epoch of the entry. It refuses
//     sessions that don't ask for a read-only one (ZooKeeperServer.
//     processConnectRequest), and the session here does not ask.
//   - When it is back among others, its own last zxid is above that of the
//     entry: the epoch is another one then, and the entry stays unconfirmed.
//   - A server that stands alone has applied what it answers with, whatever its
//     disk has by then. What it had logged and not applied when it was killed it
//     applies at the next start, and says so.
//
// An observer logs committed transactions only and is no special case.
//
// # The end of an epoch
//
// What an epoch left unconfirmed in a log has committed if a later leader had
// it, and is a phantom otherwise. The log alone does not show which: a server
// that has to forget is told to cut its log (TRUNC) or is sent a snapshot, and
// then the phantoms stay, right before the transactions of the new epoch; and
// one that was sent a snapshot may lack the end of the old epoch.
//
// A log that is cut loses only what was unconfirmed; it is read again from the
// last transaction that was handed over. Otherwise the digest decides, which
// the new leader computed over what had committed and nothing else (ZooKeeper
// 3.6): exactly one number of the waiting transactions makes its first digest
// come out right. A change that the leader's first one takes the place of leaves no
// trace in it, but then the counters tell: versions, aversions, and the cversion
// of a new znode's parent. Where nothing fits, transactions are missing; where the
// leader's first one deletes what the last may have written, or there are no
// digests, nobody can tell. Of that first transaction itself its digest says
// nothing: its leader may have had it alone, and the epoch have ended with it.
// Before 3.6, and with digest.enabled=false, every change of the epoch is
// therefore a gap, filled by the live source; so it is where the new epoch has no
// transaction within some seconds. A tail that its server was elected with is
// committed, and comes out right like any other.
//
// # Holes
//
// The counters of an epoch begin at 1 and have no holes: failed requests and
// sessions have zxids, too, and are logged. A hole in the log is one that a
// snapshot has filled on its server. The live source fills it here. A request
// that the server could not understand leaves an error with the zxid before it.
//
// # Digests
//
// The change of the digest from one transaction to the next is compared with
// what the operations make of the tree. That needs the digests of all znodes:
// they are computed from the newest snapshot and the log behind it, in memory.
// A mismatch is a gap, and the live source takes over. Without a snapshot that
// is of use, without digests, or with transactions missing between the snapshot
// and the mark, nothing is verified and nothing claims to be.
//
// # What is left open
//
// Before ZooKeeper 3.6 a log does not list the ephemeral znodes that went with
// a session. They are those that are known then: of children that are not
// recorded themselves, and only count for their parent, the deletion is missing.
//
// A member's log is followed only while it goes along with the ensemble: one
// that has less than what was applied for some seconds is left. History that is
// rewritten shows as a log that lost its end, or an ensemble that is behind it;
// the live source then finds out what happened.
package logsource
