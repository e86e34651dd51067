package recorder

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

// guarded is a znode whose ACL was read beside it.
func guarded(aversion int32, node *audit.Znode, acl ...audit.ACL) *audit.Znode {
	node.Stat.Aversion, node.ACL = aversion, acl
	return node
}

func everybody(perms string) audit.ACL {
	return audit.ACL{Perms: perms, Scheme: "world", ID: "anyone"}
}

func swept(path string, at audit.Zxid, node *audit.Znode) audit.Seen {
	return audit.Seen{Path: path, Origin: audit.OriginSweep, Read: audit.Found, Node: node, At: at}
}

func TestACLs(t *testing.T) {
	runScripts(t, map[string]script{
		"found by a sweep, then by a hint, then by a resync": {
			[]audit.Observation{
				swept("/r/a", 12, guarded(1, znode(5, 0, "A"), everybody("r"))),
				audit.Mark{Zxid: 13, ACL: 11, Sweep: true},
				hint(audit.OpDataChanged, "/r/a", 20, guarded(2, znode(5, 1, "B"), everybody("rw"))),
				gapTo(20, 30), found("/r/a", 30, guarded(4, znode(5, 1, "B"), everybody("cdrwa"))), walked(30),
			},
			[]string{
				"acl_changed /r/a in (4,12] of 5 v0 a1 +r:world:anyone by sweep",
				"data_changed /r/a at 20 of 5 v1 -A +B exact", // Which came first is not known.
				"acl_changed /r/a in (11,20] of 5 v1 a2 -r:world:anyone +rw:world:anyone by resync",
				"gap reconnect in (20,30]",
				"acl_changed /r/a in (11,30] of 5 v1 a4 -rw:world:anyone +cdrwa:world:anyone collapsed 1 by resync",
				"resync  1 znodes at 30",
			},
		},
		"read for the first time, which is no change": {
			[]audit.Observation{
				swept("/r/a", 12, guarded(0, znode(5, 0, "A"), everybody("r"))),
				swept("/r/a", 13, guarded(1, znode(5, 0, "A"), everybody("w"))),
				hint(audit.OpDeleted, "/r/a", 14, nil),
			},
			[]string{
				"acl_changed /r/a in (4,13] of 5 v0 a1 -r:world:anyone +w:world:anyone by sweep",
				"deleted /r/a at 14 of 5 v0 -A -w:world:anyone exact",
			},
		},
		"not read, so that nothing is known of it any more": {
			[]audit.Observation{
				swept("/r/a", 12, guarded(0, znode(5, 0, "A"), everybody("r"))),
				swept("/r/a", 13, acl(1, znode(5, 0, "A"))), swept("/r/a", 14, acl(2, znode(5, 0, "A"))),
			},
			[]string{
				"acl_changed /r/a in (4,13] of 5 v0 a1 -r:world:anyone by sweep",
				"acl_changed /r/a in (4,14] of 5 v0 a2 by sweep",
			},
		},
		"of a newborn": {
			[]audit.Observation{
				hint(audit.OpCreated, "/r/n", 10, guarded(0, znode(10, 0, "x"), everybody("r"))),
				hint(audit.OpDataChanged, "/r/n", 11, guarded(1, znode(10, 1, "y"), everybody("w"))),
			},
			[]string{
				"created /r/n at 10 of 10 v0 a0 +x +r:world:anyone exact",
				"data_changed /r/n at 11 of 10 v1 -x +y exact",
				"acl_changed /r/n in (9,11] of 10 v1 a1 -r:world:anyone +w:world:anyone by resync",
			},
		},
	})
}

// TestACLIdsAreNotShown: what a server shows masked is marked, and no id of the
// digest scheme is written as it is.
func TestACLIdsAreNotShown(t *testing.T) {
	s := synced(t)
	hash := audit.ACL{Perms: "cdrwa", Scheme: "digest", ID: "alice:aGFzaA=="}
	masked := audit.ACL{Perms: "cdrwa", Scheme: "digest", ID: "alice:x"}
	events := s.show(
		swept("/r/a", 12, guarded(1, znode(5, 0, "A"), hash)), swept("/r/a", 13, guarded(2, znode(5, 0, "A"), masked)),
	)
	if events[0].After.ACLMasked || !events[1].After.ACLMasked || events[1].Before.ACLMasked {
		t.Errorf("masked: %v, then %v after %v", events[0].After.ACLMasked, events[1].After.ACLMasked, events[1].Before.ACLMasked)
	}
	if diff := cmp.Diff(events[0].After.ACL, events[1].Before.ACL); diff != "" {
		t.Errorf("before the second change (-after the first +before):\n%s", diff)
	}
	live := dump(s)
	for _, line := range s.journal.lines {
		if strings.Contains(string(line.JSON), "alice") {
			t.Errorf("an id is shown: %s", line.JSON)
		}
	}
	s.crash()
	if diff := cmp.Diff(live, dump(s)); diff != "" {
		t.Errorf("mirror (-live +replayed):\n%s", diff)
	}
}
