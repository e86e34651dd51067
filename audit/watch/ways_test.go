package watch

import (
	"os"
	"path/filepath"
	"testing"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// globs makes a scope of globs.
func globs(t *testing.T, patterns ...string) *policy.Policy {
	t.Helper()
	text := "rules:\n"
	for _, pattern := range patterns {
		text += "- {name: '" + pattern + "', path: '" + pattern + "'}\n"
	}
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Load(file, []byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// scoped is a scene that was synced with a scope of globs.
func scoped(t *testing.T, patterns ...string) *scene {
	t.Helper()
	s := newScene(t, 0, "/")
	s.tr.scope = globs(t, patterns...)
	s.link(9)
	s.handed()
	return s
}

// stat is the answer to the question whether a znode exists.
func stat(zxid audit.Zxid, path string, children int32) frame {
	return frame{zxid: zxid, request: request{op: opExists, path: path}, node: &audit.Znode{Bare: true, Stat: audit.Stat{NumChildren: children}}}
}

// listing is the answer to the question for children, with a Stat.
func listing(zxid audit.Zxid, path string, names ...string) frame {
	fr := list(zxid, path, names...)
	fr.node = &audit.Znode{Bare: true, Stat: audit.Stat{NumChildren: int32(len(names))}}
	return fr
}

// TestWays: what leads to znodes that are wanted is looked at without its data,
// and handed over once it is known whether it can be read.
func TestWays(t *testing.T) {
	s := scoped(t, "/a/*/conf")
	s.expect("no data", s.asked(), "exists /a")
	s.server(stat(9, "/a", 3))
	s.expect("nothing yet", s.handed())
	s.expect("what lies below", s.asked(), "list /a")
	s.server(listing(9, "/a", "x", "y", "z"))
	s.expect("handed over", s.handed(), "resync /a found v0")
	s.expect("no data", s.asked(), "exists /a/z", "exists /a/y", "exists /a/x")
	s.server(stat(9, "/a/x", 1), stat(9, "/a/y", 0))
	s.server(frame{zxid: 9, code: errNoNode, request: request{op: opExists, path: "/a/z"}})
	s.expect("what lies below", s.asked(), "list /a/x")
	s.server(listing(10, "/a/x", "conf", "other"))
	s.expect("nothing else", s.asked(), "get /a/x/conf")
	s.server(got(10, "/a/x/conf", 0, 0))
	s.expect("handed over", s.handed(), "resync /a/y found v0", "resync /a/z absent", "resync /a/x found v0", "resync /a/x/conf found v0", "walked 3 from 9 at 10")

	s.server(notify(11, eventDataChanged, "/a/x"), notify(12, eventCreated, "/a/n"), notify(13, eventCreated, "/a/n/other"), notify(14, eventDeleted, "/a/y"))
	s.expect("data changes of ways are nobody's business", s.asked(), "exists /a/n")
	s.server(stat(14, "/a/n", 1))
	s.expect("told", s.handed(), "created /a/n 12 found v0", "deleted /a/y 14", "mark 14")
}

// TestUnreadableWay: whoever may not read a way is told that it exists, and no
// more.
func TestUnreadableWay(t *testing.T) {
	s := scoped(t, "/a/*/conf")
	s.asked()
	s.server(stat(9, "/a", 3))
	s.asked()
	s.server(frame{zxid: 9, code: errNoAuth, request: request{op: opGetChildren2, path: "/a"}})
	s.expect("handed over", s.handed(), "resync /a denied", "walked 0 from 9 at 9")
}

// TestWayBecomesWanted: an answer without data is none for a znode that is
// recorded by now, and neither is that to a sweep's question.
func TestWayBecomesWanted(t *testing.T) {
	s := scoped(t, "/a/*/conf")
	s.expect("no data", s.asked(), "exists /a")
	s.tr.scope = globs(t, "/a/**")
	s.server(stat(9, "/a", 0))
	s.expect("nothing", s.handed())
	s.expect("with its data", s.asked(), "get /a")
	s.server(stat(9, "/a", 0))
	s.expect("nothing", s.handed())
	s.expect("nothing", s.asked())
	s.server(got(10, "/a", 2, 0))
	s.expect("handed over", s.handed(), "resync /a found v2", "walked 1 from 9 at 10")
}

// TestListIsSharedByVisits: whoever asks for children that are asked for already
// has one answer to wait for.
func TestListIsSharedByVisits(t *testing.T) {
	s := synced(t)
	s.f.visit("/r", visit{origin: audit.OriginSweep, children: true})
	s.asked()
	s.server(got(10, "/r", 0, 1))
	s.f.visit("/r", visit{origin: audit.OriginSweep, children: true})
	s.server(got(10, "/r", 0, 1), list(10, "/r"))
	s.handed()
	if s.f.walk != 0 {
		t.Errorf("%d steps never end", s.f.walk)
	}
}
