package recorder

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// rules makes a policy of globs, all at level data.
func rules(t *testing.T, globs ...string) *policy.Policy {
	t.Helper()
	text := "rules:\n"
	for _, glob := range globs {
		text += "- {name: '" + glob + "', path: '" + glob + "', level: data}\n"
	}
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Load(file, []byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ruled is a stage under a policy of globs.
func ruled(t *testing.T, globs ...string) *stage {
	t.Helper()
	s := &stage{t: t, file: filepath.Join(t.TempDir(), "mirror.db"), journal: &memory{}, policy: rules(t, globs...)}
	s.start()
	t.Cleanup(func() { s.mirror.Close() })
	return s
}

// way is a znode of which the source shows no data.
func way(czxid audit.Zxid, cversion int32) *audit.Znode {
	return &audit.Znode{Bare: true, Stat: audit.Stat{Czxid: czxid, Cversion: cversion}}
}

// TestWaysAreKept: what leads to recorded znodes is known to the source, and has
// no records, no content and no share in any count.
func TestWaysAreKept(t *testing.T) {
	s := ruled(t, "/a/*/conf")
	wide := way(2, 5)
	wide.Data, wide.Bare = []byte("hunter2"), false // Read under a policy that wanted it.
	got := briefs(s.show(found("/a", 9, wide), found("/a/x", 9, way(3, 1)), found("/a/x/conf", 9, znode(4, 0, "A")), walked(9)))
	if diff := cmp.Diff([]string{"baseline /a 1 znodes at 9"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.show(hint(audit.OpCreated, "/a/y", 10, way(10, 0)), swept("/a/x", 11, way(3, 7)), hint(audit.OpCreated, "/a/x/other", 12, znode(12, 0, "hunter2")))
	if err := s.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.crash()
	known := maps.Collect(s.Known().Walk("/", -1))
	if diff := cmp.Diff([]string{"/a", "/a/x", "/a/x/conf", "/a/y"}, slices.Sorted(maps.Keys(known))); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
	if known["/a/x"].Cversion != 7 || s.mirror.Len() != 1 {
		t.Errorf("%d znodes count, and /a/x is %+v", s.mirror.Len(), known["/a/x"])
	}
	if text, err := os.ReadFile(s.file); err != nil || bytes.Contains(text, []byte("hunter")) {
		t.Errorf("the file holds what is forbidden, %v", err)
	}
}

// TestWaysDie: with them dies what was recorded below.
func TestWaysDie(t *testing.T) {
	s := ruled(t, "/a/*/conf")
	s.show(
		found("/a", 9, way(2, 2)), found("/a/x", 9, way(3, 1)), found("/a/x/conf", 9, znode(4, 0, "A")),
		found("/a/y", 9, way(5, 1)), found("/a/y/conf", 9, znode(6, 0, "B")), walked(9),
	)
	got := briefs(s.show(
		gapTo(9, 20), absent("/a/x", 20), found("/a/y", 20, way(15, 0)), walked(20),
		hint(audit.OpDeleted, "/a/y", 21, nil), hint(audit.OpDeleted, "/a", 22, nil),
	))
	want := []string{"gap reconnect in (9,20]", "deleted /a/x/conf in (9,20] of 4 -A by resync", "deleted /a/y/conf in (9,20] of 6 -B by resync", "resync  0 znodes at 20"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if left := dump(s); len(left) > 0 {
		t.Errorf("known still: %v", left)
	}
	got = briefs(s.show(hint(audit.OpCreated, "/a", 23, way(23, 0)), hint(audit.OpCreated, "/a/x", 24, way(24, 0)), gapTo(24, 30), absent("/a", 30), walked(30)))
	if left := dump(s); len(left) > 0 || len(got) != 2 {
		t.Errorf("recorded %q", got)
		t.Errorf("known still: %v", left)
	}
}

// TestUnreadableWay: it hides what is below, so it counts like what is watched.
func TestUnreadableWay(t *testing.T) {
	s := ruled(t, "/a/*/conf")
	s.show(denied("/a"), walked(9))
	if got := testutil.ToFloat64(s.metrics.unreadable); got != 1 {
		t.Errorf("%v znodes are unreadable", got)
	}
	s.show(swept("/a", 20, way(2, 0)))
	if got := testutil.ToFloat64(s.metrics.unreadable); got != 0 {
		t.Errorf("%v znodes are unreadable", got)
	}
}

// TestSomeChildrenAreLeftOut: they move the parent's counter, and that is no
// miss of anything.
func TestSomeChildrenAreLeftOut(t *testing.T) {
	s := ruled(t, "/p", "/p/keep*")
	p := func(cversion int32) *audit.Znode {
		node := znode(2, 0, "")
		node.Stat.Cversion = cversion
		return node
	}
	s.show(found("/p", 9, p(3)), found("/p/keep", 9, znode(4, 0, "A")), walked(9))
	got := briefs(s.show(
		swept("/p", 12, p(10)), audit.Mark{Zxid: 12, ACL: 11, Sweep: true},
		gapTo(12, 20), found("/p", 20, p(30)), found("/p/keep2", 20, znode(15, 0, "B")), walked(20),
		hint(audit.OpCreated, "/p/keep3", 21, znode(21, 0, "C")), swept("/p", 22, p(32)), audit.Mark{Zxid: 22, ACL: 22, Sweep: true},
	))
	want := []string{
		"gap reconnect in (12,20]", "created /p/keep2 in (14,15] of 15 v0 a0 +B by resync", "resync  2 znodes at 20",
		"created /p/keep3 at 21 of 21 v0 a0 +C exact",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if finds := testutil.ToFloat64(s.metrics.sweepFinds); finds != 0 {
		t.Errorf("%v finds of the sweep", finds)
	}
	if entry, _ := s.mirror.Get("/p"); entry.Cversion != 32 {
		t.Errorf("/p is known as %+v", entry)
	}
}

// TestSomeChildrenInOneShot: there every child's coming and going is told of,
// and counted.
func TestSomeChildrenInOneShot(t *testing.T) {
	s := ruled(t, "/p", "/p/keep*")
	s.show(audit.Mode{Name: audit.ModeOneShot}, found("/p", 9, znode(2, 0, "")), walked(9))
	changed := znode(2, 1, "new")
	changed.Stat.Cversion = 2
	got := briefs(s.show(
		audit.Seen{Path: "/p", Origin: audit.OriginWatch, Read: audit.Found, Node: changed, At: 12, Until: 12},
		audit.Counted{Path: "/p", Czxid: 2, Cversion: 2, At: 12},
	))
	if len(got) != 2 || s.journal.events[len(s.journal.events)-1].Op != audit.OpChildrenChanged {
		t.Errorf("recorded %q", got)
	}
}

// TestWidenedWhileAWalkIsUnderWay: its end does not count for what it has passed
// by under the old policy.
func TestWidenedWhileAWalkIsUnderWay(t *testing.T) {
	s := ruled(t, "/a", "/a/*/conf")
	s.show(found("/a", 9, znode(2, 0, "A")), found("/a/x", 9, way(3, 1)), walked(9), gapTo(9, 12), found("/a", 12, znode(2, 0, "A")))
	s.policy = rules(t, "/a/**", "/b")
	if err := s.take(s.policy); err != nil {
		t.Fatal(err)
	}
	got := briefs(s.show(walked(12)))
	if diff := cmp.Diff([]string{"resync  1 znodes at 12"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.crash()
	if err := s.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path := range s.Known().Walk("/a", 0) {
		t.Errorf("%s would not be read once more", path)
	}
	got = briefs(s.show(gapTo(12, 20), found("/a", 20, znode(2, 0, "A")), found("/a/x", 20, znode(3, 0, "X")), absent("/b", 20), walked(20)))
	want := []string{"gap reconnect in (12,20]", "baseline /b 0 znodes at 20", "resync  2 znodes at 20"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(s.place.Unread) > 0 || s.mirror.Len() != 2 {
		t.Errorf("to be read again: %v; %d known", s.place.Unread, s.mirror.Len())
	}
}

// TestWaysOfAnotherPolicy: what is wanted no longer stays as a way where it is
// one, without content; what was asked for as a way has no content to record.
func TestWaysOfAnotherPolicy(t *testing.T) {
	s := ruled(t, "/a/**")
	s.show(found("/a", 9, znode(2, 0, "hunter2")), found("/a/x", 9, znode(3, 0, "hunter2")), found("/a/x/conf", 9, znode(4, 0, "A")), found("/a/x/other", 9, znode(5, 0, "hunter2")), walked(9))
	s.policy = rules(t, "/a/*/conf")
	if err := s.take(s.policy); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(s.file); err != nil || bytes.Contains(text, []byte("hunter")) {
		t.Errorf("the file holds what is forbidden, %v", err)
	}
	known := dump(s)
	if len(known) != 3 || !known["/a"].Way || !known["/a/x"].Way || known["/a/x/conf"].Way {
		t.Errorf("known %+v", known)
	}
	s.policy = rules(t, "/a/**")
	if err := s.take(s.policy); err != nil {
		t.Fatal(err)
	}
	bare := way(22, 0)
	got := briefs(s.show(hint(audit.OpCreated, "/a/y", 22, bare), found("/a", 22, way(2, 0))))
	if diff := cmp.Diff([]string{"created /a/y at 22 of 22 v0 a0"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestBornDuringARereadInOneShot: no notification tells of births there, so what
// is found is news unless it is older than the policy.
func TestBornDuringARereadInOneShot(t *testing.T) {
	s := ruled(t, "/a/*/conf")
	s.show(audit.Mode{Name: audit.ModeOneShot}, found("/a", 9, way(2, 1)), found("/a/x", 9, way(3, 1)), walked(9))
	s.policy = rules(t, "/a/**")
	if err := s.take(s.policy); err != nil {
		t.Fatal(err)
	}
	got := briefs(s.show(found("/a", 12, znode(2, 0, "A")), found("/a/x", 12, znode(3, 0, "X")), found("/a/y", 12, znode(11, 0, "Y")), walked(12)))
	want := []string{"created /a/y in (10,11] of 11 v0 a0 +Y by resync", "resync  3 znodes at 12"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
