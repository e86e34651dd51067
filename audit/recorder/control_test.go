package recorder

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// TestCheckpoints: at the interval, also when nothing happens, and never while
// something is missing.
func TestCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRunner(t, nil)
		in := make(chan audit.Observation)
		ended := s.run(t.Context(), in)
		news := func() []string {
			before := s.journal.head()
			time.Sleep(checkpointInterval)
			synctest.Wait()
			return briefs(s.journal.events[before:])
		}
		for _, step := range []struct {
			observations []audit.Observation
			want         []string
		}{
			{[]audit.Observation{found("/r", 9, znode(2, 0, "root"))}, nil},
			{[]audit.Observation{walked(9)}, []string{"checkpoint acl 0 unreadable 0 [] at 9"}},
			{nil, []string{"checkpoint acl 0 unreadable 0 [] at 9"}},
			{[]audit.Observation{audit.Mark{Zxid: 12}, audit.Mark{Zxid: 14, ACL: 11, Sweep: true}}, []string{"checkpoint acl 11 unreadable 0 [] at 14"}},
			{[]audit.Observation{audit.Mark{Zxid: 13}}, []string{"checkpoint acl 11 unreadable 0 [] at 14"}},
			{[]audit.Observation{gapTo(14, 20), found("/r", 20, znode(2, 0, "root"))}, nil},
			{[]audit.Observation{walked(21)}, []string{"checkpoint acl 11 unreadable 0 [] at 21"}},
			{[]audit.Observation{audit.Gap{After: 21, Until: 3, Reason: audit.GapHistoryRewritten}}, nil},
			{[]audit.Observation{found("/r", 5, znode(2, 0, "root")), walked(5)}, []string{"checkpoint acl 0 unreadable 0 [] at 5"}},
		} {
			send(in, step.observations...)
			synctest.Wait()
			if diff := cmp.Diff(step.want, news()); diff != "" {
				t.Errorf("behind %v (-want +got):\n%s", step.observations, diff)
			}
		}
		close(in)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		last := briefs(s.journal.events[len(s.journal.events)-2:])
		if diff := cmp.Diff([]string{"checkpoint acl 0 unreadable 0 [] at 5", "stop "}, last); diff != "" {
			t.Errorf("at the end (-want +got):\n%s", diff)
		}
	})
}

func TestNoCheckpointAtTheEndOfAnUnfinishedFirstSync(t *testing.T) {
	s := newStage(t, policy.LevelData, "/r")
	s.show(found("/r", 9, znode(2, 0, "")))
	if err := s.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"start /r", "stop "}, briefs(s.journal.events)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestModes: told at every connect, recorded when it is another one, also than
