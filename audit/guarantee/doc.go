// Package guarantee holds the auditor's promises as checks that run: what a
// journal says is judged against what really happened. docs/guarantees.md
// says the same in prose.
//
// The records are those of one journal, in order. The truth is the list of the
// changes that the ensemble committed, from a source that the auditor has no
// part in: ZooKeeper's transaction log. [Check] finds for every record the
// change that it speaks of, and for every change the record that accounts for
// it, and returns what does not fit, each as an error that wraps the guarantee
// that it breaks.
//
// Two guarantees are judged elsewhere: tamper-evident by the journal's own
// verification, and redacted, but for records of what the policy leaves out, by
// looking for secrets in everything that the process ever wrote.
package guarantee
