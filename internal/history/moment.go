package history

import (
	"context"
	"fmt"
	"time"

	"zkwarden/audit"
)

// Moment is one in the history of an ensemble: behind a transaction, or behind
// the last one that was made at or before a time.
type Moment struct {
	Zxid uint64
	Time time.Time // Where Zxid is zero.
}

// find returns the zxid of a moment. Times are those of the leaders' clocks,
// which need not agree.
func (h *History) find(ctx context.Context, m Moment) (uint64, error) {
	if m.Time.IsZero() {
		return m.Zxid, nil
	}
	at := audit.AtTime(m.Time)
	var begin, end, found, later struct {
		zxid audit.Zxid
		time audit.Millis
	}
	disordered := false
	for txn, err := range h.scan(ctx, h.Logs) {
		if err != nil {
			return 0, err
		}
		end.zxid, end.time = audit.Zxid(txn.Zxid), audit.AtUnixMilli(txn.Time)
		if begin.zxid == 0 {
			begin = end
		}
		if end.time.Time().After(at.Time()) {
			if later.zxid == 0 {
				later = end
			}
			continue
		}
		found, disordered = end, later.zxid != 0
	}
	switch {
	case end.zxid == 0:
		return 0, fmt.Errorf("find %s: the logs have no transaction", text(at))
	case found.zxid == 0:
		return 0, fmt.Errorf("find %s: the logs begin with %s, made at %s", text(at), begin.zxid, text(begin.time))
	case found == end:
		h.note("the logs end with %s, made at %s: what happened later, if anything, is not in these files", end.zxid, text(end.time))
	case disordered:
		h.note("clocks of leaders disagree: %s was made at %s, before %s at %s, and %s counts as the last one before the moment",
			later.zxid, text(later.time), found.zxid, text(found.time), found.zxid)
	}
	return uint64(found.zxid), nil
}

func text(m audit.Millis) string {
	text, _ := m.MarshalText() // It has no way to fail.
	return string(text)
}
