package guarantee

import (
	"cmp"
	"fmt"
	"slices"
	"sort"

	"zkwarden/audit"
)

// How a change is accounted for.
type account uint8

const (
	open     account = iota
	recorded         // By a record of its own.
	counted          // In the collapsed of another one.
)

// key names the changes of one kind at one path.
type key struct {
	path string
	op   audit.Op
}

// match is the records beside the truth.
type match struct {
	truth   Truth
	records []audit.Event

	index    map[key][]int  // Changes by path and operation, in commit order.
	accounts []account      // By change.
	of       map[uint64]int // The change that a record speaks of, by seq.
	foul     []error

	nameless map[int]uint64 // By change, the seq of the record that speaks of it without knowing the incarnation.

	hidden map[string][]audit.Zxid // When a path's znode refused the auditor, in commit order.
	veiled map[incarnation]bool    // Those that did so at any time.
}

func newMatch(records []audit.Event, truth Truth) *match {
	m := &match{
		truth: truth, records: records, index: map[key][]int{},
		accounts: make([]account, len(truth.Changes)), of: map[uint64]int{},
		nameless: map[int]uint64{}, hidden: map[string][]audit.Zxid{}, veiled: map[incarnation]bool{},
	}
	for i, c := range truth.Changes {
		k := key{c.Path, c.Op}
		m.index[k] = append(m.index[k], i)
		if c.Hidden {
			m.hidden[c.Path] = append(m.hidden[c.Path], c.Zxid)
			m.veiled[c.incarnation()] = true
		}
	}
	m.matchAll()
	return m
}

func (m *match) violate(guarantee error, format string, args ...any) {
	m.foul = append(m.foul, fmt.Errorf("%w: %s", guarantee, fmt.Sprintf(format, args...)))
}

// matchAll lets those records choose first that know most.
func (m *match) matchAll() {
	var changes []audit.Event
	for _, e := range m.records {
		if e.Kind == audit.KindChange && e.Op != audit.OpChildrenChanged {
			changes = append(changes, e)
		}
	}
	slices.SortStableFunc(changes, func(a, b audit.Event) int { return cmp.Compare(vagueness(a), vagueness(b)) })
	for _, e := range changes {
		i, ok := m.find(e)
		if !ok {
			m.violate(ErrCommitted, "%s", describe(e))
			continue
		}
		m.accounts[i] = recorded
		m.of[e.Seq] = i
		delete(m.of, m.nameless[i]) // A balance counts the change once.
		delete(m.nameless, i)
		if e.Czxid == 0 {
			m.nameless[i] = e.Seq
		}
	}
	for _, e := range changes {
		m.collapse(e)
	}
}

func vagueness(e audit.Event) int {
	v := 0
	if e.Zxid == 0 {
		v += 4
	}
	if e.Czxid == 0 {
		v += 2
	}
	if counterOf(e) == nil {
		v++
	}
	return v
}

// counterOf is the counter that a record says was moved.
func counterOf(e audit.Event) *int32 {
	switch e.Op {
	case audit.OpDataChanged:
		return e.Version
	case audit.OpACLChanged:
		return e.Aversion
	}
	return new(int32(0))
}

// find returns the first change, not recorded yet, that e can speak of. Where
// one transaction began several lives of a znode, a record with a zxid names
// its own by its id, and one without speaks of the last: only that has left
// anything to be found.
func (m *match) find(e audit.Event) (found int, ok bool) {
	after, until := bracket(e)
	candidates := m.index[key{e.Path, e.Op}]
	from := sort.Search(len(candidates), func(n int) bool { return m.truth.Changes[candidates[n]].Zxid > after })
	for _, i := range candidates[from:] {
		c := m.truth.Changes[i]
		if c.Zxid > until {
			break
		}
		if m.accounts[i] == recorded {
			continue
		}
		if e.Czxid != 0 && c.Czxid != e.Czxid {
			continue
		}
		if n := counterOf(e); n != nil && *n != c.Counter {
			continue
		}
		if e.Zxid != 0 && e.ID == m.id(c) {
			return i, true
		}
		if ok && (e.Zxid != 0 || c.Czxid != m.truth.Changes[found].Czxid || c.Counter != m.truth.Changes[found].Counter) {
			continue
		}
		found, ok = i, true
	}
	switch {
	case ok || e.Zxid != 0:
		return found, ok
	case e.Op == audit.OpDeleted:
		return m.findHiddenDeath(e, candidates[:from])
	}
	return m.findNameless(e, candidates[from:])
}

