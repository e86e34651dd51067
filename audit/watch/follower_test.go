package watch

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestFirstWalk(t *testing.T) {
	s := newScene(t, 0, "/r", "/gone", "/secret")
	s.known.children = map[string][]string{"/r/a": {"was"}, "/r": {"b", "old"}}
	s.link(9)
	s.expect("handed over", s.handed())
	if s.known.settled != 1 {
		t.Errorf("settled %d times", s.known.settled)
	}
	s.expect("asked", s.asked(), "get /secret", "get /r", "get /gone")
	s.server(got(9, "/r", 0, 2), refusedRead(9, "/gone", errNoNode), refusedRead(9, "/secret", errNoAuth))
	s.expect("asked", s.asked(), "list /r")
	s.server(list(10, "/r", "a", "b"))
	s.expect("asked", s.asked(), "get /r/old", "get /r/b", "get /r/a")
	s.server(got(10, "/r/a", 0, 0), got(10, "/r/b", 0, 0))
	s.expect("not before the suspects", s.handed(),
		"resync /r found v0", "resync /gone absent", "resync /secret denied", "resync /r/a found v0", "resync /r/b found v0")
	s.expect("asked", s.asked(), "get /r/a/was")
	s.server(refusedRead(10, "/r/old", errNoNode))
	s.expect("handed over", s.handed(), "resync /r/old absent")
	s.server(refusedRead(11, "/r/a/was", errNoNode))
	s.expect("handed over", s.handed(), "resync /r/a/was absent", "walked 7 from 9 at 11")
}

func TestNotifications(t *testing.T) {
	for name, test := range map[string]struct {
		frames []frame
		want   []string
	}{
		"an answer shows how far each was behind": {
			[]frame{notify(10, eventCreated, "/r/a"), notify(11, eventDataChanged, "/r/a"), notify(12, eventDataChanged, "/r/a"), got(12, "/r/a", 2, 0)},
			[]string{"created /r/a 10 found v2 behind 2", "data_changed /r/a 11 found v2 behind 1", "data_changed /r/a 12 found v2"},
		},
		"in the order of the wire, however answered": {
			[]frame{notify(10, eventCreated, "/r/a"), notify(11, eventCreated, "/r/b"), notify(12, eventDeleted, "/r/c"), got(12, "/r/b", 0, 0), got(12, "/r/a", 0, 0)},
			[]string{"created /r/a 10 found v0", "created /r/b 11 found v0", "deleted /r/c 12"},
		},
		"an answer belongs to the last incarnation": {
			[]frame{notify(10, eventCreated, "/r/a"), notify(11, eventDataChanged, "/r/a"), notify(12, eventDeleted, "/r/a"), notify(13, eventCreated, "/r/a"), got(13, "/r/a", 0, 0)},
			[]string{"created /r/a 10", "data_changed /r/a 11", "deleted /r/a 12", "created /r/a 13 found v0"},
		},
		"a deletion in between was not told": {
			[]frame{notify(10, eventCreated, "/r/a"), notify(11, eventCreated, "/r/a"), got(11, "/r/a", 0, 0)},
			[]string{"created /r/a 10", "created /r/a 11 found v0"},
		},
		"dead when it was read": {
			[]frame{notify(10, eventCreated, "/r/a"), notify(11, eventDeleted, "/r/a"), refusedRead(11, "/r/a", errNoNode)},
			[]string{"created /r/a 10", "deleted /r/a 11 absent"},
		},
		"behind the answer another one is needed": {
			[]frame{notify(10, eventCreated, "/r/a"), got(10, "/r/a", 0, 0), notify(11, eventDataChanged, "/r/a"), got(11, "/r/a", 1, 0)},
			[]string{"created /r/a 10 found v0", "data_changed /r/a 11 found v1"},
		},
		"without zxids, bracketed by answers": {
			[]frame{notify(0, eventCreated, "/r/a"), notify(0, eventDeleted, "/r/b"), ping(12), notify(0, eventDataChanged, "/r/a"), refusedRead(14, "/r/b", errNoNode), got(15, "/r/a", 1, 0)},
			[]string{"created /r/a (9,12] found v1 behind 1", "deleted /r/b (9,12] absent", "mark 12", "data_changed /r/a (12,14] found v1", "mark 15"},
		},
		"a mark stands behind what came before it": {
			[]frame{notify(10, eventCreated, "/r/a"), ping(10), ping(12), notify(13, eventDeleted, "/r/b"), ping(13), got(13, "/r/a", 0, 0)},
			[]string{"created /r/a 10 found v0", "mark 12", "deleted /r/b 13", "mark 13"},
		},
		"not to be read": {
			[]frame{notify(10, eventDataChanged, "/r/a"), refusedRead(10, "/r/a", errNoAuth), notify(11, eventCreated, "/r/\x01"), notify(12, eventCreated, "/r/"+strings.Repeat("x", maxPath))},
			[]string{"data_changed /r/a 10 denied", "created /r/\x01 11 denied", "created /r/" + strings.Repeat("x", maxPath) + " 12 denied"},
		},
		"not of interest": {
			[]frame{notify(10, eventCreated, "/rr"), notify(10, 4, "/r"), notify(10, 7, "/r"), notify(10, 99, "/r"), ping(11)},
			[]string{"mark 11"},
		},
		"answers to questions of an earlier link": {
			[]frame{got(10, "/r/a", 0, 0), list(10, "/r", "a"), {zxid: 10, request: request{op: opSync}}, {zxid: 10, request: request{op: opAddWatch, path: "/r"}}},
			[]string{"mark 10"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := synced(t)
			want := test.want
			s.server(test.frames...)
			if last := s.f.last; last > 9 && !strings.HasPrefix(want[len(want)-1], "mark") {
				want = append(slices.Clone(want), fmt.Sprintf("mark %d", last))
			}
			s.expect("handed over", s.handed(), want...)
			s.asked()
			if len(s.f.paths) != 0 || s.f.fifo.first() != nil || s.f.fifo.bytes != 0 {
				t.Errorf("left: %v, %d bytes", slices.Collect(maps.Keys(s.f.paths)), s.f.fifo.bytes)
			}
		})
	}
}

