package recorder

import (
	"testing"

	"zkwarden/audit"
)

// TestCauses: a live source knows that a client deleted a znode only where the
// transaction did what no server does of its own accord.
func TestCauses(t *testing.T) {
	born := []audit.Observation{
		hint(audit.OpCreated, "/r/e", 10, owned(7, znode(10, 0, "x"))),
		hint(audit.OpCreated, "/r/f", 11, owned(7, znode(11, 0, "x"))),
		hint(audit.OpCreated, "/r/g", 12, owned(8, znode(12, 0, "x"))),
	}
	deleted := func(path string, zxid audit.Zxid) audit.Seen { return hint(audit.OpDeleted, path, zxid, nil) }
	for name, test := range map[string]struct {
		observations []audit.Observation
		want         []audit.Cause
	}{
		"one ephemeral, by its client or the end of its session": {
			[]audit.Observation{deleted("/r/e", 20)}, []audit.Cause{audit.CauseUnknown},
		},
		"the ephemerals of one session, likewise": {
			[]audit.Observation{deleted("/r/e", 20), deleted("/r/f", 20)}, []audit.Cause{audit.CauseUnknown, audit.CauseUnknown},
		},
		"ephemerals of two sessions": {
			[]audit.Observation{deleted("/r/e", 20), deleted("/r/g", 20), deleted("/r/f", 20)},
			[]audit.Cause{audit.CauseUnknown, audit.CauseExplicit, audit.CauseExplicit},
		},
		"in two transactions": {
			[]audit.Observation{deleted("/r/e", 20), deleted("/r/g", 21)}, []audit.Cause{audit.CauseUnknown, audit.CauseUnknown},
		},
		"one that is none, by its client or an expiry": {
			[]audit.Observation{deleted("/r/a", 20)}, []audit.Cause{audit.CauseUnknown},
		},
		"two that are none": {
			[]audit.Observation{deleted("/r/a", 20), deleted("/r/b", 20)}, []audit.Cause{audit.CauseUnknown, audit.CauseExplicit},
		},
		"beside a creation": {
			[]audit.Observation{hint(audit.OpCreated, "/r/n", 20, nil), deleted("/r/e", 20)}, []audit.Cause{audit.CauseExplicit},
		},
		"beside one of which nothing is known": {
			[]audit.Observation{deleted("/r/never", 20), deleted("/r/e", 20)}, []audit.Cause{audit.CauseUnknown, audit.CauseUnknown},
		},
		"of a server that tells no zxid": {
			[]audit.Observation{
				between(19, 21, hint(audit.OpDataChanged, "/r/b", 0, nil)), between(19, 21, hint(audit.OpDeleted, "/r/a", 0, nil)),
			},
			[]audit.Cause{audit.CauseUnknown},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := synced(t)
			s.show(born...)
			var got []audit.Cause
			for _, e := range s.show(test.observations...) {
				if e.Op == audit.OpDeleted {
					got = append(got, e.Cause)
				}
			}
			if len(got) != len(test.want) {
				t.Fatalf("causes %v, want %v", got, test.want)
			}
			for i := range got {
				if got[i] != test.want[i] {
					t.Errorf("causes %v, want %v", got, test.want)
				}
			}
		})
	}
}
