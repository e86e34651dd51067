package recorder

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// logged is an operation of session 7, the first of its transaction.
func logged(op audit.Op, path string, zxid audit.Zxid) audit.Txn {
	t := audit.Txn{Zxid: zxid, Session: 7, Time: audit.AtUnixMilli(1000 + int64(zxid)), Op: op, Path: path}
	switch op {
	case audit.OpCreated:
		t.Data, t.ACL = fmt.Appendf(nil, "new%d", zxid), []audit.ACL{everybody("cdrwa")}
	case audit.OpDataChanged:
		t.Data = fmt.Appendf(nil, "set%d", zxid)
	case audit.OpACLChanged:
		t.ACL = []audit.ACL{everybody("r")}
	case audit.OpDeleted:
		t.Cause = audit.CauseExplicit
	}
	return t
}

// at makes it another one of its transaction.
func at(index int, t audit.Txn) audit.Txn {
	t.Index = index
	return t
}

// leaving says which version or aversion is behind it.
func leaving(version int32, t audit.Txn) audit.Txn {
	t.Version = version
	return t
}

func because(cause audit.Cause, t audit.Txn) audit.Txn {
	t.Cause = cause
	return t
}

// logging are observations of a log that begins behind the first sync.
func logging(observations ...audit.Observation) []audit.Observation {
	return append([]audit.Observation{txnlogMode}, observations...)
}

const logBegins = "mode txnlog 3.9.5 at 9"

