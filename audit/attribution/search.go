package attribution

import (
	"context"
	"slices"
	"time"
)

const (
	// Patience is how long an event waits for the address of its session.
	Patience = 100 * time.Millisecond
	// headStart is how long of it the server that made the session has for its
	// answer, before the others are asked.
	headStart = 70 * time.Millisecond

	// bygone is how old a change is about whose session nobody is asked anew.
	bygone = time.Minute
)

// search looks for a session that nobody has listed, and returns when a member
// lists it, when all have answered without it, or when there is no more time.
func (a *Attributor) search(ctx context.Context, id uint64, at time.Time) {
	if ctx.Err() != nil {
		return
	}
	since := time.Now()
	if !at.IsZero() && since.Sub(at) > bygone {
		// What is long past an answer of now tells no better than the first one.
		a.mu.Lock()
		since = a.started
		a.mu.Unlock()
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	early, cancelEarly := context.WithTimeout(ctx, headStart)
	defer cancelEarly()
	creator := func(m *member) bool { return byte(m.ID) == byte(id>>56) && m.ID >= 0 }
	if !a.await(early, id, since, creator) {
		a.await(ctx, id, since, func(*member) bool { return true })
	}
}

// await has the chosen members asked, unless they have answered since, and tells
// whether the session was listed before all of them have answered or ctx ends.
func (a *Attributor) await(ctx context.Context, id uint64, since time.Time, chosen func(*member) bool) bool {
	for urged := false; ; urged = true {
		a.mu.Lock()
		_, listed := a.sessions.byID[id]
		waiting := a.waiting(since, chosen)
		if !urged {
			for _, m := range waiting {
				m.urge()
			}
		}
		done := len(waiting) == 0 && a.members != nil || a.ended
		changed := a.changed
		a.mu.Unlock()
		if listed || done {
			return listed
		}
		select {
		case <-ctx.Done():
			return false
		case <-changed:
		}
	}
}

// waiting returns the chosen members that may still tell something, with mu
// held. One that failed is left alone until it is due.
func (a *Attributor) waiting(since time.Time, chosen func(*member) bool) []*member {
	return slices.DeleteFunc(slices.Clone(a.members), func(m *member) bool {
		return !chosen(m) || m.err != nil || !m.began.Before(since)
	})
}
