package guarantee

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"zkwarden/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world makes a random history and the records that a faultless auditor makes
// of it.
type world struct {
	rng     *rand.Rand
	zxid    audit.Zxid
	live    map[string]*Change // The last change of each living path.
	changes []Change
	records []audit.Event
	scope   Scope           // Nil: everything is recorded.
	hidden  map[string]bool // Paths whose ACL refuses the auditor.
}

func newWorld(seed uint64) *world {
	return &world{rng: rand.New(rand.NewPCG(seed, 0)), zxid: 0x100000000, live: map[string]*Change{}}
}

func (w *world) change(op audit.Op, path string) Change {
	c := Change{Zxid: w.zxid, Op: op, Path: path, Ordered: true, Session: audit.SessionID(w.zxid)}
	if n := len(w.changes); n > 0 && w.changes[n-1].Zxid == w.zxid {
		c.Index = w.changes[n-1].Index + 1
	}
	if parent := w.live[audit.Parent(path)]; parent != nil {
		c.Parent = parent.Czxid
	}
	was := w.live[path]
	switch op {
	case audit.OpCreated:
		c.Czxid, c.Data = w.zxid, []byte(fmt.Sprint("new ", w.zxid))
		for i := len(w.changes) - 1; i >= 0 && w.changes[i].Zxid == w.zxid; i-- {
			if w.changes[i].Op == op && w.changes[i].Path == path {
				c.Birth++
			}
		}
	case audit.OpDataChanged:
		c.Czxid, c.Birth, c.Counter, c.Version, c.Data = was.Czxid, was.Birth, was.Version+1, was.Version+1, []byte(fmt.Sprint("set ", w.zxid))
	case audit.OpDeleted:
		c.Czxid, c.Birth, c.Version = was.Czxid, was.Birth, was.Version
	}
	c.Hidden = w.hidden[path]
	if op == audit.OpDeleted {
		delete(w.live, path)
	} else {
		w.live[path] = &c
	}
	w.changes = append(w.changes, c)
	return c
}

// step makes one transaction of up to three changes below /r.
func (w *world) step() []Change {
	w.zxid++
	var made []Change
	for range 1 + w.rng.IntN(3) {
		path := "/r/" + strconv.Itoa(w.rng.IntN(6))
		switch {
		case w.live[path] == nil:
			made = append(made, w.change(audit.OpCreated, path))
		case w.rng.IntN(3) == 0:
			made = append(made, w.change(audit.OpDeleted, path))
		default:
			made = append(made, w.change(audit.OpDataChanged, path))
		}
	}
	return made
}

func (w *world) record(e audit.Event) {
	e.Seq = uint64(len(w.records) + 1)
	if e.ID == "" {
		e.ID = e.SeqID("chain")
	}
	w.records = append(w.records, e)
}

// recordOf is the whole truth about a change.
func recordOf(c Change) audit.Event {
	e := audit.Event{
		Kind: audit.KindChange, Op: c.Op, Path: c.Path, Zxid: c.Zxid, Czxid: c.Czxid,
		Version: new(c.Version), Exact: new(true), Source: audit.OriginWatch,
		ID: audit.Identity{
			Ensemble: "e", Generation: 1, Path: c.Path, Czxid: c.Czxid, Op: c.Op, Counter: int64(c.Counter), Occurrence: c.Birth,
		}.ID(),
	}
	if c.Op != audit.OpDeleted {
		e.After = &audit.Content{Size: new(len(c.Data)), Data: string(c.Data), Encoding: audit.EncodingUTF8}
	}
	return e
}

// watched records steps one by one.
func (w *world) watched(steps int) {
	for range steps {
		for _, c := range w.step() {
			if w.tells(c.Path) {
				w.record(recordOf(c))
			}
		}
	}
}

// tells reports whether notifications of path are recorded.
func (w *world) tells(path string) bool {
	return !w.hidden[path] && (w.scope == nil || w.scope.Wants(path))
}

// missed makes steps behind a gap, of which a resync finds what still lives.
func (w *world) missed(steps int) {
	after := w.zxid
	before := map[string]Change{}
	for path, c := range w.live {
		before[path] = *c
	}
	from := len(w.changes)
	for range steps {
		w.step()
	}
	gap := w.changes[from:]
	lost := map[audit.Zxid]int{}
	for _, c := range gap {
		if c.Op == audit.OpCreated || c.Op == audit.OpDeleted {
			lost[c.Parent]++
		}
	}
	bracketed := func(e audit.Event) audit.Event {
		e.Zxid, e.ZxidAfter, e.ZxidUntil = 0, new(after), new(w.zxid)
		e.Exact, e.Source = new(false), audit.OriginResync
		return e
	}
	w.record(audit.Event{Kind: audit.KindGap, ZxidAfter: new(after), ZxidUntil: new(w.zxid), Reason: audit.GapReconnect})
	find := func(op audit.Op, path string, czxid audit.Zxid) Change {
		i := slices.IndexFunc(gap, func(c Change) bool { return c.Op == op && c.Path == path && c.Czxid == czxid })
		return gap[i]
	}
	explained := func(e audit.Event, parent audit.Zxid) {
		lost[parent]--
		w.record(e)
	}
	for n := range 6 {
		path := "/r/" + strconv.Itoa(n)
		if !w.tells(path) {
			continue
		}
		was, existed := before[path]
		now := w.live[path]
		if existed && (now == nil || now.Czxid != was.Czxid) {
			death := find(audit.OpDeleted, path, was.Czxid)
			e := bracketed(recordOf(death))
			e.Version = nil
			explained(e, death.Parent)
			existed = false
		}
		if now == nil {
			continue
		}
		version := was.Version
		if !existed {
			birth := find(audit.OpCreated, path, now.Czxid)
			explained(bracketed(recordOf(birth)), birth.Parent)
			version = 0
		}
		if now.Version > version {
			e := bracketed(recordOf(*now))
			e.Collapsed = uint64(now.Version - version - 1)
			w.record(e)
		}
	}
	for czxid, n := range lost {
		if n > 0 && (w.scope == nil || w.scope.Whole("/r")) {
			w.record(bracketed(audit.Event{Kind: audit.KindChange, Op: audit.OpChildrenChanged, Path: "/r", Czxid: czxid, Collapsed: uint64(n)}))
		}
	}
	w.record(audit.Event{Kind: audit.KindControl, Control: audit.ControlResync, Zxid: w.zxid})
}

