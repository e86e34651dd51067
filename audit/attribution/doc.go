// Package attribution tells who is behind a session: the address that its
// client is connected from.
//
// It asks every member of the ensemble for cons at an interval, one connection
// a member, and remembers for a day which sessions it listed, from where, since
// when and until when. The high byte of a session names the server that made it
// (ZooKeeper 3.4 to 3.9), so that a session that nobody has listed yet is looked
// for there at once, and at the other members if that one does not know it. Who
// asks about it waits for this, but not longer than [Patience]; how often that
// may happen is for who asks to decide, and whose context has ended waits for
// nobody.
//
// Servers are not burdened: whatever is asked, a member spends at most a tenth
// of its time on answers beyond those of its turns, is asked twenty times a
// second at most, and one that does not answer is left alone until its next turn.
//
// The grades are those of [audit.Actor]. They compare the servers' and the
// auditor's clocks; a session that was only ever seen on one host is exact even
// if these differ by a second.
package attribution
