package recorder

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
)

// server is a ZooKeeper tree in memory, and the source that watches it. What
// happens to it is drawn, so that a history which fails shrinks.
type server struct {
	t       *rapid.T
	zxid    audit.Zxid
	exact   bool // Whether notifications carry zxids, as since 3.9.
	tree    map[string]*audit.Znode
	hints   []audit.Seen // Sent and not yet handed over.
	handed  audit.Zxid   // Everything through it was handed over.
	changed int
	log     history
	single  bool // Whether no transaction is a multi.
}

func newServer(t *rapid.T, exact bool) *server {
	return &server{t: t, zxid: 1, exact: exact, tree: map[string]*audit.Znode{"/r": znode(1, 0, "root")}}
}

// attempt is an operation that a client tries: what comes of it depends on the tree.
type attempt struct {
	Try   string // "set" where the other is not possible.
	Path  int    // Which of the znodes there are.
	Child string // The name of what is created.
	Null  bool   // Whether it writes no data at all.
}

var attempts = rapid.Custom(func(t *rapid.T) attempt {
	return attempt{
		Try:   rapid.SampledFrom([]string{"set", "set", "set", "create", "create", "create", "create", "delete", "delete", "acl"}).Draw(t, "try"),
		Path:  rapid.IntRange(0, 1000).Draw(t, "path"),
		Child: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "child"),
		Null:  rapid.IntRange(0, 7).Draw(t, "null") == 7,
	}
})

// changes makes transactions, least to most of them, and some multis among them.
// A server refuses to read a multi that changes an ACL (MultiOperationRecord).
func (v *server) changes(least, most int) {
	multi := 4
	if v.single {
		multi = 1
	}
	for _, txn := range rapid.SliceOfN(rapid.SliceOfN(attempts, 1, multi), least, most).Draw(v.t, "changes") {
		v.zxid++
		for _, o := range txn {
			if len(txn) > 1 && o.Try == "acl" {
				o.Try = "set"
			}
			v.operate(o)
		}
	}
}

func (v *server) operate(o attempt) {
	v.changed++
	paths := v.paths()
	path := paths[o.Path%len(paths)]
	node := v.tree[path]
	child := path + "/" + o.Child
	leaf := path != "/r" && !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, path+"/") })
	switch {
	case o.Try == "create" && v.tree[child] == nil && strings.Count(child, "/") < 6:
		v.tree[child] = &audit.Znode{Data: v.data(o), Stat: audit.Stat{Czxid: v.zxid, Mzxid: v.zxid, Pzxid: v.zxid}}
		v.movesChildren(path)
		v.hint(audit.OpCreated, child)
		v.log.add(v, audit.OpCreated, child, v.tree[child])
	case o.Try == "delete" && leaf:
		delete(v.tree, path)
		v.movesChildren(audit.Parent(path))
		v.hint(audit.OpDeleted, path)
		v.log.add(v, audit.OpDeleted, path, node)
	case o.Try == "acl":
		node = copied(node)
		node.Stat.Aversion++
		node.ACL = []audit.ACL{{Perms: "cdrwa", Scheme: "ip", ID: fmt.Sprint(v.changed)}}
		v.tree[path] = node
		v.log.add(v, audit.OpACLChanged, path, node)
	default:
		node = copied(node)
		node.Data = v.data(o)
		node.Stat.Version++
		node.Stat.Mzxid = v.zxid
		v.tree[path] = node
		v.hint(audit.OpDataChanged, path)
		v.log.add(v, audit.OpDataChanged, path, node)
	}
}

func (v *server) paths() []string { return slices.Sorted(maps.Keys(v.tree)) }

func (v *server) hint(op audit.Op, path string) {
	v.hints = append(v.hints, audit.Seen{Path: path, Origin: audit.OriginWatch, Hint: op, After: v.zxid, Until: v.zxid})
}

func (v *server) movesChildren(path string) {
	node := copied(v.tree[path])
	node.Stat.Cversion++
	node.Stat.Pzxid = v.zxid
	v.tree[path] = node
}

func (v *server) data(o attempt) []byte {
	if o.Null {
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
	v.changes(0, 2)
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
	v.changes(0, 4)
	s.show(v.notify()...)
	known := slices.Sorted(maps.Keys(dump(s)))
	if len(known) == 0 {
		v.walk(s) // Nothing to ask about.
		return
	}
	for _, path := range rapid.Permutation(known).Draw(v.t, "order of hits") {
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
		v.changes(0, changes)
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
	v.changes(rapid.SampledFrom([]int{0, 0, 30}).Draw(v.t, "changes lost, at least"), 60)
	gap := audit.Gap{After: s.Place().Mark, Until: v.zxid, Reason: reason}
	v.hints, v.handed = nil, v.zxid
	s.show(gap)
	if rapid.SampledFrom([]string{"walk", "hits", "hits"}).Draw(v.t, "resync by") == "walk" {
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
