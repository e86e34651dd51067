package recorder

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// brief is a record in one line, with all that is decided about it.
func brief(e audit.Event) string {
	var b strings.Builder
	switch e.Kind {
	case audit.KindControl:
		fmt.Fprintf(&b, "%s %s", e.Control, strings.Join(e.Roots, " "))
		if e.Count != nil {
			fmt.Fprintf(&b, " %d znodes", *e.Count)
		}
		if e.Mode != "" {
			fmt.Fprintf(&b, "%s %s", e.Mode, e.Reason)
		}
	case audit.KindGap:
		fmt.Fprintf(&b, "gap %s", e.Reason)
	case audit.KindCheckpoint:
		fmt.Fprintf(&b, "checkpoint acl %d unreadable %d %v", e.ACLZxid, *e.Unreadable, e.UnreadableRoots)
		if e.VerifiedThrough != 0 {
			fmt.Fprintf(&b, " verified %d", e.VerifiedThrough)
		}
	default:
		fmt.Fprintf(&b, "%s %s", e.Op, e.Path)
	}
	switch {
	case e.Zxid != 0:
		fmt.Fprintf(&b, " at %d", e.Zxid)
	case e.ZxidUntil != nil:
		fmt.Fprintf(&b, " in (%d,%d]", *e.ZxidAfter, *e.ZxidUntil)
	}
	if e.Kind != audit.KindChange {
		return b.String()
	}
	if e.Czxid != 0 {
		fmt.Fprintf(&b, " of %d", e.Czxid)
	}
	if e.Version != nil {
		fmt.Fprintf(&b, " v%d", *e.Version)
	}
	if e.Aversion != nil {
		fmt.Fprintf(&b, " a%d", *e.Aversion)
	}
	if e.EphemeralOwner != 0 {
		fmt.Fprintf(&b, " owner %d", e.EphemeralOwner)
	}
	for _, side := range []struct {
		sign    string
		content *audit.Content
	}{{"-", e.Before}, {"+", e.After}} {
		if side.content == nil {
			continue
		}
		if side.content.Size != nil {
			fmt.Fprintf(&b, " %s%s", side.sign, side.content.Data)
		}
		for _, entry := range side.content.ACL {
			fmt.Fprintf(&b, " %s%s:%s:%s", side.sign, entry.Perms, entry.Scheme, entry.ID)
		}
	}
	if e.Cause != "" && e.Cause != audit.CauseUnknown {
		fmt.Fprintf(&b, " %s", e.Cause)
	}
	if e.Collapsed != 0 {
		fmt.Fprintf(&b, " collapsed %d", e.Collapsed)
	}
	if e.Exact != nil && *e.Exact {
		b.WriteString(" exact")
	}
	if e.Source != audit.OriginWatch {
		fmt.Fprintf(&b, " by %s", e.Source)
	}
	return b.String()
}

func briefs(events []audit.Event) []string {
	var lines []string
	for _, e := range events {
		lines = append(lines, brief(e))
	}
	return lines
}

// synced is a stage behind its first sync: /r of zxid 2 at version 3 with the
// children /r/a of 5 at version 0, data "A", and /r/b of 6 at version 2.
func synced(t testing.TB) *stage {
	t.Helper()
	s := newStage(t, policy.LevelData, "/r")
	root := znode(2, 3, "")
	root.Stat.Cversion = 2
	s.show(found("/r", 9, root), found("/r/a", 9, znode(5, 0, "A")), found("/r/b", 9, znode(6, 2, "B")), walked(9))
	return s
}

// rootAt is /r with a count of creates and deletes of children.
func rootAt(cversion int32) *audit.Znode {
	root := znode(2, 3, "")
	root.Stat.Cversion = cversion
	return root
}

func acl(aversion int32, node *audit.Znode) *audit.Znode {
	node.Stat.Aversion = aversion
	return node
}

func owned(owner audit.SessionID, node *audit.Znode) *audit.Znode {
	node.Stat.EphemeralOwner = owner
	return node
}

func behind(changes int32, seen audit.Seen) audit.Seen {
	seen.Behind = changes
	return seen
}

