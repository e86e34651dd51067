package recorder

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"zkwarden/audit"
	"zkwarden/audit/guarantee"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
)

// history is everything that happened to a server's tree: its transaction log,
// and the truth that guarantees are judged by.
type history struct {
	txns    []audit.Txn
	changes []guarantee.Change
	births  map[string]int // Of the living incarnations: see guarantee.Change.
	lacks   audit.Zxid     // Changes of ACLs behind it, of which the log does not tell; zero from the beginning.
}

func (h *history) add(v *server, op audit.Op, path string, node *audit.Znode) {
	stat := node.Stat
	t := audit.Txn{
		Zxid: v.zxid, Session: audit.SessionID(v.zxid)<<8 | 1, Time: audit.AtUnixMilli(int64(v.zxid)), Op: op, Path: path,
	}
	c := guarantee.Change{
		Zxid: v.zxid, Op: op, Path: path, Czxid: stat.Czxid, Version: stat.Version, Aversion: stat.Aversion,
		Data: node.Data, Ordered: true,
	}
	if parent := v.tree[audit.Parent(path)]; parent != nil {
		c.Parent = parent.Stat.Czxid
	}
	if n := len(h.txns); n > 0 && h.txns[n-1].Zxid == v.zxid {
		t.Index = h.txns[n-1].Index + 1
	}
	c.Session, c.Index = t.Session, t.Index
	switch op {
	case audit.OpCreated:
		t.Data, t.ACL = node.Data, []audit.ACL{everybody("cdrwa")}
		h.bear(path, v.zxid)
	case audit.OpDataChanged:
		t.Data, t.Version, c.Counter = node.Data, stat.Version, stat.Version
	case audit.OpACLChanged:
		t.ACL, t.Version, c.Counter = node.ACL, stat.Aversion, stat.Aversion
	case audit.OpDeleted:
		t.Cause = audit.CauseExplicit
	}
	c.Birth = h.births[path]
	h.txns, h.changes = append(h.txns, t), append(h.changes, c)
}

// bear counts how often the transaction created the znode before.
func (h *history) bear(path string, zxid audit.Zxid) {
	if h.births == nil {
		h.births = map[string]int{}
	}
	h.births[path] = 0
	for _, c := range h.changes {
		if c.Zxid == zxid && c.Path == path && c.Op == audit.OpCreated {
			h.births[path]++
		}
	}
}

// behind returns the operations behind a zxid.
func (h *history) behind(zxid audit.Zxid) []audit.Observation {
	var out []audit.Observation
	for _, t := range h.txns {
		if t.Zxid > zxid {
			out = append(out, t)
		}
	}
	return out
}

// judge holds what is recorded to the guarantees.
func (v *server) judge(s *stage) {
	s.t.Helper()
	truth := guarantee.Truth{Ensemble: "test", Generation: 1, Changes: v.log.changes}
	for i, err := range guarantee.Check(s.journal.events, truth) {
		if s.t.Error(err); i == 10 {
			break
		}
	}
}

var txnlogMode = audit.Mode{Name: audit.ModeTxnlog, Server: "3.9.5"}

// TestSourcesAgreeOnIDs shows one history to two auditors, to one as hints and
// reads and to one as operations of a log: every change has the same id.
func TestSourcesAgreeOnIDs(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		v := newServer(t, true)
		live, log := newStageIn(t, dir, policy.LevelData, "/r"), newStageIn(t, dir, policy.LevelData, "/r")
		live.show(found("/r", 1, copied(v.tree["/r"])), walked(1))
		log.show(txnlogMode, found("/r", 1, copied(v.tree["/r"])), audit.Mark{Zxid: 1, ACL: 1, Walk: true})
		t.Repeat(map[string]func(*rapid.T){"change": func(*rapid.T) {
			v.changes(1, 1)
			live.show(v.notify()...)
			v.sweep(live, 0)
		}})
		log.show(v.log.behind(1)...)
		log.show(audit.Mark{Zxid: v.zxid, ACL: v.zxid})
		want, got := idsOf(live), idsOf(log)
		for _, id := range slices.Sorted(maps.Keys(want)) {
			if got[id] == "" {
				t.Errorf("the log lacks %s", want[id])
			}
		}
		for _, id := range slices.Sorted(maps.Keys(got)) {
			if want[id] == "" && !strings.HasPrefix(got[id], string(audit.OpACLChanged)) { // The sweep came too late.
				t.Errorf("the live source lacks %s", got[id])
			}
		}
		v.agrees(log)
		v.judge(log)
		v.judge(live)
	})
}

