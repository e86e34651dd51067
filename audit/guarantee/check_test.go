package guarantee

import (
	"errors"
	"slices"
	"testing"

	"zkwarden/audit"
)

func TestFaultlessHistoriesPass(t *testing.T) {
	for seed := range uint64(200) {
		w := history(seed)
		for _, err := range Check(w.records, w.truth()) {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// pick returns the index of the last record that fits.
func pick(records []audit.Event, ok func(audit.Event) bool) int {
	for i, e := range slices.Backward(records) {
		if ok(e) {
			return i
		}
	}
	panic("the history has no such record")
}

func watchedSet(e audit.Event) bool   { return e.Op == audit.OpDataChanged && e.Zxid != 0 }
func watchedDeath(e audit.Event) bool { return e.Op == audit.OpDeleted && e.Zxid != 0 }
func missedBirth(e audit.Event) bool  { return e.Op == audit.OpCreated && e.Zxid == 0 }

// Each guarantee is seen broken by mutations of a faultless journal.
func TestMutationsAreCaught(t *testing.T) {
	for name, test := range map[string]struct {
		want   error
		mutate func([]audit.Event) []audit.Event
	}{
		"a record is missing": {ErrAccounted, func(r []audit.Event) []audit.Event {
			i := pick(r, watchedSet)
			return slices.Delete(r, i, i+1)
		}},
		"a death is missing": {ErrAccounted, func(r []audit.Event) []audit.Event {
			i := pick(r, watchedDeath)
			return slices.Delete(r, i, i+1)
		}},
		"a gap is not declared": {ErrAccounted, func(r []audit.Event) []audit.Event {
			i := pick(r, func(e audit.Event) bool { return e.Kind == audit.KindGap })
			return slices.Delete(r, i, i+1)
		}},
		"a gap begins too late": {ErrAccounted, func(r []audit.Event) []audit.Event {
			i := pick(r, func(e audit.Event) bool { return e.Kind == audit.KindGap })
			r[i].ZxidAfter = new(*r[i].ZxidUntil - 1)
			return r
		}},
		"children are not counted": {ErrAccounted, func(r []audit.Event) []audit.Event {
			i := pick(r, func(e audit.Event) bool { return e.Op == audit.OpChildrenChanged })
			return slices.Delete(r, i, i+1)
		}},
		"children are counted twice": {ErrAccounted, func(r []audit.Event) []audit.Event {
			i := pick(r, func(e audit.Event) bool { return e.Op == audit.OpChildrenChanged })
			r[i].Collapsed *= 2
			return r
		}},
		"versions are counted twice": {ErrCommitted, func(r []audit.Event) []audit.Event {
			r[pick(r, watchedSet)].Collapsed = 100
			return r
		}},
		"two records change places": {ErrOrdered, func(r []audit.Event) []audit.Event {
			i := pick(r, watchedSet)
			j := pick(r, func(e audit.Event) bool { return e.Zxid != 0 && e.Zxid < r[i].Zxid && e.Kind == audit.KindChange })
			r[i], r[j] = r[j], r[i]
			return r
		}},
		"operations of one transaction change places": {ErrOrdered, func(r []audit.Event) []audit.Event {
			i := pick(r, func(e audit.Event) bool {
				return e.Seq > 1 && e.Kind == audit.KindChange && r[e.Seq-2].Zxid == e.Zxid && e.Zxid != 0 && r[e.Seq-2].Path != e.Path
			})
			r[i], r[i-1] = r[i-1], r[i]
			return r
		}},
		"a record stands twice": {ErrUnique, func(r []audit.Event) []audit.Event {
			i := pick(r, watchedSet)
			return slices.Insert(r, i, r[i])
		}},
		"an id is another one": {ErrUnique, func(r []audit.Event) []audit.Event {
			r[pick(r, watchedSet)].ID = "0123456789abcdef0123456789abcdef"
			return r
		}},
		"a phantom is recorded": {ErrCommitted, func(r []audit.Event) []audit.Event {
			e := r[pick(r, watchedSet)]
			e.Path, e.ID = "/r/phantom", "phantom"
			return append(r, e)
		}},
		"a change has another zxid": {ErrCommitted, func(r []audit.Event) []audit.Event {
			r[pick(r, watchedDeath)].Zxid++
			return r
		}},
		"a bracket does not hold the change": {ErrCommitted, func(r []audit.Event) []audit.Event {
			i := pick(r, missedBirth)
			r[i].ZxidUntil = new(r[i].Czxid - 1)
			return r
		}},
		"content of another version": {ErrHonest, func(r []audit.Event) []audit.Event {
			r[pick(r, watchedSet)].After.Data = "something else"
			return r
		}},
		"a bracket that says it is exact": {ErrHonest, func(r []audit.Event) []audit.Event {
			r[pick(r, missedBirth)].Exact = new(true)
			return r
		}},
		"no content that says it is exact": {ErrHonest, func(r []audit.Event) []audit.Event {
			r[pick(r, watchedSet)].After = nil
			return r
		}},
		"an ACL alone that says it is exact": {ErrHonest, func(r []audit.Event) []audit.Event {
			r[pick(r, watchedSet)].After = &audit.Content{ACL: []audit.ACL{{Perms: "r", Scheme: "world", ID: "anyone"}}}
			return r
		}},
		"the last version of the dead": {ErrHonest, func(r []audit.Event) []audit.Event {
			*r[pick(r, watchedDeath)].Version += 7
			return r
		}},
		"a checkpoint that promises too much": {ErrProgress, func(r []audit.Event) []audit.Event {
			i := pick(r, func(e audit.Event) bool { return e.Kind == audit.KindCheckpoint })
			r[i].Zxid += 3
			return r
		}},
		"a checkpoint that takes back": {ErrProgress, func(r []audit.Event) []audit.Event {
			i := pick(r, func(e audit.Event) bool { return e.Kind == audit.KindCheckpoint })
			r[i].Zxid = 1
			return r
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				w := history(seed)
				foul := Check(test.mutate(slices.Clone(w.records)), w.truth())
				if !slices.ContainsFunc(foul, func(err error) bool { return errors.Is(err, test.want) }) {
					t.Errorf("seed %d: not caught; found %v", seed, foul)
				}
			}
		})
	}
}

func TestUninterruptedWatchCountsNothing(t *testing.T) {
	w := newWorld(1)
	w.record(recordOf(w.change(audit.OpCreated, "/r")))
	w.zxid++
	w.record(recordOf(w.change(audit.OpCreated, "/r/hot")))
	for range 3 {
		w.zxid++
		w.change(audit.OpDataChanged, "/r/hot")
	}
	e := recordOf(w.changes[len(w.changes)-1])
	e.Zxid, e.ZxidAfter, e.ZxidUntil, e.Exact, e.Collapsed = 0, new(w.zxid-3), new(w.zxid), new(false), 2
	w.record(e)
	truth := w.truth()
	foul := Check(w.records, truth)
	if len(foul) != 2 || !errors.Is(foul[0], ErrAccounted) {
		t.Errorf("found %v, want two changes that have no record of their own", foul)
	}
	truth.OneShot = true
	if foul := Check(w.records, truth); len(foul) != 0 {
		t.Errorf("one-shot watches count, and yet: %v", foul)
	}
}

func TestResumable(t *testing.T) {
	journal := []string{"a", "b", "c"}
	if foul := Resumable([]string{"a", "b"}, journal); len(foul) != 0 {
		t.Error(foul)
	}
	for _, seen := range []string{"x", "B"} {
		if foul := Resumable([]string{"a", seen}, journal); len(foul) != 1 || !errors.Is(foul[0], ErrResumable) {
			t.Errorf("%q: %v", seen, foul)
		}
	}
}
