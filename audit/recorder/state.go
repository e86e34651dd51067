package recorder

import (
	"time"

	"zkwarden/audit"
)

// State is how far a recorder is, as its metrics say.
type State struct {
	Watermark  audit.Zxid // Everything through it is recorded.
	Confirmed  time.Time  // When that was last confirmed; zero: not since the start.
	Unreadable int        // Watched znodes that cannot be read, as far as they are told apart.
}

// State may be called beside Run.
func (r *Recorder) State() State { return *r.metrics.state.Load() }

// show changes the state. Only the goroutine that changes the recorder calls it.
func (m *metrics) show(change func(*State)) {
	next := *m.state.Load()
	change(&next)
	m.state.Store(&next)
}

func (m *metrics) mark(zxid audit.Zxid, now time.Time) {
	m.watermark.Set(float64(zxid)) // Exact below epoch 2^21: a float64 has 53 bits.
	m.marked.Set(float64(now.UnixMilli()) / 1000)
	m.show(func(s *State) { s.Watermark, s.Confirmed = zxid, now })
}

// hidden notes how many znodes cannot be read.
func (m *metrics) hidden(znodes int) {
	m.unreadable.Set(float64(znodes))
	if m.state.Load().Unreadable != znodes {
		m.show(func(s *State) { s.Unreadable = znodes })
	}
}