func TestTxns(t *testing.T) {
	ephemeral := logged(audit.OpCreated, "/r/n", 10)
	ephemeral.Owner = 7
	runScripts(t, map[string]script{
		"a life": {
			logging(
				ephemeral, leaving(1, logged(audit.OpDataChanged, "/r/n", 11)), leaving(1, logged(audit.OpACLChanged, "/r/n", 12)),
				because(audit.CauseSessionExpired, logged(audit.OpDeleted, "/r/n", 13)),
			),
			[]string{
				logBegins,
				"created /r/n at 10 of 10 v0 a0 owner 7 +new10 +cdrwa:world:anyone exact by txnlog",
				"data_changed /r/n at 11 of 10 v1 owner 7 -new10 +set11 exact by txnlog",
				"acl_changed /r/n at 12 of 10 v1 a1 owner 7 -cdrwa:world:anyone +r:world:anyone exact by txnlog",
				"deleted /r/n at 13 of 10 v1 owner 7 -set11 -r:world:anyone session_expired exact by txnlog",
			},
		},
		"told again by a source that begins anew": {
			logging(
				logged(audit.OpCreated, "/r/n", 10), leaving(1, logged(audit.OpDataChanged, "/r/a", 11)), logged(audit.OpDeleted, "/r/n", 12), txnlogMode,
				logged(audit.OpCreated, "/r/n", 10), leaving(1, logged(audit.OpDataChanged, "/r/a", 11)), logged(audit.OpDeleted, "/r/n", 12), logged(audit.OpDeleted, "/r/b", 13),
			),
			[]string{
				logBegins,
				"created /r/n at 10 of 10 v0 a0 +new10 +cdrwa:world:anyone exact by txnlog",
				"data_changed /r/a at 11 of 5 v1 -A +set11 exact by txnlog",
				"deleted /r/n at 12 of 10 v0 -new10 -cdrwa:world:anyone explicit exact by txnlog",
				"deleted /r/b at 13 of 6 v2 -B explicit exact by txnlog",
			},
		},
		"recorded by the live source already": {
			[]audit.Observation{
				hint(audit.OpCreated, "/r/n", 10, nil), hint(audit.OpDataChanged, "/r/b", 11, znode(6, 3, "C")), hint(audit.OpDeleted, "/r/n", 12, nil), txnlogMode,
				logged(audit.OpCreated, "/r/n", 10), leaving(3, logged(audit.OpDataChanged, "/r/b", 11)), logged(audit.OpDeleted, "/r/n", 12), leaving(4, logged(audit.OpDataChanged, "/r/b", 13)),
			},
			[]string{
				"created /r/n at 10 of 10 v0 a0",
				"data_changed /r/b at 11 of 6 v3 a0 -B +C exact",
				"deleted /r/n at 12 of 10 v0 exact",
				logBegins,
				"data_changed /r/b at 13 of 6 v4 -C +set13 exact by txnlog",
			},
		},
		"of a transaction that the live source told in part": {
			[]audit.Observation{
				hint(audit.OpCreated, "/r/n", 10, nil), hint(audit.OpDeleted, "/r/n", 10, nil), txnlogMode,
				logged(audit.OpCreated, "/r/n", 10), at(1, logged(audit.OpDeleted, "/r/n", 10)), at(2, logged(audit.OpCreated, "/r/n", 10)), logged(audit.OpDeleted, "/r/n", 11),
			},
			[]string{
				"created /r/n at 10 of 10 v0 a0", "deleted /r/n at 10 of 10 v0 explicit exact", logBegins,
				"created /r/n in (9,10] of 10 v0 a0 +new10 +cdrwa:world:anyone by txnlog", // Its place may be gone.
				"deleted /r/n at 11 of 10 v0 -new10 -cdrwa:world:anyone explicit exact by txnlog",
			},
		},
		"what the live source could not read": {
			[]audit.Observation{
				between(9, 20, hint(audit.OpCreated, "/r/n", 0, nil)), txnlogMode,
				logged(audit.OpCreated, "/r/n", 12), leaving(1, logged(audit.OpDataChanged, "/r/n", 13)),
			},
			[]string{
				"created /r/n in (9,20] v0 a0", logBegins,
				"data_changed /r/n at 13 of 12 v1 -new12 +set13 exact by txnlog",
			},
		},
		"versions are missing": {
			logging(leaving(5, logged(audit.OpDataChanged, "/r/b", 20)), leaving(3, logged(audit.OpACLChanged, "/r/b", 21))),
			[]string{
				logBegins,
				"data_changed /r/b in (9,20] of 6 v3 -B by resync", "data_changed /r/b in (9,20] of 6 v4 by resync",
				"data_changed /r/b at 20 of 6 v5 +set20 exact by txnlog",
				"acl_changed /r/b in (5,21] of 6 a2 collapsed 1 by resync",
				"acl_changed /r/b at 21 of 6 v5 a3 +r:world:anyone exact by txnlog",
			},
		},
		"a death is missing": {
			logging(logged(audit.OpCreated, "/r/b", 20)),
			[]string{
				logBegins, "deleted /r/b in (9,20] of 6 -B by resync",
				"created /r/b at 20 of 20 v0 a0 +new20 +cdrwa:world:anyone exact by txnlog",
			},
		},
		"a death and a birth are missing": {
			logging(leaving(1, logged(audit.OpDataChanged, "/r/b", 20))),
			[]string{logBegins, "deleted /r/b in (9,20] of 6 -B by resync", "data_changed /r/b at 20 v1 +set20 by txnlog"},
		},
		"the deaths of children are missing": {
			logging(logged(audit.OpDeleted, "/r", 20)),
			[]string{
				logBegins, "deleted /r/b in (9,20] of 6 -B by resync", "deleted /r/a in (9,20] of 5 -A by resync",
				"deleted /r at 20 of 2 v3 - explicit exact by txnlog",
			},
		},
		"a birth is missing": {
			logging(
				leaving(1, logged(audit.OpDataChanged, "/r/n", 20)), leaving(1, logged(audit.OpACLChanged, "/r/n", 21)), logged(audit.OpDeleted, "/r/n", 22),
				logged(audit.OpCreated, "/r/n", 23),
			),
			[]string{
				logBegins, "data_changed /r/n at 20 v1 +set20 by txnlog", "acl_changed /r/n at 21 a1 +r:world:anyone by txnlog",
				"deleted /r/n at 22 explicit by txnlog", "created /r/n at 23 of 23 v0 a0 +new23 +cdrwa:world:anyone exact by txnlog",
			},
		},
		"in the place of a resync that did not end, which counted children already": {
			[]audit.Observation{
				gapTo(9, 20), found("/r", 20, rootAt(4)), txnlogMode,
				logged(audit.OpCreated, "/r/n", 10), logged(audit.OpDeleted, "/r/n", 11),
				audit.Mark{Zxid: 20},
			},
			[]string{
				"gap reconnect in (9,20]", logBegins, "created /r/n at 10 of 10 v0 a0 +new10 +cdrwa:world:anyone exact by txnlog",
				"deleted /r/n at 11 of 10 v0 -new10 -cdrwa:world:anyone explicit exact by txnlog", "resync  1 znodes at 20",
			},
		},
		"then watches tell, some of it again": {
			logging(
				logged(audit.OpCreated, "/r/n", 10), logged(audit.OpDeleted, "/r/n", 12), audit.Mark{Zxid: 11}, audit.Mode{Name: audit.ModeRecursive},
				audit.Gap{After: 11, Until: 12, Reason: audit.GapLogLost}, walked(12),
				hint(audit.OpCreated, "/r/n", 10, nil), hint(audit.OpDeleted, "/r/n", 12, nil), hint(audit.OpDeleted, "/r/a", 13, nil),
			),
			[]string{
				logBegins, "created /r/n at 10 of 10 v0 a0 +new10 +cdrwa:world:anyone exact by txnlog",
				"deleted /r/n at 12 of 10 v0 -new10 -cdrwa:world:anyone explicit exact by txnlog",
				"mode recursive ", "gap log_lost in (11,12]", "resync  0 znodes at 12", "deleted /r/a at 13 of 5 v0 -A exact",
			},
		},
	})
}

