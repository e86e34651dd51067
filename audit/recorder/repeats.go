package recorder

import "zkwarden/audit"

// repeats counts changes of one identity within the transaction that created
// their znode: the only one that can create it again.
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
	i.Occurrence = 0
	count := r.seen[i]
	r.seen[i]++
	i.Occurrence = count
	return i.ID()
}

// made reports whether a creation in the transaction was given a number.
func (r *repeats) made(zxid audit.Zxid, creation audit.Identity) bool {
	return r.zxid == zxid && r.seen[creation] > 0
}

// occurrence returns the number that tellApart gave a creation, so that it is
// known after a restart as well.
func (r *Recorder) occurrence(e audit.Event) int {
	i := audit.Identity{
		Ensemble: e.Ensemble, Generation: r.place.Generation, Path: e.Path, Czxid: e.Czxid, Op: e.Op,
	}
	if _, until := span(e); until == 0 || until != e.Czxid {
		return 0
	}
	for ; i.Occurrence < maxOccurrence; i.Occurrence++ {
		if i.ID() == e.ID {
			return i.Occurrence
		}
	}
	return 0
}

// maxOccurrence bounds the search.
const maxOccurrence = 256
