package recorder

import (
	"context"

	"zkwarden/audit"
)

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
		if err := l.bury(ctx, czxid); err != nil {
			return err
		}
	}
	e := l.event(audit.OpCreated, czxid, 0)
	e.Version, e.Aversion = new(int32(0)), new(int32(0))
	l.place(&e, czxid)
	if l.Node != nil {
		e.Time = audit.AtUnixMilli(l.Node.Stat.Ctime)
		e.EphemeralOwner = l.Node.Stat.EphemeralOwner
		e.After = l.newborn()
	}
	e.Exact = new(e.Zxid != 0 && e.After != nil && e.After.Size != nil)
	if err := l.r.append(ctx, e); err != nil {
		return err
	}
	return l.catchUp(ctx)
}

// newborn is what is known of the state that the creation of Node left, or nil:
// its data if they were never changed, and its ACL likewise.
func (l *look) newborn() *audit.Content {
	var content *audit.Content
	if l.Node.Stat.Version == 0 && l.Behind == 0 {
		content = l.describe()
	}
	if l.Node.Stat.Aversion != 0 {
		return content
	}
	acl, masked := l.readACL()
	return withACL(content, acl, masked)
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
	unheard := !l.known && l.Node != nil
	e := l.event(audit.OpDataChanged, czxid, counter(version))
	e.Version, e.EphemeralOwner = version, owner
	if l.known && (l.Node != nil || version != nil) {
		e.Before, e.Aversion = l.entry.Content, l.aversion()
	}
	if l.current() {
		e.Time = audit.AtUnixMilli(l.Node.Stat.Mtime)
		e.After = l.describe()
		l.place(&e, l.Node.Stat.Mzxid)
	} else {
		l.place(&e, 0)
	}
	e.Exact = new(e.Zxid != 0 && version != nil && e.After != nil)
	if err := l.r.append(ctx, e); err != nil {
		return err
	}
	if unheard {
		l.takeOver()
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

// deleted records a hinted deletion. It outlived everything below it.
func (l *look) deleted(ctx context.Context, stale bool) error {
	cause := l.tell(l.known && !stale)
	if err := l.buryBelow(ctx, everything); err != nil {
		return err
	}
	delete(l.r.owed, l.Path)
	if l.known && stale {
		return l.deletedUnread(ctx, cause)
	}
	e := l.event(audit.OpDeleted, l.entry.Czxid, 0)
	e.Cause = cause
	l.place(&e, 0)
	if l.known {
		e.Version = new(l.entry.Version) // No watch tells whether the ACL was still the one that is known.
		e.EphemeralOwner = l.entry.EphemeralOwner
		e.Before = contentOf(l.entry)
	}
	e.Exact = new(e.Zxid != 0 && l.known && e.ID != "")
	return l.r.append(ctx, e)
}

// deletedUnread records a hinted deletion of a znode that was not read since
// the gap. The known incarnation is dead now, but it may have died in the gap
// already and another one been born there: its death is bracketed from the
// beginning of the gap, and its last version is not known. Where the resync
// reads nothing but what changed, the znode may as well be the one that is
// known; this cannot be told until all of its answers are in.
func (l *look) deletedUnread(ctx context.Context, cause audit.Cause) error {
	e := l.event(audit.OpDeleted, l.entry.Czxid, 0)
	e.Cause = cause
	e.ZxidAfter, e.ZxidUntil = new(l.bracket().After), new(l.Until)
	e.EphemeralOwner = l.entry.EphemeralOwner
	e.Before = contentOf(l.entry)
	return l.r.append(ctx, e)
}
