package recorder

import "zkwarden/audit"

// repeats counts changes of one identity within one transaction.
type repeats struct {
	zxid audit.Zxid
	seen map[audit.Identity]int
}

// tellApart returns the id of a change that zxid made.
func (r *repeats) tellApart(zxid audit.Zxid, i audit.Identity) string {
	if r.zxid != zxid {
		r.zxid, r.seen = zxid, nil
	}
	if r.seen == nil {
		r.seen = map[audit.Identity]int{}
	}
	i.Occurrence = r.seen[i]
	r.seen[audit.Identity{
		Ensemble: i.Ensemble, Generation: i.Generation, Path: i.Path,
		Czxid: i.Czxid, Op: i.Op, Counter: i.Counter,
	}]++
	return i.ID()
}
