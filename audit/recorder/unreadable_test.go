package recorder

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

func denied(path string) audit.Seen {
	return audit.Seen{Path: path, Origin: audit.OriginSweep, Read: audit.Denied, At: 20}
}

// TestUnreadable: each znode counts once and is logged once, until it can be
// read again or is gone, and checkpoints tell.
func TestUnreadable(t *testing.T) {
	s := synced(t)
	var logged bytes.Buffer
	s.Logger = log.NewLogfmtLogger(&logged)
	steps := []struct {
		seen  audit.Observation
		count float64
		roots string
	}{
		{denied("/r/a"), 1, ""},
		{denied("/r/a"), 1, ""},
		{denied("/r/hidden/x"), 2, ""},
		{denied("/r"), 3, " [/r]"},
		{denied("/elsewhere"), 3, " [/r]"},
		{found("/r", 21, rootAt(2)), 2, ""},
		{denied("/r"), 3, " [/r]"},
		{hint(audit.OpDataChanged, "/r", 22, rootAt(2)), 2, ""},
		{denied("/r/hidden"), 3, ""},
		{hint(audit.OpDeleted, "/r/hidden", 23, nil), 1, ""}, // And so is what was below it.
		{absent("/r/a", 24), 0, ""},
	}
	for i, step := range steps {
		s.show(step.seen)
		if got := testutil.ToFloat64(s.metrics.unreadable); got != step.count {
			t.Errorf("step %d: %v are unreadable, want %v", i, got, step.count)
		}
		if got := s.State().Unreadable; float64(got) != step.count {
			t.Errorf("step %d: State() has %d unreadable, want %v", i, got, step.count)
		}
		before := len(s.journal.events)
		if err := s.checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		e := s.journal.events[before]
		if roots := step.roots != ""; *e.Unreadable != uint64(step.count) || roots != (len(e.UnreadableRoots) == 1) {
			t.Errorf("step %d: checkpoint %s", i, brief(e))
		}
	}
	if n := strings.Count(logged.String(), "cannot be read"); n != 5 {
		t.Errorf("%d messages, want 5:\n%s", n, &logged)
	}
}

func TestUnreadableAreBounded(t *testing.T) {
	s := synced(t)
	var logged bytes.Buffer
	s.Logger = log.NewLogfmtLogger(&logged)
	for range 2 {
		for i := range maxUnreadable + 5 {
			s.show(denied(fmt.Sprint("/r/", i)))
		}
	}
	if s.unreadable.len() != maxUnreadable || testutil.ToFloat64(s.metrics.untold) != 10 {
		t.Errorf("%d are told apart, %v reads are of others", s.unreadable.len(), testutil.ToFloat64(s.metrics.untold))
	}
	if n := strings.Count(logged.String(), "\n"); n != maxUnreadable+1 {
		t.Errorf("%d messages", n)
	}
	u := newUnreadable()
	for i := range 200 {
		u.add("/" + strings.Repeat("x", 32<<10) + fmt.Sprint(i))
	}
	if u.bytes > maxUnreadableBytes || !u.overflow {
		t.Errorf("%d bytes of paths are kept", u.bytes)
	}
}

