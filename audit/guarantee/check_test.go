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

func TestVeiledHistoriesPass(t *testing.T) {
	for seed := range uint64(200) {
		w := veiledHistory(seed)
		for _, err := range Check(w.records, w.truth()) {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// What a policy leaves out and what an ACL hides excuse what they have to, and
// no more.
func TestMutationsOfVeiledHistoriesAreCaught(t *testing.T) {
	swept := func(op audit.Op) func(audit.Event) bool {
		return func(e audit.Event) bool { return e.Source == audit.OriginSweep && e.Op == op }
	}
	checkpoint := func(r []audit.Event) int {
		return pick(r, func(e audit.Event) bool { return e.Kind == audit.KindCheckpoint })
	}
	same := func(r []audit.Event) []audit.Event { return r }
	nothing := func(*Truth) {}
	for name, test := range map[string]struct {
		want    error
		mutate  func([]audit.Event) []audit.Event
		falsify func(*Truth)
	}{
		"a znode that is left out has a record": {ErrRedacted, func(r []audit.Event) []audit.Event {
			e := r[pick(r, watchedSet)]
			e.Path = "/r/5"
			return append(r, e)
		}, nothing},
		"what came into sight is not found": {ErrAccounted, func(r []audit.Event) []audit.Event {
			return slices.DeleteFunc(r, func(e audit.Event) bool { return e.Source == audit.OriginSweep })
		}, nothing},
		"versions from before it did are not counted": {ErrAccounted, func(r []audit.Event) []audit.Event {
			r[pick(r, swept(audit.OpDataChanged))].Collapsed--
			return r
		}, nothing},
		"fewer are called unreadable": {ErrHonest, func(r []audit.Event) []audit.Event {
			r[checkpoint(r)].Unreadable = new(uint64(0))
			return r
		}, nothing},
		"more are called unreadable": {ErrHonest, func(r []audit.Event) []audit.Event {
			r[checkpoint(r)].Unreadable = new(uint64(2))
			return r
		}, nothing},
		"nothing is said of the unreadable": {ErrHonest, func(r []audit.Event) []audit.Event {
			r[checkpoint(r)].Unreadable = nil
			return r
		}, nothing},
		"a change that is in sight is missing": {ErrAccounted, func(r []audit.Event) []audit.Event {
			i := pick(r, watchedSet)
			return slices.Delete(r, i, i+1)
		}, nothing},
		"nothing was hidden from those who found it late": {ErrProgress, same, func(truth *Truth) {
			truth.Changes = slices.Clone(truth.Changes)
			for i := range truth.Changes {
				truth.Changes[i].Hidden = false
			}
		}},
		"nothing was hidden from those who found nothing": {ErrAccounted, same, func(truth *Truth) {
			truth.Changes = slices.DeleteFunc(slices.Clone(truth.Changes), func(c Change) bool { return c.Path == "/r/4" })
			for i := range truth.Changes {
				truth.Changes[i].Hidden = false
			}
		}},
		"all children were to be counted": {ErrAccounted, same, func(truth *Truth) { truth.Scope = wholly{truth.Scope} }},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				w := veiledHistory(seed)
				truth := w.truth()
				test.falsify(&truth)
				foul := Check(test.mutate(slices.Clone(w.records)), truth)
				if !slices.ContainsFunc(foul, func(err error) bool { return errors.Is(err, test.want) }) {
					t.Errorf("seed %d: not caught; found %v", seed, foul)
				}
			}
		})
	}
}

// wholly takes every parent's children for wanted.
type wholly struct{ Scope }

func (wholly) Whole(string) bool { return true }

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

// TestHiddenInTheEnd: of a znode that is hidden while it lives nothing more is
// to be counted.
func TestHiddenInTheEnd(t *testing.T) {
	w := newWorld(1)
	w.record(recordOf(w.change(audit.OpCreated, "/r")))
	w.zxid++
	w.record(recordOf(w.change(audit.OpCreated, "/r/x")))
	w.zxid++
	w.hidden = map[string]bool{"/r/x": true}
	veiled := *w.live["/r/x"]
	veiled.Zxid, veiled.Op, veiled.Counter, veiled.Aversion, veiled.Hidden = w.zxid, audit.OpACLChanged, 1, 1, true
	w.changes = append(w.changes, veiled)
	w.zxid++
	w.change(audit.OpDataChanged, "/r/x")
	w.checkpoint()
	for _, err := range Check(w.records, w.truth()) {
		t.Error(err)
	}
}

// TestShownWithinAGap: the resync asks for znodes that are known, so the sweep
// is the first to find one that came into sight, behind a checkpoint.
func TestShownWithinAGap(t *testing.T) {
	w := newWorld(1)
	w.hidden = map[string]bool{"/r/x": true}
	w.record(recordOf(w.change(audit.OpCreated, "/r")))
	w.zxid++
	birth := w.change(audit.OpCreated, "/r/x")
	w.checkpoint()
	shown := birth
	shown.Zxid, shown.Op, shown.Counter, shown.Aversion, shown.Hidden = birth.Zxid+1, audit.OpACLChanged, 1, 1, false
	w.changes = append(w.changes, shown)
	w.zxid = shown.Zxid + 1
	delete(w.hidden, "/r/x")
	set := w.change(audit.OpDataChanged, "/r/x")
	hint := recordOf(set) // Its notification came, and the connection was lost before the answer.
	hint.Czxid, hint.ID, hint.Version, hint.After, hint.Exact = 0, "hint", nil, nil, new(false)
	w.record(hint)
	w.record(audit.Event{Kind: audit.KindGap, ZxidAfter: new(birth.Zxid), ZxidUntil: new(w.zxid), Reason: audit.GapReconnect})
	w.record(audit.Event{Kind: audit.KindControl, Control: audit.ControlResync, Zxid: w.zxid})
	w.record(audit.Event{Kind: audit.KindCheckpoint, Zxid: w.zxid, ACLZxid: birth.Zxid, Unreadable: new(uint64(1))})
	for _, c := range []Change{birth, set, shown} {
		e := recordOf(c)
		e.Zxid, e.ZxidAfter, e.ZxidUntil = 0, new(c.Zxid-1), new(w.zxid)
		e.Exact, e.Source = new(false), audit.OriginSweep
		if c.Op == audit.OpACLChanged {
			e.After, e.Aversion = nil, new(c.Aversion)
		}
		w.record(e)
	}
	w.checkpoint()
	for _, err := range Check(w.records, w.truth()) {
		t.Error(err)
	}
}
