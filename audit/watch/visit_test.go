package watch

import (
	"errors"
	"testing"

	"zkwarden/audit"
)

// state is a znode as the recorder would know it.
func state(czxid audit.Zxid, version, cversion, aversion int32) audit.Stat {
	return audit.Stat{Czxid: czxid, Version: version, Cversion: cversion, Aversion: aversion}
}

// gotStat is the answer to a read.
func gotStat(zxid audit.Zxid, path string, stat audit.Stat) frame {
	return frame{zxid: zxid, request: request{op: opGetData, path: path}, node: &audit.Znode{Stat: stat}}
}

// gotACL is the answer to the question for an ACL, with one entry.
func gotACL(zxid audit.Zxid, path string, stat audit.Stat, perms string) frame {
	return frame{zxid: zxid, request: request{op: opGetACL, path: path}, node: &audit.Znode{Stat: stat, ACL: []audit.ACL{{Perms: perms}}}}
}

// comparing is a scene behind a gap from 5 to 9, with /r, /r/a and /r/b known.
func comparing(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, 5, "/r")
	s.known.children = map[string][]string{"/r": {"a", "b"}}
	s.known.stats = map[string]audit.Stat{"/r": state(1, 0, 2, 0), "/r/a": state(2, 0, 0, 0), "/r/b": state(3, 0, 0, 0)}
	s.link(9)
	s.expect("handed over", s.handed(), "gap (5,9] restart")
	s.stop() // The test is the server that tells what changed.
	s.f.workers.Wait()
	if orders, sweeps := s.f.room(); orders == nil || sweeps != nil {
		t.Error("a sweep is let in while something was missed")
	}
	s.expect("asked before the server has told", s.asked())
	return s
}

func TestNothingChanged(t *testing.T) {
	s := comparing(t)
	s.f.changed(3, nil)
	s.server(ping(12))
	s.expect("no mark before the end", s.handed())
	s.f.compared([]string{"/r"}, 1, nil)
	s.expect("the root alone is read", s.asked(), "get /r")
	s.server(gotStat(12, "/r", state(1, 0, 2, 0)))
	s.expect("handed over", s.handed(), "resync /r found v0", "walked 3 at 12")
	if got := s.tr.source.Progress(); got != 1 {
		t.Errorf("Progress() = %v", got)
	}
}

func TestChanged(t *testing.T) {
	s := comparing(t)
	s.f.changed(3, []hit{{"/r", true}, {"/r/a", false}, {"/r/b", false}})
	s.expect("asked", s.asked(), "get /r/b", "get /r/a", "get /r")
	s.f.compared([]string{"/r"}, 1, nil)
	r := state(1, 0, 4, 0)
	r.NumChildren = 2
	s.server(gotStat(10, "/r", r), gotStat(10, "/r/a", state(2, 1, 0, 0)), refusedRead(10, "/r/b", errNoNode))
	s.expect("asked", s.asked(), "list /r")
	s.server(list(11, "/r", "a", "new"))
	s.expect("what is not known", s.asked(), "get /r/new")
	n := state(7, 0, 1, 0)
	n.NumChildren = 1
	s.server(gotStat(11, "/r/new", n))
	s.expect("and all below", s.asked(), "list /r/new")
	s.server(list(11, "/r/new", "x"))
	s.expect("asked", s.asked(), "get /r/new/x")
	s.server(gotStat(11, "/r/new/x", state(8, 0, 0, 0)))
	s.expect("handed over", s.handed(),
		"resync /r found v0", "resync /r/a found v1", "resync /r/b absent", "resync /r/new found v0", "resync /r/new/x found v0", "walked 5 at 11")
}

// TestChangedBesideNotifications: the read for a notification serves the
// comparison as well.
func TestChangedBesideNotifications(t *testing.T) {
	s := comparing(t)
	s.server(notify(10, eventDataChanged, "/r/a"))
	s.expect("asked", s.asked(), "get /r/a")
	s.f.changed(3, []hit{{"/r/a", false}})
	s.expect("asked", s.asked())
	s.server(gotStat(10, "/r/a", state(2, 2, 0, 0)))
	s.f.compared([]string{"/r"}, 1, nil)
	s.expect("the root is read in any case", s.asked(), "get /r")
	s.server(gotStat(10, "/r", state(1, 0, 3, 0)))
	s.expect("handed over", s.handed(), "data_changed /r/a 10 found v2", "resync /r/a found v2", "resync /r found v0", "walked 3 at 10")
}

