package guarantee

import (
	"slices"

	"zkwarden/audit"
)

// unreadable: the last checkpoint says how many of the znodes that are looked at
// refuse the auditor. It is judged where the sweep that it speaks of has seen
// all of them, and nothing above them hides them.
func (m *match) unreadable() {
	at := slices.IndexFunc(m.records, func(e audit.Event) bool { return e.Kind == audit.KindCheckpoint })
	if at < 0 {
		return
	}
	var told audit.Event
	for _, e := range m.records[at:] {
		if e.Kind == audit.KindCheckpoint {
			told = e
		}
	}
	hidden := map[string]bool{}
	for _, c := range m.truth.Changes {
		switch was := hidden[c.Path]; {
		case (was || c.Hidden) && c.Zxid > told.ACLZxid:
			return
		case c.Op == audit.OpDeleted:
			delete(hidden, c.Path)
		default:
			hidden[c.Path] = c.Hidden && m.truth.looksAt(c.Path)
		}
	}
	var all, beneath uint64
	for path, is := range hidden {
		switch {
		case !is:
		case beneathHidden(path, hidden):
			beneath++
		default:
			all++
		}
	}
	if told.Unreadable == nil || *told.Unreadable < all || *told.Unreadable > all+beneath {
		m.violate(ErrHonest, "record %d does not say that %d znodes are unreadable, and perhaps %d below them", told.Seq, all, beneath)
	}
}

// beneathHidden reports whether something above path is hidden.
func beneathHidden(path string, hidden map[string]bool) bool {
	for path != "/" {
		if path = audit.Parent(path); hidden[path] {
			return true
		}
	}
	return false
}
