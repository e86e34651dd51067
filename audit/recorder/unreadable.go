package recorder

import (
	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

const (
	// maxUnreadable and maxUnreadableBytes bound the unreadable znodes that are
	// told apart. A server may have any number of them.
	maxUnreadable      = 10_000
	maxUnreadableBytes = 4 << 20
)

// unreadable are the watched znodes that could not be read, by parent and name,
// and whether that was so since the end of the last sweep.
type unreadable struct {
	under    map[string]map[string]bool
	count    int
	bytes    int  // Of their paths.
	overflow bool // Whether there were more.
}

func newUnreadable() *unreadable {
	return &unreadable{under: map[string]map[string]bool{}}
}

// len returns their number, as far as they are told apart.
func (u *unreadable) len() int { return u.count }

func (u *unreadable) has(path string) bool {
	_, there := u.under[audit.Parent(path)][path]
	return there
}

// add reports whether path is news.
func (u *unreadable) add(path string) bool {
	if u.has(path) {
		u.under[audit.Parent(path)][path] = true
		return false
	}
	if u.count >= maxUnreadable || u.bytes+len(path) > maxUnreadableBytes {
		u.overflow = true
		return false
	}
	parent := audit.Parent(path)
	if u.under[parent] == nil {
		u.under[parent] = map[string]bool{}
	}
	u.under[parent][path] = true
	u.count++
	u.bytes += len(path)
	return true
}

// remove notes that path can be read again, or is gone.
func (u *unreadable) remove(path string) {
	if !u.has(path) {
		return
	}
	parent := audit.Parent(path)
	delete(u.under[parent], path)
	if len(u.under[parent]) == 0 {
		delete(u.under, parent)
	}
	u.count--
	u.bytes -= len(path)
}

// bury notes that path is gone, and so is everything below it.
func (u *unreadable) bury(path string) {
	u.remove(path)
	for child := range u.under[path] {
		if child != path { // The root znode is its own parent.
			u.bury(child)
		}
	}
}

// swept forgets those that the sweep which has ended came by no more: one that
// died hidden, and was never known, is on no list, and nothing tells of it.
func (u *unreadable) swept() {
	for parent, paths := range u.under {
		for path, again := range paths {
			if !again {
				u.remove(path)
				continue
			}
			u.under[parent][path] = false
		}
	}
}

// below reports whether there are any among the children of path.
func (u *unreadable) below(path string) bool { return len(u.under[path]) > 0 }

// keep forgets those that are not wanted.
func (u *unreadable) keep(wanted func(path string) bool) {
	for _, paths := range u.under {
		for path := range paths {
			if !wanted(path) {
				u.remove(path)
			}
		}
	}
}

// among returns those of paths that are unreadable.
func (u *unreadable) among(paths []string) []string {
	var found []string
	for _, path := range paths {
		if u.has(path) {
			found = append(found, path)
		}
	}
	return found
}

// sight notes whether the znode could be read.
func (l *look) sight() {
	u := l.r.unreadable
	if l.Hint == audit.OpDeleted || l.Read == audit.Absent {
		u.bury(l.Path)
	}
	switch l.Read {
	case audit.Found:
		u.remove(l.Path)
	case audit.Denied:
		l.r.metrics.denied.Inc()
		full := u.overflow
		switch {
		case u.add(l.Path):
			level.Warn(l.r.Logger).Log("msg", "znode cannot be read, its changes may go unseen", "path", l.Path)
		case u.overflow && !full:
			level.Warn(l.r.Logger).Log("msg", "too many znodes cannot be read, no more of them are told apart", "count", u.len())
		}
		if u.overflow && !u.has(l.Path) {
			l.r.metrics.untold.Inc()
		}
	}
	l.r.metrics.hidden(u.len())
}
