package recorder

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// lives are what a server before 3.9 tells of a znode that is born and dies so
// many times: no zxid, and by the time of a read it is gone.
func lives(count int) (told []audit.Observation) {
	for range count {
		told = append(told, between(9, 20, hint(audit.OpCreated, "/r/n", 0, nil)), between(9, 20, hint(audit.OpDeleted, "/r/n", 0, nil)))
	}
	return told
}

// life is one of them in a log that is followed anew.
func life(zxid audit.Zxid) []audit.Observation {
	return []audit.Observation{logged(audit.OpCreated, "/r/n", zxid), logged(audit.OpDeleted, "/r/n", zxid+1)}
}

func (s *stage) holds(what string, got []audit.Event, want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(want, briefs(got)); diff != "" {
		s.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func (s *stage) restart() {
	s.t.Helper()
	s.crash()
	if err := s.begin(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// TestToldAgain: a log that is told again, in one run or the next, counts once
// among what the live source recorded ahead of it. Otherwise the first life would
// be taken for the second as well, and the second be recorded twice.
func TestToldAgain(t *testing.T) {
	for name, meanwhile := range map[string]func(*stage){
		"in one run": func(s *stage) { s.show(txnlogMode) },
		"in the next run, behind a commit": func(s *stage) {
			if err := s.commit(s.t.Context()); err != nil {
				s.t.Fatal(err)
			}
			s.restart()
		},
		"in the next run, without one": (*stage).restart,
	} {
		t.Run(name, func(t *testing.T) {
			s := synced(t)
			s.show(lives(2)...)
			s.holds("the first life", s.show(append(logging(), life(11)...)...), logBegins)
			meanwhile(s)
			s.holds("both", s.show(append(life(11), life(13)...)...))
			s.holds("a third", s.show(life(15)...), "created /r/n at 15 of 15 v0 a0 +new15 +cdrwa:world:anyone exact by txnlog",
				"deleted /r/n at 16 of 15 v0 -new15 -cdrwa:world:anyone explicit exact by txnlog")
		})
	}
}

// TestRecordedBehindTheCount: records of a log are in the journal when a crash
// takes the count of what was told before them. The log that is told again is
// counted from where the mirror's file was, not from the last record: otherwise a
// later life would be taken for one that is recorded.
func TestRecordedBehindTheCount(t *testing.T) {
	s := synced(t)
	s.show(lives(1)...)
	other := leaving(1, logged(audit.OpDataChanged, "/r/a", 13))
	told := append(life(11), other)
	s.holds("another znode", s.show(append(logging(), told...)...), logBegins, "data_changed /r/a at 13 of 5 v1 -A +set13 exact by txnlog")
	s.restart()
	s.holds("told again", s.show(told...))
	s.holds("a second life", s.show(life(14)...), "created /r/n at 14 of 14 v0 a0 +new14 +cdrwa:world:anyone exact by txnlog",
		"deleted /r/n at 15 of 14 v0 -new14 -cdrwa:world:anyone explicit exact by txnlog")
}

// TestPassedOver: a crash takes the marks behind which a log began, not its
// records. The log that begins anew before them tells of a change of an ACL which
// it had passed over, and then what is recorded already.
func TestPassedOver(t *testing.T) {
	s := synced(t)
	if err := s.commit(s.t.Context()); err != nil {
		t.Fatal(err)
	}
	set := leaving(1, logged(audit.OpDataChanged, "/r/a", 16))
	s.holds("begun behind a mark", s.show(audit.Mark{Zxid: 15}, txnlogMode, set), "mode txnlog 3.9.5 at 15",
		"data_changed /r/a at 16 of 5 v1 -A +set16 exact by txnlog")
	s.restart()
	acl := leaving(1, logged(audit.OpACLChanged, "/r/a", 12))
	s.holds("passed over", s.show(acl), "acl_changed /r/a at 12 of 5 v1 a1 +r:world:anyone exact by txnlog")
	s.holds("told again", s.show(acl, set))
	s.holds("the next one", s.show(audit.Mark{Zxid: 16, ACL: 16}, leaving(2, logged(audit.OpDataChanged, "/r/a", 17))),
		"data_changed /r/a at 17 of 5 v2 a1 -set16 +set17 exact by txnlog")
}

// TestOccurrences of lives that one transaction begins, where they are told again
// in part, or are known before a first sync is complete.
func TestOccurrences(t *testing.T) {
	id := func(op audit.Op, counter int64, occurrence int) string {
		return audit.Identity{Ensemble: "test", Generation: 1, Path: "/r/n", Czxid: 10, Op: op, Counter: counter, Occurrence: occurrence}.ID()
	}
	last := func(events []audit.Event) string { return events[len(events)-1].ID }
	t.Run("told again", func(t *testing.T) {
		s := synced(t)
		begun := []audit.Observation{txnlogMode, logged(audit.OpCreated, "/r/n", 10), at(1, logged(audit.OpDeleted, "/r/n", 10)), at(2, logged(audit.OpCreated, "/r/n", 10))}
		s.show(begun...)
		got := s.show(append(begun, at(3, logged(audit.OpDeleted, "/r/n", 10)), at(4, logged(audit.OpCreated, "/r/n", 10)))...)
		if last(got) != id(audit.OpCreated, 0, 2) {
			t.Errorf("the third life has another id: %v", briefs(got))
		}
	})
	for name, meanwhile := range map[string]func(*stage){
		"cut off":                                func(*stage) {},
		"cut off, and restarted":                 (*stage).restart,
		"cut off, and restarted behind a commit": func(s *stage) { s.commits(); s.restart() },
	} {
		t.Run(name, func(t *testing.T) {
			s := synced(t)
			s.show(hint(audit.OpCreated, "/r/n", 10, nil), hint(audit.OpDeleted, "/r/n", 10, nil))
			meanwhile(s)
			got := s.show(gapTo(9, 20), found("/r/n", 20, znode(10, 0, "N")))
			if last(got) != id(audit.OpCreated, 0, 1) {
				t.Errorf("the second life has another id: %v", briefs(got))
			}
			got = s.show(hint(audit.OpDataChanged, "/r/n", 21, znode(10, 1, "M")))
			if last(got) != id(audit.OpDataChanged, 1, 1) {
				t.Errorf("what became of it has another id: %v", briefs(got))
			}
		})
	}
	t.Run("in a first sync", func(t *testing.T) {
		s := newStage(t, policy.LevelData, "/r")
		s.show(hint(audit.OpCreated, "/r/n", 10, nil), hint(audit.OpDeleted, "/r/n", 10, nil), hint(audit.OpCreated, "/r/n", 10, znode(10, 0, "N")),
			found("/r", 11, rootAt(4)), found("/r/n", 11, znode(10, 0, "N")), walked(11))
		got := s.show(hint(audit.OpDataChanged, "/r/n", 12, znode(10, 1, "M")))
		if last(got) != id(audit.OpDataChanged, 1, 1) {
			t.Errorf("what became of the second life has another id: %v", briefs(got))
		}
	})
}