// idsOf returns the records of changes by id.
func idsOf(s *stage) map[string]string {
	ids := map[string]string{}
	for _, e := range s.journal.events {
		if e.Kind == audit.KindChange {
			ids[e.ID] = brief(e)
		}
	}
	return ids
}

// TestHandOver lets a live source and a log take turns at random moments, with
// crashes and gaps: everything is accounted for, nothing stands twice, and the
// mirror is the server's tree.
func TestHandOver(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		v, s := newServer(t, rapid.Bool().Draw(t, "exact")), newStageIn(t, dir, policy.LevelData, "/r")
		v.single = !v.exact // Without zxids, notifications do not tell apart the lives that one transaction begins.
		v.walk(s)
		turns := map[string]func(){"live": func() { v.live(s) }, "log": func() { v.logged(s) }}
		for _, turn := range rapid.SliceOfN(rapid.SampledFrom(slices.Sorted(maps.Keys(turns))), 1, 12).Draw(t, "turns") {
			turns[turn]()
		}
		v.takeOver(s)
		v.agrees(s)
		v.sweepsClean(s)
		v.sweep(s, 0)
		s.checkpoints()
		v.judge(s)
	})
}

// takeOver is what the live source shows when it takes the place of a log.
func (v *server) takeOver(s *stage) {
	s.show(audit.Mode{Name: audit.ModeRecursive})
	v.lose(s, audit.GapLogLost)
}

// live is a stretch of the live source, which may end in the middle of what its
// server told.
func (v *server) live(s *stage) {
	v.takeOver(s)
	v.agrees(s)
	steps := v.steps(s)
	for _, step := range rapid.SliceOfN(rapid.SampledFrom(slices.Sorted(maps.Keys(steps))), 0, 6).Draw(v.t, "steps") {
		steps[step](v.t)
	}
	v.changes(0, 20)
	hints := v.notify()
	s.show(hints[:v.upTo(len(hints))]...)
}

// upTo draws how many of n are handed over before the source ends.
func (v *server) upTo(n int) int { return rapid.IntRange(0, n).Draw(v.t, "handed over") }

// logged is a stretch of a log that begins behind the last mark, and is left at
// any of its operations.
func (v *server) logged(s *stage) {
	ends := rapid.SampledFrom([]string{"mark", "mark", "commit", "begin anew", "crash"})
	for _, end := range rapid.SliceOfN(ends, 1, 4).Draw(v.t, "ends") {
		s.show(txnlogMode)
		v.changes(0, 20)
		ops := append(v.missedACLs(s), v.log.behind(s.place.Mark)...)
		switch end {
		case "crash":
			s.show(ops[:v.upTo(len(ops))]...)
			v.crashes(s)
			continue
		case "begin anew":
			s.show(ops[:v.upTo(len(ops))]...)
			continue
		case "commit":
			s.commits()
		}
		s.show(ops...)
		m := audit.Mark{Zxid: v.zxid, Verified: v.zxid}
		if s.place.ACL != v.log.lacks {
			m.ACL = v.zxid
		}
		s.show(m)
		v.agrees(s)
		s.checkpoints()
	}
	v.hints, v.handed = nil, v.zxid
}

// missedACLs are the changes of ACLs that a log tells of when it takes over, and
// their mark. It may lack some of them, and does so until a sweep has shown what
// they left.
func (v *server) missedACLs(s *stage) (missed []audit.Observation) {
	if s.place.ACL == v.log.lacks || s.place.ACL >= s.place.Mark {
		return nil
	}
	if rapid.IntRange(0, 3).Draw(v.t, "lacks") == 3 {
		v.log.lacks = s.place.ACL
		return nil
	}
	for _, t := range v.log.txns {
		if t.Op == audit.OpACLChanged && t.Zxid > s.place.ACL && t.Zxid <= s.place.Mark {
			missed = append(missed, t)
		}
	}
	return append(missed, audit.Mark{Zxid: s.place.Mark, ACL: s.place.Mark})
}

// crashes kills the auditor. What it learned from operations that were recorded
// before has no record, and is lost until they come once more.
func (v *server) crashes(s *stage) {
	recorded := cmp.Comparer(func(a, b mirror.Entry) bool {
		return a.Version == b.Version && a.Cversion == b.Cversion && a.Aversion == b.Aversion && a.Occurrence == b.Occurrence
	})
	live := dump(s)
	s.crash()
	if diff := cmp.Diff(live, dump(s), recorded); diff != "" {
		s.t.Fatalf("mirror (-live +replayed):\n%s", diff)
	}
	s.begins()
}
