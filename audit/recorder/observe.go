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
		return r.append(ctx, audit.Event{Kind: audit.KindControl, Control: audit.ControlMode, Mode: o.Name, Reason: o.Server})
	case audit.Seen:
		rule, wanted := r.Policy.Match(o.Path)
		if !wanted {
			return nil
		}
		look := look{r: r, Seen: o, rule: rule}
		look.entry, look.known = r.Mirror.Get(o.Path)
		return look.judge(ctx)
	}
	return nil
}

// look is one Seen beside what the mirror knew of its path.
type look struct {
	audit.Seen
	r        *Recorder
	rule     policy.Rule
	entry    mirror.Entry
	known    bool
	revealed bool           // Whether the znode is older than the gap: its ACL hid it until now.
	identity audit.Identity // Of the hinted change.
}

func (l *look) judge(ctx context.Context) error {
	l.verifyLate()
	stale := l.r.resync.stale(l.Path)
	if l.Read == audit.Found || l.Hint == audit.OpCreated {
		l.r.resync.confirm(l.Path)
	}
	switch l.Hint {
	case audit.OpCreated:
		return l.created(ctx)
	case audit.OpDataChanged:
		return l.dataChanged(ctx, stale)
	case audit.OpDeleted:
		return l.deleted(ctx, stale)
	}
	switch l.Read {
	case audit.Found:
		return l.found(ctx)
	case audit.Absent:
		return l.absent(ctx)
	case audit.Denied:
		l.r.metrics.unreadable.Inc()
	}
	return nil
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

// created records a hinted creation.
func (l *look) created(ctx context.Context) error {
	czxid := l.exactZxid()
	if l.Node != nil {
		czxid = l.Node.Stat.Czxid
	}
	if l.known {
		if czxid != 0 && czxid == l.entry.Czxid {
			return nil // A server behind the last one tells again what was recorded.
		}
		if err := l.bury(ctx); err != nil {
			return err
		}
	}
	e := l.event(audit.OpCreated, czxid, 0)
	e.Version, e.Aversion = new(int32(0)), new(int32(0))
	l.place(&e, czxid)
	if l.Node != nil {
		e.Time = audit.AtUnixMilli(l.Node.Stat.Ctime)
		e.EphemeralOwner = l.Node.Stat.EphemeralOwner
	}
	if l.current() && l.Node.Stat.Version == 0 {
		e.After = l.r.Policy.Describe(l.rule, l.Node.Data)
	}
	e.Exact = new(e.Zxid != 0 && e.After != nil)
	if err := l.r.append(ctx, e); err != nil {
		return err
	}
	return l.catchUp(ctx)
}

// dataChanged records a hinted change of data, and what was missed before it.
func (l *look) dataChanged(ctx context.Context, stale bool) error {
	var czxid audit.Zxid
	var owner audit.SessionID
	var version *int32
	switch {
	case l.Node != nil:
		czxid, owner = l.Node.Stat.Czxid, l.Node.Stat.EphemeralOwner
		recorded, err := l.missedBefore(ctx, l.Node.Stat.Version-l.Behind)
		if err != nil || recorded {
			return err
		}
		if l.Node.Stat.Version != unversioned {
			version = new(l.Node.Stat.Version - l.Behind)
		}
	case l.known && !stale:
		czxid, owner = l.entry.Czxid, l.entry.EphemeralOwner
		version = new(l.entry.Version + 1)
	}
	e := l.event(audit.OpDataChanged, czxid, counter(version))
	e.Version, e.EphemeralOwner = version, owner
	if l.known && (l.Node != nil || version != nil) {
		e.Before = l.entry.Content
		if l.Node == nil || l.Node.Stat.Aversion == l.entry.Aversion {
			e.Aversion = new(l.entry.Aversion)
		}
	}
	if l.current() {
		e.Time = audit.AtUnixMilli(l.Node.Stat.Mtime)
		e.After = l.r.Policy.Describe(l.rule, l.Node.Data)
		l.place(&e, l.Node.Stat.Mzxid)
	} else {
		l.place(&e, 0)
	}
	e.Exact = new(e.Zxid != 0 && version != nil && e.After != nil)
	if err := l.r.append(ctx, e); err != nil {
		return err
	}
	return l.catchUp(ctx)
}

// missedBefore records what the mirror lacks before the given version of the
// znode that was read. It reports whether that version was recorded already.
func (l *look) missedBefore(ctx context.Context, version int32) (recorded bool, err error) {
	if err := l.sameIncarnation(ctx); err != nil || !l.known {
		return false, err
	}
	if !after(version, l.entry.Version) {
		return !l.reconfigured(), nil
	}
	return false, l.missedVersions(ctx, version-1, nil)
}

// deleted records a hinted deletion.
func (l *look) deleted(ctx context.Context, stale bool) error {
	if err := l.buryBelow(ctx); err != nil {
		return err
	}
	delete(l.r.resync.owed, l.Path)
	if l.known && stale {
		return l.deletedUnread(ctx)
	}
	e := l.event(audit.OpDeleted, l.entry.Czxid, 0)
	e.Cause = audit.CauseUnknown
	l.place(&e, 0)
	if l.known {
		e.Version, e.Aversion = new(l.entry.Version), new(l.entry.Aversion)
		e.EphemeralOwner = l.entry.EphemeralOwner
		e.Before = l.entry.Content
	}
	e.Exact = new(e.Zxid != 0 && l.known)
	return l.r.append(ctx, e)
}

// deletedUnread records a hinted deletion of a znode that was not read since
// the gap. The known incarnation is dead now, but it may have died in the gap
// already and another one been born there: its death is bracketed from the
// beginning of the gap, and its last version is not known.
func (l *look) deletedUnread(ctx context.Context) error {
	e := l.event(audit.OpDeleted, l.entry.Czxid, 0)
	e.Cause = audit.CauseUnknown
	e.ZxidAfter, e.ZxidUntil = new(l.bracket().After), new(l.Until)
	e.EphemeralOwner = l.entry.EphemeralOwner
	e.Before = l.entry.Content
	return l.r.append(ctx, e)
}

// found compares a znode that was read unasked with the mirror.
func (l *look) found(ctx context.Context) error {
	if l.r.resync.firstSync(l.Path) {
		l.r.Mirror.Put(l.Path, l.entryOfNode())
		return l.r.bound(ctx)
	}
	l.r.resync.compared++
	if err := l.sameIncarnation(ctx); err != nil {
		return err
	}
	if err := l.catchUp(ctx); err != nil {
		return err
	}
	entry, _ := l.r.Mirror.Get(l.Path)
	l.r.resync.owe(l.Path, l.Node.Stat.Cversion-entry.Cversion)
	return nil
}

func (l *look) entryOfNode() mirror.Entry {
	stat := l.Node.Stat
	return mirror.Entry{
		Czxid: stat.Czxid, Version: stat.Version, Cversion: stat.Cversion, Aversion: stat.Aversion,
		EphemeralOwner: stat.EphemeralOwner, Content: l.r.Policy.Describe(l.rule, l.Node.Data),
	}
}

// absent buries a known znode that a read did not find.
func (l *look) absent(ctx context.Context) error {
	if !l.known {
		return nil
	}
	if l.r.resync.firstSync(l.Path) {
		for _, path := range append(l.r.Mirror.Below(l.Path), l.Path) {
			l.r.Mirror.Delete(path)
		}
		return nil
	}
	return l.bury(ctx)
}

// current reports whether Node is the very state that the hinted change left.
func (l *look) current() bool { return l.Node != nil && l.Behind == 0 }

func (l *look) exactZxid() audit.Zxid {
	if l.After == l.Until {
		return l.Until
	}
	return 0
}

// place sets the zxid of a hinted change: the notification's, else the one
// that the znode's Stat shows, else the bracket.
func (l *look) place(e *audit.Event, fromStat audit.Zxid) {
	switch exact := l.exactZxid(); {
	case exact != 0:
		e.Zxid = exact
	case fromStat != 0 && !l.Late:
		e.Zxid = fromStat
	case l.Until == l.After+1:
		e.Zxid = l.Until
	default:
		e.ZxidAfter, e.ZxidUntil = new(l.After), new(l.Until)
	}
	if e.Zxid != 0 && e.ID != "" {
		e.ID = l.r.repeats.tellApart(e.Zxid, l.identity)
	}
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
