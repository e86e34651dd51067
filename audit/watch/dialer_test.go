package watch

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
)

func TestServersInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &InOrder{Servers: []string{"b", "a", "c"}}
		if err := p.Init([]string{"c", "b", "a"}); err != nil || p.Len() != 3 { // The client shuffles.
			t.Fatalf("Init: %v, %d servers", err, p.Len())
		}
		type offer struct {
			Server string
			Again  bool
		}
		var got []offer
		next := func(times int) {
			for range times {
				server, again := p.Next()
				got = append(got, offer{server, again})
			}
		}
		next(5)
		p.Connected()
		time.Sleep(settled - time.Millisecond)
		next(1) // The connection did not last: the next server, not the first again.
		p.Connected()
		time.Sleep(settled)
		next(2)
		want := []offer{
			{"b", false},
			{"a", false},
			{"c", false},
			{"b", true},
			{"a", false},
			{"c", false},
			{"b", false},
			{"a", false},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// pipes is a dial function that remembers the server's ends.
type pipes struct{ far []net.Conn }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	near, far := net.Pipe()
	p.far = append(p.far, far)
	return near, nil
}

func newDialer(ctx context.Context, p *pipes) *dialer {
	return &dialer{
		ctx: ctx, dial: p.dial, timeout: 3 * time.Second, trouble: func(error) {},
		links: make(chan *link, 1), logger: log.NewNopLogger(),
	}
}

// connectOnce is one attempt of the client; accept is the server's answer.
func connectOnce(t *testing.T, d *dialer, p *pipes, accept bool) *link {
	t.Helper()
	conn, err := d.connect("tcp", "server", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	far := p.far[len(p.far)-1]
	if accept {
		serve(far, framed(connected(4000, 1)), 1<<20)
	} else {
		far.Close()
	}
	_, _ = conn.Read(make([]byte, 1<<10)) // Fails where the server refuses.
	return conn.(*link)
}

func TestLockout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{}
		d := newDialer(t.Context(), p)
		d.newest.Store(9)
		attempt := func(accept bool, after time.Duration) uint64 {
			time.Sleep(after)
			defer connectOnce(t, d, p, accept).Close()
			return d.newest.Load()
		}
		var got []uint64
		got = append(got, attempt(false, 0), attempt(false, lockoutAfter/2))
		got = append(got, attempt(true, lockoutAfter/2)) // One accepts: no lock-out.
		for range 3 {
			got = append(got, attempt(false, lockoutAfter/2))
		}
		got = append(got, attempt(false, lockoutAfter/2+time.Second))
		if diff := cmp.Diff([]uint64{9, 9, 9, 9, 9, 9, 0}, got); diff != "" {
			t.Errorf("last zxids presented (-want +got):\n%s", diff)
		}
		d.stop()
	})
}

// TestShortLivedLinksArePaced: a server that accepts a session and closes it
// over the first request is not asked in a busy loop.
func TestShortLivedLinksArePaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{}
		ctx, cancel := context.WithCancel(t.Context())
		d := newDialer(ctx, p)
		attempt := func(accept bool) time.Duration {
			began := time.Now()
			connectOnce(t, d, p, accept).Close()
			return time.Since(began)
		}
		if waited := attempt(true); waited != 0 {
			t.Errorf("the first waited %v", waited)
		}
		if waited := attempt(true); waited < shortLived || waited > 2*shortLived {
			t.Errorf("behind a link that died at once: %v", waited)
		}
		time.Sleep(shortLived)
		if waited := attempt(false); waited != 0 {
			t.Errorf("behind a link that lived: %v", waited)
		}
		if waited := attempt(true); waited != 0 {
			t.Errorf("behind a server that refused: %v", waited)
		}
		cancel()
		if _, err := d.connect("tcp", "server", time.Second); !errors.Is(err, context.Canceled) {
			t.Errorf("connect() = %v behind the end", err)
		}
		d.stop()
	})
}

// TestNewestLinkWins: a link that nobody took makes room for its successor.
func TestNewestLinkWins(t *testing.T) {
	p := &pipes{}
	d := newDialer(t.Context(), p)
	var made []*link
	for range 3 {
		made = append(made, connectOnce(t, d, p, false))
	}
	if l := <-d.links; slices.Index(made, l) != 2 {
		t.Errorf("the source is given link %d of 3", slices.Index(made, l)+1)
	}
	last := connectOnce(t, d, p, false)
	d.stop()
	if len(d.links) != 0 {
		t.Error("a link is left")
	}
	if _, err := last.Conn.Write([]byte{0}); err == nil {
		t.Error("the link that was left is open")
	}
}

// TestHungServer: a server that accepts and then says nothing costs the
// timeout, after which the next one is tried, and is named.
func TestHungServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{}
		d := newDialer(t.Context(), p)
		var troubles []string
		d.trouble = func(err error) { troubles = append(troubles, err.Error()) }
		conn, err := d.connect("tcp", "hung:2181", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if _, err := conn.Read(make([]byte, 8)); err == nil || time.Since(began) != d.timeout {
			t.Errorf("Read() = %v after %v", err, time.Since(began))
		}
		connectOnce(t, d, p, true).Close()
		if len(troubles) != 1 || !strings.Contains(troubles[0], "hung:2181") {
			t.Errorf("told %q", troubles)
		}
		d.stop()
	})
}
