package recorder

import (
	"time"

	"zkwarden/audit"
)

// State is how far a recorder is. Its metrics say the same.
type State struct {
	Watermark  audit.Zxid // Everything through it is recorded.
	Confirmed  time.Time  // When that was last confirmed; zero: not since the start.
	Unreadable int        // Watched znodes that cannot be read, as far as they are told apart.
}

// seconds returns Confirmed as a metric has it.
func (s *State) seconds() float64 {
	if s.Confirmed.IsZero() {
		return 0
	}
	return float64(s.Confirmed.UnixMilli()) / 1000
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
	m.show(func(s *State) { s.Watermark, s.Confirmed = zxid, now })
}

// hidden notes how many znodes cannot be read.
func (m *metrics) hidden(znodes int) {
	if m.state.Load().Unreadable != znodes {
		m.show(func(s *State) { s.Unreadable = znodes })
	}
}
