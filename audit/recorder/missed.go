package recorder

import (
	"context"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
)

// missed begins a record of a change that no hint told of. It is bracketed by
// the gap, or by the last mark where there was none.
func (l *look) missed(op audit.Op, czxid audit.Zxid, counter int64) audit.Event {
	e := l.event(op, czxid, counter)
	if e.Source == "" || e.Source == audit.OriginWatch {
		e.Source = audit.OriginResync
	}
	bracket := l.bracket()
	e.ZxidAfter, e.ZxidUntil = new(bracket.After), new(bracket.Until)
	return e
}

func (l *look) bracket() audit.Gap {
	g := audit.Gap{After: l.r.place.Mark, Until: max(l.Until, l.At)}
	if s := l.r.resync; s.Reason != "" {
		g = s.Gap
	}
	if l.revealed {
		g.After = min(g.After, l.Node.Stat.Czxid-1)
	}
	return g
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

// sameIncarnation makes the mirror hold the incarnation of Node, recording
// the death of another and the missed birth of this one. During the first
// sync of a root an unknown znode stays unknown.
func (l *look) sameIncarnation(ctx context.Context) error {
	czxid := l.Node.Stat.Czxid
	switch {
	case l.known && l.entry.Czxid == 0:
		l.entry.Czxid = czxid
		l.r.Mirror.Put(l.Path, l.entry)
	case l.known && l.entry.Czxid != czxid:
		if err := l.bury(ctx); err != nil {
			return err
		}
	}
	if l.known || l.r.resync.firstSync(l.Path) {
		return nil
	}
	l.revealed = czxid != 0 && czxid <= l.bracket().After
	return l.missedCreate(ctx)
}

func (l *look) missedCreate(ctx context.Context) error {
	stat := l.Node.Stat
	e := l.missed(audit.OpCreated, stat.Czxid, 0)
	narrow(&e, stat.Czxid)
	e.Time = audit.AtUnixMilli(stat.Ctime)
	e.Version, e.Aversion = new(int32(0)), new(int32(0))
	e.EphemeralOwner = stat.EphemeralOwner
	if stat.Version == 0 {
		e.After = l.r.Policy.Describe(l.rule, l.Node.Data)
	}
	if err := l.r.append(ctx, e); err != nil {
		return err
	}
	l.r.resync.explain(l.Path)
	l.entry, l.known = l.r.Mirror.Get(l.Path)
	return nil
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
	stat := l.Node.Stat
	if l.Behind == 0 && after(stat.Version, l.entry.Version) {
		if err := l.missedVersions(ctx, stat.Version, l.Node); err != nil {
			return err
		}
	}
	if l.Behind == 0 && l.reconfigured() {
		if err := l.missedUnversioned(ctx); err != nil {
			return err
		}
	}
	if !after(stat.Aversion, l.entry.Aversion) || l.r.resync.firstSync(l.Path) {
		return nil // Recorded already, or a part of the baseline.
	}
	e := l.missed(audit.OpACLChanged, stat.Czxid, int64(stat.Aversion))
	// No watch and no timestamp tells of an ACL change: it happened at some
	// time in the znode's life.
	e.ZxidAfter, e.ZxidUntil = new(stat.Czxid), new(max(l.At, l.Until))
	e.Version, e.Aversion = new(stat.Version-l.Behind), new(stat.Aversion)
	e.EphemeralOwner = stat.EphemeralOwner
	if steps := stat.Aversion - l.entry.Aversion; steps > 1 {
		e.Collapsed = uint64(steps - 1)
	}
	return l.r.append(ctx, e)
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
		e.Version, e.Aversion = new(version), new(l.entry.Aversion)
		e.EphemeralOwner = l.entry.EphemeralOwner
		if left == records-1 {
			e.Before = l.entry.Content
			e.Collapsed = uint64(missed - records)
		}
		if left == 0 && node != nil {
			e.After = l.r.Policy.Describe(l.rule, node.Data)
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
	return l.entry.Content == nil || l.entry.Content.Digest != l.r.Policy.Describe(l.rule, l.Node.Data).Digest
}

// missedUnversioned records one change for all that may have been missed:
// nothing counts them.
func (l *look) missedUnversioned(ctx context.Context) error {
	stat := l.Node.Stat
	e := l.missed(audit.OpDataChanged, stat.Czxid, unknownCounter)
	narrow(&e, stat.Mzxid)
	e.Time = audit.AtUnixMilli(stat.Mtime)
	e.Aversion = new(l.entry.Aversion)
	e.Before, e.After = l.entry.Content, l.r.Policy.Describe(l.rule, l.Node.Data)
	return l.r.append(ctx, e)
}

// bury records that the known incarnation of Path died unseen, and everything
// below it before.
func (l *look) bury(ctx context.Context) error {
	if err := l.buryBelow(ctx); err != nil {
		return err
	}
	return l.buryOne(ctx)
}

// buryBelow passes over what was seen since the gap: hints of it came before
// the walk found that Path is another incarnation now, and it lives below that.
func (l *look) buryBelow(ctx context.Context) error {
	for _, path := range l.r.Mirror.Below(l.Path) {
		if l.r.resync.active && !l.r.resync.stale(path) {
			continue
		}
		rule, wanted := l.r.Policy.Match(path)
		entry, known := l.r.Mirror.Get(path)
		if !wanted || !known {
			continue
		}
		below := look{r: l.r, Seen: audit.Seen{Path: path, Origin: l.Origin, Until: l.Until, At: l.At}, rule: rule, entry: entry, known: true}
		if err := below.buryOne(ctx); err != nil {
			return err
		}
	}
	return nil
}

// buryOne records one unseen death. Which version the znode had reached is
// not known, so the record names none; before is what was recorded last.
func (l *look) buryOne(ctx context.Context) error {
	e := l.missed(audit.OpDeleted, l.entry.Czxid, 0)
	e.Cause = audit.CauseUnknown
	e.EphemeralOwner = l.entry.EphemeralOwner
	e.Before = l.entry.Content
	if err := l.r.append(ctx, e); err != nil {
		return err
	}
	l.r.resync.explain(l.Path)
	delete(l.r.resync.owed, l.Path)
	l.entry, l.known = mirror.Entry{}, false
	return nil
}
