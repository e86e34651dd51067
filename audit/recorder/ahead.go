package recorder

import (
	"maps"
	"slices"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
)

// maxAhead bounds the paths of which records beyond the last mark are kept. What
// a log tells of others is compared with the mirror alone.
const maxAhead = 4096

// noteChange keeps what a record of the live source says for as long as a
// transaction log may tell the same: it resumes at the last mark, and the
// answers of a live session reach beyond that.
func (r *Recorder) noteChange(e audit.Event) {
	after, until := span(e)
	if e.Source == audit.OriginTxnlog {
		// One that the log had passed over may be recorded behind later ones.
		if at := (mirror.Operation{Zxid: until, Index: e.Index}); beyond(at, r.place.Log) {
			r.place.Log = at
		}
		return
	}
	r.place.Told, r.place.Read = max(r.place.Told, e.Zxid), max(r.place.Read, until)
	_, there := r.place.Ahead[e.Path]
	if until <= r.place.Mark || !there && len(r.place.Ahead) >= maxAhead {
		return
	}
	if r.place.Ahead == nil {
		r.place.Ahead = map[string][]mirror.Change{}
	}
	c := mirror.Change{Op: e.Op, Czxid: e.Czxid, After: after, Until: until, Count: 1 + e.Collapsed}
	switch e.Op {
	case audit.OpDataChanged:
		c.Counter = e.Version
	case audit.OpACLChanged:
		c.Counter = e.Aversion
	}
	r.place.Ahead[e.Path] = append(r.place.Ahead[e.Path], c)
}

// span returns the zxids between which a change lies: after the first and at or
// before the second.
func span(e audit.Event) (after, until audit.Zxid) {
	if e.Zxid != 0 {
		return e.Zxid - 1, e.Zxid
	}
	return *e.ZxidAfter, *e.ZxidUntil
}

// takeAhead reports whether one of those records tells of the operation, and
// counts it as told, which it is but once. After a crash that includes operations
// that are recorded, as the record may stand in the journal and the count not in
// the mirror's file.
func (o *operation) takeAhead() bool {
	r, t := o.r, o.Txn
	if !beyond(placeOf(t), r.taken) {
		return false
	}
	r.taken = placeOf(t)
	changes := r.place.Ahead[t.Path]
	i := slices.IndexFunc(changes, func(c mirror.Change) bool { return tellsOf(c, t) })
	if i < 0 {
		return false
	}
	if changes[i].Count--; changes[i].Count == 0 {
		r.place.Ahead[t.Path] = slices.Delete(changes, i, i+1)
	}
	return true
}

func tellsOf(c mirror.Change, t audit.Txn) bool {
	switch {
	case c.Op != t.Op, t.Zxid <= c.After, t.Zxid > c.Until:
		return false
	case c.Op == audit.OpCreated:
		return c.Czxid == 0 || c.Czxid == t.Zxid
	case c.Czxid > t.Zxid:
		return false
	case c.Counter == nil:
		return true
	}
	distance := *c.Counter - t.Version // Those that are counted were left just before.
	return distance >= 0 && uint64(distance) < c.Count
}

// bornAhead reports whether the log has yet to tell of a creation that is
// recorded: the mirror has the last one.
func (r *Recorder) bornAhead(path string) bool {
	return slices.ContainsFunc(r.place.Ahead[path], func(c mirror.Change) bool { return c.Op == audit.OpCreated })
}

// bornAlready returns how many creations of path by the transaction czxid are
// recorded behind the last mark. A connection that is lost within the
// notifications of one transaction tells of some of them.
func (r *Recorder) bornAlready(path string, czxid audit.Zxid) (count int) {
	for _, c := range r.place.Ahead[path] {
		if c.Op == audit.OpCreated && c.Czxid == czxid {
			count++
		}
	}
	return count
}

// bornElsewhere reports whether the creations that are recorded of path, without
// a czxid, cannot be that of czxid.
func (r *Recorder) bornElsewhere(path string, czxid audit.Zxid) bool {
	elsewhere := false
	for _, c := range r.place.Ahead[path] {
		if c.Op == audit.OpCreated {
			elsewhere = czxid <= c.After || czxid > c.Until // The last one counts.
		}
	}
	return elsewhere
}

// forgetAhead drops what lies behind the last mark: no log begins there.
func (r *Recorder) forgetAhead() {
	maps.DeleteFunc(r.place.Ahead, func(path string, changes []mirror.Change) bool {
		left := slices.DeleteFunc(changes, func(c mirror.Change) bool { return c.Until <= r.place.Mark })
		r.place.Ahead[path] = left
		return len(left) == 0
	})
}
