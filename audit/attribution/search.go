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

	// maxCredit is how much may be waited at once; it comes back at a rate of one
	// part in refill of the time.
	maxCredit = 2 * time.Second
	refill    = 4

	// bygone is how old a change is about whose session nobody is asked anew.
	bygone = time.Minute
	// maxMissed is how many sessions are kept that were looked for in vain.
	maxMissed = 10_000
)

// searches are what was looked for, and how much time may be spent on more.
type searches struct {
	credit time.Duration
	asOf   time.Time
	missed map[uint64]time.Time // When a session was looked for in vain.
}

// allow tells whether to look for the session: whether there is time to wait,
// and whether it was not looked for within the interval.
func (s *searches) allow(id uint64, now time.Time, interval time.Duration) bool {
	if !s.asOf.IsZero() {
		s.credit = min(maxCredit, s.credit+now.Sub(s.asOf)/refill)
	}
	s.asOf = now
	at, missed := s.missed[id]
	return s.credit > 0 && (!missed || now.Sub(at) >= interval)
}

func (s *searches) miss(id uint64, now time.Time) {
	if len(s.missed) >= maxMissed {
		clear(s.missed)
	}
	s.missed[id] = now
}

// search looks for a session that nobody has listed, and returns when a member
// lists it, when all have answered without it, or when there is no more time.
func (a *Attributor) search(ctx context.Context, id uint64, at time.Time) {
	now := time.Now()
	a.mu.Lock()
	allowed := a.searches.allow(id, now, a.options.Interval)
	// An answer that begins now tells nothing about what is long past, but the
	// first one may.
	since := now
	if !at.IsZero() && now.Sub(at) > bygone {
		since = a.started
	}
	a.mu.Unlock()
	if !allowed || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	creator := func(m *member) bool { return byte(m.ID) == byte(id>>56) && m.ID >= 0 }
	early, cancelEarly := context.WithTimeout(ctx, headStart)
	defer cancelEarly()
	found := a.await(early, id, since, creator) || a.await(ctx, id, since, func(*member) bool { return true })

	a.mu.Lock()
	defer a.mu.Unlock()
	a.searches.credit -= time.Since(now)
	if !found {
		a.searches.miss(id, time.Now())
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
