package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit/watch"
)

// DialFunc opens a connection to one server, as [net.Dialer.DialContext] does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// SessionOptions say how to reach the ensemble.
type SessionOptions struct {
	Servers []string      // host:port; the first that answers is used, in this order.
	Timeout time.Duration // How long to wait for a session, at the start and whenever it is lost.
	Dial    DialFunc
	Auth    func() ([]watch.Credential, error) // What the session presents; nil is nothing.
}

const (
	// sessionTimeout is what the session asks for. Nothing hangs on it but how
	// soon a silent server is given up: after two thirds of it.
	sessionTimeout = 10 * time.Second

	// maxAnswer bounds one answer of a server, in bytes. A million children
	// with names of 100 bytes fit.
	maxAnswer = 128 << 20

	// maxTries bounds how often one read is sent when its connection breaks.
	maxTries = 3
)

// session is a ZooKeeper session that survives the loss of a connection.
type session struct {
	options SessionOptions
	conn    *zk.Conn
	events  <-chan zk.Event
	cancel  context.CancelFunc

	mu      sync.Mutex
	usable  chan struct{} // Closed while the session can be used.
	isUp    bool          // Whether usable is closed.
	socket  net.Conn      // The newest connection.
	lastErr error         // Why the last dial went wrong.
	refused error         // Why no connection would help.
}

// errIntroduction means that there are no credentials to present, or that the
// server does not accept them.
var errIntroduction = errors.New("present credentials")

// openSession returns as soon as the session is open and the credentials are
// accepted. All reads end with an error when ctx is done.
func openSession(ctx context.Context, o SessionOptions) (*session, error) {
	ctx, cancel := context.WithCancel(ctx)
	s := &session{options: o, cancel: cancel, usable: make(chan struct{})}
	var err error
	s.conn, s.events, err = zk.Connect(o.Servers, sessionTimeout,
		zk.WithHostProvider(&watch.InOrder{Servers: o.Servers}),
		zk.WithDialer(func(network, addr string, _ time.Duration) (net.Conn, error) { return s.dial(ctx, network, addr) }),
		zk.WithEventCallback(s.notice),
		zk.WithMaxBufferSize(maxAnswer),
		zk.WithLogger(silent{}),
		zk.WithLogInfo(false))
	if err != nil {
		cancel()
		return nil, fmt.Errorf("connect to ZooKeeper at %s: %w", strings.Join(o.Servers, ","), err)
	}
	// The client's calls know no context; what unblocks them is the end of the connection.
	context.AfterFunc(ctx, s.hangUp)
	if err := s.await(ctx); err != nil {
		s.close()
		return nil, err
	}
	if err := s.introduce(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// introduce presents the credentials, which the client does by itself on every
// later connection.
func (s *session) introduce() error {
	if s.options.Auth == nil {
		return nil
	}
	credentials, err := s.options.Auth()
	if err != nil {
		return fmt.Errorf("%w: %w", errIntroduction, err)
	}
	for _, c := range credentials {
		if err := s.conn.AddAuth(c.Scheme, c.Auth); err != nil {
			return fmt.Errorf("%w of scheme %s: %w", errIntroduction, c.Scheme, err)
		}
	}
	return nil
}

// close ends the session and waits until the client's goroutines have ended.
func (s *session) close() {
	s.conn.Close()
	s.cancel()
	s.hangUp()
	for range s.events {
		// The client closes the channel when it has ended.
	}
}

// hangUp makes every call of the client return.
func (s *session) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket != nil {
		s.socket.Close()
	}
}

func (s *session) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	bounded, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	socket, err := s.options.Dial(bounded, network, addr)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && ctx.Err() != nil {
		socket.Close()
		err = ctx.Err()
	}
	s.lastErr = err
	if err != nil {
		return nil, err
	}
	socket = watch.Guard(socket, s.broken)
	s.socket = socket
	// A server that hangs must leave time for the others.
	time.AfterFunc(s.options.Timeout/time.Duration(len(s.options.Servers)), func() { s.giveUp(socket) })
	return socket, nil
}

// broken notes why a connection ended.
func (s *session) broken(err error) {
	if !errors.Is(err, watch.ErrAuthDemanded) {
		return // The next one may do better.
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused = err
}

// giveUp closes a connection on which no session was opened.
func (s *session) giveUp(socket net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.socket == socket && !s.isUp {
		socket.Close()
	}
}

// notice follows the state of the session; the client calls it and must not be kept waiting.
func (s *session) notice(e zk.Event) {
	if e.Type != zk.EventSession {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch up := e.State == zk.StateHasSession; {
	case up && !s.isUp:
		close(s.usable)
		s.isUp = true
	case !up && s.isUp:
		s.usable = make(chan struct{})
		s.isUp = false
	}
}

// await returns when the session can be used, or says why it cannot.
func (s *session) await(ctx context.Context) error {
	s.mu.Lock()
	usable := s.usable
	s.mu.Unlock()
	timer := time.NewTimer(s.options.Timeout)
	defer timer.Stop()
	select {
	case <-usable:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	}
	s.mu.Lock()
	err := s.lastErr
	s.mu.Unlock()
	if err == nil {
		err = errors.New("a connection was accepted, but no session opened")
	}
	return fmt.Errorf("connect to ZooKeeper at %s: no session within %s: %w",
		strings.Join(s.options.Servers, ","), s.options.Timeout, err)
}

// read runs one read of the client, and again when the connection broke under it.
func (s *session) read(ctx context.Context, ask func(*zk.Conn) error) error {
	var err error
	for range maxTries {
		if err = s.await(ctx); err != nil {
			return err
		}
		err = ask(s.conn)
		if err == nil || errors.Is(err, zk.ErrNoNode) || errors.Is(err, zk.ErrNoAuth) || errors.Is(err, zk.ErrInvalidPath) {
			return err
		}
		s.mu.Lock()
		refused := s.refused
		s.mu.Unlock()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case refused != nil:
			return refused
		}
	}
	return fmt.Errorf("%w, %d times in a row", err, maxTries)
}

// children reads the names of a znode's children and its Stat, in one request.
func (s *session) children(ctx context.Context, path string) (names []string, stat *zk.Stat, err error) {
	err = s.read(ctx, func(conn *zk.Conn) (err error) {
		names, stat, err = conn.Children(path)
		return err
	})
	if err != nil {
		return nil, nil, err // Beside an error the client returns a Stat of zeros.
	}
	return names, stat, nil
}

// stat reads a znode's Stat.
func (s *session) stat(ctx context.Context, path string) (stat *zk.Stat, err error) {
	err = s.read(ctx, func(conn *zk.Conn) error {
		exists, found, err := conn.Exists(path)
		if err == nil && !exists {
			return zk.ErrNoNode
		}
		stat = found
		return err
	})
	if err != nil {
		return nil, err
	}
	return stat, nil
}

// silent keeps the client's own log away from the terminal: errors are returned.
type silent struct{}

// Printf drops the message.
func (silent) Printf(string, ...any) {}
