package watch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

// errRefused is all that a server tells which does not open a session.
var errRefused = errors.New("it accepted the connection, but no session: it hangs, serves nobody, is behind what was seen already, or speaks TLS where plain was meant or the reverse")

const (
	// shortLived is the age below which a connection counts as an attempt that
	// failed: the server accepts the session and closes it over what is asked.
	shortLived = time.Second
	// minBackoff is the first wait before all servers are tried again, give or
	// take a half. It doubles each time, up to that of the pace.
	minBackoff = time.Second
)

// dialer makes links for the client library and hands them to the source.
type dialer struct {
	pace    pace
	ctx     context.Context //nolint:containedctx // The library's dial function has none to pass.
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	auth    func() ([]Credential, error) // Nil without credentials.
	timeout time.Duration                // For the connection, TLS included, and again for the session.
	servers int                          // How many the client tries in turn.
	trouble func(error)                  // Told why there is no session.
	links   chan *link                   // Holds the newest link.
	logger  log.Logger
	newest  atomic.Uint64 // The last zxid seen; see newLink.

	// Owned by the library's connecting goroutine.
	last         *link
	lastAt       time.Time // When last was made.
	refusedSince time.Time
	expired      bool // Whether a server told that the session is over, since one accepted a session.
	failures     int  // Attempts in a row that led to nothing.
}

// connect is the library's dial function. It is never called concurrently. The
// library's own time limits are a second for connecting, which is short for
// TLS over a distance, and over a minute for the session, which would let one
// server that hangs keep the others from being tried.
func (d *dialer) connect(network, address string, _ time.Duration) (net.Conn, error) {
	d.judgeLast()
	if err := sleep(d.ctx, d.backoff()); err != nil {
		return nil, err
	}
	l, err := d.open(network, address)
	if err != nil {
		d.last = nil
		d.failures++
		d.trouble(fmt.Errorf("connect to %s: %w", address, err))
		return nil, err
	}
	d.last, d.lastAt = l, time.Now()
	l.expect(d.timeout)
	select {
	case <-d.links: // Superseded before the source took it.
	default:
	}
	d.links <- l
	return l, nil
}

// open reads the credentials and resolves the name each time: both change
// while a process runs.
func (d *dialer) open(network, address string) (*link, error) {
	var credentials []Credential
	if d.auth != nil {
		var err error
		if credentials, err = d.auth(); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(d.ctx, d.timeout)
	defer cancel()
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if d.newest.Load() != 0 && !d.refusedSince.IsZero() && d.lockedOut() <= 0 {
		level.Warn(d.logger).Log("msg", "every server refuses the session, presenting no last zxid", "server", address, "lastZxid", audit.Zxid(d.newest.Load()))
		d.newest.Store(0)
	}
	l := newLink(conn, &d.newest)
	l.address, l.credentials = address, credentials
	return l, nil
}

// judgeLast notes what became of the last server that was reached.
func (d *dialer) judgeLast() {
	switch {
	case d.last == nil:
		return
	case d.last.expired.Load() && !d.expired:
		// The server would take another session, and is asked for it at once.
		d.expired, d.refusedSince, d.failures = true, time.Time{}, 0
		return
	case !d.last.accepted():
		d.trouble(fmt.Errorf("open a session at %s: %w", d.last.address, errRefused))
		if d.refusedSince.IsZero() {
			d.refusedSince = time.Now()
		}
		d.failures++
		return
	}
	d.expired, d.refusedSince = false, time.Time{}
	if d.last.confirmed.Load() && time.Since(d.lastAt) >= shortLived {
		d.failures = 0
	} else {
		d.failures++
	}
}

// backoff is how long to wait before the next attempt: not at all as long as
// there are servers that were not tried, and ever longer after each round.
func (d *dialer) backoff() time.Duration {
	rounds := d.failures / d.servers
	if rounds == 0 || d.failures%d.servers != 0 {
		return 0
	}
	wait := d.pace.backoff
	if rounds < 8 { // Beyond that it is above the maximum anyway, and soon above all numbers.
		wait = min(wait, minBackoff<<(rounds-1))
	}
	wait = wait/2 + rand.N(wait)
	if left := d.lockedOut(); d.newest.Load() != 0 && left > 0 {
		wait = min(wait, left)
	}
	return wait
}

// lockedOut is how long the last zxid seen is presented yet, although every
// server refuses the session; it is not above zero when none does.
func (d *dialer) lockedOut() time.Duration {
	if d.refusedSince.IsZero() {
		return 0
	}
	return time.Until(d.refusedSince.Add(d.pace.lockout))
}

// stop closes a link that nobody took.
func (d *dialer) stop() {
	select {
	case l := <-d.links:
		_ = l.Close() // Nothing was done with it.
	default:
	}
}
