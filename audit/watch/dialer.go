package watch

import (
	"context"
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

// shortLived is the age below which a connection is not replaced at once.
const shortLived = time.Second

// dialer makes links for the client library and hands them to the source.
type dialer struct {
	ctx    context.Context //nolint:containedctx // The library's dial function has none to pass.
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	links  chan *link // Holds the newest link.
	logger log.Logger
	newest atomic.Uint64 // The last zxid seen; see newLink.

	// Owned by the library's connecting goroutine.
	last         *link
	lastAt       time.Time // When last was made.
	refusedSince time.Time
}

// connect is the library's dial function. It is never called concurrently.
func (d *dialer) connect(network, address string, timeout time.Duration) (net.Conn, error) {
	d.judgeLast()
	if err := d.pace(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(d.ctx, timeout)
	defer cancel()
	conn, err := d.dial(ctx, network, address)
	if err != nil {
		d.last = nil
		return nil, err
	}
	if !d.refusedSince.IsZero() && time.Since(d.refusedSince) > lockoutAfter {
		level.Warn(d.logger).Log("msg", "every server refuses the session, presenting no last zxid", "server", address, "lastZxid", audit.Zxid(d.newest.Load()))
		d.newest.Store(0)
	}
	l := newLink(conn, &d.newest)
	d.last, d.lastAt = l, time.Now()
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
	case d.refusedSince.IsZero():
		d.refusedSince = time.Now()
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
