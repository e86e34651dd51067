package zktest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Proxy is a TCP proxy on loopback in front of one address, for cutting the
// connections of clients while their server is well.
type Proxy struct {
	target   string
	listener net.Listener
	workers  sync.WaitGroup

	mu      sync.Mutex
	links   map[*link]struct{}
	refuse  bool
	closed  bool
	limited bool  // after CutAfter, until the cut
	left    int64 // bytes that still pass to clients when limited
}

// link is one client's connection and its counterpart to the server.
type link struct{ client, server net.Conn }

// NewProxy listens on a free port and forwards to the target, host:port.
func NewProxy(target string) (*Proxy, error) {
	listener, err := net.Listen("tcp", hostPort(0))
	if err != nil {
		return nil, fmt.Errorf("listen for proxy of %s: %w", target, err)
	}
	p := &Proxy{target: target, listener: listener, links: map[*link]struct{}{}}
	p.workers.Go(p.accept)
	return p, nil
}

// Addr is host:port of the proxy.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Cut closes all connections that are open now. New ones are served.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cutAll()
}

// CutAfter lets n more bytes pass from the server to the clients, all
// connections together, and then cuts, in the middle of a frame if it falls
// so. Connections that are made afterwards are not limited.
func (p *Proxy) CutAfter(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limited, p.left = true, n
}

// Refuse makes the proxy reset new connections at once, or serve them again.
// Those that are open stay open.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = refuse
}

// Close stops listening, cuts all connections and waits for the proxy to end.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	p.cutAll()
	p.mu.Unlock()
	err := p.listener.Close()
	p.workers.Wait()
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close proxy of %s: %w", p.target, err)
	}
	return nil
}

func (p *Proxy) cutAll() {
	for l := range p.links {
		l.cut()
		delete(p.links, l)
	}
	p.limited = false
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.workers.Go(func() { p.serve(client) })
	}
}

// serve carries one client's connection until either side ends it.
func (p *Proxy) serve(client net.Conn) {
	p.mu.Lock()
	refuse := p.refuse || p.closed
	p.mu.Unlock()
	if refuse {
		reset(client)
		return
	}
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		reset(client)
		return
	}
	l := &link{client, server}
	if !p.add(l) {
		l.cut()
		return
	}
	var directions sync.WaitGroup
	directions.Go(func() {
		_, _ = io.Copy(server, client)
		l.cut()
	})
	directions.Go(func() {
		_, _ = io.Copy(&meter{p, client}, server)
		l.cut()
	})
	directions.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

func (p *Proxy) add(l *link) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.links[l] = struct{}{}
	return true
}

// meter passes bytes to a client as far as CutAfter allows.
type meter struct {
	proxy  *Proxy
	client net.Conn
}

func (m *meter) Write(b []byte) (int, error) {
	allowed, last := m.proxy.allow(len(b))
	n, err := m.client.Write(b[:allowed])
	if last {
		m.proxy.Cut()
		return n, io.ErrShortWrite
	}
	return n, err
}

// allow takes up to n bytes from what is left; last says that nothing is.
func (p *Proxy) allow(n int) (allowed int, last bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.limited {
		return n, false
	}
	allowed = int(min(int64(n), p.left))
	p.left -= int64(allowed)
	return allowed, p.left == 0
}

// cut ends both sides. A FIN, not a reset, so that the last bytes arrive.
func (l *link) cut() {
	_ = l.client.Close()
	_ = l.server.Close()
}

// reset closes a connection with a TCP reset.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