func (w *world) checkpoint() {
	var unreadable uint64
	for path := range w.live {
		if w.hidden[path] {
			unreadable++
		}
	}
	w.record(audit.Event{Kind: audit.KindCheckpoint, Zxid: w.zxid, ACLZxid: w.zxid, Unreadable: &unreadable})
}

// logged records steps as a transaction log tells them.
func (w *world) logged(steps int) {
	w.record(audit.Event{Kind: audit.KindControl, Control: audit.ControlMode, Mode: audit.ModeTxnlog, Zxid: w.zxid})
	for range steps {
		for _, c := range w.step() {
			e := recordOf(c)
			e.Source, e.Index, e.Actor = audit.OriginTxnlog, c.Index, &audit.Actor{Session: c.Session}
			w.record(e)
		}
	}
	w.record(audit.Event{Kind: audit.KindCheckpoint, Zxid: w.zxid, ACLZxid: w.zxid, VerifiedThrough: w.zxid, Unreadable: new(uint64)})
}

func (w *world) truth() Truth {
	return Truth{Ensemble: "e", Generation: 1, Changes: w.changes, Scope: w.scope}
}

// history is a world with everything in it.
func history(seed uint64) *world {
	w := newWorld(seed)
	w.zxid++
	w.record(audit.Event{Kind: audit.KindControl, Control: audit.ControlBaseline, Roots: []string{"/r"}, Zxid: w.zxid - 1})
	w.record(recordOf(w.change(audit.OpCreated, "/r")))
	w.watched(40)
	w.checkpoint()
	w.watched(20)
	w.missed(30)
	w.watched(20)
	w.checkpoint()
	w.watched(20)
	return w
}

// allBut wants every znode but one, so that its parent's children are wanted in
// part.
type allBut string

func (s allBut) Wants(path string) bool { return path != string(s) }
func (s allBut) Leads(path string) bool { return s.Wants(path) }
func (s allBut) Whole(path string) bool { return path != audit.Parent(string(s)) }

// veiledHistory is a history under a policy that leaves out /r/5. The auditor
// may not read /r/3, and /r/4 only at the end, when a sweep finds it.
func veiledHistory(seed uint64) *world {
	w := newWorld(seed)
	w.scope, w.hidden = allBut("/r/5"), map[string]bool{"/r/3": true, "/r/4": true}
	w.zxid++
	w.record(audit.Event{Kind: audit.KindControl, Control: audit.ControlBaseline, Roots: []string{"/r"}, Zxid: w.zxid - 1})
	w.record(recordOf(w.change(audit.OpCreated, "/r")))
	for _, path := range []string{"/r/3", "/r/4", "/r/5"} {
		w.zxid++
		w.change(audit.OpCreated, path)
	}
	w.watched(30)
	w.checkpoint()
	w.missed(20)
	w.watched(20)
	if w.live["/r/3"] == nil {
		w.zxid++
		w.change(audit.OpCreated, "/r/3")
	}
	w.unveil("/r/4")
	w.checkpoint()
	return w
}

// unveil lets a znode be read from now on, and a sweep find it.
func (w *world) unveil(path string) {
	if w.live[path] == nil {
		w.zxid++
		w.change(audit.OpCreated, path)
	}
	for range 3 {
		w.zxid++
		w.change(audit.OpDataChanged, path)
	}
	last := *w.live[path]
	w.checkpoint() // It promises nothing of what is hidden.
	w.zxid++
	delete(w.hidden, path)
	shown := last
	shown.Zxid, shown.Op, shown.Counter, shown.Aversion, shown.Hidden = w.zxid, audit.OpACLChanged, 1, 1, false
	w.changes, w.live[path] = append(w.changes, shown), &shown
	birth := w.changes[slices.IndexFunc(w.changes, func(c Change) bool {
		return c.Op == audit.OpCreated && c.Path == path && c.Czxid == last.Czxid && c.Birth == last.Birth
	})]
	for _, c := range []Change{birth, last, shown} {
		e := recordOf(c)
		e.Zxid, e.ZxidAfter, e.ZxidUntil = 0, new(c.Zxid-1), new(w.zxid)
		e.Exact, e.Source = new(false), audit.OriginSweep
		if c.Op == audit.OpDataChanged {
			e.Collapsed = uint64(c.Version - 1)
		}
		if c.Op == audit.OpACLChanged {
			e.After, e.Aversion = nil, new(c.Aversion)
		}
		w.record(e)
	}
}
