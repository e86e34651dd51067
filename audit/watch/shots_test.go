package watch

import (
	"context"
	"testing"

	"zkwarden/audit"
)

// shooting is a scene behind its first walk without recursive watches: a root
// with one child at zxid 9.
func shooting(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, 0, "/r")
	s.tr.announced = audit.Mode{}
	s.tr.lacks[""] = lack{version: "3.5.10"}
	s.tr.source.Version = func(context.Context, string) string { return "3.5.10" }
	s.shootingLink(9)
	s.handed()
	s.expect("asked", s.asked(), "get /r")
	s.server(got(9, "/r", 0, 1))
	s.expect("asked", s.asked(), "list /r")
	s.server(listOf(9, "/r", 1, "a"))
	s.expect("asked", s.asked(), "get /r/a")
	s.server(got(9, "/r/a", 0, 0))
	s.expect("asked", s.asked(), "list /r/a")
	s.server(listOf(9, "/r/a", 0))
	s.expect("handed over", s.handed(),
		"resync /r found v0", "resync /r/a found v0", "counted 1 below /r", "counted 0 below /r/a", "walked 2 from 9 at 9")
	return s
}

// shootingLink begins a connection that has applied zxid.
func (s *scene) shootingLink(zxid audit.Zxid) {
	s.t.Helper()
	l, _ := tapped(s.t, 0)
	s.f = newFollower(s.tr, l)
	s.f.working, s.stop = context.WithCancel(s.t.Context())
	l.frames.push(frame{zxid: zxid, request: request{op: opSync, path: "/"}})
	if err := s.f.establish(s.t.Context(), make(chan ask, 100)); err != nil {
		s.t.Fatal(err)
	}
	s.f.control = nil
	if !l.oneShot.Load() {
		s.t.Error("reads of the link leave no watches")
	}
}

func listOf(zxid audit.Zxid, path string, cversion int32, names ...string) frame {
	fr := list(zxid, path, names...)
	fr.node = &audit.Znode{Stat: audit.Stat{Cversion: cversion}}
	return fr
}

// TestShots: what one shot tells is looked at until it is told again.
func TestShots(t *testing.T) {
	for name, steps := range map[string]func(*scene){
		"data": func(s *scene) {
			s.server(notify(0, eventDataChanged, "/r/a"))
			s.expect("asked", s.asked(), "get /r/a")
			s.server(ping(11))
			s.expect("no mark before the look", s.handed())
			s.server(got(12, "/r/a", 3, 0))
			s.expect("asked", s.asked())
			s.expect("handed over", s.handed(), "watch /r/a found v3", "mark 11", "mark 12")
		},
		"children are told before they are counted": func(s *scene) {
			s.server(notify(0, eventChildrenChanged, "/r"))
			s.expect("asked", s.asked(), "list /r")
			s.server(listOf(12, "/r", 7, "a", "b", "c"))
			s.expect("those without a watch", s.asked(), "get /r/b", "get /r/c")
			s.server(ping(13), got(13, "/r/b", 0, 0))
			s.expect("not yet", s.handed(), "watch /r/b found v0")
			s.server(refusedRead(13, "/r/c", errNoNode))
			s.expect("handed over", s.handed(), "watch /r/c absent", "counted 7 below /r")
			s.expect("and below", s.asked(), "list /r/b")
			s.server(listOf(13, "/r/b", 0))
			s.expect("the mark comes last", s.handed(), "counted 0 below /r/b", "mark 13")
		},
		"a death with a watch on the data": func(s *scene) {
			s.server(notify(0, eventDeleted, "/r/a"))
			s.expect("not before it is bounded", s.handed())
			s.server(ping(12))
			s.expect("handed over", s.handed(), "deleted /r/a (9,12]", "mark 12")
			s.expect("the list of the parent tells more", s.asked())
		},
		"a death behind a shot": func(s *scene) {
			s.server(notify(0, eventDataChanged, "/r/a"))
			s.expect("asked", s.asked(), "get /r/a")
			s.server(notify(0, eventDeleted, "/r/a"), refusedRead(12, "/r/a", errNoNode))
			s.expect("without a version", s.handed(), "watch /r/a absent", "watch /r/a absent", "mark 12")
		},
		"born again": func(s *scene) {
			s.server(notify(0, eventDeleted, "/r/a"), notify(0, eventChildrenChanged, "/r"))
			s.expect("asked", s.asked(), "list /r")
			s.server(listOf(12, "/r", 3, "a"))
			s.expect("asked", s.asked(), "get /r/a")
			s.server(got(12, "/r/a", 0, 0))
			s.expect("asked", s.asked(), "list /r/a")
			s.server(listOf(12, "/r/a", 0))
			s.expect("handed over", s.handed(), "deleted /r/a (9,12]", "watch /r/a found v0", "counted 3 below /r", "counted 0 below /r/a", "mark 12")
		},
		"a root that dies is waited for": func(s *scene) {
			s.server(notify(0, eventDeleted, "/r"))
			s.expect("asked", s.asked(), "get /r")
			s.server(refusedRead(12, "/r", errNoNode))
			s.expect("asked", s.asked(), "exists /r")
			s.server(frame{zxid: 12, code: errNoNode, request: request{op: opExists, path: "/r"}})
			s.handed()
			s.server(notify(0, eventCreated, "/r"))
			s.expect("asked", s.asked(), "get /r")
		},
		"a lost link keeps nothing": func(s *scene) {
			s.server(ping(10))
			s.handed()
			s.server(notify(0, eventDeleted, "/r/a"), ping(12))
			s.lose()
			s.shootingLink(20)
			s.expect("handed over", s.handed(), "gap (10,20] reconnect")
			s.expect("asked", s.asked(), "get /r")
		},
		"an answer that an earlier link asked for": func(s *scene) {
			s.server(ping(10))
			s.handed()
			s.lose()
			s.shootingLink(20)
			s.handed()
			s.expect("asked", s.asked(), "get /r")
			s.server(got(20, "/r/a", 1, 0), got(20, "/r", 0, 1))
			s.expect("asked", s.asked(), "list /r")
			s.server(listOf(20, "/r", 1, "a"))
			s.expect("nobody was told of it", s.asked(), "get /r/a")
		},
		"the watch is lost": func(s *scene) {
			s.f.confirmedAt = s.f.confirmedAt.Add(-2 * usualPace().confirm)
			s.f.confirmWatches()
			s.expect("asked", s.asked(), "check /r")
			fr := frame{zxid: 12, code: errNoWatcher, request: request{op: opCheckWatches, path: "/r"}}
			if err := s.f.handle(&fr); err == nil {
				s.t.Error("nothing is lost")
			}
		},
	} {
		t.Run(name, func(t *testing.T) { steps(shooting(t)) })
	}
}
