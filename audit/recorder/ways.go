package recorder

import (
	"context"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
)

// pass keeps a way: a znode that no rule wants, but that leads to some that are
// wanted. Nothing of it is recorded. It is kept so that a resync and the sweep
// ask for it, since what is born below it in a gap shows nowhere else. No record
// tells of ways, so those since the last commit are lost in a crash; the resync
// behind it finds them again.
func (l *look) pass(ctx context.Context) error {
	l.sight()
	if l.first && l.Hint == "" {
		l.r.resync.begin(l)
	}
	switch {
	case l.Hint == audit.OpDeleted, l.Hint == "" && l.Read == audit.Absent:
		if err := l.buryBelow(ctx, everything); err != nil {
			return err
		}
		if l.known {
			l.r.Mirror.Delete(l.Path)
		}
		return nil
	case l.Read != audit.Found:
		return nil
	}
	stat := l.Node.Stat
	if l.known && l.entry.Czxid != stat.Czxid {
		err := l.buryBelow(ctx, func(_ string, czxid audit.Zxid) bool { return czxid != 0 && czxid < stat.Czxid })
		if err != nil {
			return err
		}
	}
	l.r.Mirror.Put(l.Path, mirror.Entry{
		Way: true, Czxid: stat.Czxid, EphemeralOwner: stat.EphemeralOwner,
		Version: stat.Version, Cversion: stat.Cversion, Aversion: stat.Aversion,
	})
	return l.r.bound(ctx)
}