// that of the run before.
func TestModes(t *testing.T) {
	s := synced(t)
	recursive, old := audit.Mode{Name: audit.ModeRecursive}, audit.Mode{Name: audit.ModeOneShot, Server: "3.5.10"}
	got := briefs(s.show(recursive, recursive, old, old))
	s.crash()
	if err := s.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	got = append(got, briefs(s.show(old, recursive))...)
	want := []string{"mode recursive ", "mode one_shot 3.5.10", "mode recursive "}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStartNamesWhatIsInForce(t *testing.T) {
	s := synced(t)
	start, baseline := s.journal.events[0], s.journal.events[1]
	if start.Generation != 1 || start.Policy != s.policy.Fingerprint() || start.DigestKey != s.policy.KeyFingerprint() {
		t.Errorf("start %+v", start)
	}
	if baseline.Generation != 1 {
		t.Errorf("baseline %+v", baseline)
	}
}

// TestGenerationOutlivesTheMirror: ids would repeat if it began with 1 again.
// Older records have no generation: there, the rewritten histories count.
func TestGenerationOutlivesTheMirror(t *testing.T) {
	for name, forget := range map[string]func(*audit.Event){
		"in the records":     func(*audit.Event) {},
		"not in the records": func(e *audit.Event) { e.Generation = 0 },
		"in what retention left": func(e *audit.Event) {
			if e.Kind == audit.KindGap {
				e.Reason = audit.GapReconnect
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := synced(t)
			for range 2 {
				rewritten := audit.Gap{After: 9, Until: 4, Reason: audit.GapHistoryRewritten}
				got := s.show(rewritten, found("/r", 5, znode(2, 0, "")), walked(5))
				if want := s.Place().Generation; got[0].Generation != want || got[1].Generation != want {
					t.Errorf("generations %d and %d, want %d", got[0].Generation, got[1].Generation, want)
				}
			}
			s.alter(forget)
			if err := s.mirror.Close(); err != nil {
				t.Fatal(err)
			}
			s.file += ".new"
			s.start()
			events := s.show(found("/r", 5, znode(2, 0, "")), walked(5))
			if s.Place().Generation != 3 || events[0].Reason != audit.GapMirrorLost {
				t.Errorf("generation %d behind %q", s.Place().Generation, briefs(events))
			}
			live, place := dump(s), s.Place()
			s.crash()
			if diff := cmp.Diff(live, dump(s)); diff != "" || s.Place().Generation != place.Generation {
				t.Errorf("generation %d after a crash; mirror (-live +replayed):\n%s", s.Place().Generation, diff)
			}
		})
	}
}

// alter changes the records of the journal.
func (s *stage) alter(change func(*audit.Event)) {
	s.t.Helper()
	events := s.journal.events
	s.journal = &memory{}
	for _, e := range events {
		change(&e)
		if _, err := s.journal.Append(s.t.Context(), e); err != nil {
			s.t.Fatal(err)
		}
	}
}

// TestAnotherJournal: the generation of a mirror whose journal was moved aside
// goes on.
func TestAnotherJournal(t *testing.T) {
	s := synced(t)
	s.show(audit.Gap{After: 9, Until: 4, Reason: audit.GapHistoryRewritten}, found("/r", 5, znode(2, 0, "")), walked(5))
	s.mirror.Close()
	s.journal = &memory{}
	o := s.options()
	o.Chain = "fedcba9876543210fedcba9876543210"
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Place().Generation != 2 || s.mirror.Len() != 0 {
		t.Errorf("generation %d, %d znodes", r.Place().Generation, s.mirror.Len())
	}
}

// TestAnotherEnsemble: what is known of one ensemble is not compared with the
// znodes of another.
func TestAnotherEnsemble(t *testing.T) {
	s := synced(t)
	if err := s.commit(s.t.Context()); err != nil {
		t.Fatal(err)
	}
	s.mirror.Close()
	o := s.options()
	o.Ensemble = "other"
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), `those of the ensemble "test", not of "other"`) {
		t.Errorf("New() = %v", err)
	}
}