// TestCameIntoSight: a znode that an ACL hid is counted among the children of
// its parent once, whether the parent's count had it already or not.
func TestCameIntoSight(t *testing.T) {
	for name, test := range map[string]script{
		"born before the first sync": {
			[]audit.Observation{
				gapTo(9, 60), found("/r", 60, rootAt(2)), found("/r/old", 60, znode(4, 0, "o")), walked(60),
				gapTo(60, 70), found("/r", 70, rootAt(3)), absent("/r/a", 70), walked(70),
				gapTo(70, 80), found("/r", 80, rootAt(4)), walked(80),
			},
			[]string{
				"gap reconnect in (9,60]", "created /r/old in (3,60] of 4 v0 a0 +o by resync", "resync  2 znodes at 60",
				"gap reconnect in (60,70]", "deleted /r/a in (60,70] of 5 -A by resync", "resync  1 znodes at 70",
				"gap reconnect in (70,80]", "children_changed /r in (70,80] of 2 collapsed 1 by resync", "resync  1 znodes at 80",
			},
		},
		"born later": {
			[]audit.Observation{
				audit.Mark{Zxid: 30},
				swept("/r", 31, rootAt(3)), swept("/r/old", 31, znode(20, 0, "o")),
				audit.Mark{Zxid: 32, ACL: 30, Sweep: true},
				gapTo(32, 40), found("/r", 40, rootAt(3)), walked(40),
			},
			[]string{
				"created /r/old in (19,20] of 20 v0 a0 +o by sweep",
				"gap reconnect in (32,40]", "resync  1 znodes at 40",
			},
		},
		"born later and never seen": {
			[]audit.Observation{
				audit.Mark{Zxid: 30},
				swept("/r", 31, rootAt(4)),
				audit.Mark{Zxid: 32, ACL: 30, Sweep: true},
				swept("/r", 50, rootAt(4)),
				audit.Mark{Zxid: 52, ACL: 50, Sweep: true},
				swept("/r", 60, rootAt(5)), denied("/r/h"),
				audit.Mark{Zxid: 62, ACL: 60, Sweep: true},
			},
			[]string{
				"children_changed /r in (1,32] of 2 collapsed 2 by sweep",
				"children_changed /r in (1,62] of 2 collapsed 1 by sweep", // Not (50,62]: /r/h may have come at any time.
			},
		},
		"changed while it was hidden": {
			[]audit.Observation{
				audit.Mark{Zxid: 30},
				denied("/r/a"),
				audit.Mark{Zxid: 40},
				hint(audit.OpDataChanged, "/r/a", 50, acl(2, znode(5, 2, "n"))),
			},
			[]string{
				"data_changed /r/a in (4,50] of 5 v1 -A by resync", // Not behind the mark at 40.
				"data_changed /r/a at 50 of 5 v2 +n exact",
				"acl_changed /r/a in (4,50] of 5 v2 a2 collapsed 1 by resync",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := synced(t)
			var logged bytes.Buffer
			s.Logger = log.NewLogfmtLogger(&logged)
			if diff := cmp.Diff(test.want, briefs(s.show(test.observations...))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if strings.Contains(logged.String(), "surplus") {
				t.Errorf("logged: %s", &logged)
			}
			live := dump(s)
			s.crash()
			if diff := cmp.Diff(live, dump(s)); diff != "" {
				t.Errorf("mirror (-live +replayed):\n%s", diff)
			}
		})
	}
}

func TestSweepFinds(t *testing.T) {
	s := synced(t)
	s.show(
		audit.Mark{Zxid: 30}, swept("/r/a", 31, acl(1, znode(5, 2, "n"))),
		audit.Seen{Path: "/r/b", Origin: audit.OriginSweep, Read: audit.Absent, At: 31}, audit.Mark{Zxid: 32, ACL: 30, Sweep: true},
	)
	if got := testutil.ToFloat64(s.metrics.sweepFinds); got != 3 {
		t.Errorf("%v finds, want two versions and a death", got)
	}
	for _, e := range s.journal.events[2:] {
		if e.Source != audit.OriginSweep || *e.Exact {
			t.Errorf("%s", brief(e))
		}
	}
}

// TestChildrenSettleWithTheirComparison: a mark in the middle of a sweep settles
// nothing, as the child that explains the count may be found behind it.
func TestChildrenSettleWithTheirComparison(t *testing.T) {
	s := synced(t)
	got := briefs(s.show(
		audit.Mark{Zxid: 30}, swept("/r", 31, rootAt(3)), audit.Mark{Zxid: 33},
		audit.Seen{Path: "/r/b", Origin: audit.OriginSweep, Read: audit.Absent, At: 34}, audit.Mark{Zxid: 35, ACL: 30, Sweep: true},
	))
	want := []string{"deleted /r/b in (5,34] of 6 -B by sweep"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnreadableUnderAnotherPolicy(t *testing.T) {
	s := newStage(t, policy.LevelMetadata, "/r", "/q")
	s.show(denied("/r"), denied("/q/x"), walked(9))
	if err := s.cutDown(mustPolicy(t, policy.LevelMetadata, "/r")); err != nil {
		t.Fatal(err)
	}
	if s.unreadable.len() != 1 || testutil.ToFloat64(s.metrics.unreadable) != 1 {
		t.Errorf("%d are unreadable", s.unreadable.len())
	}
}

// TestHiddenLives: what an ACL hides from the auditor is not told, so nothing is
// claimed of it that is known from before.
func TestHiddenLives(t *testing.T) {
	refused := func(path string, at audit.Zxid) audit.Seen {
		return audit.Seen{Path: path, Origin: audit.OriginResync, Read: audit.Denied, At: at}
	}
	cleanSweep := []audit.Observation{swept("/r/a", 12, znode(5, 0, "A")), audit.Mark{Zxid: 12, ACL: 11}}
	for name, test := range map[string]struct {
		observations []audit.Observation
		want         []string
	}{
		"died hidden behind a sweep, and was born again": {
			append(cleanSweep, audit.Mark{Zxid: 20}, hint(audit.OpCreated, "/r/a", 21, znode(21, 0, "n"))),
			[]string{"deleted /r/a in (11,21] of 5 -A by resync", "created /r/a at 21 of 21 v0 a0 +n exact"},
		},
		"died hidden behind a gap, and was born again before its end": {
			append(cleanSweep, gapTo(12, 20), found("/r/a", 20, znode(5, 0, "A")), hint(audit.OpCreated, "/r/a", 25, znode(25, 0, "n"))),
			[]string{"gap reconnect in (12,20]", "deleted /r/a in (11,25] of 5 -A by resync", "created /r/a at 25 of 25 v0 a0 +n exact"},
		},
		"died hidden behind a gap, and was found absent": {
			append(cleanSweep, gapTo(12, 20), absent("/r/a", 25)),
			[]string{"gap reconnect in (12,20]", "deleted /r/a in (12,25] of 5 -A by resync"},
		},
		"died, and may be another one by then": {
			append(cleanSweep, gapTo(12, 20), refused("/r/a", 20), found("/r", 20, znode(2, 3, "")), walked(20), hint(audit.OpDeleted, "/r/a", 25, nil)),
			[]string{"gap reconnect in (12,20]", "resync  1 znodes at 20", "deleted /r/a in (4,25] of 5 -A"},
		},
		"born hidden behind a gap, changed hidden, and then told of": {
			append(cleanSweep, gapTo(12, 20), hint(audit.OpDataChanged, "/r/b", 30, znode(22, 2, "n"))),
			[]string{
				"gap reconnect in (12,20]", "created /r/b in (21,22] of 22 v0 a0 by resync",
				"data_changed /r/b in (21,30] of 22 v1 a0 by resync", "data_changed /r/b at 30 of 22 v2 a0 +n exact",
			},
		},
		"born and changed hidden behind a gap, and found": {
			append(cleanSweep, gapTo(12, 20), found("/r/b", 30, znode(22, 2, "n"))),
			[]string{
				"gap reconnect in (12,20]", "created /r/b in (21,22] of 22 v0 a0 by resync",
				"data_changed /r/b in (21,30] of 22 v1 a0 by resync", "data_changed /r/b in (23,24] of 22 v2 a0 +n by resync",
			},
		},
		"changed, and may be another one by then": {
			append(cleanSweep, refused("/r/a", 20), hint(audit.OpDataChanged, "/r/a", 25, nil)),
			[]string{"data_changed /r/a at 25"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, policy.LevelData, "/r")
			s.show(found("/r", 9, znode(2, 3, "")), found("/r/a", 9, znode(5, 0, "A")), walked(9))
			if diff := cmp.Diff(test.want, briefs(s.show(test.observations...))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestUnreadableAndGone: a znode that was never known and died hidden is on no
// list any more, and no sweep comes by it.
func TestUnreadableAndGone(t *testing.T) {
	s := synced(t)
	refused := func(path string) audit.Seen {
		return audit.Seen{Path: path, Origin: audit.OriginSweep, Read: audit.Denied, At: 20}
	}
	count := func() float64 { return testutil.ToFloat64(s.metrics.unreadable) }
	s.show(refused("/r/x"), refused("/r/y"), audit.Mark{Zxid: 20, ACL: 15, Sweep: true})
	if got := count(); got != 2 {
		t.Errorf("%v znodes are unreadable, want 2", got)
	}
	s.show(audit.Mark{Zxid: 22}, refused("/r/y"), audit.Mark{Zxid: 30, ACL: 25, Sweep: true})
	if got := count(); got != 1 || !s.unreadable.has("/r/y") {
		t.Errorf("%v znodes are unreadable behind the next sweep, want /r/y alone", got)
	}
}
