package watch

import "time"

// nextAsk returns the next request to send, and a nil channel when there is
// none or too much is under way.
func (f *follower) nextAsk(asks chan<- ask) (ask, chan<- ask) {
	for len(f.hinted) > 0 && !f.waiting(f.hinted[0]) {
		f.hinted = f.hinted[1:]
	}
	for n := len(f.walking); n > 0 && f.stale(f.walking[n-1]); n = len(f.walking) {
		f.walking = f.walking[:n-1]
	}
	var r request
	switch head := f.fifo.first(); {
	case len(f.control) > 0:
		r = f.control[0]
	case len(f.hinted) > 0 && (!f.fifo.heavy() || head != nil && !head.done):
		r = request{op: f.readOp(f.hinted[0]), path: f.hinted[0]}
	case len(f.walking) > 0 && !f.fifo.heavy():
		r = f.walking[len(f.walking)-1]
	case f.shots != nil && len(f.shots.queue) > 0 && !f.fifo.heavy():
		r = f.shots.queue[0]
	default:
		return ask{}, nil
	}
	return ask{request: r, link: f.link}, asks
}

// asked notes that the request of nextAsk is under way.
func (f *follower) asked() {
	switch {
	case len(f.control) > 0:
		f.control = f.control[1:]
	case len(f.hinted) > 0:
		f.sending(f.readOp(f.hinted[0]), f.hinted[0])
		f.hinted = f.hinted[1:]
	case len(f.walking) == 0:
		f.shots.queue = f.shots.queue[1:]
	default:
		r := f.walking[len(f.walking)-1]
		f.walking = f.walking[:len(f.walking)-1]
		if r.reads() {
			f.sending(r.op, r.path)
		}
	}
}

func (f *follower) sending(op int32, path string) {
	st := f.paths[path]
	st.sent, st.hinted, st.bare = true, false, op == opExists
}

// waiting reports whether a read of path is wanted and not yet under way.
func (f *follower) waiting(path string) bool {
	st := f.paths[path]
	return st != nil && !st.sent
}

// stale reports whether an answer for the walk came before it was asked for.
func (f *follower) stale(r request) bool { return r.reads() && !f.waiting(r.path) }

// silent reports whether an answer is overdue. Pings may go on all the while.
func (f *follower) silent() bool {
	head := f.fifo.first()
	full := f.fifo.heavy() && head != nil && head.done // Then it is the recorder who is waited for.
	if full || len(f.paths) == 0 && len(f.listing) == 0 && len(f.acls) == 0 && len(f.unconfirmed) == 0 &&
		len(f.checking) == 0 && (f.shots == nil || !f.shots.due()) {
		f.heard = time.Now()
	}
	return time.Since(f.heard) > answerTimeout
}
