package recorder

import (
	"context"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
)

// found compares a znode that was read unasked with the mirror.
func (l *look) found(ctx context.Context) error {
	if l.first {
		return l.baseline(ctx)
	}
	l.r.resync.compared++
	if err := l.sameIncarnation(ctx); err != nil {
		return err
	}
	if !l.known {
		l.r.Mirror.Add(l.Path, l.entryOfNode())
		return l.r.bound(ctx)
	}
	if err := l.catchUp(ctx); err != nil {
		return err
	}
	if l.entry, l.known = l.r.Mirror.Get(l.Path); l.known && l.entry.Content == nil && l.entry.Version == l.Node.Stat.Version {
		l.entry.Content = l.describe() // It was not read when a hint told of it.
		l.r.Mirror.Put(l.Path, l.entry)
	}
	if !l.r.place.Unread[l.Path] {
		l.r.partial.Delete(l.Path)
	}
	l.balance()
	return nil
}

// baseline takes over a znode of a first sync as it is. One that is known
// already, since a hint told of it or the first sync was cut short and began
// anew, may have records, which must not end in the middle of its life.
func (l *look) baseline(ctx context.Context) error {
	l.r.resync.begin(l)
	var acl []audit.ACL
	if l.known {
		if err := l.sameIncarnation(ctx); err != nil {
			return err
		}
	}
	entry := l.entryOfNode()
	delete(l.r.place.Orphans, l.Path)
	if !l.known {
		l.r.Mirror.Add(l.Path, entry)
		return l.r.bound(ctx)
	}
	if err := l.missedVersions(ctx, l.Node.Stat.Version, l.Node); err != nil {
		return err
	}
	if acl = l.entry.ACL; entry.ACL == nil && entry.Aversion == l.entry.Aversion {
		entry.ACL, entry.ACLMasked = acl, l.entry.ACLMasked
	}
	entry.Occurrence = l.entry.Occurrence
	l.r.Mirror.Put(l.Path, entry)
	return l.r.bound(ctx)
}

func (l *look) entryOfNode() mirror.Entry {
	stat := l.Node.Stat
	e := mirror.Entry{
		Czxid: stat.Czxid, Version: stat.Version, Cversion: stat.Cversion, Aversion: stat.Aversion,
		EphemeralOwner: stat.EphemeralOwner, Content: l.describe(),
	}
	e.ACL, e.ACLMasked = l.readACL()
	return e
}

// absent buries a known znode that a read did not find.
func (l *look) absent(ctx context.Context) error {
	if err := l.buryBelow(ctx, everything); err != nil || !l.known {
		return err
	}
	return l.buryOne(ctx)
}

// sameIncarnation makes the mirror hold the incarnation of Node, recording
// the death of another and the missed birth of this one. A znode that is part
// of a baseline stays unknown.
func (l *look) sameIncarnation(ctx context.Context) error {
	czxid := l.Node.Stat.Czxid
	later := after(l.entry.Version, l.Node.Stat.Version) || l.r.bornElsewhere(l.Path, czxid)
	switch {
	case l.known && l.entry.Czxid == 0 && czxid != 0 && !later:
		l.entry.Czxid = czxid
		l.r.Mirror.Put(l.Path, l.entry)
	case l.known && l.entry.Czxid != czxid:
		if err := l.bury(ctx, czxid); err != nil {
			return err
		}
	}
	if l.known || l.first || l.olderThanPolicy() {
		return nil
	}
	return l.missedCreate(ctx)
}

// olderThanPolicy reports whether the znode may be unknown because no rule of
// an earlier policy wanted it. Like those of a first sync it is taken over
// without a record of its birth. While its root is read once more that goes for
// what was born since the last mark, too: had it been wanted at its birth, a
// notification of a recursive watch would have told of it.
func (l *look) olderThanPolicy() bool {
	if l.r.rereads(l.Path) && l.r.resync.Reason == "" && l.r.place.Mode.Name != audit.ModeOneShot {
		return true
	}
	return l.r.place.Widened != 0 && l.Node.Stat.Czxid <= l.r.place.Widened
}

// takeOver completes what a hint told of a znode that was not known before.
func (l *look) takeOver() {
	entry, known := l.r.Mirror.Get(l.Path)
	if l.first || !known {
		return // The walk will read it.
	}
	entry.Cversion, entry.Aversion = l.Node.Stat.Cversion, l.Node.Stat.Aversion
	l.r.Mirror.Put(l.Path, entry)
}

