// Package watch is the source that observes a live ensemble through one
// ZooKeeper session with persistent recursive watches (ZooKeeper 3.6+,
// ZOOKEEPER-1416), or without them where a server has none.
//
// # The tap
//
// The session belongs to the unmodified go-zookeeper client, which knows
// neither addWatch nor the zxids of notifications. Between client and socket
// stands a [link], which reads whole frames, checks and decodes them before
// the client sees them, and hands what matters to the source in the order of
// the wire: notifications, replies and pings with their zxids. In the other
// direction it presents the credentials before anything else, and turns a
// marked Sync into addWatch or checkWatches. If it were ever missing, the server
// would see a harmless Sync of a path that does not exist.
//
// # What the order of the wire gives
//
// A server queues notifications while it commits and never reads beside a
// commit, so an answer arrives after every notification that it reflects. The
// [follower] keeps notifications and answers in one queue in that order: a
// notification leaves it with the first answer about its path, and the number
// of later notifications before that answer tells which version each one
// spoke of. One read a path is enough however often it changes.
//
// # Gaps
//
// Notifications of a lost connection are lost. After every new connection the
// source adds its watches; whatever changed up to the zxid at which the server
// confirmed them, and after the last zxid that the old connection told of, is
// the gap. It is reported, and what it left is shown by reads without a hint,
// up to a mark.
//
// A first sync reads everything below its root. Of a root that is known, a
// [comparison] asks the server what changed since the gap began: SetWatches on
// throw-away sessions, in batches, names the paths that are gone, whose data
// are newer or whose children are, and only those are read, over the session
// that watches. It answers for the state of its own server, which therefore has
// to have applied everything up to the end of the gap. Where no such session is
// to be had, everything is read.
//
// # What no watch tells
//
// ACLs change without a notification. Every answer counts these changes, and
// where the count moved the ACL is read, too. What nothing else leads to is
// found by the [sweeper], which looks at every known znode once an interval and
// has read what is not as it is known; that is also a check of everything
// above. It marks the zxid at which it began, up to which every change of an
// ACL was handed over; so does a walk that reads every znode, as a first sync.
//
// The AdminServer can restore a snapshot under a session that does not notice,
// and drops its watches. So the server is asked every half minute whether it has
// them; where it does not, the gap begins at the last time that it had.
//
// # History that was rewritten
//
// A wiped or restored ensemble shows another history. It is told by what no
// history can show: a last zxid that is behind the one that was seen, or falls
// on one connection; a znode that is an older incarnation, or has a lower
// version, than the one recorded; a root that is another one although it was
// born before everything was handed over, or was born at another time by the
// leader's clock. A root that was deleted and created again is none of these.
// The gap says so, and the first sync begins anew. What is not seen: history
// that was rewritten while the auditor was not running, has grown past the last
// mark, and has the roots born with the very zxids that they had.
//
// # Servers without recursive watches
//
// Servers before ZooKeeper 3.6, and those with the optimized watch manager, get
// a data and a child watch on every znode ([shots]). They are told by their
// answer to addWatch, and remembered by version. A server whose version has them
// is asked by every second connection: it may have been started with the other
// watch manager. Everything but deletions is
// then handed over as it was read, without a hint, and children whose names are
// lost are counted.
package watch
