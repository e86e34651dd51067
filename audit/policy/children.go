package policy

import "zkwarden/audit"

// children reports whether the glob matches some children of path, whatever
// their names, and whether it matches all of them. ZooKeeper's own subtree is
// none of the children of the root znode here: it never comes or goes.
func (g *glob) children(path string, server bool) (some, all bool) {
	switch {
	case server != g.server:
		return false, false
	case g.parts != nil:
		return g.matchChildren(path)
	case g.below && audit.Within(path, g.root):
		return true, true
	}
	return g.root != "/" && audit.Parent(g.root) == path, false
}

// matchChildren goes through the names of path, keeping the places in parts
// that are reached, and then through a name that may be any.
func (g *glob) matchChildren(path string) (some, all bool) {
	at := make([]bool, len(g.parts)+1)
	at[0] = true
	for rest := below(path); rest != ""; {
		var name string
		name, rest = next(rest)
		at = g.step(at, func(p part) bool { return p.matches(name) })
	}
	some = g.step(at, func(part) bool { return true })[len(g.parts)]
	all = g.step(at, func(p part) bool { return p.text == "*" })[len(g.parts)]
	return some, all
}

// step returns the places that are reached behind one name. A "**" takes any
// number of names, even none.
func (g *glob) step(at []bool, matches func(part) bool) []bool {
	behind := make([]bool, len(at))
	for i, p := range g.parts {
		if at[i] && p.any {
			at[i+1], behind[i] = true, true
		}
		if at[i] && !p.any && matches(p) {
			behind[i+1] = true
		}
	}
	for i, p := range g.parts {
		if behind[i] && p.any {
			behind[i+1] = true
		}
	}
	return behind
}
