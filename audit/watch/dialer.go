package watch

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

// lockoutAfter is how long every server may refuse the session before the
// last zxid seen is no longer presented. After a wipe or restore all servers
// are behind it, and would refuse for ever.
const lockoutAfter = 20 * time.Second

// errRefused is all that a server tells which does not open a session.
var errRefused = errors.New("it accepted the connection, but no session: it hangs, serves nobody, is behind what was seen already, or speaks TLS where plain was meant or the reverse")

// shortLived is the age below which a connection is not replaced at once.
const shortLived = time.Second

// dialer makes links for the client library and hands them to the source.
type dialer struct {
	ctx     context.Context //nolint:containedctx // The library's dial function has none to pass.
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	timeout time.Duration // For the connection, TLS included, and again for the session.
	trouble func(error)   // Told why there is no session.
	links   chan *link    // Holds the newest link.
	logger  log.Logger
	newest  atomic.Uint64 // The last zxid seen; see newLink.

	// Owned by the library's connecting goroutine.
	last         *link
	lastAddress  string
	lastAt       time.Time // When last was made.
	refusedSince time.Time
}

// connect is the library's dial function. It is never called concurrently. The
// library's own time limits are a second for connecting, which is short for
// TLS over a distance, and over a minute for the session, which would let one
// server that hangs keep the others from being tried.
func (d *dialer) connect(network, address string, _ time.Duration) (net.Conn, error) {
	d.judgeLast()
	if err := d.pace(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(d.ctx, d.timeout)
	defer cancel()
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		d.last = nil
		d.trouble(fmt.Errorf("connect to %s: %w", address, err))
		return nil, err
	}
	if !d.refusedSince.IsZero() && time.Since(d.refusedSince) > lockoutAfter {
		level.Warn(d.logger).Log("msg", "every server refuses the session, presenting no last zxid", "server", address, "lastZxid", audit.Zxid(d.newest.Load()))
		d.newest.Store(0)
	}
	l := newLink(conn, &d.newest)
	l.address = address
	d.last, d.lastAddress, d.lastAt = l, address, time.Now()
	l.expect(d.timeout)
	select {
	case <-d.links: // Superseded before the source took it.
	default:
	}
	d.links <- l
	return l, nil
}

// judgeLast notes whether the last server that was reached refused the
// session.
func (d *dialer) judgeLast() {
	switch {
	case d.last == nil:
	case d.last.accepted():
		d.refusedSince = time.Time{}
	default:
		d.trouble(fmt.Errorf("open a session at %s: %w", d.lastAddress, errRefused))
		if d.refusedSince.IsZero() {
			d.refusedSince = time.Now()
		}
	}
}

// pace waits before the successor of a connection that did not live for long:
// the client would come back at once, and for ever, to a server that accepts
// the session and closes it over what is asked next.
func (d *dialer) pace() error {
	if d.last == nil || !d.last.accepted() || time.Since(d.lastAt) >= shortLived {
		return nil
	}
	return pause(d.ctx, shortLived)
}

// stop closes a link that nobody took.
func (d *dialer) stop() {
	select {
	case l := <-d.links:
		_ = l.Close() // Nothing was done with it.
	default:
	}
}
