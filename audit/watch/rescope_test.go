package watch

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// rescoped gives the scene another scope.
func (s *scene) rescoped(roots ...string) {
	s.t.Helper()
	scope := &scopes{}
	scope.set(s.t, roots...)
	s.f.scope = scope
	s.f.rescope()
}

// TestRescope: a root that is added is watched before it is read, and all that
// goes on meanwhile is handed over. One that is gone is not.
func TestRescope(t *testing.T) {
	s := synced(t)
	s.known.stats = map[string]audit.Stat{"/r": state(1, 0, 0, 0)}
	s.rescoped("/r", "/new")
	s.expect("watched first", s.asked(), "watch /new")
	s.server(notify(10, eventDeleted, "/r/a"), ping(11))
	s.expect("the others go on", s.handed(), "deleted /r/a 10", "mark 11")
	s.server(frame{zxid: 12, request: request{op: opAddWatch, path: "/new"}})
	s.handed()
	s.expect("read then", s.asked(), "get /new")
	s.server(notify(13, eventDeleted, "/r/b"), ping(13), got(13, "/new", 0, 1))
	s.expect("the others go on", s.handed(), "deleted /r/b 13", "mark 13", "resync /new found v0")
	s.expect("below", s.asked(), "list /new")
	s.server(list(13, "/new", "x"))
	s.expect("below", s.asked(), "get /new/x")
	s.server(got(14, "/new/x", 0, 0))
	s.expect("the end is marked", s.handed(), "resync /new/x found v0", "walked 2 at 14")

	s.rescoped("/new")
	s.expect("nothing to ask", s.asked())
	s.server(notify(15, eventDeleted, "/r/c"), notify(16, eventDeleted, "/new/x"), ping(16))
	s.expect("no longer wanted", s.handed(), "deleted /new/x 16", "mark 16")
}

// TestRescopeOfALostLink: the next link reads what was added.
func TestRescopeOfALostLink(t *testing.T) {
	s := synced(t)
	s.server(ping(11))
	s.handed()
	s.rescoped("/r", "/new")
	s.server(frame{zxid: 12, request: request{op: opAddWatch, path: "/new"}})
	s.handed()
	s.asked()
	scope := s.f.scope
	s.lose()
	s.tr.scope = scope
	s.link(12)
	s.expect("no gap", s.handed())
	s.expect("read", s.asked(), "get /r", "get /new")
}

// TestRescopeWidens: a root that the recorder leaves out is read whole once more,
// without another watch, and again by the next link if this one is lost.
func TestRescopeWidens(t *testing.T) {
	s := synced(t)
	s.server(ping(11))
	s.handed()
	s.known.children = map[string][]string{"/r": {"a"}} // But /r is left out.
	s.rescoped("/r")
	s.handed()
	s.expect("read, not watched", s.asked(), "get /r")
	s.server(got(11, "/r", 0, 1))
	s.expect("below", s.asked(), "list /r")
	scope := s.f.scope
	s.lose()
	s.tr.scope = scope
	s.known.stats = map[string]audit.Stat{"/r": state(0, 0, 0, 0)}
	s.link(11)
	s.handed()
	s.expect("read by the next link", s.asked(), "get /r")
	s.server(got(11, "/r", 0, 1), list(11, "/r", "a", "b"))
	s.expect("and what is known as well", s.asked(), "get /r/b", "get /r/a", "list /r")
}

// TestRescopeDuringTheFirstWalk: its end says nothing about what was added.
func TestRescopeDuringTheFirstWalk(t *testing.T) {
	s := newScene(t, 0, "/r")
	s.link(9)
	s.handed()
	s.asked()
	s.rescoped("/r", "/new")
	s.asked()
	s.server(got(9, "/r", 0, 0))
	s.expect("handed over", s.handed(), "resync /r found v0", "walked 1 from 9 at 9")
	scope := s.f.scope
	s.lose()
	s.tr.scope = scope
	s.link(9)
	s.handed()
	asked := s.asked()
	if !slices.Contains(asked, "get /new") {
		t.Errorf("asked %q", asked)
	}
}

// TestRescopeWithinTheFirstWalk: what was added before its end is a part of it.
func TestRescopeWithinTheFirstWalk(t *testing.T) {
	s := newScene(t, 0, "/r")
	s.link(9)
	s.handed()
	s.asked()
	s.rescoped("/r", "/new")
	s.asked()
	s.server(frame{zxid: 9, request: request{op: opAddWatch, path: "/new"}})
	s.handed()
	s.expect("read beside the other", s.asked(), "get /new")
	s.server(got(9, "/r", 0, 0))
	s.expect("no end yet", s.handed(), "resync /r found v0")
	s.server(got(9, "/new", 0, 0))
	s.expect("one end", s.handed(), "resync /new found v0", "walked 2 from 9 at 9")
	scope := s.f.scope
	s.lose()
	s.tr.scope = scope
	s.link(9)
	s.expect("nothing is missing", s.handed(), "mark 9")
	s.expect("nothing is read", s.asked())
}

// TestRescopeBehindTheFirstWalk: the link is lost between the end of the first
// walk and the beginning of that over what was added.
func TestRescopeBehindTheFirstWalk(t *testing.T) {
	s := newScene(t, 0, "/r")
	s.link(9)
	s.handed()
	s.asked()
	s.server(got(9, "/r", 0, 0))
	s.rescoped("/r", "/new")
	s.asked()
	s.server(frame{zxid: 9, request: request{op: opAddWatch, path: "/new"}})
	for range 2 {
		o, out := s.f.head()
		if out == nil {
			t.Fatal("nothing to hand over")
		}
		s.f.handedOver(o)
	}
	scope := s.f.scope
	s.lose()
	s.tr.scope = scope
	s.link(9)
	s.handed()
	if asked := s.asked(); !slices.Contains(asked, "get /new") {
		t.Errorf("asked %q", asked)
	}
}

// TestRescopeLive: with real servers, in both modes, on one connection.
func TestRescopeLive(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]zktest.Options{"recursive": {}, "one-shot": {Version: "3.5.10"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := borrow(t, options)
			conn := client(t, address)
			for _, path := range []string{"/quiet", "/r", "/new", "/new/a"} {
				create(t, conn, path, "")
			}
			o := observe(t, 0, "/r", address)
			o.walked()
			o.scope.set(t, "/new")
			o.Rescope()
			found, mark, gaps := o.walked()
			if found != 2 || len(gaps) != 0 || mark.Zxid == 0 {
				t.Errorf("%d znodes, %+v, gaps %v", found, mark, gaps)
			}
			create(t, conn, "/r/unwanted", "")
			create(t, conn, "/new/b", "")
			if seen, ok := o.next().(audit.Seen); !ok || seen.Path != "/new/b" {
				t.Errorf("told %+v", seen)
			}
			if name == "recursive" {
				return
			}
			if diff := cmp.Diff(audit.Counted{Path: "/new"}, o.next(), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() != ".Path" && len(p) > 1 }, cmp.Ignore())); diff != "" {
				t.Errorf("behind the child (-want +got):\n%s", diff)
			}
		})
	}
}