// id is what every record has that knows the change's incarnation and counter.
func (m *match) id(c Change) string {
	return audit.Identity{
		Ensemble: m.truth.Ensemble, Generation: m.truth.Generation,
		Path: c.Path, Czxid: c.Czxid, Op: c.Op, Counter: int64(c.Counter), Occurrence: c.Birth,
	}.ID()
}

// findHiddenDeath returns a death before the bracket of e. The dead was hidden
// from the auditor when it died, and no sweep had noticed yet, or what was born
// in its place was hidden, and nobody remembers after a crash: where a gap came
// in between, the death is taken for one in the gap.
func (m *match) findHiddenDeath(e audit.Event, candidates []int) (int, bool) {
	after, _ := bracket(e)
	for _, i := range candidates {
		c := m.truth.Changes[i]
		succeeded := slices.ContainsFunc(m.hidden[c.Path], func(zxid audit.Zxid) bool { return zxid >= c.Zxid && zxid <= after })
		if (c.Hidden || succeeded) && c.Czxid == e.Czxid && m.accounts[i] != recorded {
			return i, true
		}
	}
	return 0, false
}

// findNameless returns a change that a notification told of already, when the
// znode's ACL had hidden which incarnation it was and nothing could be read. What
// a later look finds of that incarnation tells of the change once more.
func (m *match) findNameless(e audit.Event, candidates []int) (int, bool) {
	_, until := bracket(e)
	n := counterOf(e)
	for _, i := range candidates {
		c := m.truth.Changes[i]
		if c.Zxid <= until && e.Czxid != 0 && c.Czxid == e.Czxid && n != nil && *n == c.Counter && m.nameless[i] != 0 && m.veiled[c.incarnation()] {
			return i, true
		}
	}
	return 0, false
}

// collapse marks the changes that e counts beside its own: those of the same
// counter just before it.
func (m *match) collapse(e audit.Event) {
	own, ok := m.of[e.Seq]
	if !ok || e.Collapsed == 0 {
		return
	}
	c := m.truth.Changes[own]
	left := e.Collapsed
	candidates := m.index[key{e.Path, e.Op}]
	at, _ := slices.BinarySearch(candidates, own)
	for _, i := range slices.Backward(candidates[:at]) {
		if left == 0 || m.truth.Changes[i].Czxid != c.Czxid || m.accounts[i] != open {
			break
		}
		m.accounts[i] = counted
		left--
	}
	if left > 0 {
		m.violate(ErrCommitted, "%s counts %d changes too many", describe(e), left)
	}
}

// bracket returns the zxids between which the record's change lies: after the
// first and at or before the second.
func bracket(e audit.Event) (after, until audit.Zxid) {
	switch {
	case e.Zxid != 0:
		return e.Zxid - 1, e.Zxid
	case e.ZxidAfter != nil && e.ZxidUntil != nil:
		return *e.ZxidAfter, *e.ZxidUntil
	}
	return 0, 0
}

func describe(e audit.Event) string {
	after, until := bracket(e)
	place := fmt.Sprintf("after %s until %s", after, until)
	if e.Zxid != 0 {
		place = e.Zxid.String()
	}
	return fmt.Sprintf("record %d: %s %s czxid %s, %s", e.Seq, e.Op, e.Path, e.Czxid, place)
}

func (c Change) String() string {
	return fmt.Sprintf("%s: %s %s czxid %s counter %d", c.Zxid, c.Op, c.Path, c.Czxid, c.Counter)
}
