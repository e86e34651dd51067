package recorder

import (
	"context"
	"math"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
)

func (r *Recorder) observe(ctx context.Context, o audit.Observation) error {
	switch o := o.(type) {
	case audit.Gap:
		return r.gap(ctx, o)
	case audit.Counted:
		return r.counted(ctx, o)
	case audit.Mark:
		return r.mark(ctx, o)
	case audit.Mode:
		return r.mode(ctx, o)
	case audit.Txn:
		return r.operated(ctx, o)
	case audit.Seen:
		if o.Hint != "" && o.Until <= r.place.Log.Zxid {
			return nil // The transaction log told of it, and of everything before it.
		}
		if o.Read == audit.Found {
			r.place.Read = max(r.place.Read, o.At)
		}
		if o.Hint == "" {
			delete(r.awaited, o.Path)
		}
		switch l := r.look(o); {
		case l.wanted:
			return l.judge(ctx)
		case l.way:
			return l.pass(ctx)
		}
	}
	return nil
}

// look is one Seen beside what the mirror knew of its path.
type look struct {
	audit.Seen
	r        *Recorder
	rule     policy.Rule
	wanted   bool
	way      bool // Whether it is not wanted, but leads to znodes that are.
	entry    mirror.Entry
	known    bool
	first    bool           // Whether the first sync of its root is not complete.
	hidden   bool           // Whether the znode could not be read before: its changes fired no hints.
	stale    bool           // Whether what is known of it may be outdated: it was not read since the gap.
	identity audit.Identity // Of the hinted change.
}

func (r *Recorder) look(seen audit.Seen) look {
	l := look{r: r, Seen: seen}
	if l.rule, l.wanted = r.Policy.Match(seen.Path); !l.wanted {
		l.way = r.Policy.Leads(seen.Path)
	}
	if l.wanted && l.Node != nil && l.Node.Bare {
		l.Node, l.Read = nil, audit.NotRead // It was asked for as a way, under another policy.
	}
	if l.wanted || l.way {
		l.entry, l.known = r.Mirror.Get(seen.Path)
		l.first = r.firstSync(seen.Path)
		l.hidden = r.unreadable.has(seen.Path)
		l.stale = r.stale(seen.Path, l.first)
	}
	return l
}

func (l *look) judge(ctx context.Context) error {
	l.verifyLate()
	l.sight()
	if l.Read == audit.Found || l.Hint == audit.OpCreated {
		l.r.confirm(l.Path, l.first)
	}
	switch l.Hint {
	case audit.OpCreated:
		l.tell(false)
		return l.created(ctx)
	case audit.OpDataChanged:
		l.tell(false)
		return l.dataChanged(ctx)
	case audit.OpDeleted:
		return l.deleted(ctx)
	}
	switch l.Read {
	case audit.Found:
		return l.found(ctx)
	case audit.Absent:
		return l.absent(ctx)
	}
	return nil
}

// tell notes the hint in its transaction, and returns the cause of a deletion.
func (l *look) tell(certain bool) audit.Cause {
	return l.r.last.tell(l.exactZxid(), l.Hint, l.entry.EphemeralOwner, certain)
}

// verifyLate drops an answer of a later connection, unless the counters show
// that nothing happened to the znode in between.
func (l *look) verifyLate() {
	if !l.Late || l.Node == nil {
		return
	}
	stat := l.Node.Stat
	version := stat.Version - l.Behind
	fits := false
	switch l.Hint {
	case audit.OpCreated:
		exact := l.exactZxid()
		fits = version == 0 && (exact == 0 || exact == stat.Czxid)
	case audit.OpDataChanged:
		fits = l.known && stat.Czxid == l.entry.Czxid && version == l.entry.Version+1
	}
	if !fits {
		l.Node, l.Read = nil, audit.NotRead
	}
}

// current reports whether Node is the very state that the hinted change left.
func (l *look) current() bool { return l.Node != nil && l.Behind == 0 }

// exactZxid is the zxid of the hinted change, or zero where it is not certain.
func (l *look) exactZxid() audit.Zxid {
	if l.After == l.Until || l.Until == l.After+1 {
		return l.Until
	}
	return 0
}

// describe is what the policy allows of the data that were read.
func (l *look) describe() *audit.Content { return l.r.Policy.Describe(l.rule, l.Node.Data) }

// place sets the zxid of a hinted change: the notification's, else the one
// that the znode's Stat shows, else the bracket.
func (l *look) place(e *audit.Event, fromStat audit.Zxid) {
	switch exact := l.exactZxid(); {
	case exact != 0 && exact <= l.r.place.Told && l.Origin == audit.OriginTxnlog:
		e.ZxidAfter, e.ZxidUntil = new(before(exact)), new(exact) // Its place in the order of commits is gone.
	case exact != 0:
		e.Zxid = exact
	case fromStat != 0 && !l.Late:
		e.Zxid = fromStat
	default:
		e.ZxidAfter, e.ZxidUntil = new(l.After), new(l.Until)
	}
	if e.Op == audit.OpCreated && e.ID != "" && (e.Zxid != 0 || l.Origin == audit.OriginTxnlog) {
		l.again(e, l.r.repeats.next(e.Czxid, l.Path))
	}
}

// again gives the record of a creation the id of one that its transaction has
// made so many of before.
func (l *look) again(e *audit.Event, before int) {
	l.identity.Occurrence = before
	e.ID = l.identity.ID()
}

// event begins a change record. Where incarnation or counter is unknown the
// journal gives records without incarnation or counter an id of their own.
func (l *look) event(op audit.Op, czxid audit.Zxid, counter int64) audit.Event {
	e := audit.Event{
		Kind: audit.KindChange, Source: l.Origin, Rule: l.rule.Name,
		Op: op, Path: l.Path, Czxid: czxid, Exact: new(false),
	}
	l.identity = audit.Identity{
		Ensemble: l.r.Ensemble, Generation: l.r.place.Generation,
		Path: l.Path, Czxid: czxid, Op: op, Counter: counter,
	}
	if l.known && czxid == l.entry.Czxid {
		l.identity.Occurrence = l.entry.Occurrence
	}
	if counter != unknownCounter && (czxid != 0 || bornWithTree(l.Path)) {
		e.ID = l.identity.ID()
	}
	return e
}

// bornWithTree reports whether a server makes the znode before its first
// transaction (DataTree.java). Its czxid is known to be zero.
func bornWithTree(path string) bool {
	switch path {
	case "/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config":
		return true
	}
	return false
}

const (
	// unversioned is the version of /zookeeper/config, whatever becomes of it.
	unversioned int32 = -1
	// unknownCounter is no value that a 32-bit counter has.
	unknownCounter int64 = math.MinInt64
)

func counter(version *int32) int64 {
	if version == nil {
		return unknownCounter
	}
	return int64(*version)
}
