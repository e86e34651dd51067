// Package history tells what transaction logs and snapshots hold that no
// server has to be asked about: every change of a znode, and the tree as it was
// at a moment.
//
// [Open] finds the files. [History.Changes] replays the logs as audit events,
// [History.Tree] makes the tree of a [Moment], and [History.Diff] compares two.
//
// # What the files can't tell
//
// A voter logs a transaction before it is committed. That it is in the log of a
// leader or a follower proves nothing about the last ones of an epoch, and when
// such a server is brought up to date by a snapshot, what was never committed
// stays in its log for ever. What came with the snapshot is never in it: there
// the counter of the zxids has a hole. Package history finds holes and says
// them with what may not have been committed before them. What was known about
// znodes before a hole is forgotten, unless a snapshot bridges it.
//
// The log of an observer, and that of a standalone server, holds nothing but
// what was committed.
package history
