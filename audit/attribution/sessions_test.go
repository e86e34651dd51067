package attribution

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"zkwarden/audit"
	"zkwarden/internal/fourletter"
)

func TestGrades(t *testing.T) {
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return noon.Add(time.Duration(seconds * float64(time.Second))) }
	polled := func(seconds float64) *member { return &member{began: at(seconds), listed: at(seconds)} }
	// listed are connections as (peer, made, listed last by its member).
	type listed struct {
		peer        string
		since, last float64
		by          *member // Nil: one that was asked last when it listed the connection.
	}
	const a1, a2, b = "10.0.0.1:1001", "10.0.0.1:1002", "10.0.0.2:2001"
	failing := polled(100)
	failing.err = errors.New("refused")

	for name, tc := range map[string]struct {
		connections []listed
		change      float64
		unknownTime bool
		client      string
		grade       string
	}{
		"listed on both sides":                   {[]listed{{peer: a1, since: 0, last: 100}}, 50, false, a1, audit.ConfidenceExact},
		"listed before, in the last answer":      {[]listed{{peer: a1, since: 0, last: 100}}, 105, false, a1, audit.ConfidenceExact},
		"listed before, long ago":                {[]listed{{peer: a1, since: 0, last: 100}}, 111, false, a1, audit.ConfidenceLikely},
		"listed before, not in the last answer":  {[]listed{{a1, 0, 100, polled(102)}}, 103, false, a1, audit.ConfidenceLikely},
		"listed before, the last ask failed":     {[]listed{{a1, 0, 100, failing}}, 103, false, a1, audit.ConfidenceLikely},
		"not in the last answer, but after":      {[]listed{{a1, 0, 100, polled(102)}}, 99, false, a1, audit.ConfidenceExact},
		"listed after":                           {[]listed{{peer: a1, since: 20, last: 100}}, 10, false, a1, audit.ConfidenceLikely},
		"listed after, the clocks are not equal": {[]listed{{peer: a1, since: 20, last: 100}}, 19.5, false, a1, audit.ConfidenceExact},
		"no time":                                {[]listed{{peer: a1, since: 0, last: 100}}, 0, true, a1, audit.ConfidenceLikely},
		"came back from the same host": {
			[]listed{{peer: a1, since: 0, last: 50}, {peer: a2, since: 60, last: 100}}, 55, false, a1, audit.ConfidenceExact,
		},
		"came back from the same host, before": {
			[]listed{{peer: a1, since: 0, last: 50}, {peer: a2, since: 60, last: 100}}, 104, false, a2, audit.ConfidenceExact,
		},
		"moved, in between": {
			[]listed{{peer: a1, since: 0, last: 50}, {peer: b, since: 60, last: 100}}, 55, false, a1, audit.ConfidenceLikely,
		},
		"moved, before": {[]listed{{peer: a1, since: 0, last: 50}, {peer: b, since: 60, last: 100}}, 30, false, a1, audit.ConfidenceExact},
		"moved, after":  {[]listed{{peer: a1, since: 0, last: 50}, {peer: b, since: 60, last: 100}}, 70, false, b, audit.ConfidenceExact},
		"moved, the clocks are not equal": {
			[]listed{{peer: a1, since: 0, last: 50}, {peer: b, since: 60, last: 100}}, 60.5, false, b, audit.ConfidenceLikely,
		},
		"moved, listed before in the last answer": {
			[]listed{{peer: a1, since: 0, last: 50}, {peer: b, since: 60, last: 100}}, 102, false, b, audit.ConfidenceLikely,
		},
		"moved, and the old server still lists it": {
			[]listed{{peer: a1, since: 0, last: 100}, {peer: b, since: 60, last: 100}}, 70, false, b, audit.ConfidenceExact,
		},
		"moved, before anything is known": {
			[]listed{{peer: a1, since: 20, last: 50}, {peer: b, since: 60, last: 100}}, 19.5, false, a1, audit.ConfidenceLikely,
		},
		"moved long ago, which is forgotten but for that": {
			[]listed{
				{peer: b, since: 0, last: 1},
				{peer: "10.0.0.1:1", since: 10, last: 11},
				{peer: "10.0.0.1:2", since: 20, last: 21},
				{peer: "10.0.0.1:3", since: 30, last: 31},
				{peer: a1, since: 40, last: 100},
			}, 102, false, a1, audit.ConfidenceLikely,
		},
	} {
		t.Run(name, func(t *testing.T) {
			// In whatever order the answers come.
			for first := range tc.connections {
				s := session{}
				for i := range tc.connections {
					l := tc.connections[(first+i)%len(tc.connections)]
					if first > 0 && len(tc.connections) > maxConnections {
						return
					}
					by := l.by
					if by == nil {
						by = polled(l.last)
					}
					s = s.see(connection{peer: netip.MustParseAddrPort(l.peer), member: by, since: at(l.since), last: at(l.last)})
				}
				change := at(tc.change)
				if tc.unknownTime {
					change = time.Time{}
				}
				client, grade := s.client(change, 10*time.Second)
				if client.String() != tc.client || grade != tc.grade {
					t.Errorf("%s %s, want %s %s", client, grade, tc.client, tc.grade)
				}
				if len(s.connections) > maxConnections {
					t.Errorf("%d connections are kept", len(s.connections))
				}
			}
		})
	}
}

// Whatever servers list, only so much is kept, and what was listed the longest
// ago goes first.
func TestSessionsAreBounded(t *testing.T) {
	start := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := sessions{max: 80, byID: map[uint64]session{}}
	m := &member{}
	for i := range 1000 {
		now := start.Add(time.Duration(i) * time.Minute)
		for _, id := range []uint64{1, uint64(1000 + i)} { // The first stays.
			s.see(fourletter.Connection{Peer: netip.MustParseAddrPort("10.0.0.1:1"), Session: id}, m, now)
		}
		if len(s.byID) > s.max {
			t.Fatalf("%d sessions are kept", len(s.byID))
		}
	}
	for id, want := range map[uint64]bool{1: true, 1999: true, 1930: true, 1000: false, 1900: false} {
		if _, kept := s.byID[id]; kept != want {
			t.Errorf("session %d is kept: %t", id, kept)
		}
	}
	s.forget(start.Add(995 * time.Minute))
	if len(s.byID) != 6 {
		t.Errorf("%d sessions are left, want that which stays and the last five", len(s.byID))
	}
}