// TestOneReadAPath: however often a path changes, one read is under way.
func TestOneReadAPath(t *testing.T) {
	s := synced(t)
	s.server(notify(10, eventCreated, "/r/a"), notify(11, eventDataChanged, "/r/a"))
	s.expect("asked", s.asked(), "get /r/a")
	s.server(notify(12, eventDataChanged, "/r/a"))
	s.expect("asked", s.asked())
	s.server(got(11, "/r/a", 1, 0))
	s.server(notify(13, eventDataChanged, "/r/a"))
	s.expect("asked", s.asked(), "get /r/a")
}

// TestDeletesWithoutZxidAreAsked: something has to bound them from above.
func TestDeletesWithoutZxidAreAsked(t *testing.T) {
	s := synced(t)
	s.server(notify(10, eventDeleted, "/r/a"))
	s.expect("asked", s.asked())
	s.server(notify(0, eventDeleted, "/r/b"))
	s.expect("asked", s.asked(), "get /r/b")
}

func TestWalkBesideNotifications(t *testing.T) {
	s := newScene(t, 5, "/r")
	s.link(9)
	s.expect("handed over", s.handed(), "gap (5,9] restart")
	s.server(notify(10, eventDataChanged, "/r"))
	s.expect("one read serves both", s.asked(), "get /r")
	s.server(got(10, "/r", 7, 1))
	s.expect("handed over", s.handed(), "data_changed /r 10 found v7", "resync /r found v7")
	s.expect("asked", s.asked(), "list /r")
	s.server(notify(11, eventCreated, "/r/b"), list(11, "/r", "a", "b"))
	s.expect("asked", s.asked(), "get /r/b", "get /r/a")
	s.server(got(11, "/r/b", 0, 0), notify(12, eventDeleted, "/r/a"), ping(12), refusedRead(12, "/r/a", errNoNode))
	s.expect("no mark before the end", s.handed(),
		"created /r/b 11 found v0", "resync /r/b found v0", "deleted /r/a 12 absent", "resync /r/a absent", "walked 3 from 9 at 12")
}

func TestWalkOfWhatCannotBeAsked(t *testing.T) {
	s := newScene(t, 0, "/r")
	s.known.children = map[string][]string{"/r": {"\x01", "a", "\x02"}}
	s.link(9)
	s.handed()
	s.asked()
	s.server(got(9, "/r", 0, 0))
	s.expect("handed over", s.handed(), "resync /r found v0", "resync /r/\x01 denied", "resync /r/\x02 denied")
	s.expect("asked", s.asked(), "get /r/a")
	s.server(refusedRead(9, "/r/a", errNoNode))
	s.expect("the end comes last", s.handed(), "resync /r/a absent", "walked 4 from 9 at 9")
}

