package watch

import (
	"errors"
	"testing"
	"time"

	"zkwarden/audit"
)

// TestWatchIsLost: the session goes on, and the watch is gone.
func TestWatchIsLost(t *testing.T) {
	s := synced(t)
	check := func(zxid audit.Zxid, code int32) error {
		s.f.confirmedAt = time.Now().Add(-time.Hour)
		s.f.confirmWatches()
		s.expect("asked", s.asked(), "check /r")
		s.f.confirmWatches()
		s.expect("once at a time", s.asked())
		return s.f.handle(&frame{zxid: zxid, code: code, request: request{op: opCheckWatches, path: "/r"}})
	}
	if err := check(20, 0); err != nil {
		t.Fatal(err)
	}
	s.server(ping(25))
	s.expect("handed over", s.handed(), "mark 25")
	if err := check(30, errNoWatcher); !errors.Is(err, errWatchLost) {
		t.Fatalf("checked: %v", err)
	}
	s.lose()
	s.link(40)
	s.expect("from the last time it was there", s.handed(), "gap (20,40] watch_lost")
	s.asked()
	s.lose()
	s.link(50)
	s.expect("until that was shown", s.handed(), "gap (20,50] watch_lost")
	s.server(got(50, "/r", 0, 0))
	s.handed()
	s.lose()
	s.link(60)
	s.expect("and no longer", s.handed(), "gap (50,60] reconnect")
}

// TestWatchesAreAddedAgain: to a server that does not know how to check them.
func TestWatchesAreAddedAgain(t *testing.T) {
	s := synced(t)
	s.f.confirmedAt = time.Now().Add(-time.Hour)
	s.f.confirmWatches()
	s.asked()
	s.server(frame{zxid: 20, code: errUnimplemented, request: request{op: opCheckWatches, path: "/r"}})
	s.expect("asked", s.asked(), "watch /r")
	s.f.confirmedAt = time.Now().Add(-time.Hour)
	s.f.confirmWatches()
	s.expect("not asked again", s.asked())
}
