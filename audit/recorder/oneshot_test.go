package recorder

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

// TestOneShotSource: what a one-shot watch led to was told by it, although the
// read says more than the notification; the books are kept as for what was
// found by comparison, also when they are read again.
func TestOneShotSource(t *testing.T) {
	s := synced(t)
	led := func(seen audit.Seen) audit.Seen {
		seen.Origin, seen.Until = audit.OriginWatch, seen.At
		return seen
	}
	root := znode(2, 3, "")
	root.Stat.Cversion = 6
	child := znode(12, 1, "N")
	s.show(audit.Mode{Name: audit.ModeOneShot, Server: "3.5.10"})
	got := briefs(s.show(
		led(found("/r/n", 14, child)), led(found("/r/a", 14, znode(5, 2, "a"))), led(absent("/r/b", 14)),
		audit.Seen{Path: "/r/a", Origin: audit.OriginWatch, Hint: audit.OpDeleted, After: 14, Until: 16},
		audit.Counted{Path: "/r", Czxid: 2, Cversion: 6, At: 16},
		gapTo(16, 20), found("/r", 20, root), found("/r/n", 20, child), audit.Counted{Path: "/r", Czxid: 2, Cversion: 7, At: 20}, walked(20),
	))
	want := []string{
		"created /r/n in (11,12] of 12 v0 a0",
		"data_changed /r/n in (12,13] of 12 v1 a0 +N",
		"data_changed /r/a in (9,14] of 5 v1 a0 -A", "data_changed /r/a in (9,14] of 5 v2 a0 +a",
		"deleted /r/b in (9,14] of 6 -B",
		"deleted /r/a in (14,16] of 5 v2 -a",
		"children_changed /r in (9,16] of 2 collapsed 1",
		"gap reconnect in (16,20]", "children_changed /r in (16,20] of 2 collapsed 1 by resync", "resync  2 znodes at 20",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	live := dump(s)
	s.crash()
	if diff := cmp.Diff(live, dump(s)); diff != "" {
		t.Errorf("the journal makes another mirror (-live +replayed):\n%s", diff)
	}
}