func TestComparisonFails(t *testing.T) {
	s := comparing(t)
	s.f.changed(2, []hit{{"/r/a", false}})
	s.f.compared([]string{"/r"}, 1, errors.New("no such operation"))
	s.expect("everything is read", s.asked(), "get /r", "get /r/a")
	r := state(1, 0, 4, 0)
	r.NumChildren = 1
	s.server(gotStat(10, "/r", r), gotStat(10, "/r/a", state(2, 1, 0, 0)))
	s.expect("asked", s.asked(), "list /r")
	s.server(list(11, "/r", "a"))
	s.expect("the vanished, too", s.asked(), "get /r/b", "get /r/a")
	s.server(refusedRead(12, "/r/b", errNoNode), gotStat(12, "/r/a", state(2, 1, 0, 0)))
	s.expect("handed over", s.handed(),
		"resync /r found v0", "resync /r/a found v1", "resync /r/b absent", "resync /r/a found v1", "walked 3 at 12")
}

// TestGapStaysOpen: a link that is lost before its comparison has ended has
// shown only a part.
func TestGapStaysOpen(t *testing.T) {
	s := comparing(t)
	s.f.changed(3, nil)
	s.lose()
	s.link(20)
	s.expect("handed over", s.handed(), "gap (5,20] reconnect")
	if s.f.since != 5 || s.f.reached != 20 {
		t.Errorf("asks what changed after %v, of a server at %v", s.f.since, s.f.reached)
	}
}

// TestPartialFirstSync: of a root that was added and not read to its end, the
// server could not tell what is missing.
func TestPartialFirstSync(t *testing.T) {
	s := newScene(t, 5, "/r")
	s.link(9)
	s.handed()
	s.expect("asked", s.asked(), "get /r")
	s.known.stats = map[string]audit.Stat{"/r": state(1, 0, 2, 0)} // By the first link, which now is lost.
	s.lose()
	s.link(20)
	s.handed()
	s.expect("read again", s.asked(), "get /r")
	s.server(gotStat(20, "/r", state(1, 0, 0, 0)))
	s.expect("handed over", s.handed(), "resync /r found v0", "walked 1 from 20 at 20")
	s.lose()
	s.link(30)
	s.expect("handed over", s.handed(), "gap (20,30] reconnect")
	s.expect("compared from now on", s.asked())
}

