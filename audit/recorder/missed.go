package recorder

import (
	"context"

	"zkwarden/audit"
)

// missed begins a record of a change that no hint told of.
func (l *look) missed(op audit.Op, czxid audit.Zxid, counter int64) audit.Event {
	e := l.event(op, czxid, counter)
	if e.Source == "" || l.r.hinted(e) {
		e.Source = audit.OriginResync
	}
	bracket := l.bracket()
	e.ZxidAfter, e.ZxidUntil = new(bracket.After), new(bracket.Until)
	return e
}

// bracket is where a missed change lies: in the gap; where there was none,
// behind the last comparison, or the last mark if hints should have told of
// it; and in the life of the znode. Of a znode that could not be read nothing
// was told.
func (l *look) bracket() audit.Gap {
	g := audit.Gap{After: l.r.place.Mark, Until: max(l.Until, l.At)}
	switch {
	case l.r.resync.Reason != "":
		g = l.r.resync.Gap
		if l.Hint == "" {
			g.Until = max(g.Until, l.Until) // What a source without recursive watches has read.
		}
	case l.Origin == audit.OriginSweep:
		g.After = l.compared()
	}
	if l.hidden || l.revealed() {
		g.After = min(g.After, l.compared())
	}
	g.After = l.lifeAfter(g.After)
	// A change that the last mark should have covered was hidden before it.
	g.Until = max(g.Until, g.After+1)
	return g
}

// revealed reports whether the ACL that Node has is another one than before,
// which may have hidden the znode in between.
func (l *look) revealed() bool {
	return l.known && l.Node != nil && l.Node.Stat.Czxid == l.entry.Czxid && l.Node.Stat.Aversion != l.entry.Aversion
}

// compared is the zxid behind which everything differs from the mirror that is
// found to: the beginning of the last sweep, if it could read the znode.
func (l *look) compared() audit.Zxid {
	if l.hidden || !l.r.swept || l.r.unreadable.overflow {
		return 0
	}
	return l.r.place.ACL
}

// lifeAfter is after, or the zxid before the known incarnation's first one.
func (l *look) lifeAfter(after audit.Zxid) audit.Zxid {
	if !l.known {
		return after
	}
	return max(after, before(l.entry.Czxid))
}

func before(zxid audit.Zxid) audit.Zxid {
	if zxid == 0 {
		return 0
	}
	return zxid - 1
}

// after reports whether counter a was reached after b. Counters are 32 bits
// and wrap around: at a thousand changes a second in 25 days.
func after(a, b int32) bool { return a-b > 0 }

// narrow shrinks the bracket of e to the zxid that a Stat shows, where that
// lies inside of it. It stays a bracket: the record stands where the change
// was found, not in commit order.
func narrow(e *audit.Event, zxid audit.Zxid) {
	if zxid > *e.ZxidAfter && zxid <= *e.ZxidUntil {
		e.ZxidAfter, e.ZxidUntil = new(zxid-1), new(zxid)
	}
}

// catchUp records the versions of data and ACL that Node shows beyond what is
// recorded. Node says nothing about data when changes of it are yet to come.
func (l *look) catchUp(ctx context.Context) error {
	if l.Node == nil {
		return nil
	}
	if l.entry, l.known = l.r.Mirror.Get(l.Path); !l.known {
		return nil
	}
	if l.Behind == 0 && after(l.Node.Stat.Version, l.entry.Version) {
		if err := l.missedVersions(ctx, l.Node.Stat.Version, l.Node); err != nil {
			return err
		}
	}
	if l.Behind == 0 && l.reconfigured() {
		if err := l.missedUnversioned(ctx); err != nil {
			return err
		}
	}
	if l.first {
		return nil // The baseline has the ACL, and the mirror not yet.
	}
	return l.aclChanged(ctx)
}

// aversion is the known one where the read shows that it still holds, and has
// held all the while: changes of ACLs are not notified.
func (l *look) aversion() *int32 {
	if l.Node == nil || l.Node.Stat.Czxid != l.entry.Czxid || l.Node.Stat.Aversion != l.entry.Aversion {
		return nil
	}
	return new(l.entry.Aversion)
}

// missedVersions records the data versions behind the mirror's up to last,
// which node shows where it is given.
func (l *look) missedVersions(ctx context.Context, last int32, node *audit.Znode) error {
	missed := last - l.entry.Version
	if missed <= 0 {
		return nil
	}
	records := missed
	if missed > maxSeparate {
		records = 1
	}
	// Versions wrap around, so it is their distance that ends the loop.
	for left := records - 1; left >= 0; left-- {
		version := last - left
		e := l.missed(audit.OpDataChanged, l.entry.Czxid, int64(version))
		e.Version, e.Aversion = new(version), l.aversion()
		e.EphemeralOwner = l.entry.EphemeralOwner
		if left == records-1 {
			e.Before = l.entry.Content
			e.Collapsed = uint64(missed - records)
		}
		if left == 0 && node != nil {
			e.After = l.describe()
			e.Time = audit.AtUnixMilli(node.Stat.Mtime)
			narrow(&e, node.Stat.Mzxid)
		}
		if err := l.r.append(ctx, e); err != nil {
			return err
		}
	}
	l.entry, l.known = l.r.Mirror.Get(l.Path)
	return nil
}

// reconfigured reports whether Node shows data that its version does not tell
// of. A reconfig replaces those of /zookeeper/config and leaves the version at
// -1 (PrepRequestProcessor.java); they name the zxid, so they never repeat.
func (l *look) reconfigured() bool {
	if l.Node.Stat.Version != unversioned || l.entry.Version != unversioned {
		return false
	}
	if known := l.entry.Content; known != nil && known.Digest == "" {
		return l.Node.Stat.Mzxid > l.bracket().After // The key behind the known digest is gone.
	}
	return l.entry.Content == nil || l.entry.Content.Digest != l.describe().Digest
}

// missedUnversioned records one change for all that may have been missed:
// nothing counts them.
func (l *look) missedUnversioned(ctx context.Context) error {
	stat := l.Node.Stat
	e := l.missed(audit.OpDataChanged, stat.Czxid, unknownCounter)
	narrow(&e, stat.Mzxid)
	e.Time = audit.AtUnixMilli(stat.Mtime)
	e.Aversion = l.aversion()
	e.Before, e.After = l.entry.Content, l.describe()
	return l.r.append(ctx, e)
}
