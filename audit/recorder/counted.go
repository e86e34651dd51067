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
	rule, wanted := r.Policy.Match(c.Path)
	entry, known := r.Mirror.Get(c.Path)
	if !wanted || !known || entry.Czxid != c.Czxid {
		return nil
	}
	delete(r.resync.owed, c.Path)
	lost := c.Cversion - entry.Cversion
	if lost <= 0 {
		return nil
	}
	if r.resync.firstSync(c.Path) {
		entry.Cversion = c.Cversion // The baseline has them.
		r.Mirror.Put(c.Path, entry)
		return nil
	}
	l := look{r: r, Seen: audit.Seen{Path: c.Path, At: c.At, Until: c.At}, rule: rule, entry: entry, known: true}
	e := l.missed(audit.OpChildrenChanged, entry.Czxid, int64(c.Cversion))
	e.Collapsed = uint64(lost)
	return r.append(ctx, e)
}
