package watch

import "zkwarden/audit"

// walk reads everything below the roots, setting the watches on the way.
func (s *shots) walk(roots []string) {
	s.walking, s.walkedIn = true, s.phase
	s.begun[s.walkedIn]++
	for _, root := range roots {
		if s.looksAt(root) {
			s.read(root, s.walkedIn)
		}
	}
	if s.candidate == 0 {
		// Younger changes may be notified, and not be read when it ends.
		s.wait(s.notifiedAll())
	}
	s.close(s.walkedIn)
}

// notifiedAll returns the zxid through which nothing is missing but what has
// been asked for already.
func (s *shots) notifiedAll() audit.Zxid {
	if s.synced {
		return s.last
	}
	return s.caughtUp
}

// mark offers the zxid of a ping, through which everything was notified. What
// that has caused to be read is to be handed over before the mark.
func (s *shots) mark() {
	if s.synced && s.candidate == 0 && s.last > s.marked {
		s.wait(s.last)
		s.settle()
	}
}

func (s *shots) wait(candidate audit.Zxid) {
	s.candidate = candidate
	s.phase ^= 1
}

// settle queues the mark that waits once nothing is open that began before it.
func (s *shots) settle() {
	before := s.phase ^ 1
	if s.candidate == 0 || s.begun[before] > 0 {
		return
	}
	m := audit.Mark{Zxid: s.candidate}
	if s.walking && s.walkedIn == before {
		m.Walk, m.Znodes, m.ACL = true, s.source.Walked(), min(s.wholeFrom, m.Zxid)
		s.walking, s.synced = false, true
	}
	s.marked, s.candidate = m.Zxid, 0
	s.fifo.push(&item{done: true, other: m})
}

// close ends something of a phase, which may be what a mark waits for.
func (s *shots) close(phase int) {
	s.begun[phase]--
	s.settle()
}

// due reports whether an answer is due.
func (s *shots) due() bool { return s.begun[0]+s.begun[1] > 0 }
