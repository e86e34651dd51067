package watch

import (
	"errors"
	"fmt"
	"time"

	"zkwarden/audit"
)

// errWatchLost means that the server has forgotten a watch, as it does when the
// AdminServer restores a snapshot: the session does not notice.
var errWatchLost = errors.New("the server has forgotten a watch")

// confirmWatches asks the server whether it still has the watches on the roots,
// if that was long ago. One request a root does it: the watches of a session
// live and die together.
func (f *follower) confirmWatches() {
	if !f.adopted || f.unasked || time.Since(f.confirmedAt) < f.source.pace.confirm || len(f.checking) > 0 {
		return
	}
	f.confirmedAt = time.Now()
	for root := range f.roots {
		if len(f.unconfirmed) > 0 || f.shots != nil && !f.shots.watching(root) {
			continue
		}
		f.checking[root] = true
		f.control = append(f.control, request{op: opCheckWatches, path: root})
	}
	f.checkedAt = 0
}

// checked notes what the server says about the watch on a root. On one
// connection everything is in order: a watch that has fired was told of before.
func (f *follower) checked(fr *frame) error {
	if !f.checking[fr.path] {
		return nil // A request of an earlier link that was sent on this one.
	}
	delete(f.checking, fr.path)
	switch {
	case fr.code == 0:
	case fr.code != errNoWatcher:
		// It does not know the question. Adding a watch twice does no harm.
		f.unasked = true
		if f.shots == nil {
			f.control = append(f.control, request{op: opAddWatch, path: fr.path})
		}
		return nil
	case f.shots == nil && f.roots[fr.path], f.shots != nil && f.shots.watching(fr.path):
		f.forgotten = true
		return fmt.Errorf("%w, the one on %s", errWatchLost, fr.path)
	}
	if f.checkedAt == 0 {
		f.checkedAt = fr.zxid // Of the first root: the others had theirs then, or later.
	}
	if len(f.checking) == 0 {
		f.confirmedZxid = max(f.confirmedZxid, f.checkedAt)
	}
	return nil
}

// confirmedThrough returns the zxid through which the watches of this link were
// there for certain.
func (f *follower) confirmedThrough() audit.Zxid { return max(f.confirmedZxid, f.watched) }
