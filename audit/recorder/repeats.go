package recorder

import "zkwarden/audit"

// repeats counts the creations of each path within one transaction: nothing else
// creates a znode with the same czxid again.
type repeats struct {
	zxid    audit.Zxid
	created map[string]int
}

// next returns how often zxid has created path before.
func (r *repeats) next(zxid audit.Zxid, path string) int {
	if r.zxid != zxid || r.created == nil {
		r.zxid, r.created = zxid, map[string]int{}
	}
	count := r.created[path]
	r.created[path]++
	return count
}

// occurrence returns the number that a creation got, so that it is known after a
// restart as well.
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
