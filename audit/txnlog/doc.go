// Package txnlog decodes the transaction logs and snapshots of ZooKeeper 3.4
// to 3.9. It reads files and nothing else, and imports the standard library
// only.
//
// [Reader] reads one log file, [Records] many that are finished, [Follower] a
// directory that a server is writing. [Txn.Changes] tells what a transaction
// did to znodes, [Ephemerals] helps where the log doesn't say what a closed
// session took with it. [Snapshot] reads snapshots, [Digests] computes the
// digest that servers since 3.6 log with each transaction.
//
// What is written here about the format was read in the sources that are
// named, by class, and holds for what servers of 3.4.14, 3.5.5, 3.5.10, 3.6.4,
// 3.7.2, 3.8.6 and 3.9.5 write: the tests compare with the tools that came
// with them.
//
// # Directories
//
// Logs lie in version-2 below dataLogDir, snapshots in version-2 below dataDir
// (FileTxnSnapLog). The names are log.ZXID, with the zxid of the first
// transaction, and snapshot.ZXID, with that of the last that was applied when
// the snapshot was begun, both in hexadecimal without leading zeros
// (Util.makeLogName). A compressed snapshot ends in .gz or .snappy
// (SnapStream).
//
// # Encoding
//
// Everything is jute: big-endian integers, a string or buffer as an int32
// length and its bytes, a vector as an int32 count and its elements. The
// length or count -1 is null.
//
// # Log files
//
// A file begins with 16 bytes: "ZKLG", int32 version 2, int64 database id 0
// (FileTxnLog.append). Records follow:
//
//	int64   Adler-32 of the payload, in the low half
//	int32   length of the payload
//	bytes   payload
//	byte    'B' (Util.writeTxnBytes)
//
// The payload is a header (int64 session, int32 cxid, int64 zxid, int64 time,
// int32 type; TxnHeader in zookeeper.jute), the record of the type
// (SerializeUtils.deserializeTxn), and since 3.6 a digest of the tree (int32
// version, int64 digest; TxnDigest), which is missing after errors, and
// everywhere with digest.enabled=false.
//
//	create, create2         path data ACLs bool ephemeral, int32 parent's cversion
//	createContainer         path data ACLs int32 parent's cversion
//	createTTL               path data ACLs int32 parent's cversion, int64 TTL
//	delete, deleteContainer path
//	setData, reconfig       path data int32 version
//	setACL                  path ACLs int32 aversion
//	check                   path int32 version; only within a multi
//	error                   int32 code; what failed is not told
//	createSession           int32 timeout
//	closeSession            since 3.6 a vector of the paths that go with it
//	multi                   a vector of int32 type and a buffer with its record
//
// An ACL is an int32 of permissions, a scheme and an id. Before 3.4 a create
// has no cversion of the parent (CreateTxnV0). A closeSession has no record
// before 3.6, and later with closeSessionTxn.enabled=false. A create2 within a
// multi is logged as a create up to 3.5. The end of a TTL znode is logged as a
// deleteContainer, of session 0.
//
// A multi that failed is logged with the operations that would have succeeded
// in front, and errors from the one that failed on. None was applied
// (PrepRequestProcessor, DataTree.processTxn).
//
// # Where a log ends
//
// Before a server writes a record with less than 4 KiB left in the file, it
// makes the file longer, by 64 MiB unless preAllocSize says otherwise
// (FilePadding): behind the last record are zeros, and the size of a file says
// nothing. A length of 0 is the end for now. Records go through a buffer and
// reach the file in pieces: a reader can meet a record that is half there, with
// zeros, or nothing, in place of the rest.
//
// A server ends a file when it takes a snapshot, and begins the next one with
// the next transaction. It also begins a new file after each restart, and
// leaves the one before as it is, with half a record at its end if there was a
// crash. A server acknowledges what was fsynced, so nobody was told of that
// record unless forceSync is off. ZooKeeper
// itself reads a file up to the first length of 0, or to the first record
// without its 'B', and goes on with the next file; it refuses a record whose
// checksum is wrong (FileTxnIterator.next). This package does the same, and
// calls the first torn and the second corrupt; and it calls corrupt, too, what
// ZooKeeper would pass over silently: an end that is none, because a whole
// record lies behind it.
//
// When a leader finds that a server has logged what was never committed, it
// may tell it to cut that off: the file is shortened and later ones are
// deleted (FileTxnLog.truncate). It can also send a snapshot instead, and then
// the uncommitted transactions stay in the log, and those that came with the
// snapshot are never in it. That something is in a voter's log is no proof of
// anything.
//
// # Snapshots
//
// A snapshot begins with "ZKSN", int32 version 2 and int64 -1, and consists of
// (FileSnap.serialize, DataTree.serialize):
//
//	int32 n, then n sessions     int64 id, int32 timeout
//	int32 n, then n lists        int64 key, vector of ACLs
//	znodes, in preorder          path data int64 key, StatPersisted
//	string "/"                   ends them; the root itself has the path ""
//	seal
//	int64 zxid, int32 version, int64 digest, seal    since 3.6, if digest.enabled
//	int64 zxid, seal                                 since 3.9, if serializeLastProcessedZxid.enabled
//
// The key -1 stands for world:anyone with all permissions. A StatPersisted is
// czxid, mzxid, ctime, mtime, int32 version, cversion, aversion, owner and
// pzxid. A seal is an int64 with the Adler-32 of everything before it, and the
// string "/". Compression is around all of it: gzip, or snappy in the framing of
// snappy-java.
//
// Owners mark what is no ephemeral znode, too: 0x8000000000000000 a container,
// 0xff in the high byte a TTL znode with its TTL in the low 40 bits
// (EphemeralType).
//
// Snapshots are written while the tree changes. The transactions behind the
// one in the name have to be applied again, and some meet what they would do
// done already.
//
// # Trust
//
// Whatever a file says is checked before it is believed. A length is compared
// with a limit, and then memory grows only as bytes are read; counts are
// compared with the bytes that are left. Nothing that a file holds makes this
// package panic.
package txnlog
