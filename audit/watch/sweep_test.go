package watch

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
)

// sweeping is a scene behind its first walk with the known znodes of comparing,
// and a visit by a sweep that began at 9.
func sweeping(t *testing.T) *scene {
	t.Helper()
	s := comparing(t)
	s.f.working, s.stop = context.WithCancel(t.Context()) // The link lives on.
	s.f.compared([]string{"/r"}, 1, nil)
	s.expect("the root is read in any case", s.asked(), "get /r")
	s.server(gotStat(9, "/r", state(1, 0, 3, 0)))
	s.expect("handed over", s.handed(), "resync /r found v0", "walked 0 at 9")
	return s
}

func (s *scene) sweepVisit(path string, children bool) {
	s.f.visit(path, visit{origin: audit.OriginSweep, newer: 9, children: children})
}

// swept ends the sweep.
func (s *scene) swept(begun audit.Zxid) {
	s.f.swept = begun
	s.f.endWalk()
}

func TestSweep(t *testing.T) {
	s := sweeping(t)
	s.sweepVisit("/r/a", false)
	s.sweepVisit("/r/b", false)
	s.sweepVisit("/r", true)
	s.swept(9)
	s.expect("asked", s.asked(), "get /r", "get /r/b", "get /r/a")
	r := state(1, 0, 3, 0)
	r.NumChildren = 3
	s.server(gotStat(11, "/r/a", state(2, 0, 0, 1)), refusedRead(11, "/r/b", errNoAuth), gotStat(11, "/r", r))
	s.expect("acl and children", s.asked(), "acl /r/a", "acl /r", "list /r")
	s.server(list(11, "/r", "a", "b", "new"), gotACL(11, "/r/a", state(2, 0, 0, 1), "r"), gotACL(11, "/r", r, "cdrwa"))
	s.expect("handed over", s.handed(), "sweep /r/a found v0 r", "sweep /r/b denied", "sweep /r found v0 cdrwa", "mark 11")
	s.expect("asked", s.asked(), "get /r/new")
	s.server(ping(13), refusedRead(13, "/r/new", errNoNode))
	s.expect("the end comes last", s.handed(), "mark 13", "sweep /r/new absent", "swept 9 at 13")
	s.swept(13)
	s.server(ping(14))
	s.expect("the next one", s.handed(), "swept 13 at 13", "mark 14")
}

// TestSweepBeginsBehindWhatWasTold: a creation on its way to the recorder is of
// a znode that the sweep would pass over.
func TestSweepBeginsBehindWhatWasTold(t *testing.T) {
	s := sweeping(t)
	settled := s.known.settled
	s.server(notify(10, eventCreated, "/r/new"))
	w := &sweeper{known: s.known, orders: s.tr.sweeps}
	begun := make(chan error, 1)
	go func() { begun <- w.begin(t.Context()) }()
	(<-s.tr.sweeps)(s.f)
	s.expect("asked", s.asked(), "get /r/new")
	s.expect("waits", s.handed())
	select {
	case err := <-begun:
		t.Fatalf("begin() = %v before that was handed over", err)
	default:
	}
	s.server(gotStat(11, "/r/new", state(10, 0, 0, 0)))
	s.expect("handed over", s.handed(), "created /r/new 10 found v0", "mark 11")
	if err := <-begun; err != nil || w.begun != 9 || s.known.settled != settled+1 {
		t.Errorf("begin() = %v at %v, settled %d times", err, w.begun, s.known.settled-settled)
	}
}

// TestSweepBeginsBehindTheLast: what is shown before the end of a sweep is
// counted with it.
func TestSweepBeginsBehindTheLast(t *testing.T) {
	s := sweeping(t)
	s.sweepVisit("/r/b", false)
	s.expect("asked", s.asked(), "get /r/b")
	s.swept(9)
	w := &sweeper{known: s.known, orders: s.tr.sweeps}
	begun := make(chan error, 1)
	go func() { begun <- w.begin(t.Context()) }()
	order := func() {
		t.Helper()
		select {
		case o := <-s.tr.sweeps:
			o(s.f)
		case <-time.After(10 * time.Second):
			t.Fatal("it began, and asks no more")
		}
	}
	for range 2 {
		order()
		s.expect("waits for the answer", s.handed())
	}
	s.server(refusedRead(12, "/r/b", errNoAuth))
	order()
	s.expect("the end of the last one comes first", s.handed(), "sweep /r/b denied", "swept 9 at 12")
	order()
	s.handed()
	if err := <-begun; err != nil || w.begun != 12 {
		t.Errorf("begin() = %v at %v", err, w.begun)
	}
}