// missedCreate records a birth that no hint told of. One from before the gap was
// hidden by an ACL, and its parent's cversion may have counted it already: then
// it ends up in the bracket of when it came into sight, and is not counted
// again (see countsChild).
func (l *look) missedCreate(ctx context.Context) error {
	stat := l.Node.Stat
	e := l.missed(audit.OpCreated, stat.Czxid, 0)
	counted := stat.Czxid > l.horizon() || l.r.owed[audit.Parent(l.Path)] > 0
	if e.ZxidAfter = new(before(stat.Czxid)); counted {
		e.ZxidUntil = new(stat.Czxid)
		l.again(&e, l.r.bornAlready(l.Path, stat.Czxid))
		l.r.owed.explain(l.Path)
	} else {
		e.ZxidUntil = new(max(*e.ZxidUntil, stat.Czxid+1))
	}
	e.Time = audit.AtUnixMilli(stat.Ctime)
	e.Version, e.Aversion = new(int32(0)), new(int32(0))
	e.EphemeralOwner = stat.EphemeralOwner
	e.After = l.newborn()
	if err := l.r.append(ctx, e); err != nil {
		return err
	}
	if l.Hint != "" && l.r.resync.active {
		l.r.partial.Store(l.Path, hinted) // Its children may have been born unseen as well.
	}
	l.hidden = l.hidden || stat.Czxid <= l.horizon()
	l.entry, l.known = l.r.Mirror.Get(l.Path)
	return nil
}

// countsChild reports whether a record moves the count of the parent's
// children: see missedCreate.
func (r *Recorder) countsChild(e audit.Event) bool {
	return e.Op != audit.OpCreated || r.hinted(e) || *e.ZxidUntil == e.Czxid
}

// horizon is the zxid through which nothing was missed that fires a hint.
func (l *look) horizon() audit.Zxid {
	if s := l.r.resync; s.Reason != "" {
		return s.After
	}
	return l.r.place.Mark
}

// bury records that the known incarnation of Path died unseen, and everything
// below it before. successor is the incarnation that was found in its place,
// or zero when that is not known; what lives below is the successor's.
func (l *look) bury(ctx context.Context, successor audit.Zxid) error {
	l.r.unreadable.bury(l.Path)
	err := l.buryBelow(ctx, func(path string, czxid audit.Zxid) bool {
		if successor != 0 && czxid != 0 {
			return czxid < successor
		}
		return !l.r.resync.active || l.r.stale(path, l.first)
	})
	if err != nil {
		return err
	}
	return l.buryOne(ctx)
}

func everything(string, audit.Zxid) bool { return true }

// buryBelow records the deaths of those below Path that are dead.
func (l *look) buryBelow(ctx context.Context, dead func(path string, czxid audit.Zxid) bool) error {
	for _, path := range l.r.Mirror.Below(l.Path) {
		below := l.r.look(audit.Seen{Path: path, Origin: l.Origin, Until: l.Until, At: l.At})
		if !below.known || !dead(path, below.entry.Czxid) {
			continue
		}
		if below.way {
			l.r.Mirror.Delete(path)
			continue
		}
		if err := below.buryOne(ctx); err != nil {
			return err
		}
	}
	return nil
}

// untold reports whether a recursive watch would have told of the death, since
// the znode was seen behind the gap, if there was one: then its ACL has hidden
// it, perhaps since the last sweep. No ACL hides anything from a log.
func (l *look) untold() bool {
	return !l.stale && l.r.place.Mode.Name != audit.ModeOneShot && l.Origin != audit.OriginTxnlog
}

// buryOne records one unseen death. Which version the znode had reached is
// not known, so the record names none; before is what was recorded last.
func (l *look) buryOne(ctx context.Context) error {
	e := l.missed(audit.OpDeleted, l.entry.Czxid, 0)
	if l.untold() {
		e.ZxidAfter = new(min(*e.ZxidAfter, l.lifeAfter(l.compared())))
	}
	e.ZxidUntil = new(max(*e.ZxidUntil, l.Until, l.At)) // Of a znode that died hidden behind a gap nothing tells either.
	e.Cause = audit.CauseUnknown
	e.EphemeralOwner = l.entry.EphemeralOwner
	e.Before = contentOf(l.entry)
	if err := l.r.append(ctx, e); err != nil {
		return err
	}
	l.r.owed.explain(l.Path)
	delete(l.r.owed, l.Path)
	l.entry, l.known = mirror.Entry{}, false
	return nil
}