func TestReconnect(t *testing.T) {
	s := synced(t)
	withData := got(11, "/r/a", 0, 0)
	withData.node.Data = []byte("data")
	s.server(notify(10, eventDeleted, "/r/z"), notify(11, eventCreated, "/r/a"), withData, notify(12, eventCreated, "/r/b"), notify(13, eventDeleted, "/r/c"))
	s.lose()
	s.link(20)
	if s.f.fifo.bytes != len("data"+"/r/z"+"/r/a"+"/r/b"+"/r/c") {
		t.Errorf("%d bytes wait", s.f.fifo.bytes)
	}
	s.expect("what the last link knew comes first", s.handed(), "deleted /r/z 10", "created /r/a 11 found v0")
	s.expect("asked again", s.asked(), "get /r/b")
	s.server(got(20, "/r/b", 0, 0))
	s.expect("handed over", s.handed(), "created /r/b 12 found v0 late", "deleted /r/c 13", "gap (12,20] reconnect")
	s.expect("asked", s.asked(), "get /r")
	s.server(notify(11, eventCreated, "/r/a"), notify(12, eventCreated, "/r/b"))
	s.expect("told again", s.asked())
	s.lose() // Before the walk has ended: its gap is still open.
	s.link(30)
	s.expect("handed over", s.handed(), "gap (12,30] reconnect")
	s.asked()
	s.server(got(30, "/r", 0, 0))
	s.expect("handed over", s.handed(), "resync /r found v0", "walked 1 from 30 at 30")
	s.lose()
	s.link(30)
	s.server(ping(31))
	s.expect("nothing was missed", s.handed(), "mark 31")
}

// TestReconnectWithinATransaction: the rest of a transaction may have deleted
// what it created, and created it again with the same czxid.
func TestReconnectWithinATransaction(t *testing.T) {
	s := synced(t)
	s.server(notify(11, eventCreated, "/r/a"), notify(12, eventCreated, "/r/b"))
	s.lose()
	s.link(20)
	s.expect("asked again", s.asked(), "get /r/a")
	s.server(got(20, "/r/a", 0, 0))
	s.expect("handed over", s.handed(), "created /r/a 11 found v0 late", "created /r/b 12 late", "gap (11,20] reconnect")
}

func TestHistoryRewritten(t *testing.T) {
	s := newScene(t, 100, "/r")
	l, _ := tapped(t, 0)
	s.follow(l)
	l.frames.push(frame{zxid: 4, request: request{op: opAddWatch, path: "/r"}})
	l.frames.push(frame{zxid: 6, request: request{op: opSync, path: "/"}})
	if err := s.f.establish(t.Context(), make(chan ask, 10)); err != nil {
		t.Fatal(err)
	}
	s.f.control = nil
	s.expect("handed over", s.handed(), "gap (100,6] history_rewritten")
	if s.f.since != 0 {
		t.Errorf("asks what changed after %v of another history", s.f.since)
	}
	s.server(notify(7, eventDataChanged, "/r"))
	s.expect("what is new is told", s.asked(), "get /r")
}

// TestRewriteIsNotForgotten: the link that found out is lost before anybody was
// told.
func TestRewriteIsNotForgotten(t *testing.T) {
	s := newScene(t, 100, "/r")
	l, _ := tapped(t, 0)
	s.follow(l)
	l.frames.push(frame{zxid: 4, request: request{op: opAddWatch, path: "/r"}})
	l.frames.push(frame{zxid: 6, request: request{op: opSync, path: "/"}})
	if err := s.f.establish(t.Context(), make(chan ask, 10)); err != nil {
		t.Fatal(err)
	}
	s.lose()
	s.link(8)
	s.expect("told at last", s.handed(), "gap (100,8] history_rewritten")
	s.lose()
	s.link(9)
	s.expect("told once", s.handed())
	s.expect("the first sync begins anew", s.asked(), "get /r")
}

// TestHintsWithoutBound: what the server told last before the connection was
// lost may not have been applied by the next one, which then tells it again.
func TestHintsWithoutBound(t *testing.T) {
	s := synced(t)
	s.server(ping(10), notify(0, eventDeleted, "/r/a"))
	s.lose()
	s.link(10)
	s.server(notify(0, eventDeleted, "/r/a"))
	s.asked()
	s.server(refusedRead(11, "/r/a", errNoNode))
	s.expect("told once", s.handed(), "deleted /r/a (10,11] absent", "mark 11")
}

// TestServerBehindWithoutZxids: what it tells up to the zxid that was recorded
// already is not told again.
func TestServerBehindWithoutZxids(t *testing.T) {
	s := synced(t)
	s.server(ping(10))
	s.handed()
	s.lose()
	l, _ := tapped(t, 0)
	s.follow(l)
	l.frames.push(frame{zxid: 4, request: request{op: opAddWatch, path: "/r"}})
	l.frames.push(notify(0, eventDeleted, "/r/a"))
	l.frames.push(frame{zxid: 10, request: request{op: opSync, path: "/"}})
	l.frames.push(notify(0, eventDeleted, "/r/b"))
	if err := s.f.establish(t.Context(), make(chan ask, 10)); err != nil {
		t.Fatal(err)
	}
	if err := s.f.receive(); err != nil {
		t.Fatal(err)
	}
	s.f.control = nil
	s.asked()
	s.server(refusedRead(11, "/r/b", errNoNode))
	s.expect("only what is new", s.handed(), "deleted /r/b (10,11] absent", "mark 11")
}