func TestACLs(t *testing.T) {
	one, two := state(7, 0, 0, 1), state(7, 0, 0, 2)
	for name, test := range map[string]struct {
		frames []frame
		asked  []string
		want   []string
	}{
		"nothing but defaults": {
			[]frame{notify(10, eventCreated, "/r/a"), gotStat(10, "/r/a", state(7, 0, 0, 0))},
			nil,
			[]string{"created /r/a 10 found v0"},
		},
		"known": {
			[]frame{notify(10, eventDataChanged, "/r/k"), gotStat(10, "/r/k", state(2, 1, 0, 3))},
			nil,
			[]string{"data_changed /r/k 10 found v1"},
		},
		"another incarnation": {
			[]frame{notify(10, eventDataChanged, "/r/k"), gotStat(10, "/r/k", state(9, 1, 0, 3)), gotACL(10, "/r/k", state(9, 1, 0, 3), "r")},
			[]string{"acl /r/k"},
			[]string{"data_changed /r/k 10 found v1 r"},
		},
		"news": {
			[]frame{notify(10, eventDataChanged, "/r/k"), gotStat(10, "/r/k", state(2, 1, 0, 4)), gotACL(10, "/r/k", state(2, 1, 0, 4), "cdrwa")},
			[]string{"acl /r/k"},
			[]string{"data_changed /r/k 10 found v1 cdrwa"},
		},
		"for all that the answer is for": {
			[]frame{notify(10, eventCreated, "/r/a"), notify(11, eventDataChanged, "/r/a"), gotStat(11, "/r/a", one), gotACL(11, "/r/a", one, "r")},
			[]string{"acl /r/a"},
			[]string{"created /r/a 10 found v0 r behind 1", "data_changed /r/a 11 found v0 r"},
		},
		"changed again": {
			[]frame{notify(10, eventCreated, "/r/a"), gotStat(10, "/r/a", one), gotACL(12, "/r/a", two, "r")},
			[]string{"acl /r/a"},
			[]string{"created /r/a 10 found v0"},
		},
		"read too early, as another answer was waiting": {
			[]frame{
				notify(10, eventCreated, "/r/a"), gotStat(10, "/r/a", one), notify(11, eventDataChanged, "/r/a"), gotStat(11, "/r/a", two),
				gotACL(11, "/r/a", one, "r"), gotACL(11, "/r/a", two, "w"),
			},
			[]string{"acl /r/a", "acl /r/a"},
			[]string{"created /r/a 10 found v0 r", "data_changed /r/a 11 found v0 w"},
		},
		"a server that never tells": {
			[]frame{notify(10, eventCreated, "/r/a"), gotStat(10, "/r/a", two), gotACL(10, "/r/a", one, "r"), gotACL(10, "/r/a", one, "r"), gotACL(10, "/r/a", one, "r")},
			[]string{"acl /r/a", "acl /r/a", "acl /r/a"},
			[]string{"created /r/a 10 found v0"},
		},
		"dead when it was asked for": {
			[]frame{notify(10, eventCreated, "/r/a"), gotStat(10, "/r/a", one), notify(11, eventDeleted, "/r/a"), {zxid: 11, code: errNoNode, request: request{op: opGetACL, path: "/r/a"}}},
			[]string{"acl /r/a"},
			[]string{"created /r/a 10 found v0", "deleted /r/a 11"},
		},
		"an answer to a question of an earlier link": {
			[]frame{gotACL(9, "/r/a", one, "r")}, nil, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := synced(t)
			s.known.stats = map[string]audit.Stat{"/r/k": state(2, 0, 0, 3)}
			var asked, told []string
			for _, fr := range test.frames {
				s.server(fr)
				for _, line := range s.asked() {
					if line[:3] == "acl" {
						asked = append(asked, line)
					}
				}
				for _, line := range s.handed() {
					if line[:4] != "mark" {
						told = append(told, line)
					}
				}
			}
			s.expect("asked", asked, test.asked...)
			s.expect("told", told, test.want...)
			if len(s.f.acls) != 0 || s.f.fifo.bytes != 0 {
				t.Errorf("left: %v, %d bytes", s.f.acls, s.f.fifo.bytes)
			}
		})
	}
}

// TestLostBeforeTheACL: what was read of the znode stands.
func TestLostBeforeTheACL(t *testing.T) {
	s := synced(t)
	s.server(notify(10, eventCreated, "/r/a"))
	s.asked()
	s.server(gotStat(10, "/r/a", state(10, 0, 0, 1)))
	s.expect("waits", s.handed())
	s.expect("asked", s.asked(), "acl /r/a")
	s.lose()
	s.link(10)
	s.expect("handed over", s.handed(), "created /r/a 10 found v0", "mark 10")
}

// TestNoACLsInAFirstSync: there is nothing to compare them with.
func TestNoACLsInAFirstSync(t *testing.T) {
	s := newScene(t, 0, "/r")
	s.link(9)
	s.handed()
	s.asked()
	s.server(gotStat(9, "/r", state(1, 0, 0, 5)))
	s.expect("asked", s.asked())
	s.expect("handed over", s.handed(), "resync /r found v0", "walked 1 from 9 at 9")
}

func TestProgress(t *testing.T) {
	s := newScene(t, 0, "/q", "/r")
	s.link(9)
	s.handed()
	at := func(want float64) {
		t.Helper()
		if got := s.tr.source.Progress(); got < want-1e-9 || got > want+1e-9 {
			t.Errorf("Progress() = %v, want %v", got, want)
		}
	}
	s.asked()
	at(0)
	s.server(refusedRead(9, "/q", errNoNode))
	at(0.5)
	s.server(got(9, "/r", 0, 2))
	s.asked()
	at(0.5)
	s.server(list(9, "/r", "a", "b"))
	s.asked()
	s.server(got(9, "/r/a", 0, 5))
	s.asked()
	at(0.5)
	s.server(got(9, "/r/b", 0, 0))
	at(0.75)
	s.server(list(9, "/r/a"))
	at(1)
}
