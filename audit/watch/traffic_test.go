package watch

import (
	"context"
	"encoding/binary"
	"net"
	"sync"
)

// traffic counts the requests on all connections by operation.
type traffic struct {
	mu       sync.Mutex
	requests map[int32]int
	open     int // Connections.
	made     int
}

func (c *traffic) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open++
	c.made++
	return &counted{Conn: conn, traffic: c}, nil
}

func (c *traffic) of(op int32) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests[op]
}

func (c *traffic) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests, c.made = map[int32]int{}, c.open
}

type counted struct {
	net.Conn
	traffic *traffic
	greeted bool
	closed  sync.Once
}

// Write receives whole frames, one or more.
func (c *counted) Write(p []byte) (int, error) {
	c.traffic.mu.Lock()
	for rest := p; len(rest) >= 12; rest = rest[min(len(rest), 4+int(binary.BigEndian.Uint32(rest))):] {
		if c.greeted {
			c.traffic.requests[int32(binary.BigEndian.Uint32(rest[8:]))]++
		}
		c.greeted = true
	}
	c.traffic.mu.Unlock()
	return c.Conn.Write(p)
}

func (c *counted) Close() error {
	c.closed.Do(func() {
		c.traffic.mu.Lock()
		c.traffic.open--
		c.traffic.mu.Unlock()
	})
	return c.Conn.Close()
}