// TestRestartWithNothingMissed: the walk looks at everything all the same.
func TestRestartWithNothingMissed(t *testing.T) {
	s := newScene(t, 5, "/r")
	s.link(5)
	s.expect("no gap", s.handed())
	s.expect("asked", s.asked(), "get /r")
}

// TestBelowTheUnreadable: ACLs are not inherited.
func TestBelowTheUnreadable(t *testing.T) {
	s := newScene(t, 5, "/r")
	s.known.children = map[string][]string{"/r": {"a"}, "/r/a": {"b"}}
	s.link(9)
	s.handed()
	s.asked()
	s.server(refusedRead(9, "/r", errNoAuth))
	s.expect("asked", s.asked(), "get /r/a")
	s.server(got(9, "/r/a", 0, 1))
	s.expect("asked", s.asked(), "list /r/a")
	s.server(frame{zxid: 9, code: errNoAuth, request: request{op: opGetChildren2, path: "/r/a"}})
	s.expect("asked", s.asked(), "get /r/a/b")
}

// TestSilence: a server that answers pings and nothing else is given up.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := synced(t)
		s.server(notify(10, eventCreated, "/r/a"))
		if err := s.f.trouble(); err != nil {
			t.Errorf("trouble() = %v at once", err)
		}
		time.Sleep(answerTimeout + time.Second)
		s.server(ping(10))
		if err := s.f.trouble(); !errors.Is(err, errSilent) {
			t.Errorf("trouble() = %v though an answer is overdue", err)
		}
		s.server(got(10, "/r/a", 0, 0))
		time.Sleep(answerTimeout + time.Second)
		if err := s.f.trouble(); err != nil {
			t.Errorf("trouble() = %v with nothing to answer", err)
		}
	})
}

// TestServerBehind: one that lags, and catches up by a Sync, has forgotten
// nothing.
func TestServerBehind(t *testing.T) {
	s := synced(t)
	s.lose()
	l, _ := tapped(t, 0)
	s.follow(l)
	l.frames.push(frame{zxid: 4, request: request{op: opAddWatch, path: "/r"}})
	l.frames.push(notify(8, eventCreated, "/r/a"))
	l.frames.push(frame{zxid: 9, request: request{op: opSync, path: "/"}})
	if err := s.f.establish(t.Context(), make(chan ask, 10)); err != nil {
		t.Fatal(err)
	}
	s.expect("nothing is told again", s.handed(), "mark 9")
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		frame frame
		want  string
	}{
		"watch of an old server":   {frame{code: errUnimplemented, request: request{op: opAddWatch, path: "/r"}}, "answered code -6"},
		"optimized watch manager":  {frame{code: errMarshalling, request: request{op: opAddWatch, path: "/r"}}, "answered code -5"},
		"watch, for other reasons": {frame{code: -124, request: request{op: opAddWatch, path: "/r"}}, "add watch on /r: server answered code -124"},
		"read":                     {refusedRead(9, "/r", -4), "read /r: server answered code -4"},
		"list":                     {frame{code: -4, request: request{op: opGetChildren2, path: "/r"}}, "list children of /r: server answered code -4"},
	} {
		t.Run(name, func(t *testing.T) {
			s := synced(t)
			s.server(notify(10, eventDataChanged, "/r"))
			s.f.listing["/r"] = visit{}
			err := s.f.handle(&test.frame)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %s", err, test.want)
			}
			if never := test.frame.code == errUnimplemented || test.frame.code == errMarshalling; errors.Is(err, errNoRecursiveWatch) != never {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestReasonOutlivesARefusal: a link that was refused its watches told of no
// gap, so the next one has the same to tell.
func TestReasonOutlivesARefusal(t *testing.T) {
	s := newScene(t, 9, "/r")
	l, _ := tapped(t, 0)
	s.follow(l)
	l.frames.push(frame{zxid: 12, code: errUnimplemented, request: request{op: opAddWatch, path: "/r"}})
	if err := s.f.establish(t.Context(), make(chan ask, 100)); !errors.Is(err, errNoRecursiveWatch) {
		t.Fatalf("establish() = %v", err)
	}
	s.lose()
	s.link(20)
	s.expect("handed over", s.handed(), "gap (9,20] restart")
}
