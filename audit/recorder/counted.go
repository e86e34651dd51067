package recorder

import (
	"context"

	"zkwarden/audit"
)

// counted closes the books of a znode whose children were all seen that can
// still be named: what its counter shows beyond the records are changes of
// children that are lost. One that was recorded since makes up for a lost one
// here, and the next count for that.
func (r *Recorder) counted(ctx context.Context, c audit.Counted) error {
	origin := audit.OriginWatch
	if r.resync.active {
		origin = audit.OriginResync
	}
	l := r.look(audit.Seen{Path: c.Path, Origin: origin, At: c.At, Until: c.At})
	if !l.wanted || !l.known || l.entry.Czxid != c.Czxid {
		return nil
	}
	delete(r.owed, c.Path)
	lost := c.Cversion - l.entry.Cversion
	if lost <= 0 {
		return nil
	}
	if l.first {
		l.entry.Cversion = c.Cversion // The baseline has them.
		r.Mirror.Put(c.Path, l.entry)
		return nil
	}
	return l.settle(ctx, lost)
}