// TestLearnedBeforeACheckpoint: what a log told of a recorded znode has no record
// of its own, and a checkpoint keeps the log from telling it again.
func TestLearnedBeforeACheckpoint(t *testing.T) {
	s := synced(t)
	s.show(between(9, 20, hint(audit.OpCreated, "/r/n", 0, nil)), txnlogMode, logged(audit.OpCreated, "/r/n", 12), audit.Mark{Zxid: 12})
	if err := s.checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.crash()
	if err := s.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := briefs(s.show(txnlogMode, leaving(1, logged(audit.OpDataChanged, "/r/n", 13))))
	if diff := cmp.Diff([]string{"data_changed /r/n at 13 of 12 v1 -new12 +set13 exact by txnlog"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTxnMembers are those that brief leaves out.
func TestTxnMembers(t *testing.T) {
	s := synced(t)
	s.show(txnlogMode)
	byLeader := because(audit.CauseExpired, at(2, logged(audit.OpDeleted, "/r/a", 11)))
	byLeader.Session = 0
	events := s.show(logged(audit.OpCreated, "/r/n", 10), byLeader)
	if want := audit.AtUnixMilli(1010); !events[0].Time.Time().Equal(want.Time()) || events[0].Index != 0 || events[1].Index != 2 {
		t.Errorf("time %v, places %d and %d", events[0].Time, events[0].Index, events[1].Index)
	}
	if diff := cmp.Diff(&audit.Actor{Session: 7, Confidence: audit.ConfidenceUnknown}, events[0].Actor); diff != "" {
		t.Errorf("actor (-want +got):\n%s", diff)
	}
	if events[1].Actor != nil {
		t.Errorf("the leader acted by itself, and not %v", events[1].Actor)
	}
}

// TestTxnsOfZnodesBornWithTheTree have the ids that the live source gives.
func TestTxnsOfZnodesBornWithTheTree(t *testing.T) {
	s := newStage(t, policy.LevelMetadata, "/")
	s.show(found("/", 9, znode(0, 0, "old")), walked(9), txnlogMode)
	e := s.show(leaving(1, logged(audit.OpDataChanged, "/", 10)))[0]
	want := audit.Identity{Ensemble: "test", Generation: 1, Path: "/", Op: audit.OpDataChanged, Counter: 1}.ID()
	if e.ID != want || !*e.Exact {
		t.Errorf("id %s, exact %v; want %s", e.ID, *e.Exact, want)
	}
}

// TestTxnsOfReconfig: nothing counts them, so they are not exact.
func TestTxnsOfReconfig(t *testing.T) {
	const path = "/zookeeper/config"
	s := newStage(t, policy.LevelData, path)
	config := znode(0, -1, "one")
	s.show(found(path, 11, config), walked(9), txnlogMode)
	again := leaving(-1, logged(audit.OpDataChanged, path, 10))
	again.Data = []byte("one") // The first sync has read it.
	got := briefs(s.show(again, leaving(-1, logged(audit.OpDataChanged, path, 12)), leaving(-1, logged(audit.OpDataChanged, path, 13))))
	want := []string{
		"data_changed /zookeeper/config at 12 -one +set12 by txnlog", "data_changed /zookeeper/config at 13 -set12 +set13 by txnlog",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTxnACLIDsAreNotShown: a log has the hash, a live source may see "user:x".
// Neither is written, and the one is not taken for a change of the other.
func TestTxnACLIDsAreNotShown(t *testing.T) {
	hash := audit.ACL{Perms: "cdrwa", Scheme: "digest", ID: "alice:aGFzaA=="}
	masked := audit.ACL{Perms: "cdrwa", Scheme: "digest", ID: "alice:x"}
	created, changed := logged(audit.OpCreated, "/r/n", 10), leaving(1, logged(audit.OpACLChanged, "/r/n", 20))
	created.ACL, changed.ACL = []audit.ACL{hash}, []audit.ACL{hash, everybody("r")}
	s := synced(t)
	events := s.show(txnlogMode, created, audit.Mark{Zxid: 10}, audit.Mode{Name: audit.ModeRecursive})
	if e := events[1]; len(e.After.ACL) != 1 || len(e.After.ACL[0].ID) != 64 || e.After.ACLMasked {
		t.Errorf("created with %v", e.After)
	}
	if got := s.show(swept("/r/n", 12, guarded(0, znode(10, 0, "new10"), masked)), audit.Mark{Zxid: 12, ACL: 12, Sweep: true}); len(got) != 0 {
		t.Errorf("a sweep that sees it masked makes %v", briefs(got))
	}
	known, _ := s.mirror.Get("/r/n")
	if diff := cmp.Diff(events[1].After.ACL, known.ACL); diff != "" || known.ACLMasked {
		t.Errorf("the whole ACL is forgotten for the masked one:\n%s", diff)
	}
	events = s.show(txnlogMode, changed)
	if diff := cmp.Diff(known.ACL, events[1].Before.ACL); diff != "" {
		t.Errorf("before the change (-want +got):\n%s", diff)
	}
	for _, line := range s.journal.lines {
		if strings.Contains(string(line.JSON), "alice") {
			t.Errorf("an id is shown: %s", line.JSON)
		}
	}
}

// TestTxnsAround a recorded znode: ways are kept, and children that nobody
// wants move their parent's count. Neither is recorded.
func TestTxnsAround(t *testing.T) {
	s := ruled(t, "/p", "/p/keep/*/conf")
	s.show(found("/p", 9, znode(2, 0, "")), walked(9), txnlogMode)
	data := leaving(1, logged(audit.OpDataChanged, "/p/keep", 13))
	events := s.show(
		logged(audit.OpCreated, "/p/other", 10), logged(audit.OpDeleted, "/p/other", 11),
		logged(audit.OpCreated, "/p/keep", 12), data, leaving(1, logged(audit.OpACLChanged, "/p/keep", 14)),
		logged(audit.OpCreated, "/p/keep/a", 15), logged(audit.OpCreated, "/p/keep/a/conf", 16), txnlogMode, logged(audit.OpCreated, "/p/other", 10),
	)
	want := []string{"created /p/keep/a/conf at 16 of 16 v0 a0 +new16 +cdrwa:world:anyone exact by txnlog"}
	if diff := cmp.Diff(want, briefs(events)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	parent, _ := s.mirror.Get("/p")
	way, known := s.mirror.Get("/p/keep")
	if parent.Cversion != 3 || !known || !way.Way || way.Version != 1 || way.Aversion != 1 || way.Content != nil {
		t.Errorf("cversion %d of the parent; way %v, known %v", parent.Cversion, way, known)
	}
	s.show(logged(audit.OpDeleted, "/p/keep/a/conf", 20), logged(audit.OpDeleted, "/p/keep/a", 21), logged(audit.OpDeleted, "/p/keep", 22))
	if _, known := s.mirror.Get("/p/keep"); known {
		t.Error("a way outlives its znode")
	}
}