// TestFirstSyncCutShort: what a hint told of before is not left to live on in
// the records when it died in between, and nothing unread counts as known.
func TestFirstSyncCutShort(t *testing.T) {
	s := newStage(t, policy.LevelData, "/r")
	got := s.show(
		found("/r", 9, rootAt(2)), hint(audit.OpCreated, "/r/n", 10, znode(10, 0, "n")), hint(audit.OpCreated, "/r/m", 11, znode(11, 0, "m")),
		found("/r/a", 11, znode(5, 0, "A")),
		// Another link, and another walk. /r/n died, /r/m was changed, /r/a recreated.
		found("/r", 30, rootAt(9)), hint(audit.OpDeleted, "/r/a", 31, nil),
		absent("/r/n", 32), found("/r/m", 32, znode(11, 2, "M")), walked(32),
	)
	want := []string{
		"created /r/n at 10 of 10 v0 a0 +n exact", "created /r/m at 11 of 11 v0 a0 +m exact",
		"deleted /r/a in (4,31] of 5 -A",
		"deleted /r/n in (9,32] of 10 -n by resync",
		"data_changed /r/m in (10,32] of 11 v1 a0 -m by resync", "data_changed /r/m in (12,13] of 11 v2 a0 +M by resync",
		"baseline /r 2 znodes at 32",
	}
	if diff := cmp.Diff(want, briefs(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if entry, _ := s.mirror.Get("/r"); entry.Cversion != 10 {
		t.Errorf("%d changes of children, want the 9 of the baseline and the hint behind it", entry.Cversion)
	}
}

// TestRootsAreKnownWhenTheyAreSynced: a source would compare what it takes for
// known, and never read the rest of it.
func TestRootsAreKnownWhenTheyAreSynced(t *testing.T) {
	s := newStage(t, policy.LevelData, "/r")
	known := func() (paths []string) {
		for path, stat := range s.Known().Walk("/r", -1) {
			if stat == (audit.Stat{}) {
				path += " in part"
			}
			paths = append(paths, path)
		}
		return paths
	}
	s.show(found("/r", 9, rootAt(2)), found("/r/a", 9, znode(5, 0, "A")))
	if diff := cmp.Diff([]string{"/r/a"}, known()); diff != "" {
		t.Errorf("in the first sync (-want +got):\n%s", diff)
	}
	s.show(walked(9))
	if diff := cmp.Diff([]string{"/r", "/r/a"}, known()); diff != "" {
		t.Errorf("behind it (-want +got):\n%s", diff)
	}
	s.show(gapTo(9, 20), hint(audit.OpDataChanged, "/r/new", 21, znode(15, 1, "n")))
	if diff := cmp.Diff([]string{"/r", "/r/a", "/r/new in part"}, known()); diff != "" {
		t.Errorf("in a resync, /r/new of the gap may have unread children, and may die (-want +got):\n%s", diff)
	}
	s.show(walked(21))
	if diff := cmp.Diff([]string{"/r", "/r/a", "/r/new"}, known()); diff != "" {
		t.Errorf("behind the resync (-want +got):\n%s", diff)
	}
}

// TestReplayedCheckpoint: a promise that is on disk holds in the next run, too,
// though the mirror's file may be older.
func TestReplayedCheckpoint(t *testing.T) {
	s := newStage(t, policy.LevelData, "/r")
	line := audit.Line{Seq: s.place.Seq + 1, JSON: []byte(`{"kind":"checkpoint","zxid":"0x20","acl_zxid":"0x10"}`)}
	if err := s.Replay(line); err != nil {
		t.Fatal(err)
	}
	if place := s.Place(); place.Mark != 0x20 || place.ACL != 0x10 {
		t.Errorf("the next run begins at %s, and at %s for ACLs; want 0x20 and 0x10", place.Mark, place.ACL)
	}
}

// TestCheckpointsOfALog: its marks move all three watermarks, each as far as the
// log can vouch for it.
func TestCheckpointsOfALog(t *testing.T) {
	for name, test := range map[string]struct {
		observations []audit.Observation
		want         string
	}{
		"from the beginning": {
			[]audit.Observation{audit.Mark{Zxid: 20, ACL: 20, Verified: 19}}, "checkpoint acl 20 unreadable 0 [] verified 19 at 20",
		},
		"from behind the last sweep, which leaves ACLs unseen between": {
			[]audit.Observation{
				audit.Mode{Name: audit.ModeRecursive}, audit.Mark{Zxid: 20, ACL: 15, Sweep: true}, txnlogMode, audit.Mark{Zxid: 30, Verified: 30},
			},
			"checkpoint acl 15 unreadable 0 [] verified 30 at 30",
		},
		"until a sweep finds them": {
			[]audit.Observation{
				audit.Mode{Name: audit.ModeRecursive},
				audit.Mark{Zxid: 20, ACL: 15, Sweep: true},
				txnlogMode,
				audit.Mark{Zxid: 30},
				audit.Mark{Zxid: 40, ACL: 30, Sweep: true},
				audit.Mark{Zxid: 50, ACL: 50},
			},
			"checkpoint acl 50 unreadable 0 [] at 50",
		},
		"behind a hole": {
			[]audit.Observation{
				audit.Mark{Zxid: 20, ACL: 20, Verified: 20}, audit.Gap{After: 20, Until: 30, Reason: audit.GapLogHole}, audit.Mark{Zxid: 30}, audit.Mark{Zxid: 40, Verified: 40},
			},
			"checkpoint acl 20 unreadable 0 [] verified 40 at 40",
		},
		"behind operations that do not add up": {
			[]audit.Observation{
				audit.Mark{Zxid: 20, ACL: 20, Verified: 20}, audit.Gap{After: 20, Until: 21, Reason: audit.GapDigestMismatch}, audit.Mark{Zxid: 30},
			},
			"checkpoint acl 20 unreadable 0 [] verified 20 at 30",
		},
		"in a history that was rewritten": {
			[]audit.Observation{
				audit.Mark{Zxid: 20, ACL: 20, Verified: 20},
				audit.Gap{After: 20, Until: 3, Reason: audit.GapHistoryRewritten},
				found("/r", 3, znode(2, 0, "")),
				audit.Mark{Zxid: 3, Walk: true},
				audit.Mark{Zxid: 4, ACL: 4, Verified: 4},
			},
			"checkpoint acl 4 unreadable 0 [] verified 4 at 4",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, policy.LevelData, "/r")
			s.show(txnlogMode, found("/r", 9, znode(2, 0, "")), walked(9))
			s.show(test.observations...)
			if err := s.checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
			last := s.journal.events[len(s.journal.events)-1]
			if diff := cmp.Diff(test.want, brief(last)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if got := testutil.ToFloat64(s.metrics.verified); got != float64(last.VerifiedThrough) {
				t.Errorf("the metric says %v", got)
			}
			place := s.place
			s.crash()
			if place.Mark != s.place.Mark || place.ACL != s.place.ACL || place.Verified != s.place.Verified || place.LogFrom != s.place.LogFrom {
				t.Errorf("place after a crash: %+v, before %+v", s.place, place)
			}
		})
	}
}
