package recorder

import (
	"fmt"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

func TestResync(t *testing.T) {
	var each []string
	for v := 1; v < maxSeparate; v++ {
		before := ""
		if v == 1 {
			before = " -A"
		}
		each = append(each, fmt.Sprintf("data_changed /r/a in (9,60] of 5 v%d a0%s by resync", v, before))
	}
	whole := func(lines ...string) []string { return append([]string{"gap reconnect in (9,60]"}, lines...) }
	walk := func(observations ...audit.Observation) []audit.Observation {
		return append([]audit.Observation{gapTo(9, 60)}, observations...)
	}
	runScripts(t, map[string]script{
		"nothing changed": {
			walk(found("/r", 60, rootAt(2)), found("/r/a", 60, znode(5, 0, "A")), found("/r/b", 60, znode(6, 2, "B")), walked(61)),
			whole("resync  3 znodes at 61"),
		},
		"versions up to the cap": {
			walk(found("/r/a", 60, znode(5, maxSeparate, "n"))),
			whole(append(each, fmt.Sprintf("data_changed /r/a in (20,21] of 5 v%d a0 +n by resync", maxSeparate))...),
		},
		"versions beyond it": {
			walk(found("/r/a", 60, znode(5, maxSeparate+1, "n"))),
			whole(fmt.Sprintf("data_changed /r/a in (21,22] of 5 v%d a0 -A +n collapsed %d by resync", maxSeparate+1, maxSeparate)),
		},
		"the last version before they wrap around": {
			walk(found("/r/a", 60, znode(5, math.MaxInt32, "n"))),
			whole("data_changed /r/a in (9,60] of 5 v2147483647 a0 -A +n collapsed 2147483646 by resync"),
		},
		"versions that wrap around": {
			walk(
				found("/r/a", 60, znode(5, math.MaxInt32-1, "n")),
				hint(audit.OpDataChanged, "/r/a", 61, znode(5, math.MaxInt32, "o")),
				hint(audit.OpDataChanged, "/r/a", 62, znode(5, math.MinInt32, "p")),
				found("/r/a", 63, znode(5, math.MinInt32+1, "q")),
			),
			whole(
				"data_changed /r/a in (9,60] of 5 v2147483646 a0 -A +n collapsed 2147483645 by resync",
				"data_changed /r/a at 61 of 5 v2147483647 a0 -n +o exact",
				"data_changed /r/a at 62 of 5 v-2147483648 a0 -o +p exact",
				"data_changed /r/a in (9,60] of 5 v-2147483647 a0 -p +q by resync",
			),
		},
		"a birth": {
			walk(found("/r", 60, rootAt(3)), found("/r/n", 60, owned(3, znode(20, 1, "n"))), walked(61)),
			whole("created /r/n in (19,20] of 20 v0 a0 owner 3 by resync", "data_changed /r/n in (20,21] of 20 v1 a0 owner 3 +n by resync", "resync  2 znodes at 61"),
		},
		"a death": {
			walk(found("/r", 60, rootAt(3)), found("/r/b", 60, znode(6, 2, "B")), absent("/r/a", 60), absent("/r/never", 60), walked(61)),
			whole("deleted /r/a in (9,60] of 5 -A by resync", "resync  2 znodes at 61"),
		},
		"a subtree died, the deepest first": {
			append([]audit.Observation{
				hint(audit.OpCreated, "/r/a/x", 10, znode(10, 0, "")), hint(audit.OpCreated, "/r/a/x/y", 11, znode(11, 0, "")),
			}, walk(found("/r", 60, rootAt(5)), found("/r/a", 60, znode(30, 0, "new")), walked(61))...),
			append([]string{"created /r/a/x at 10 of 10 v0 a0 + exact", "created /r/a/x/y at 11 of 11 v0 a0 + exact"}, whole(
				"deleted /r/a/x/y in (10,60] of 11 - by resync",
				"deleted /r/a/x in (9,60] of 10 - by resync",
				"deleted /r/a in (9,60] of 5 -A by resync",
				"created /r/a in (29,30] of 30 v0 a0 +new by resync",
				"children_changed /r in (9,60] of 2 collapsed 1 by resync",
				"resync  2 znodes at 61",
			)...),
		},
		"children whose names are lost": {
			walk(found("/r", 60, rootAt(7)), found("/r/a", 60, znode(5, 0, "A")), found("/r/n", 60, znode(20, 0, "n")), absent("/r/b", 60), walked(61)),
			whole(
				"created /r/n in (19,20] of 20 v0 a0 +n by resync", "deleted /r/b in (9,60] of 6 -B by resync",
				"children_changed /r in (9,60] of 2 collapsed 3 by resync", "resync  3 znodes at 61",
			),
		},
		"children changed beside the walk": {
			walk(
				hint(audit.OpCreated, "/r/m", 61, znode(61, 0, "m")), found("/r", 61, rootAt(4)),
				hint(audit.OpDeleted, "/r/m", 62, nil), found("/r/n", 62, znode(20, 0, "n")), walked(62),
			),
			whole(
				"created /r/m at 61 of 61 v0 a0 +m exact", "deleted /r/m at 62 of 61 v0 -m exact",
				"created /r/n in (19,20] of 20 v0 a0 +n by resync", "resync  2 znodes at 62",
			),
		},
		"counts of a parent that was recreated are not its successor's": {
			walk(
				found("/r", 60, rootAt(2)), found("/r/a", 60, func() *audit.Znode { n := znode(5, 0, "A"); n.Stat.Cversion = 4; return n }()),
				hint(audit.OpDeleted, "/r/a", 61, nil), hint(audit.OpCreated, "/r/a", 62, znode(62, 0, "new")), walked(62),
			),
			whole("deleted /r/a at 61 of 5 v0 -A exact", "created /r/a at 62 of 62 v0 a0 +new exact", "resync  2 znodes at 62"),
		},
		"an ACL": {
			walk(found("/r/a", 60, acl(2, znode(5, 0, "A"))), found("/r/a", 60, acl(2, znode(5, 0, "A"))), found("/r/a", 60, acl(1, znode(5, 0, "A")))),
			whole("acl_changed /r/a in (4,60] of 5 v0 a2 collapsed 1 by resync"),
		},
		"hints of znodes that were not read since the gap": {
			walk(
				hint(audit.OpDataChanged, "/r/a", 61, nil), hint(audit.OpDeleted, "/r/a", 62, nil),
				hint(audit.OpDeleted, "/r/b", 63, nil), hint(audit.OpDeleted, "/r/unheard", 64, nil),
			),
			whole(
				"data_changed /r/a at 61", // The mirror's incarnation may be dead.
				"deleted /r/a in (9,62] of 5", "deleted /r/b in (9,63] of 6 -B", "deleted /r/unheard at 64",
			),
		},
		"answers of a later connection that show another incarnation": {
			walk(
				late(behind(1, hint(audit.OpDataChanged, "/r/a", 10, znode(30, 2, "z")))), late(hint(audit.OpDataChanged, "/r/a", 11, znode(30, 2, "z"))),
				late(hint(audit.OpCreated, "/r/n", 12, znode(40, 0, "n"))),
			),
			whole("data_changed /r/a at 10", "data_changed /r/a at 11", "created /r/n at 12 of 12 v0 a0"),
		},
		"an answer of a later connection that shows the same": {
			walk(late(hint(audit.OpDataChanged, "/r/a", 10, znode(5, 1, "z")))),
			whole("data_changed /r/a at 10 of 5 v1 a0 -A +z exact"),
		},
		"a hint of the incarnation that the gap brought": {
			walk(behind(1, hint(audit.OpDataChanged, "/r/a", 61, znode(30, 2, "z"))), hint(audit.OpDataChanged, "/r/a", 62, znode(30, 2, "z"))),
			whole(
				"deleted /r/a in (9,61] of 5 -A by resync", "created /r/a in (29,30] of 30 v0 a0 by resync",
				"data_changed /r/a at 61 of 30 v1 a0", "data_changed /r/a at 62 of 30 v2 a0 +z exact",
			),
		},
		"a znode that an ACL hid until now": {
			walk(found("/r/old", 60, znode(4, 2, "o"))),
			whole(
				"created /r/old in (3,60] of 4 v0 a0 by resync",
				"data_changed /r/old in (3,60] of 4 v1 a0 by resync", "data_changed /r/old in (5,6] of 4 v2 a0 +o by resync",
			),
		},
		"born below a znode that the walk finds to be another": {
			walk(
				hint(audit.OpCreated, "/r/a/n", 61, znode(61, 0, "n")), found("/r", 61, rootAt(4)),
				found("/r/a", 61, func() *audit.Znode { n := znode(30, 0, "a"); n.Stat.Cversion = 1; return n }()), walked(61),
				hint(audit.OpDeleted, "/r/a/n", 62, nil),
			),
			whole(
				"created /r/a/n at 61 of 61 v0 a0 +n exact", "deleted /r/a in (9,61] of 5 -A by resync", "created /r/a in (29,30] of 30 v0 a0 +a by resync",
				"resync  2 znodes at 61", "deleted /r/a/n at 62 of 61 v0 -n exact",
			),
		},
		"counted by a source without recursive watches": {
			walk(
				found("/r", 60, rootAt(5)), found("/r/n", 60, znode(20, 0, "n")), audit.Counted{Path: "/r", Czxid: 2, Cversion: 5, At: 60}, walked(61),
				audit.Mode{Name: audit.ModeOneShot}, audit.Counted{Path: "/r", Czxid: 2, Cversion: 6, At: 70}, audit.Counted{Path: "/r", Czxid: 2, Cversion: 6, At: 71}, audit.Counted{Path: "/r", Czxid: 3, Cversion: 9, At: 72},
			),
			whole(
				"created /r/n in (19,20] of 20 v0 a0 +n by resync", "children_changed /r in (9,60] of 2 collapsed 2 by resync",
				"resync  2 znodes at 61", "mode one_shot ", "children_changed /r in (61,70] of 2 collapsed 1",
			),
		},
		"the root is gone": {
			walk(absent("/r", 60), walked(61)),
			whole("deleted /r/b in (9,60] of 6 -B by resync", "deleted /r/a in (9,60] of 5 -A by resync", "deleted /r in (9,60] of 2 - by resync", "resync  0 znodes at 61"),
		},
	})
}

// late makes it a hint whose answer came from another connection.
func late(seen audit.Seen) audit.Seen {
	seen.Late = true
	return seen
}

func TestHistoryRewritten(t *testing.T) {
	s := synced(t)
	rewritten := audit.Gap{After: 9, Until: 4, Reason: audit.GapHistoryRewritten}
	got := s.show(
		rewritten, hint(audit.OpCreated, "/r/a", 5, znode(5, 0, "new")),
		found("/r", 5, znode(2, 0, "")), found("/r/a", 5, znode(5, 0, "new")), walked(5),
		hint(audit.OpDataChanged, "/r/a", 6, znode(5, 1, "")),
	)
	want := []string{
		"gap history_rewritten in (9,4]", "created /r/a at 5 of 5 v0 a0 +new exact",
		"baseline /r 2 znodes at 5", "data_changed /r/a at 6 of 5 v1 a0 -new + exact",
	}
	if diff := cmp.Diff(want, briefs(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s.Place().Generation != 2 || s.Place().Mark != 5 {
		t.Errorf("place %+v", s.Place())
	}
	id := audit.Identity{Ensemble: "test", Generation: 2, Path: "/r/a", Czxid: 5, Op: audit.OpDataChanged, Counter: 1}.ID()
	if got[3].ID != id {
		t.Errorf("id %s, want %s of the second generation", got[3].ID, id)
	}
	live := dump(s)
	s.crash()
	if diff := cmp.Diff(live, dump(s)); diff != "" || s.Place().Generation != 2 {
		t.Errorf("generation %d after a crash; mirror (-live +replayed):\n%s", s.Place().Generation, diff)
	}
}

func TestMirrorLost(t *testing.T) {
	s := synced(t)
	if err := s.mirror.Close(); err != nil {
		t.Fatal(err)
	}
	s.file += ".new"
	s.start()
	got := briefs(s.show(found("/r", 30, rootAt(2)), walked(30)))
	want := []string{"gap mirror_lost in (0,30]", "baseline /r 1 znodes at 30"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if again := s.show(gapTo(30, 31), found("/r", 31, rootAt(2)), walked(31)); len(again) != 2 {
		t.Errorf("the loss was told again: %q", briefs(again))
	}
}

func TestJournalThatLostRecords(t *testing.T) {
	s := synced(t)
	if err := s.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.mirror.Close()
	s.journal.events = s.journal.events[:1]
	if _, err := New(s.options()); err == nil {
		t.Error("a mirror ahead of its journal was accepted")
	}
}

// TestPolicyBecomesNarrower: what was kept under a wider policy is gone before
// it can be recorded.
func TestPolicyBecomesNarrower(t *testing.T) {
	s := newStage(t, policy.LevelData, "/kafka/config", "/other")
	s.show(found("/kafka/config", 9, znode(2, 0, "secret")), found("/kafka/config/a", 9, znode(3, 0, "secret")), found("/other", 9, znode(4, 0, "secret")), walked(9))
	if err := s.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.mirror.Close()
	s.policy = mustPolicy(t, policy.LevelMetadata, "/kafka/config")
	s.start()
	if _, known := s.mirror.Get("/other"); known || s.mirror.Len() != 2 {
		t.Errorf("%d znodes are kept, /other %v", s.mirror.Len(), known)
	}
	for path, entry := range dump(s) {
		if entry.Content == nil || entry.Content.Data != "" || entry.Content.Digest == "" {
			t.Errorf("of %s is kept %+v", path, entry.Content)
		}
	}
	e := s.show(gapTo(9, 10), hint(audit.OpDataChanged, "/kafka/config/a", 10, znode(3, 1, "secret")))[1]
	if e.Before == nil || e.Before.Data+e.After.Data != "" || e.Before.Digest != e.After.Digest {
		t.Errorf("recorded %+v and %+v", e.Before, e.After)
	}
}

func TestPolicyGetsAnotherRoot(t *testing.T) {
	s := synced(t)
	s.mirror.Close()
	s.policy = mustPolicy(t, policy.LevelData, "/r", "/new")
	s.start()
	got := briefs(s.show(
		audit.Gap{After: 9, Until: 20, Reason: audit.GapRestart},
		found("/r", 20, rootAt(2)), found("/r/a", 20, znode(5, 1, "n")), found("/new", 20, znode(3, 7, "")), walked(20),
	))
	want := []string{"gap restart in (9,20]", "data_changed /r/a in (9,20] of 5 v1 a0 -A +n by resync", "baseline /new 1 znodes at 20", "resync  2 znodes at 20"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
