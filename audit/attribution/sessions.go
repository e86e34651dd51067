package attribution

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"zkwarden/audit"
	"zkwarden/internal/fourletter"
)

const (
	// maxSessions is how many sessions are remembered, at some 200 bytes each;
	// those that were listed the longest ago go first.
	maxSessions = 100_000
	// remembered is how long a session is remembered that nobody lists anymore.
	remembered = 24 * time.Hour
	// maxConnections is how many connections of a session are told apart.
	maxConnections = 4
	// skew is how far the clocks of servers may be apart. The time of a change is
	// the leader's, and that of a connection is of the server that took it.
	skew = time.Second
)

// connection is one connection of a session, as far as it was listed.
type connection struct {
	peer   netip.AddrPort
	member *member   // Who listed it last.
	since  time.Time // When it was made.
	last   time.Time // When the ask began whose answer listed it last.
}

// current tells whether the member's last answer lists the connection. An ask
// that failed says nothing, and so it ends what was known.
func (c connection) current() bool { return c.member.err == nil && !c.last.Before(c.member.listed) }

// session is where a session was listed.
type session struct {
	connections []connection // In the order in which they were made; the oldest are forgotten.
	moved       bool         // Whether they were from more than one host, forgotten ones included.
}

// latest returns when the session was listed last.
func (s session) latest() time.Time {
	var at time.Time
	for _, c := range s.connections {
		if c.last.After(at) {
			at = c.last
		}
	}
	return at
}

// see adds what an answer says that was asked for at the time.
func (s session) see(c connection) session {
	for i, known := range s.connections {
		if known.peer == c.peer {
			if c.last.After(known.last) {
				s.connections[i].member, s.connections[i].last = c.member, c.last
			}
			return s
		}
	}
	if len(s.connections) > 0 && s.connections[0].peer.Addr() != c.peer.Addr() {
		s.moved = true
	}
	s.connections = append(s.connections, c)
	slices.SortFunc(s.connections, func(a, b connection) int { return a.since.Compare(b.since) })
	if len(s.connections) > maxConnections {
		s.connections = slices.Delete(s.connections, 0, 1)
	}
	return s
}

// client returns the connection that a change at the time came by, as far as
// that can be known, and the grade. What was listed is believed for fresh.
func (s session) client(at time.Time, fresh time.Duration) (netip.AddrPort, string) {
	if at.IsZero() {
		return s.connections[len(s.connections)-1].peer, audit.ConfidenceLikely
	}
	// The client has left a connection when it makes the next, though the server
	// may list the old one until the session's timeout is over.
	next := slices.IndexFunc(s.connections, func(c connection) bool { return c.since.After(at) })
	switch {
	case next < 0:
		next = len(s.connections)
	case next == 0:
		first := s.connections[0]
		return first.peer, grade(!s.moved && first.since.Sub(at) <= skew)
	}
	c := s.connections[next-1]
	if s.moved {
		return c.peer, grade(!at.After(c.last) && at.Sub(c.since) > skew)
	}
	return c.peer, grade(!at.After(c.last) || next < len(s.connections) || c.current() && at.Sub(c.last) <= fresh)
}

func grade(exact bool) string {
	if exact {
		return audit.ConfidenceExact
	}
	return audit.ConfidenceLikely
}

// sessions remembers where sessions were listed.
type sessions struct {
	max  int
	byID map[uint64]session
}

// see takes what a member's answer says that was asked for at the time.
func (s *sessions) see(listed fourletter.Connection, m *member, asked time.Time) {
	known, ok := s.byID[listed.Session]
	if !ok && len(s.byID) >= s.max {
		s.makeRoom()
	}
	c := connection{peer: listed.Peer, member: m, since: listed.Established, last: asked}
	if c.since.IsZero() || c.since.After(asked) {
		c.since = asked
	}
	s.byID[listed.Session] = known.see(c)
}

// makeRoom forgets an eighth of the sessions, so that the next ones come cheap.
func (s *sessions) makeRoom() {
	type gone struct {
		id     uint64
		latest time.Time
	}
	all := make([]gone, 0, len(s.byID))
	for id, known := range s.byID {
		all = append(all, gone{id, known.latest()})
	}
	slices.SortFunc(all, func(a, b gone) int { return cmp.Or(a.latest.Compare(b.latest), cmp.Compare(a.id, b.id)) })
	for _, old := range all[:(len(all)+7)/8] {
		delete(s.byID, old.id)
	}
}

// forget drops the sessions that were listed last before the time.
func (s *sessions) forget(before time.Time) {
	for id, known := range s.byID {
		if known.latest().Before(before) {
			delete(s.byID, id)
		}
	}
}
