package watch

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"zkwarden/audit"
)

// play answers what the follower asks as a server with an empty root would.
func play(l *link, asks <-chan ask, zxid audit.Zxid) {
	for a := range asks {
		fr := frame{zxid: zxid, request: a.request}
		if a.op == opGetData {
			fr = got(zxid, a.path, 0, 0)
		}
		l.frames.push(fr)
	}
}

// take returns the next observation, or fails the test.
func (s *scene) take() string {
	s.t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	select {
	case o := <-s.out:
		return told(o)
	case <-limit.C:
		s.t.Fatal("nothing is handed over")
		return ""
	}
}

// TestAnswersAreLetIn: the first notification waits for its answer, and more
// than may be kept came behind it. What frees them stands at their end.
func TestAnswersAreLetIn(t *testing.T) {
	s := synced(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	asks := make(chan ask)
	s.f.link.frames.push(notify(10, eventCreated, "/r/a"))
	for range maxItems + 10 {
		s.f.link.frames.push(notify(11, eventDeleted, "/r/b"))
	}
	go func() { ended <- s.f.run(ctx, asks) }()
	if a := <-asks; a.path != "/r/a" {
		t.Fatalf("asked for %s", a.path)
	}
	s.f.link.frames.push(got(12, "/r/a", 0, 0))
	s.expect("handed over", []string{s.take(), s.take()}, "created /r/a 10 found v0", "deleted /r/b 11")
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("run() = %v", err)
	}
}

// TestOverflowIsAGap: nobody takes what is handed over, so the follower stops
// taking frames, the link's queue overflows and the next link reports it.
func TestOverflowIsAGap(t *testing.T) {
	s := newScene(t, 0, "/r")
	l, _ := tapped(t, 0)
	l.frames.open()
	asks := make(chan ask)
	defer close(asks)
	go play(l, asks, 9)
	ended := make(chan error, 1)
	go func() { ended <- s.tr.follow(t.Context(), l, asks) }()
	s.expect("handed over", []string{s.take(), s.take()}, "resync /r found v0", "walked 1 from 9 at 9")

	told, room := 0, maxItems+3*maxQueued
	for l.frames.push(notify(audit.Zxid(10+told), eventDeleted, fmt.Sprint("/r/", told))) {
		if told++; told > room {
			t.Fatalf("%d notifications are kept", told)
		}
	}
	if !l.frames.overflowed() {
		t.Fatal("the queue closed for another reason")
	}
	// Closing the link is up to the client, whose next read fails.
	for n := 0; ; n++ {
		select {
		case o := <-s.out:
			if seen, ok := o.(audit.Seen); !ok || seen.Path != fmt.Sprint("/r/", n) {
				t.Fatalf("notification %d is %+v", n, o)
			}
			continue
		case err := <-ended:
			if !errors.Is(err, errLinkClosed) {
				t.Errorf("follow() = %v", err)
			}
			if n+len(s.tr.left) != told {
				t.Errorf("%d notifications, of which %d were handed over and %d left", told, n, len(s.tr.left))
			}
		}
		break
	}
	s.tr.left = nil
	s.link(900000)
	s.expect("handed over", s.handed(), fmt.Sprintf("gap (%d,900000] overflow", 10+told-2))
}
