package recorder

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
)

// server is a ZooKeeper tree in memory, and the source that watches it.
type server struct {
	rng     *rand.Rand
	zxid    audit.Zxid
	exact   bool // Whether notifications carry zxids, as since 3.9.
	tree    map[string]*audit.Znode
	hints   []audit.Seen // Sent and not yet handed over.
	handed  audit.Zxid   // Everything through it was handed over.
	changed int
}

func newServer(rng *rand.Rand) *server {
	return &server{rng: rng, zxid: 1, exact: rng.IntN(2) == 0, tree: map[string]*audit.Znode{"/r": znode(1, 0, "root")}}
}

func (v *server) paths() []string { return slices.Sorted(maps.Keys(v.tree)) }

func (v *server) hint(op audit.Op, path string) {
	v.hints = append(v.hints, audit.Seen{Path: path, Origin: audit.OriginWatch, Hint: op, After: v.zxid, Until: v.zxid})
}

// change makes one random transaction, sometimes a multi.
func (v *server) change() {
	v.zxid++
	for range 1 + v.rng.IntN(8)/7*3 {
		v.operate()
	}
}

func (v *server) operate() {
	v.changed++
	paths := v.paths()
	path := paths[v.rng.IntN(len(paths))]
	node := v.tree[path]
	child := path + "/" + string(rune('a'+v.rng.IntN(3)))
	leaf := path != "/r" && !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, path+"/") })
	switch dice := v.rng.IntN(10); {
	case dice < 4 && v.tree[child] == nil && strings.Count(child, "/") < 6:
		v.tree[child] = &audit.Znode{Data: v.data(), Stat: audit.Stat{Czxid: v.zxid, Mzxid: v.zxid, Pzxid: v.zxid}}
		node.Stat.Cversion++
		v.hint(audit.OpCreated, child)
	case dice < 6 && leaf:
		delete(v.tree, path)
		v.tree[path[:strings.LastIndexByte(path, '/')]].Stat.Cversion++
		v.hint(audit.OpDeleted, path)
	case dice < 7:
		v.tree[path] = copied(node)
		v.tree[path].Stat.Aversion++
	default:
		node = copied(node)
		node.Data = v.data()
		node.Stat.Version++
		node.Stat.Mzxid = v.zxid
		v.tree[path] = node
		v.hint(audit.OpDataChanged, path)
	}
}

func (v *server) data() []byte {
	if v.rng.IntN(8) == 0 {
		return nil
	}
	return fmt.Append(nil, v.changed)
}

func copied(n *audit.Znode) *audit.Znode {
	c := *n
	return &c
}

// notify hands over the hints, each with the read behind all of them.
func (v *server) notify() []audit.Observation {
	behind, reborn := map[string]int32{}, map[string]bool{}
	for i := len(v.hints) - 1; i >= 0; i-- {
		seen := &v.hints[i]
		reborn[seen.Path] = reborn[seen.Path] || seen.Hint == audit.OpDeleted
		if node := v.tree[seen.Path]; node != nil && !reborn[seen.Path] {
			seen.Read, seen.Node, seen.At, seen.Behind = audit.Found, copied(node), v.zxid, behind[seen.Path]
		}
		switch seen.Hint {
		case audit.OpDataChanged:
			behind[seen.Path]++
		case audit.OpCreated:
			reborn[seen.Path] = true
		}
		if !v.exact {
			seen.After, seen.Until = v.handed, v.zxid
		}
	}
	var out []audit.Observation
	for _, seen := range v.hints {
		out = append(out, seen)
	}
	v.hints, v.handed = nil, v.zxid
	return out
}

// walk shows the whole tree while it changes, and what is known and gone.
func (v *server) walk(s *stage) {
	var read func(path string)
	read = func(path string) {
		for range v.rng.IntN(3) {
			v.change()
		}
		s.show(v.notify()...)
		node := v.tree[path]
		if node == nil {
			s.show(absent(path, v.zxid))
			return
		}
		s.show(found(path, v.zxid, copied(node)))
		children := map[string]bool{}
		for name := range s.mirror.Children(path) {
			children[name] = true
		}
		for _, p := range v.paths() {
			if name, ok := strings.CutPrefix(p, path+"/"); ok && !strings.Contains(name, "/") {
				children[name] = true
			}
		}
		for _, name := range slices.Sorted(maps.Keys(children)) {
			read(path + "/" + name)
		}
	}
	read("/r")
	s.show(v.notify()...)
	s.show(walked(v.zxid))
}

// lose makes changes that nobody sees.
func (v *server) lose(s *stage, reason string) {
	for range v.rng.IntN(60) {
		v.change()
	}
	gap := audit.Gap{After: s.Place().Mark, Until: v.zxid, Reason: reason}
	v.hints, v.handed = nil, v.zxid
	s.show(gap)
	v.walk(s)
}

func dump(s *stage) map[string]mirror.Entry {
	known := map[string]mirror.Entry{}
	for _, path := range append(s.mirror.Below("/"), "/") {
		if entry, ok := s.mirror.Get(path); ok {
			known[path] = entry
		}
	}
	return known
}

// TestModel runs random histories with gaps and crashes. Behind every walk
// the mirror is the server's tree, counters included; after every crash,
// commit and journal make the mirror that was lost.
func TestModel(t *testing.T) {
	for range 12 {
		seed := uint64(time.Now().UnixNano())
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			v, s := newServer(rng), newStage(t, policy.LevelData, "/r")
			for range rng.IntN(40) {
				v.change()
			}
			v.hints, v.handed = nil, v.zxid
			v.walk(s)
			for range 40 {
				v.step(s)
			}
			v.lose(s, audit.GapReconnect)
			v.agrees(s)
			balances(t, s.journal.events)
		})
	}
}

func (v *server) step(s *stage) {
	switch dice := v.rng.IntN(20); {
	case dice < 14:
		for range v.rng.IntN(20) {
			v.change()
		}
		s.show(v.notify()...)
	case dice < 16:
		s.show(audit.Mark{Zxid: v.zxid})
	case dice < 18:
		if err := s.commit(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
	case dice < 19:
		v.lose(s, audit.GapReconnect)
		v.agrees(s)
	default:
		live := dump(s)
		s.crash()
		if diff := cmp.Diff(live, dump(s)); diff != "" {
			s.t.Fatalf("mirror (-live +replayed):\n%s", diff)
		}
		if err := s.begin(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
		v.lose(s, audit.GapRestart)
	}
}

// agrees compares the mirror with the tree. ACL changes are seen by reads
// alone, so their count may lag behind.
func (v *server) agrees(s *stage) {
	s.t.Helper()
	rule, _ := s.policy.Match("/r")
	want, got := map[string]mirror.Entry{}, dump(s)
	for path, node := range v.tree {
		stat := node.Stat
		want[path] = mirror.Entry{
			Czxid: stat.Czxid, Version: stat.Version, Cversion: stat.Cversion,
			Aversion: min(stat.Aversion, got[path].Aversion), Content: s.policy.Describe(rule, node.Data),
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Fatalf("mirror at %v (-server +mirror):\n%s", v.zxid, diff)
	}
}

// balances checks that every version of an incarnation is recorded or
// counted, once, and that no id is given twice.
func balances(t *testing.T, events []audit.Event) {
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
