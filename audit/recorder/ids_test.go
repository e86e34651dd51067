package recorder

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// TestIDs: two auditors that see the same changes, one of them at a server
// that tells no zxids, agree on every id.
func TestIDs(t *testing.T) {
	id := func(path string, czxid audit.Zxid, op audit.Op, counter int64, occurrence int) string {
		return audit.Identity{Ensemble: "test", Generation: 1, Path: path, Czxid: czxid, Op: op, Counter: counter, Occurrence: occurrence}.ID()
	}
	for name, test := range map[string]struct {
		observations []audit.Observation
		want         []string
	}{
		"exact": {
			[]audit.Observation{hint(audit.OpCreated, "/r/n", 10, znode(10, 0, "x")), hint(audit.OpDataChanged, "/r/n", 11, znode(10, 1, "y")), hint(audit.OpDeleted, "/r/n", 12, nil)},
			[]string{id("/r/n", 10, audit.OpCreated, 0, 0), id("/r/n", 10, audit.OpDataChanged, 1, 0), id("/r/n", 10, audit.OpDeleted, 0, 0)},
		},
		"bracketed": {
			[]audit.Observation{between(9, 20, behind(1, hint(audit.OpCreated, "/r/n", 0, znode(10, 1, "y")))), between(9, 20, hint(audit.OpDataChanged, "/r/n", 0, znode(10, 1, "y"))), between(9, 20, hint(audit.OpDeleted, "/r/n", 0, nil))},
			[]string{id("/r/n", 10, audit.OpCreated, 0, 0), id("/r/n", 10, audit.OpDataChanged, 1, 0), id("/r/n", 10, audit.OpDeleted, 0, 0)},
		},
		"found in a resync": {
			[]audit.Observation{gapTo(9, 20), found("/r", 20, rootAt(3)), found("/r/n", 20, znode(10, 1, "y")), hint(audit.OpDeleted, "/r/n", 21, nil)},
			[]string{id("/r/n", 10, audit.OpCreated, 0, 0), id("/r/n", 10, audit.OpDataChanged, 1, 0), id("/r/n", 10, audit.OpDeleted, 0, 0)},
		},
		"multi create, delete, create, delete": {
			[]audit.Observation{
				hint(audit.OpCreated, "/r/n", 10, nil), hint(audit.OpDeleted, "/r/n", 10, nil),
				hint(audit.OpCreated, "/r/n", 10, nil), hint(audit.OpDeleted, "/r/n", 10, nil),
			},
			[]string{
				id("/r/n", 10, audit.OpCreated, 0, 0), id("/r/n", 10, audit.OpDeleted, 0, 0),
				id("/r/n", 10, audit.OpCreated, 0, 1), id("/r/n", 10, audit.OpDeleted, 0, 1),
			},
		},
		"what became of the survivor of such a multi": {
			[]audit.Observation{
				hint(audit.OpCreated, "/r/n", 10, nil), hint(audit.OpDataChanged, "/r/n", 10, nil), hint(audit.OpDeleted, "/r/n", 10, nil),
				hint(audit.OpCreated, "/r/n", 10, znode(10, 0, "x")),
				hint(audit.OpDataChanged, "/r/n", 11, znode(10, 1, "y")), hint(audit.OpDeleted, "/r/n", 12, nil),
			},
			[]string{
				id("/r/n", 10, audit.OpCreated, 0, 0), id("/r/n", 10, audit.OpDataChanged, 1, 0), id("/r/n", 10, audit.OpDeleted, 0, 0),
				id("/r/n", 10, audit.OpCreated, 0, 1),
				id("/r/n", 10, audit.OpDataChanged, 1, 1), id("/r/n", 10, audit.OpDeleted, 0, 1),
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, e := range synced(t).show(test.observations...) {
				if e.Kind == audit.KindChange {
					got = append(got, e.ID)
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestIDsOfZnodesBornWithTheTree: their czxid is zero, and known.
func TestIDsOfZnodesBornWithTheTree(t *testing.T) {
	s := newStage(t, policy.LevelMetadata, "/")
	s.show(found("/", 9, znode(0, 0, "old")), walked(9))
	e := s.show(hint(audit.OpDataChanged, "/", 10, znode(0, 1, "new")))[0]
	want := audit.Identity{Ensemble: "test", Generation: 1, Path: "/", Op: audit.OpDataChanged, Counter: 1}.ID()
	if e.ID != want || !*e.Exact {
		t.Errorf("id %s, exact %v; want %s", e.ID, *e.Exact, want)
	}
}

// TestReconfig: the version of /zookeeper/config stays at -1 for ever, as seen
// on 3.9.5.
func TestReconfig(t *testing.T) {
	const path = "/zookeeper/config"
	config := func(mzxid audit.Zxid, data string) *audit.Znode {
		node := znode(0, -1, data)
		node.Stat.Mzxid = mzxid
		return node
	}
	s := newStage(t, policy.LevelData, path)
	s.show(found(path, 9, config(1, "one")), walked(9))
	got := briefs(s.show(
		hint(audit.OpDataChanged, path, 10, config(10, "two")),
		hint(audit.OpDataChanged, path, 10, config(10, "two")), // Told again.
		behind(1, hint(audit.OpDataChanged, path, 11, config(12, "four"))),
		hint(audit.OpDataChanged, path, 12, config(12, "four")),
		gapTo(12, 30), found(path, 30, config(12, "four")), walked(30),
		gapTo(30, 40), found(path, 40, config(35, "many")), walked(40),
	))
	want := []string{
		"data_changed /zookeeper/config at 10 a0 -one +two",
		"data_changed /zookeeper/config at 11 a0 -two",
		"data_changed /zookeeper/config at 12 a0 +four",
		"gap reconnect in (12,30]", "resync  1 znodes at 30",
		"gap reconnect in (30,40]", "data_changed /zookeeper/config in (34,35] a0 -four +many by resync", "resync  1 znodes at 40",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
