// Package recorder decides what changed. It is the only place that does: it
// compares what a source saw with the mirror, applies the policy and appends
// an event for each change to the journal.
//
// # One event, one change of the mirror
//
// Outside a first sync every change of the mirror follows from an event alone,
// by the same function during operation and when the journal is replayed at
// start. What was recorded before a crash is therefore known after it.
//
// # Changes that went unseen
//
// A hint (a notification) names one change. Where the znode that was read
// shows more than the hints account for, the difference was missed: each
// version in between becomes an event of its own, up to a limit and counted in
// collapsed beyond it, bracketed by the gap and marked exact:false. Children
// are accounted by cversion, which counts creates and deletes: what the found
// children do not explain ends as a children_changed record.
package recorder
