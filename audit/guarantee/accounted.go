package guarantee

import (
	"math"

	"zkwarden/audit"
)

// gap is a stretch of zxids that a record declares.
type gap struct {
	path         string // Empty: everywhere.
	after, until audit.Zxid
	children     bool // Only creations and deletions of children of path.
}

func (g gap) covers(c Change) bool {
	if c.Zxid <= g.after || c.Zxid > g.until {
		return false
	}
	if g.children {
		return audit.Parent(c.Path) == g.path && (c.Op == audit.OpCreated || c.Op == audit.OpDeleted)
	}
	return g.path == "" || audit.Within(c.Path, g.path)
}

// declared returns what gap records leave open, what exact:false records do,
// and up to where baselines cover everything. A gap is settled by the resync
// behind it: until then a notification about a znode that died before it could
// be read may leave no more than a bracket.
func (m *match) declared() (gaps, brackets, unsettled []gap) {
	for _, e := range m.records {
		after, until := bracket(e)
		switch {
		case e.Kind == audit.KindGap && e.ZxidUntil != nil: // Else a sink's, and the journal has the changes.
			gaps = append(gaps, gap{after: after, until: until})
			unsettled = append(unsettled, gap{after: after, until: math.MaxUint64})
		case e.Control == audit.ControlResync:
			for i := range unsettled {
				unsettled[i].until = min(unsettled[i].until, e.Zxid)
			}
		case e.Control == audit.ControlBaseline:
			for _, root := range e.Roots {
				gaps = append(gaps, gap{path: root, until: e.Zxid})
			}
		case e.Kind == audit.KindChange && e.Zxid == 0 && e.Exact != nil && !*e.Exact:
			brackets = append(brackets, gap{
				path: e.Path, after: after, until: until, children: e.Op == audit.OpChildrenChanged,
			})
		}
	}
	return gaps, brackets, unsettled
}

// accounted: every change is recorded, counted, or in a bracket; where no gap
// is declared and notifications tell of everything, it is recorded. Of what the
// auditor may not read nothing tells: the sweep finds it when it may be read,
// if the znode lives so long.
func (m *match) accounted() {
	gaps, brackets, unsettled := m.declared()
	var swept audit.Zxid
	for _, e := range m.records {
		if e.Kind == audit.KindCheckpoint {
			swept = max(swept, e.ACLZxid)
		}
	}
	last := m.lastOfLives()
	for i, c := range m.truth.Changes {
		switch {
		case !m.truth.wants(c.Path), m.accounts[i] == recorded, covered(gaps, c):
		case c.Op == audit.OpACLChanged, c.Hidden, c.Op == audit.OpDeleted && m.veiled[c.incarnation()]:
			// No watch tells of it, or of whom it speaks.
			end := last[c.incarnation()]
			if m.accounts[i] == open && end.Zxid <= swept && end.Op != audit.OpDeleted && !end.Hidden && !covered(brackets, c) {
				m.violate(ErrAccounted, "%s", c)
			}
		case m.accounts[i] == counted, covered(brackets, c):
			if !m.truth.OneShot && !covered(unsettled, c) {
				m.violate(ErrAccounted, "%s has no record of its own, though nothing interrupted the watch", c)
			}
		default:
			m.violate(ErrAccounted, "%s", c)
		}
	}
}

func covered(gaps []gap, c Change) bool {
	for _, g := range gaps {
		if g.covers(c) {
			return true
		}
	}
	return false
}

// lastOfLives returns the last change of each incarnation.
func (m *match) lastOfLives() map[incarnation]Change {
	last := map[incarnation]Change{}
	for _, c := range m.truth.Changes {
		last[c.incarnation()] = c
	}
	return last
}

// incarnation is one life of one path.
type incarnation struct {
	path  string
	czxid audit.Zxid
	birth int
}

func (c Change) incarnation() incarnation { return incarnation{c.Path, c.Czxid, c.Birth} }

// family is a znode as its children know it.
type family struct {
	path  string
	czxid audit.Zxid
}

func (c Change) family() family { return family{audit.Parent(c.Path), c.Parent} }

// balanced: for every incarnation that lives at the end, can be read then and
// has a record of its birth, the records' counters are the server's. Children
// are counted where the policy wants all of them.
func (m *match) balanced() {
	versions, acls, children := map[incarnation]int64{}, map[incarnation]int64{}, map[family]int64{}
	living := map[incarnation]bool{}
	for _, c := range m.truth.Changes {
		own := c.incarnation()
		switch c.Op {
		case audit.OpCreated:
			living[own] = false
			children[c.family()]--
		case audit.OpDeleted:
			delete(living, own)
			children[c.family()]--
		case audit.OpDataChanged:
			versions[own]--
		case audit.OpACLChanged:
			acls[own]--
		}
	}
	for _, e := range m.records {
		if e.Kind == audit.KindChange {
			m.count(e, living, versions, acls, children)
		}
	}
	last := m.lastOfLives()
	for own, born := range living {
		if !born || last[own].Hidden {
			continue
		}
		if versions[own] != 0 {
			m.violate(ErrAccounted, "%s of %s lives, and %+d changes of its data are recorded against the server's count", own.path, own.czxid, versions[own])
		}
		if acls[own] > 0 {
			m.violate(ErrAccounted, "%s of %s lives, and %+d changes of its ACL are recorded against the server's count", own.path, own.czxid, acls[own])
		}
		if n := children[family{own.path, own.czxid}]; n != 0 && m.truth.whole(own.path) {
			m.violate(ErrAccounted, "%s of %s lives, and %+d changes of its children are recorded against the server's count", own.path, own.czxid, n)
		}
	}
}

// count adds what a record says to the balances.
func (m *match) count(e audit.Event, living map[incarnation]bool, versions, acls map[incarnation]int64, children map[family]int64) {
	if e.Op == audit.OpChildrenChanged {
		children[family{e.Path, e.Czxid}] += int64(e.Collapsed)
		return
	}
	i, ok := m.of[e.Seq]
	if !ok {
		return
	}
	c := m.truth.Changes[i]
	own := c.incarnation()
	switch e.Op {
	case audit.OpCreated:
		if _, lives := living[own]; lives {
			living[own] = true
		}
		children[c.family()]++
	case audit.OpDeleted:
		children[c.family()]++
	case audit.OpDataChanged:
		versions[own] += 1 + int64(e.Collapsed)
	case audit.OpACLChanged:
		acls[own] += 1 + int64(e.Collapsed)
	}
}
