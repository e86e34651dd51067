package guarantee

import (
	"slices"

	"zkwarden/audit"
)

// stretch is what a transaction log told without interruption: everything
// after one zxid and at or before another.
type stretch struct {
	after, until audit.Zxid
	begun        uint64     // The record behind which the log was read.
	told         audit.Zxid // How far records of another source reached by then.
}

// stretches finds them. Each begins with a mode record, or with the end of the
// resync behind a gap, and ends with another of these. A restart ends none: the
// log is read on from where it was left.
func (m *match) stretches() []stretch {
	var found []stretch
	var told audit.Zxid
	reading, open := false, false
	begin := func(e audit.Event) {
		open = true
		found = append(found, stretch{after: e.Zxid, until: e.Zxid, begun: e.Seq, told: told})
	}
	for _, e := range m.records {
		switch {
		case e.Control == audit.ControlMode:
			if reading, open = e.Mode == audit.ModeTxnlog, false; reading {
				begin(e)
			}
		case e.Kind == audit.KindGap && e.ZxidUntil != nil:
			open = false
		case e.Control == audit.ControlResync && reading && !open:
			begin(e)
		case e.Kind == audit.KindChange && e.Source != audit.OriginTxnlog:
			_, until := bracket(e)
			told = max(told, until)
		case open && (e.Kind == audit.KindChange || e.Kind == audit.KindCheckpoint):
			last := &found[len(found)-1]
			last.until = max(last.until, e.Zxid)
		}
	}
	return found
}

// logged: while a transaction log is followed, every change is recorded on its
// own, and exactly, with everything that a log tells.
func (m *match) logged() {
	records := map[int]audit.Event{}
	for _, e := range m.records {
		if i, ok := m.of[e.Seq]; ok {
			records[i] = e
		}
	}
	stretches := m.stretches()
	gaps, _, _ := m.declared()
	for i, c := range m.truth.Changes {
		at := slices.IndexFunc(stretches, func(s stretch) bool { return c.Zxid > s.after && c.Zxid <= s.until })
		if at < 0 || c.Zxid <= stretches[at].told {
			continue // Another source had looked that far, and its records stand.
		}
		e, ok := records[i]
		switch {
		case covered(gaps, c):
		case !ok:
			m.violate(ErrAccounted, "%s has no record of its own, though a transaction log told of it", c)
		case e.Source != audit.OriginTxnlog || e.Exact == nil || !*e.Exact:
			m.violate(ErrAccounted, "%s is not exact, though a transaction log told of it", describe(e))
		default:
			m.tellsAll(e, c)
		}
	}
}

// tellsAll: a record has what a log tells beyond any other source.
func (m *match) tellsAll(e audit.Event, c Change) {
	if c.Session != 0 && e.Actor == nil {
		m.violate(ErrHonest, "%s does not name its session %s", describe(e), c.Session)
	}
	if e.Index != c.Index {
		m.violate(ErrHonest, "%s has the place %d in its transaction, want %d", describe(e), e.Index, c.Index)
	}
	if c.Op != audit.OpDeleted && e.After == nil {
		m.violate(ErrHonest, "%s has no content", describe(e))
	}
}

// verified: a checkpoint vouches for no more than is handed over, takes nothing
// back, and what does not add up below it has a gap of its own.
func (m *match) verified() {
	var last audit.Zxid
	var gaps []gap
	for _, e := range m.records {
		if e.Kind == audit.KindGap && e.Reason == audit.GapDigestMismatch {
			gaps = append(gaps, gap{after: *e.ZxidAfter, until: *e.ZxidUntil})
		}
		if e.Kind != audit.KindCheckpoint {
			continue
		}
		if e.VerifiedThrough < last || e.VerifiedThrough > e.Zxid {
			m.violate(ErrVerified, "record %d vouches for everything through %s, after %s and at %s", e.Seq, e.VerifiedThrough, last, e.Zxid)
		}
		last = e.VerifiedThrough
		for _, zxid := range m.truth.Mismatched {
			if zxid <= last && !covered(gaps, Change{Zxid: zxid}) {
				m.violate(ErrVerified, "record %d vouches for %s", e.Seq, zxid)
			}
		}
	}
}