// TestSweepBeginsOnTheNextLink where the one that was to tell is lost.
func TestSweepBeginsOnTheNextLink(t *testing.T) {
	s := sweeping(t)
	s.server(notify(10, eventCreated, "/r/new"))
	w := &sweeper{known: s.known, orders: s.tr.sweeps}
	begun := make(chan error, 1)
	go func() { begun <- w.begin(t.Context()) }()
	(<-s.tr.sweeps)(s.f)
	s.lose()
	s.link(12)
	(<-s.tr.sweeps)(s.f)
	s.asked()
	s.server(gotStat(12, "/r/new", state(10, 0, 0, 0)))
	s.handed()
	if err := <-begun; err != nil || w.begun != 12 {
		t.Errorf("begin() = %v at %v", err, w.begun)
	}
}

// TestSweepWantsNewAnswers: one on its way from before the sweep would hide
// what has changed up to its beginning.
func TestSweepWantsNewAnswers(t *testing.T) {
	s := sweeping(t)
	s.server(notify(10, eventDataChanged, "/r/a"))
	s.expect("asked", s.asked(), "get /r/a")
	s.f.visit("/r/a", visit{origin: audit.OriginSweep, newer: 12})
	s.server(gotStat(11, "/r/a", state(2, 1, 0, 0)))
	s.expect("handed over", s.handed(), "data_changed /r/a 10 found v1", "mark 11")
	s.expect("asked again", s.asked(), "get /r/a")
	s.swept(12)
	s.server(gotStat(12, "/r/a", state(2, 1, 0, 0)))
	s.expect("asked", s.asked(), "acl /r/a")
	s.expect("waits", s.handed())
	s.server(gotACL(12, "/r/a", state(2, 1, 0, 0), "r"))
	s.expect("handed over", s.handed(), "sweep /r/a found v1 r", "swept 12 at 12")
}

// TestSweepOutlivesTheLink: what the last link did not hand over, the next one
// reads, behind its resync, and the mark waits for it.
func TestSweepOutlivesTheLink(t *testing.T) {
	s := sweeping(t)
	s.sweepVisit("/r", true)
	s.sweepVisit("/r/b", false)
	s.asked()
	r := state(1, 0, 3, 0)
	r.NumChildren = 3
	s.server(gotStat(9, "/r", r))
	s.expect("asked", s.asked(), "acl /r", "list /r")
	s.server(gotACL(9, "/r", r, "r"))
	s.swept(9)
	s.lose()
	s.link(12)
	s.expect("handed over", s.handed(), "gap (9,12] reconnect")
	s.f.compared([]string{"/r"}, 1, nil)
	s.asked()
	s.server(gotStat(12, "/r", r))
	s.expect("no mark yet", s.handed(), "resync /r found v0", "walked 0 at 12")
	asked := s.asked()
	slices.Sort(asked)
	s.expect("asked", asked, "get /r", "get /r/b")
	s.server(gotStat(12, "/r", r), refusedRead(12, "/r/b", errNoNode), gotACL(12, "/r", r, "r"))
	s.asked()
	s.server(list(12, "/r", "a", "b"))
	s.expect("handed over", s.handed(), "sweep /r found v0 r", "sweep /r/b absent", "swept 9 at 12")
}

// TestSweepOfAnotherHistory: what it found would be judged by what came after.
func TestSweepOfAnotherHistory(t *testing.T) {
	s := sweeping(t)
	s.sweepVisit("/r/b", false)
	s.swept(9)
	s.lose()
	s.tr.rewritten = true
	s.link(3)
	s.expect("handed over", s.handed(), "gap (9,3] history_rewritten")
	s.known.stats, s.known.children = nil, nil
	s.expect("asked", s.asked(), "get /r")
	s.server(gotStat(3, "/r", state(2, 0, 0, 0)))
	s.expect("handed over", s.handed(), "resync /r found v0", "walked 1 from 3 at 3")
	s.expect("asked", s.asked())
}

