package watch

import (
	"bytes"
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
		ctx: ctx, pace: usualPace(), dial: p.dial, timeout: 3 * time.Second, servers: 1, trouble: func(error) {},
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
		attempt := func(accept bool) uint64 {
			defer connectOnce(t, d, p, accept).Close()
			return d.newest.Load()
		}
		var said bytes.Buffer
		d.logger = log.NewLogfmtLogger(&said)
		attempt(false)
		time.Sleep(d.pace.lockout)
		if attempt(true) == 0 || attempt(false) == 0 {
			t.Error("a server that accepts the session does not end a lock-out")
		}
		d.failures = 4 // The wait would be far longer than what is left.
		for attempt(false) != 0 {
		}
		if lasted := time.Since(d.refusedSince); lasted != d.pace.lockout {
			t.Errorf("the last zxid is presented for %v", lasted)
		}
		for range 10 {
			began := time.Now()
			if attempt(false); time.Since(began) < d.pace.backoff/2 {
				t.Errorf("behind the lock-out a server is asked after %v", time.Since(began))
			}
		}
		if strings.Count(said.String(), "presenting no last zxid") != 1 || strings.Contains(said.String(), "0x0") {
			t.Errorf("said:\n%s", &said)
		}
		d.stop()
	})
}

// TestAfterExpiry: a server that tells that the session is over is asked for
// another one at once, but not again and again.
func TestAfterExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{}
		d := newDialer(t.Context(), p)
		attempt := func(answer jute) time.Duration {
			began := time.Now()
			conn, err := d.connect("tcp", "server", time.Second)
			if err != nil {
				t.Fatal(err)
			}
			far := p.far[len(p.far)-1]
			if answer == nil {
				far.Close()
			} else {
				serve(far, framed(answer), 1<<20)
			}
			_, _ = conn.Read(make([]byte, 1<<10)) // Fails where the server refuses.
			conn.Close()
			return time.Since(began)
		}
		for range 6 {
			attempt(nil)
		}
		attempt(connected(0, 0))
		if waited := attempt(connected(0, 0)); waited != 0 {
			t.Errorf("another session is asked for after %v", waited)
		}
		for range 3 {
			if waited := attempt(connected(0, 0)); waited < minBackoff/2 {
				t.Errorf("a server that ends every session is asked after %v", waited)
			}
		}
		d.stop()
	})
}

// TestBackoff: all servers are tried at once, and then again after a while
// that grows, whether they refuse the session or close it over what is asked.
func TestBackoff(t *testing.T) {
	for name, accept := range map[string]bool{"refused": false, "accepted and closed": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &pipes{}
				ctx, cancel := context.WithCancel(t.Context())
				d := newDialer(ctx, p)
				d.servers = 3
				attempt := func() (*link, time.Duration) {
					began := time.Now()
					l := connectOnce(t, d, p, accept)
					l.Close()
					return l, time.Since(began)
				}
				for round, want := range []time.Duration{0, 1, 2, 4, 8, 10, 10, 10, 10, 10, 10, 10} {
					want *= time.Second
					if _, waited := attempt(); waited < want/2 || waited > want*3/2 {
						t.Errorf("round %d begins after %v, want %v", round, waited, want)
					}
					for range d.servers - 1 {
						if _, waited := attempt(); waited != 0 {
							t.Errorf("the next server of round %d is tried after %v", round, waited)
						}
					}
				}
				l, _ := attempt()
				l.confirmed.Store(true)
				if accept {
					time.Sleep(shortLived)
					if _, waited := attempt(); waited != 0 {
						t.Errorf("behind a connection that was of use: %v", waited)
					}
				}
				attempt()
				time.Sleep(time.Hour)
				d.failures = 2 // The next failure ends a round.
				if _, waited := attempt(); waited == 0 {
					t.Error("an hour without watches counts as success")
				}
				d.failures = 3 // At the end of a round.
				cancel()
				if _, err := d.connect("tcp", "server", time.Second); !errors.Is(err, context.Canceled) {
					t.Errorf("connect() = %v behind the end", err)
				}
				d.stop()
			})
		})
	}
}

// TestNamesAndCredentialsAreReadAtEveryConnect: both change under a process
// that runs.
func TestNamesAndCredentialsAreReadAtEveryConnect(t *testing.T) {
	p := &pipes{}
	d := newDialer(t.Context(), p)
	d.servers = 100 // No back-off.
	var asked []string
	d.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		asked = append(asked, address)
		return p.dial(ctx, network, address)
	}
	secret, broken := "one", error(nil)
	d.auth = func() ([]Credential, error) {
		return []Credential{{Scheme: "digest", Auth: []byte(secret)}}, broken
	}
	var told error
	d.trouble = func(err error) { told = err }
	if l := connectOnce(t, d, p, true); string(l.credentials[0].Auth) != "one" {
		t.Errorf("presents %q", l.credentials[0].Auth)
	}
	secret = "two"
	if l := connectOnce(t, d, p, true); string(l.credentials[0].Auth) != "two" {
		t.Errorf("presents %q behind the change", l.credentials[0].Auth)
	}
	broken = errors.New("auth:3: nothing follows the scheme")
	if _, err := d.connect("tcp", "server", time.Second); !errors.Is(err, broken) || !errors.Is(told, broken) {
		t.Errorf("connect() = %v, told %v", err, told)
	}
	if diff := cmp.Diff([]string{"server", "server"}, asked); diff != "" {
		t.Errorf("dialled (-want +got):\n%s", diff)
	}
	d.stop()
}

// TestNewestLinkWins: a link that nobody took makes room for its successor.
func TestNewestLinkWins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
	})
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
