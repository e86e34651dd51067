package guarantee

import (
	"errors"
	"slices"
	"testing"

	"zkwarden/audit"
)

// ofLog is a history of which a transaction log told the last part, across a
// transaction that does not add up.
func ofLog(seed uint64) (*world, Truth) {
	w := newWorld(seed)
	w.zxid++
	w.record(recordOf(w.change(audit.OpCreated, "/r")))
	w.watched(20)
	w.logged(20)
	w.zxid++ // Of something outside of the roots.
	w.record(audit.Event{Kind: audit.KindGap, Reason: audit.GapDigestMismatch, ZxidAfter: new(w.zxid - 1), ZxidUntil: new(w.zxid)})
	w.record(audit.Event{Kind: audit.KindControl, Control: audit.ControlResync, Zxid: w.zxid})
	truth := Truth{Mismatched: []audit.Zxid{w.zxid}}
	w.logged(20)
	truth.Ensemble, truth.Generation, truth.Changes = "e", 1, w.changes
	return w, truth
}

func TestFaultlessLogsPass(t *testing.T) {
	for seed := range uint64(100) {
		w, truth := ofLog(seed)
		for _, err := range Check(w.records, truth) {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

func loggedSet(e audit.Event) bool {
	return e.Op == audit.OpDataChanged && e.Source == audit.OriginTxnlog
}

func TestMutationsOfLogsAreCaught(t *testing.T) {
	checkpoint := func(e audit.Event) bool { return e.Kind == audit.KindCheckpoint }
	for name, test := range map[string]struct {
		want   error
		mutate func([]audit.Event) []audit.Event
	}{
		"a record is missing": {ErrAccounted, func(r []audit.Event) []audit.Event {
			i := pick(r, loggedSet)
			return slices.Delete(r, i, i+1)
		}},
		"a change is found by comparison": {ErrAccounted, func(r []audit.Event) []audit.Event {
			e := &r[pick(r, loggedSet)]
			e.Source, e.Exact, e.ZxidAfter, e.ZxidUntil, e.Zxid = audit.OriginResync, new(false), new(e.Zxid-1), new(e.Zxid), 0
			return r
		}},
		"a change is not exact": {ErrAccounted, func(r []audit.Event) []audit.Event {
			r[pick(r, loggedSet)].Exact = new(false)
			return r
		}},
		"another session": {ErrHonest, func(r []audit.Event) []audit.Event {
			r[pick(r, loggedSet)].Actor = &audit.Actor{Session: 1}
			return r
		}},
		"no session": {ErrHonest, func(r []audit.Event) []audit.Event {
			r[pick(r, loggedSet)].Actor = nil
			return r
		}},
		"another place in its transaction": {ErrHonest, func(r []audit.Event) []audit.Event {
			r[pick(r, loggedSet)].Index += 7
			return r
		}},
		"no content": {ErrHonest, func(r []audit.Event) []audit.Event {
			r[pick(r, loggedSet)].After = nil
			return r
		}},
		"content of another version": {ErrHonest, func(r []audit.Event) []audit.Event {
			r[pick(r, loggedSet)].After.Data = "something else"
			return r
		}},
		"a mismatch is not told": {ErrVerified, func(r []audit.Event) []audit.Event {
			r[pick(r, func(e audit.Event) bool { return e.Reason == audit.GapDigestMismatch })].Reason = audit.GapLogHole
			return r
		}},
		"more is verified than handed over": {ErrVerified, func(r []audit.Event) []audit.Event {
			r[pick(r, checkpoint)].VerifiedThrough++
			return r
		}},
		"what was verified is taken back": {ErrVerified, func(r []audit.Event) []audit.Event {
			r[pick(r, checkpoint)].VerifiedThrough = 1
			return r
		}},
	} {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(20) {
				w, truth := ofLog(seed)
				foul := Check(test.mutate(slices.Clone(w.records)), truth)
				if !slices.ContainsFunc(foul, func(err error) bool { return errors.Is(err, test.want) }) {
					t.Errorf("seed %d: not caught; found %v", seed, foul)
				}
			}
		})
	}
}
