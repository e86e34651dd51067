package app

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit/watch"
	"zkwarden/internal/fourletter"
)

const (
	configPath = "/zookeeper/config" // Readable by anyone, unless its ACL was changed.
	// configSession is the timeout of a session that is closed after one read.
	configSession = 5 * time.Second
	maxConfig     = 2 << 20 // Bytes of an answer: more than jute.maxbuffer lets a znode hold.
)

// ConfigZnode reads the list of members from one server, for which it opens a
// session each time.
type ConfigZnode struct {
	Addr   string // host:port.
	Dialer *fourletter.Dialer
}

// ReadConfig returns what the znode holds.
func (c ConfigZnode) ReadConfig(ctx context.Context) ([]byte, error) {
	conn, events, err := zk.Connect([]string{c.Addr}, configSession,
		zk.WithHostProvider(&watch.InOrder{Servers: []string{c.Addr}}),
		zk.WithDialer(func(network, addr string, _ time.Duration) (net.Conn, error) {
			socket, err := c.Dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			// A client that waits for its session knows no context.
			context.AfterFunc(ctx, func() { _ = socket.Close() })
			return watch.Guard(socket, nil), nil
		}),
		zk.WithMaxBufferSize(maxConfig), zk.WithLogger(noLog{}), zk.WithLogInfo(false))
	if err != nil {
		return nil, fmt.Errorf("connect to ZooKeeper at %s: %w", c.Addr, err)
	}
	stop := context.AfterFunc(ctx, conn.Close)
	defer func() {
		if stop() {
			conn.Close()
		}
		for range events {
			// The channel closes when the client's last goroutine has ended.
		}
	}()
	data, _, err := conn.Get(configPath)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("read %s from %s: %w", configPath, c.Addr, err)
	}
	return data, nil
}

// noLog drops the client's own log: what goes wrong is returned.
type noLog struct{}

// Printf drops the message.
func (noLog) Printf(string, ...any) {}
