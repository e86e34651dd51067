package watch

import (
	"fmt"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

// origin is what tells one life of a root from another.
type origin struct {
	czxid audit.Zxid
	ctime int64
}

// rewrote gives the link up over a certain sign that history was rewritten, of
// a znode or, without a path, of the server. The next link reports it. Only what
// no history can show counts. That a znode is gone, or is a younger incarnation,
// is no sign: it may have been deleted and created again.
func (f *follower) rewrote(sign, path string, was, is any) error {
	facts := []any{"msg", "history was rewritten", "sign", sign}
	if path != "" {
		facts = append(facts, "path", path)
	}
	level.Error(f.source.Logger).Log(append(facts, "was", was, "is", is)...)
	f.rewritten = true
	return fmt.Errorf("%w: %s", errRewritten, sign)
}

// forward checks that the server's last zxid never falls on one connection. It
// does when the AdminServer restores a snapshot (ZooKeeper 3.9 and newer).
func (f *follower) forward(zxid audit.Zxid) error {
	if zxid == 0 || zxid >= f.last {
		return nil
	}
	return f.rewrote("the server's last zxid fell", "", f.last, zxid)
}

// consistent compares a znode that was read with what is recorded of it. The
// recorder may lag behind, so what it knows is at most too old.
func (f *follower) consistent(path string, is audit.Stat) error {
	for _, was := range f.known.Walk(path, 0) {
		switch {
		case is.Czxid < was.Czxid:
			return f.rewrote("a znode is an older incarnation than the one recorded", path, was.Czxid, is.Czxid)
		case is.Czxid == was.Czxid && was.Version-is.Version > 0:
			return f.rewrote("the version of a znode fell", path, was.Version, is.Version)
		case is.Czxid == was.Czxid && was.Aversion-is.Aversion > 0:
			return f.rewrote("the ACL version of a znode fell", path, was.Aversion, is.Aversion)
		case is.Czxid != was.Czxid && was.Czxid != 0 && is.Czxid <= f.recorded && f.isRoot(path):
			// Through recorded everything was handed over, and that root was the other.
			return f.rewrote("a root is another incarnation, which is too old to be new", path, was.Czxid, is.Czxid)
		}
	}
	if !f.isRoot(path) {
		return nil
	}
	// A wiped ensemble that was set up by the same steps has the same zxids.
	was, seen := f.origins[path]
	if seen && was.czxid == is.Czxid && was.ctime != is.Ctime {
		return f.rewrote("a root was created at another time", path, was.ctime, is.Ctime)
	}
	f.origins[path] = origin{is.Czxid, is.Ctime}
	return nil
}

// visitUntold reads the roots of which a comparison did not tell: they show
// whether it compared with the same history.
func (f *follower) visitUntold(roots []string) {
	for _, root := range roots {
		if !f.told[root] {
			f.visit(root, visit{origin: audit.OriginResync})
		}
	}
	clear(f.told)
}