func TestFirstSyncIsABaseline(t *testing.T) {
	s := synced(t)
	want := []string{"start /r", "baseline /r 3 znodes at 9"}
	if diff := cmp.Diff(want, briefs(s.journal.events)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	select {
	case <-s.Synced():
	default:
		t.Error("not synced behind the first walk")
	}
}

type script struct {
	observations []audit.Observation
	want         []string
}

func TestHints(t *testing.T) {
	runScripts(t, map[string]script{
		"a life, exactly": {
			[]audit.Observation{
				hint(audit.OpCreated, "/r/n", 10, owned(7, znode(10, 0, "x"))),
				hint(audit.OpDataChanged, "/r/n", 11, owned(7, znode(10, 1, "y"))),
				hint(audit.OpDeleted, "/r/n", 12, nil),
			},
			[]string{
				"created /r/n at 10 of 10 v0 a0 owner 7 +x exact",
				"data_changed /r/n at 11 of 10 v1 a0 owner 7 -x +y exact",
				"deleted /r/n at 12 of 10 v1 owner 7 -y exact",
			},
		},
		"overwritten before it was read": {
			[]audit.Observation{
				behind(2, hint(audit.OpCreated, "/r/n", 10, znode(10, 2, "z"))),
				behind(1, hint(audit.OpDataChanged, "/r/n", 11, znode(10, 2, "z"))),
				hint(audit.OpDataChanged, "/r/n", 12, znode(10, 2, "z")),
			},
			[]string{
				"created /r/n at 10 of 10 v0 a0",
				"data_changed /r/n at 11 of 10 v1 a0",
				"data_changed /r/n at 12 of 10 v2 a0 +z exact",
			},
		},
		"dead before it was read": {
			[]audit.Observation{
				hint(audit.OpCreated, "/r/n", 10, nil), hint(audit.OpDataChanged, "/r/n", 11, nil), hint(audit.OpDeleted, "/r/n", 12, nil),
			},
			[]string{
				"created /r/n at 10 of 10 v0 a0",
				"data_changed /r/n at 11 of 10 v1",
				"deleted /r/n at 12 of 10 v1 exact",
			},
		},
		"before 3.9, placed by the Stat or bracketed": {
			[]audit.Observation{
				between(9, 20, hint(audit.OpCreated, "/r/n", 0, znode(12, 0, "x"))),
				between(20, 30, behind(1, hint(audit.OpDataChanged, "/r/n", 0, znode(12, 2, "z")))),
				between(20, 30, hint(audit.OpDataChanged, "/r/n", 0, znode(12, 2, "z"))),
				between(30, 40, hint(audit.OpDeleted, "/r/n", 0, nil)),
				between(40, 41, hint(audit.OpDeleted, "/r/a", 0, nil)),
			},
			[]string{
				"created /r/n at 12 of 12 v0 a0 +x exact",
				"data_changed /r/n in (20,30] of 12 v1 a0 -x",
				"data_changed /r/n at 14 of 12 v2 a0 +z exact",
				"deleted /r/n in (30,40] of 12 v2 -z",
				"deleted /r/a at 41 of 5 v0 -A exact", // A bracket of one.
			},
		},
		"before 3.9, dead before it was read": {
			[]audit.Observation{
				between(9, 20, hint(audit.OpCreated, "/r/n", 0, nil)),
				between(9, 20, hint(audit.OpDataChanged, "/r/n", 0, nil)),
				between(9, 20, hint(audit.OpDeleted, "/r/n", 0, nil)),
			},
			[]string{
				"created /r/n in (9,20] v0 a0",
				"data_changed /r/n in (9,20] v1",
				"deleted /r/n in (9,20] v1",
			},
		},
		"recreated": {
			[]audit.Observation{hint(audit.OpDeleted, "/r/a", 10, nil), hint(audit.OpCreated, "/r/a", 11, znode(11, 0, "n"))},
			[]string{"deleted /r/a at 10 of 5 v0 -A exact", "created /r/a at 11 of 11 v0 a0 +n exact"},
		},
		"told again by a server behind": {
			[]audit.Observation{
				hint(audit.OpCreated, "/r/n", 10, znode(10, 0, "x")), hint(audit.OpDataChanged, "/r/n", 11, acl(2, znode(10, 1, "y"))),
				hint(audit.OpCreated, "/r/n", 10, znode(10, 0, "x")), hint(audit.OpDataChanged, "/r/n", 11, znode(10, 1, "y")),
				found("/r/n", 11, znode(10, 0, "x")),
			},
			[]string{
				"created /r/n at 10 of 10 v0 a0 +x exact",
				"data_changed /r/n at 11 of 10 v1 -x +y exact", // Which ACL came first is not known.
				"acl_changed /r/n in (9,11] of 10 v1 a2 collapsed 1 by resync",
			},
		},
		"a data change that no hint told": {
			[]audit.Observation{hint(audit.OpDataChanged, "/r/a", 12, znode(5, 3, "d"))},
			[]string{
				"data_changed /r/a in (9,12] of 5 v1 a0 -A by resync",
				"data_changed /r/a in (9,12] of 5 v2 a0 by resync",
				"data_changed /r/a at 12 of 5 v3 a0 +d exact",
			},
		},
		"a death and a birth that no hint told": {
			[]audit.Observation{hint(audit.OpDataChanged, "/r/a", 12, znode(11, 1, "d"))},
			[]string{
				"deleted /r/a in (9,12] of 5 -A by resync",
				"created /r/a in (10,11] of 11 v0 a0 by resync",
				"data_changed /r/a at 12 of 11 v1 a0 +d exact",
			},
		},
		"not wanted": {
			[]audit.Observation{hint(audit.OpCreated, "/rr", 10, znode(10, 0, "x")), found("/", 10, znode(0, 0, ""))}, nil,
		},
		"hidden by its ACL": {
			[]audit.Observation{
				audit.Seen{Path: "/r/h", Origin: audit.OriginResync, Read: audit.Denied, At: 10},
				audit.Seen{Path: "/r/h", Hint: audit.OpDataChanged, Origin: audit.OriginWatch, After: 11, Until: 11, Read: audit.Denied, At: 11},
				audit.Seen{Path: "/r/h", Hint: audit.OpDataChanged, Origin: audit.OriginWatch, After: 12, Until: 12, Read: audit.Denied, At: 12},
			},
			[]string{"data_changed /r/h at 11", "data_changed /r/h at 12"}, // No version is invented.
		},
	})
}

func runScripts(t *testing.T, scripts map[string]script) {
	for name, test := range scripts {
		t.Run(name, func(t *testing.T) {
			s := synced(t)
			if diff := cmp.Diff(test.want, briefs(s.show(test.observations...))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFirstSyncWithHints(t *testing.T) {
	for name, test := range map[string]script{
		"of znodes that the walk has yet to read": {
			[]audit.Observation{
				behind(1, hint(audit.OpDataChanged, "/r/a", 8, acl(4, znode(5, 7, "A")))),
				hint(audit.OpDataChanged, "/r/a", 9, owned(3, acl(4, znode(5, 7, "A")))),
				hint(audit.OpCreated, "/r/n", 10, znode(10, 0, "N")),
				hint(audit.OpDeleted, "/r/b", 11, nil),
				found("/r", 11, rootAt(4)), found("/r/a", 11, acl(4, znode(5, 7, "A"))), found("/r/n", 11, znode(10, 0, "N")),
				walked(11),
			},
			[]string{
				"data_changed /r/a at 8 of 5 v6",
				"data_changed /r/a at 9 of 5 v7 owner 3 +A exact",
				"created /r/n at 10 of 10 v0 a0 +N exact",
				"deleted /r/b at 11",
				"baseline /r 3 znodes at 11",
			},
		},
		"of znodes that it has read": {
			[]audit.Observation{
				found("/r", 7, rootAt(2)), found("/r/a", 7, acl(1, znode(5, 2, "A"))), found("/r/b", 7, znode(6, 0, "B")),
				hint(audit.OpDataChanged, "/r/a", 8, acl(1, znode(5, 3, "a"))),
				hint(audit.OpDeleted, "/r/b", 9, nil),
				hint(audit.OpCreated, "/r/n", 10, znode(10, 0, "N")),
				walked(10),
			},
			[]string{
				"data_changed /r/a at 8 of 5 v3 a1 -A +a exact",
				"deleted /r/b at 9 of 6 v0 -B exact",
				"created /r/n at 10 of 10 v0 a0 +N exact",
				"baseline /r 3 znodes at 10",
			},
		},
		"cut off and begun anew": {
			[]audit.Observation{
				found("/r", 7, rootAt(2)), found("/r/a", 7, znode(5, 0, "A")), found("/r/b", 7, znode(6, 0, "B")),
				found("/r", 9, rootAt(5)), found("/r/a", 9, znode(8, 1, "a")), absent("/r/b", 9), walked(9),
			},
			[]string{
				"deleted /r/a in (4,9] of 5 -A by resync", "deleted /r/b in (5,9] of 6 -B by resync",
				"baseline /r 2 znodes at 9",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, policy.LevelData, "/r")
			if diff := cmp.Diff(test.want, briefs(s.show(test.observations...))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBaselineOfEachRoot(t *testing.T) {
	s := newStage(t, policy.LevelMetadata, "/", "/zookeeper/config", "/missing")
	got := briefs(s.show(
		found("/", 9, znode(0, 0, "")), found("/a", 9, znode(5, 0, "")), found("/a/b", 9, znode(6, 0, "")),
		found("/zookeeper/config", 9, znode(0, 2, "c")), walked(9),
	))
	want := []string{"baseline / 3 znodes at 9", "baseline /zookeeper/config 1 znodes at 9"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
