// Package mirror keeps the last known state of every watched znode: the
// incarnation, the counters and as much of the content as the policy allows.
// The recorder compares what a source sees with it.
//
// The mirror is a bbolt file. Changes gather in memory and reach the file in a
// commit ([Mirror.Begin]), together with the place in the journal up to which
// they are recorded there. It is written beside further changes: who records
// does not wait for the disk. After a crash the file is therefore a consistent
// snapshot at that place, and replaying the journal behind it brings the
// mirror up to date; there is no fsync for each event.
package mirror
