// Package audit is the contract of the auditor: what a source observes, what
// the recorder makes of it, what the journal keeps and what a sink receives.
// It holds types and small interfaces only and imports nothing but the
// standard library, so that every room below it can depend on it.
//
// # Flow
//
//	Source -> Observation -> recorder -> Event -> Journal -> Cursor -> Sink
//
// A [Source] turns what a server shows into observations, in the order in
// which the server showed them. The recorder is the only place that decides
// what changed: it compares observations with the last known state and writes
// an [Event] for each change. The [Journal] is the truth; everything behind it
// follows with a durable [Cursor].
//
// # Exactness
//
// An event says what is known and no more. It carries the zxid of its
// transaction, or a bracket in which that zxid lies; members that are not
// known are absent; Exact is false as soon as anything that the policy asks
// for is missing.
package audit
