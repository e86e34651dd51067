package recorder

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
)

// TestModel runs random histories with gaps and crashes. Behind every walk
// the mirror is the server's tree, counters included; after every crash,
// commit and journal make the mirror that was lost.
func TestModel(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		v, s := newServer(t, rapid.Bool().Draw(t, "exact")), newStageIn(t, dir, policy.LevelData, "/r")
		v.changes(0, 40)
		v.hints, v.handed = nil, v.zxid
		v.walk(s)
		t.Repeat(v.steps(s))
		v.lose(s, audit.GapReconnect)
		v.agrees(s)
		v.sweepsClean(s)
		balances(t, s.journal.events)
		v.childrenBalance(t, s.journal.events)
	})
}

// steps is what happens while a live source watches, mostly changes.
func (v *server) steps(s *stage) map[string]func(*rapid.T) {
	notified := func(*rapid.T) {
		v.changes(0, 20)
		s.show(v.notify()...)
	}
	return map[string]func(*rapid.T){
		"change": notified, "change more": notified, "change much": notified, "change on": notified,
		"mark":   func(*rapid.T) { s.show(audit.Mark{Zxid: v.zxid}) },
		"sweep":  func(*rapid.T) { v.sweep(s, 2) },
		"commit": func(*rapid.T) { s.commits() },
		"lose": func(*rapid.T) {
			v.lose(s, audit.GapReconnect)
			v.agrees(s)
		},
		"crash": func(t *rapid.T) {
			live := dump(s)
			s.crash()
			if diff := cmp.Diff(live, dump(s)); diff != "" {
				t.Fatalf("mirror (-live +replayed):\n%s", diff)
			}
			s.begins()
			v.lose(s, audit.GapRestart)
		},
	}
}

// agrees compares the mirror with the tree. ACL changes are seen by reads
// alone, so their count may lag behind.
func (v *server) agrees(s *stage) {
	s.t.Helper()
	rule, _ := s.policy.Match("/r")
	want, got := map[string]mirror.Entry{}, dump(s)
	for _, path := range v.paths() {
		node := v.tree[path]
		stat := node.Stat
		want[path] = mirror.Entry{
			Czxid: stat.Czxid, Version: stat.Version, Cversion: stat.Cversion,
			Aversion: min(stat.Aversion, got[path].Aversion), Content: s.policy.Describe(rule, node.Data),
			ACL: got[path].ACL, Occurrence: got[path].Occurrence,
		}
		if got[path].Aversion == stat.Aversion && got[path].ACL != nil && node.ACL != nil && !slices.Equal(got[path].ACL, node.ACL) {
			s.t.Errorf("ACL of %s is %v, known %v", path, node.ACL, got[path].ACL)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Fatalf("mirror at %v (-server +mirror):\n%s", v.zxid, diff)
	}
}

// sweepsClean sweeps a tree that rests: behind it every ACL is known, and every
// one that was ever changed is known whole.
func (v *server) sweepsClean(s *stage) {
	s.t.Helper()
	v.sweep(s, 0)
	known := dump(s)
	for _, path := range slices.Sorted(maps.Keys(known)) {
		if node, entry := v.tree[path], known[path]; node.Stat.Aversion != entry.Aversion {
			s.t.Errorf("ACL of %s is at %d, known at %d", path, node.Stat.Aversion, entry.Aversion)
		}
	}
	for _, e := range s.journal.events {
		if e.Source == audit.OriginSweep && e.Op != audit.OpACLChanged {
			s.t.Errorf("the sweep found what hints should have told: %s", brief(e))
		}
	}
}

// childrenBalance checks that the creates and deletes of children that are
// recorded of each living parent, one by one or in collapsed, are as many as
// its server counted: none is lost, none is told twice. It knows parents from
// their birth only.
func (v *server) childrenBalance(t tester, events []audit.Event) {
	t.Helper()
	for _, path := range v.paths() {
		node := v.tree[path]
		count, born := int32(0), false
		for _, e := range events {
			switch {
			case e.Kind != audit.KindChange:
			case e.Path == path && e.Op == audit.OpCreated && e.Czxid == node.Stat.Czxid:
				born = true
				if e.Source == audit.OriginWatch {
					count = 0
				}
			case e.Path == path && e.Op == audit.OpChildrenChanged && e.Czxid == node.Stat.Czxid:
				count += int32(e.Collapsed)
			case e.Path == path && e.Op == audit.OpDeleted && e.Source == audit.OriginWatch:
				count = 0
			case audit.Parent(e.Path) == path && (e.Op == audit.OpCreated || e.Op == audit.OpDeleted) && bornAt(e) >= node.Stat.Czxid:
				count++
			}
		}
		if born && count != node.Stat.Cversion {
			t.Errorf("children of %s of %d: %d changes are recorded, the server counted %d", path, node.Stat.Czxid, count, node.Stat.Cversion)
		}
	}
}

// balances checks that every version of an incarnation is recorded or
// counted, once, and that no id is given twice.
func balances(t tester, events []audit.Event) {
	t.Helper()
	type incarnation struct {
		path  string
		czxid audit.Zxid
	}
	version, ids := map[incarnation]int64{}, map[string]uint64{}
	for _, e := range events {
		if twin, ok := ids[e.ID]; ok {
			t.Errorf("records %d and %d share the id of %s", twin, e.Seq, brief(e))
		}
		ids[e.ID] = e.Seq
		if e.Kind != audit.KindChange || e.Czxid == 0 || e.Version == nil {
			continue
		}
		key := incarnation{e.Path, e.Czxid}
		last, known := version[key]
		switch e.Op {
		case audit.OpCreated:
			version[key] = 0
		case audit.OpDataChanged:
			if known && int64(*e.Version) != last+1+int64(e.Collapsed) {
				t.Errorf("record %d: %s follows version %d", e.Seq, brief(e), last)
			}
			version[key] = int64(*e.Version)
		case audit.OpDeleted:
			if known && int64(*e.Version) != last {
				t.Errorf("record %d: %s follows version %d", e.Seq, brief(e), last)
			}
		}
	}
}
