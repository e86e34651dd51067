package collector

import (
	"time"

	"zkwarden/internal/fourletter"
)

// Status is what the last round found, for people.
type Status struct {
	Addr  string
	At    time.Time // When the round ended; zero: there was none yet.
	Took  time.Duration
	Up    bool // The server answered something.
	State State

	// SilentLeader is set when the server, which says that it serves nobody, leads
	// all the same (leaderServes=no), so that this is no lost quorum.
	SilentLeader bool

	Version string // Empty: not said.
	Words   []WordStatus
}

// WordStatus is what became of one word.
type WordStatus struct {
	Word   string
	Took   time.Duration
	Reason fourletter.Reason // Empty: it was answered.
	Detail string            // The error; empty: it was answered.
	Advice string            // What to change, in plain words; empty: nothing.
}

// LastRound returns what the last round found. It doesn't ask the server.
func (c *Collector) LastRound() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func (c *Collector) status(v view, all *samples, start time.Time) Status {
	s := Status{
		Addr: c.options.Addr, At: time.Now(), Took: time.Since(start), Up: v.up(), State: v.state(all),
		SilentLeader: all.leads,
	}
	if all.version != "" {
		s.Version = versionOf(all.version)
	}
	for _, word := range c.words {
		o, asked := v[word]
		if !asked {
			continue
		}
		w := WordStatus{Word: word.String(), Took: o.took, Reason: o.reason()}
		if o.err != nil {
			w.Detail, w.Advice = o.err.Error(), addressee{member: -1, words: c.words}.advice(o.err)
		}
		if o.reason() == fourletter.NotServing && s.SilentLeader {
			w.Advice = silentAdvice
		}
		s.Words = append(s.Words, w)
	}
	return s
}
