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
	log     history
	single  bool // Whether no transaction is a multi.
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
	operations := 1 + v.rng.IntN(8)/7*3
	if v.single {
		operations = 1
	}
	for range operations {
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
		v.movesChildren(path)
		v.hint(audit.OpCreated, child)
		v.log.add(v, audit.OpCreated, child, v.tree[child])
	case dice < 6 && leaf:
		delete(v.tree, path)
		v.movesChildren(audit.Parent(path))
		v.hint(audit.OpDeleted, path)
		v.log.add(v, audit.OpDeleted, path, node)
	case dice < 7:
		node = copied(node)
		node.Stat.Aversion++
		node.ACL = []audit.ACL{{Perms: "cdrwa", Scheme: "ip", ID: fmt.Sprint(v.changed)}}
		v.tree[path] = node
		v.log.add(v, audit.OpACLChanged, path, node)
	default:
		node = copied(node)
		node.Data = v.data()
		node.Stat.Version++
		node.Stat.Mzxid = v.zxid
		v.tree[path] = node
		v.hint(audit.OpDataChanged, path)
		v.log.add(v, audit.OpDataChanged, path, node)
	}
}

func (v *server) movesChildren(path string) {
	node := copied(v.tree[path])
	node.Stat.Cversion++
	node.Stat.Pzxid = v.zxid
	v.tree[path] = node
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
	begun := v.zxid
	v.read(s, "/r", audit.OriginResync, everyChild)
	s.show(v.notify()...)
	s.show(audit.Mark{Zxid: v.zxid, ACL: begun, Walk: true})
}

// everyChild is read below a znode: those that it has, and those that are known.
func everyChild(string) bool { return true }

// read shows what the server answers about path, after changes that it told of,
// and the same of the children that go on says.
func (v *server) read(s *stage, path string, origin audit.Origin, goOn func(child string) bool) {
	for range v.rng.IntN(3) {
		v.change()
	}
	s.show(v.notify()...)
	seen := absent(path, v.zxid)
	if node := v.tree[path]; node != nil {
		seen = found(path, v.zxid, copied(node))
	}
	seen.Origin = origin
	s.show(seen)
	if seen.Node == nil {
		return
	}
	children := map[string]bool{}
	for name := range s.mirror.Children(path) {
		children[path+"/"+name] = true
	}
	for p := range v.tree {
		if audit.Parent(p) == path {
			children[p] = true
		}
	}
	for _, child := range slices.Sorted(maps.Keys(children)) {
		if goOn(child) {
			v.read(s, child, origin, everyChild)
		}
	}
}

// hits shows what SetWatches tells of, in any order: znodes that are gone or
// whose data changed since the zxid, and those whose children did, of which it
// reads the children that are not known. Nothing is shown of all others.
func (v *server) hits(s *stage, since audit.Zxid) {
	for range v.rng.IntN(5) {
		v.change()
	}
	s.show(v.notify()...)
	known := slices.Sorted(maps.Keys(dump(s)))
	if len(known) == 0 {
		v.walk(s) // Nothing to ask about.
		return
	}
	v.rng.Shuffle(len(known), func(i, j int) { known[i], known[j] = known[j], known[i] })
	for _, path := range known {
		node := v.tree[path]
		unknown := func(child string) bool {
			for _, stat := range s.Known().Walk(child, 0) {
				return stat == audit.Stat{}
			}
			return true
		}
		switch {
		case node == nil, node.Stat.Pzxid > since:
			v.read(s, path, audit.OriginResync, unknown)
		case node.Stat.Mzxid > since:
			v.read(s, path, audit.OriginResync, func(string) bool { return false })
		}
	}
	s.show(v.notify()...)
	s.show(walked(v.zxid))
}

// sweep looks at every known znode and shows those that differ.
func (v *server) sweep(s *stage, changes int) {
	begun := v.zxid
	for _, path := range slices.Sorted(maps.Keys(dump(s))) {
		for range v.rng.IntN(changes + 1) {
			v.change()
		}
		s.show(v.notify()...)
		entry, _ := s.mirror.Get(path)
		if node := v.tree[path]; node != nil && node.Stat.Aversion != entry.Aversion {
			seen := found(path, v.zxid, copied(node))
			seen.Origin = audit.OriginSweep
			s.show(seen)
		}
	}
	s.show(audit.Mark{Zxid: v.zxid, ACL: begun, Sweep: true})
}

// lose makes changes that nobody sees.
func (v *server) lose(s *stage, reason string) {
	for range v.rng.IntN(60) {
		v.change()
	}
	gap := audit.Gap{After: s.Place().Mark, Until: v.zxid, Reason: reason}
	v.hints, v.handed = nil, v.zxid
	s.show(gap)
	if v.rng.IntN(3) == 0 {
		v.walk(s)
	} else {
		v.hits(s, gap.After)
	}
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
	for range 25 {
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
			v.sweepsClean(s)
			balances(t, s.journal.events)
			v.childrenBalance(t, s.journal.events)
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
	case dice < 17:
		v.sweep(s, 2)
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
	for path, entry := range dump(s) {
		if node := v.tree[path]; node.Stat.Aversion != entry.Aversion {
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
func (v *server) childrenBalance(t *testing.T, events []audit.Event) {
	t.Helper()
	for path, node := range v.tree {
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
