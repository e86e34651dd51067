package recorder

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/guarantee"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
)

// seeds yields seeds of random histories, or $ZKWARDEN_SEED to repeat one.
func seeds(t *testing.T, rounds int) iter.Seq[uint64] {
	t.Helper()
	return func(yield func(uint64) bool) {
		if text := os.Getenv("ZKWARDEN_SEED"); text != "" {
			seed, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			yield(seed)
			return
		}
		for range rounds {
			if !yield(uint64(time.Now().UnixNano())) {
				return
			}
		}
	}
}

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
	for seed := range seeds(t, 12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			v := newServer(rand.New(rand.NewPCG(seed, 0)))
			v.exact = true
			live, log := newStage(t, policy.LevelData, "/r"), newStage(t, policy.LevelData, "/r")
			live.show(found("/r", 1, copied(v.tree["/r"])), walked(1))
			log.show(txnlogMode, found("/r", 1, copied(v.tree["/r"])), audit.Mark{Zxid: 1, ACL: 1, Walk: true})
			for range 60 {
				v.change()
				live.show(v.notify()...)
				v.sweep(live, 0)
			}
			log.show(v.log.behind(1)...)
			log.show(audit.Mark{Zxid: v.zxid, ACL: v.zxid})
			want, got := idsOf(live), idsOf(log)
			for id, record := range want {
				if got[id] == "" {
					t.Errorf("the log lacks %s", record)
				}
			}
			for id, record := range got {
				if want[id] == "" && !strings.HasPrefix(record, string(audit.OpACLChanged)) { // The sweep came too late.
					t.Errorf("the live source lacks %s", record)
				}
			}
			v.agrees(log)
			v.judge(log)
			v.judge(live)
		})
	}
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
	for seed := range seeds(t, 12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			v, s := newServer(rng), newStage(t, policy.LevelData, "/r")
			v.single = !v.exact // Without zxids, notifications do not tell apart the lives that one transaction begins.
			v.walk(s)
			for range 30 {
				if rng.IntN(2) == 0 {
					v.live(s)
				} else {
					v.logged(s)
				}
			}
			v.takeOver(s)
			v.agrees(s)
			v.sweepsClean(s)
			v.sweep(s, 0)
			if err := s.checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
			v.judge(s)
		})
	}
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
	for range v.rng.IntN(6) {
		v.step(s)
	}
	for range v.rng.IntN(20) {
		v.change()
	}
	hints := v.notify()
	s.show(hints[:v.rng.IntN(len(hints)+1)]...)
}

// logged is a stretch of a log that begins behind the last mark, and is left at
// any of its operations.
func (v *server) logged(s *stage) {
	for range 1 + v.rng.IntN(4) {
		s.show(txnlogMode)
		for range v.rng.IntN(20) {
			v.change()
		}
		ops := append(v.missedACLs(s), v.log.behind(s.place.Mark)...)
		switch v.rng.IntN(5) {
		case 0:
			s.show(ops[:v.rng.IntN(len(ops)+1)]...)
			v.crashes(s)
			continue
		case 1:
			s.show(ops[:v.rng.IntN(len(ops)+1)]...) // The source begins anew.
			continue
		case 2:
			if err := s.commit(s.t.Context()); err != nil {
				s.t.Fatal(err)
			}
		}
		s.show(ops...)
		m := audit.Mark{Zxid: v.zxid, Verified: v.zxid}
		if s.place.ACL != v.log.lacks {
			m.ACL = v.zxid
		}
		s.show(m)
		v.agrees(s)
		if err := s.checkpoint(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
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
	if v.rng.IntN(4) == 0 {
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
	if err := s.begin(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}