// TestSweeper: what differs is read, at a pace that needs its interval, and
// nothing of it while something was missed.
func TestSweeper(t *testing.T) {
	server := map[string]zk.Stat{
		"/r": {Czxid: 1, Cversion: 2, NumChildren: 2}, "/r/a": {Czxid: 2}, "/r/acl": {Czxid: 3, Aversion: 1},
		"/r/data": {Czxid: 4, Version: 1}, "/r/new": {Czxid: 10}, "/r/p": {Czxid: 6, Cversion: 1}, "/r/strange": {Czxid: 7, NumChildren: 1},
	}
	known := newLedger()
	for path, czxid := range map[string]audit.Zxid{"/r": 1, "/r/a": 2, "/r/acl": 3, "/r/data": 4, "/r/new": 5, "/r/p": 6, "/r/strange": 7, "/r/z": 8} {
		known.nodes[path] = audit.Stat{Czxid: czxid}
	}
	known.nodes["/r"] = audit.Stat{Czxid: 1, Cversion: 2}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		orders := make(chan order)
		refusals := 1
		w := &sweeper{known: known, orders: orders, interval: time.Minute, exists: func(path string) (bool, *zk.Stat, error) {
			if refusals > 0 {
				refusals--
				return false, nil, zk.ErrConnectionClosed
			}
			stat, found := server[path]
			return found, &stat, nil
		}}
		ended := make(chan struct{})
		go func() { w.run(ctx); close(ended) }()

		s := sweeping(t)
		s.known.stats = nil
		s.tr.known = known
		begun := time.Now()
		var visits []string
		for {
			(<-orders)(s.f)
			if s.f.fifo.first() != nil && s.f.fifo.first().then != nil {
				s.f.fifo.first().then()
				s.f.fifo.pop()
			}
			for path, st := range s.f.paths {
				line := path
				if st.visit.children {
					line += " and its children"
				}
				visits = append(visits, line)
				delete(s.f.paths, path)
			}
			if s.f.swept != 0 {
				break
			}
		}
		if took := time.Since(begun); took < 50*time.Second || took > time.Minute+sweepRetry {
			t.Errorf("took %v", took)
		}
		slices.Sort(visits)
		s.expect("visited", visits, "/r and its children", "/r and its children", "/r/acl", "/r/data", "/r/new", "/r/p", "/r/strange and its children", "/r/z")
		(<-orders)(s.f)
		if took := time.Since(begun); took < time.Minute {
			t.Errorf("the next one began after %v", took)
		}
		cancel()
		<-ended
	})
}

// TestSweepListsBesideTheDead: a child that died unseen and one that was born
// hidden leave their parent as many children as are known.
func TestSweepListsBesideTheDead(t *testing.T) {
	s := sweeping(t)
	s.known.stats = map[string]audit.Stat{"/r": {Czxid: 1}}
	s.known.children = map[string][]string{"/r": {"dead"}}
	orders, checked := make(chan order), make(chan error)
	w := &sweeper{known: s.known, orders: orders, history: s.f.history, exists: func(path string) (bool, *zk.Stat, error) {
		return path == "/r", &zk.Stat{Czxid: 1, NumChildren: 1}, nil
	}}
	go func() {
		checked <- w.check(t.Context(), "/r")
		checked <- w.check(t.Context(), "/r/dead")
	}()
	for done := 0; done < 2; {
		select {
		case o := <-orders:
			o(s.f)
		case err := <-checked:
			if err != nil {
				t.Fatal(err)
			}
			done++
		}
	}
	asked := s.asked()
	slices.Sort(asked)
	s.expect("asked", asked, "get /r", "get /r/dead")
	r := state(1, 0, 0, 0)
	r.NumChildren = 1
	s.server(gotStat(9, "/r", r), refusedRead(9, "/r/dead", errNoNode))
	asked = s.asked()
	slices.Sort(asked)
	s.expect("asked", asked, "acl /r", "list /r")
	s.server(list(9, "/r", "hidden"))
	s.expect("asked", s.asked(), "get /r/hidden")
}

// TestSweepSoon: a sweep that would take its interval ends at the pace of the
// reads, and one that is not due begins.
func TestSweepSoon(t *testing.T) {
	exists := func(string) (bool, *zk.Stat, error) { return true, &zk.Stat{Czxid: 1}, nil }
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		orders := make(chan order)
		source := New(Options{SweepInterval: time.Hour, Logger: log.NewNopLogger()})
		s := sweeping(t)
		s.known.stats = map[string]audit.Stat{"/r": {Czxid: 1}}
		s.known.children = map[string][]string{"/": {"r", "s", "t"}}
		w := &sweeper{known: s.known, exists: exists, orders: orders, interval: source.SweepInterval, soon: source.soon}
		ended := make(chan struct{})
		go func() { w.run(ctx); close(ended) }()
		// swept lets the sweeper work until a sweep has ended.
		swept := func() (took time.Duration) {
			begun, ended := time.Now(), false
			for !ended {
				(<-orders)(s.f)
				ended = slices.ContainsFunc(s.handed(), func(line string) bool { return strings.HasPrefix(line, "swept") })
			}
			return time.Since(begun)
		}
		for _, sweep := range []string{"that runs", "that is not due"} {
			begun := make(chan struct{})
			go func() {
				time.Sleep(time.Minute)
				if !source.SweepSoon() {
					t.Error("there is no sweep")
				}
				close(begun)
			}()
			if took := swept(); took < time.Minute || took > 2*time.Minute {
				t.Errorf("the sweep %s ended after %v", sweep, took)
			}
			<-begun
		}
		if took := swept(); took < 50*time.Minute {
			t.Errorf("the next one ended after %v", took)
		}
		cancel()
		<-ended
	})
	if New(Options{Logger: log.NewNopLogger()}).SweepSoon() {
		t.Error("there is a sweep where none is wanted")
	}
}
