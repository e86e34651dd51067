package attribution

import (
	"context"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

type quietLogger struct{}

func (quietLogger) Printf(string, ...any) {}

// client is a session, and the socket that it has now.
type client struct {
	conn   *zk.Conn
	events <-chan zk.Event

	mu     sync.Mutex
	host   string // Where it connects from.
	socket net.Conn
}

// connect opens a session at addr from a host of its own.
func connect(t *testing.T, host string, addrs ...string) *client {
	t.Helper()
	c := &client{host: host}
	var err error
	c.conn, c.events, err = zk.Connect(addrs, 10*time.Second, zk.WithLogger(quietLogger{}), zk.WithLogInfo(false), zk.WithDialer(c.dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.conn.Close()
		for range c.events {
		}
	})
	return c
}

func (c *client) dial(network, addr string, timeout time.Duration) (net.Conn, error) {
	c.mu.Lock()
	dialer := net.Dialer{Timeout: timeout, LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.host)}}
	c.mu.Unlock()
	socket, err := dialer.Dial(network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.socket = socket
	return socket, nil
}

func (c *client) address() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.socket.LocalAddr().String()
}

// move breaks the connection, so that the client goes on from another host.
func (c *client) move(host string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.host = host
	c.socket.Close()
}

func (c *client) session() audit.SessionID { return audit.SessionID(c.conn.SessionID()) }

// create makes an ephemeral znode and returns its ctime, the leader's clock.
func (c *client) create(t *testing.T, path string) time.Time {
	t.Helper()
	if _, err := c.conn.Create(path, nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatalf("create %s: %v", path, err)
	}
	_, stat, err := c.conn.Exists(path)
	if err != nil {
		t.Fatal(err)
	}
	return time.UnixMilli(stat.Ctime)
}

// startLive runs an attributor over the servers until the test ends.
func startLive(t *testing.T, interval time.Duration, members ...Member) *Attributor {
	t.Helper()
	a := New(Options{
		Members: func(context.Context) []Member { return members }, Interval: interval,
		Client: &fourletter.Client{Dialer: &fourletter.Dialer{}}, Logger: log.NewNopLogger(),
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		a.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return a
}

func membersOf(e *zktest.Ensemble) (all []Member) {
	for _, s := range e.Servers() {
		all = append(all, Member{int64(s.ID()), s.Addr()})
	}
	return all
}

// await asks until the answer is the wanted one.
func await(t *testing.T, a *Attributor, id audit.SessionID, at time.Time, client, grade string) {
	t.Helper()
	want := audit.Actor{Session: id, Client: client, Confidence: grade}
	var got audit.Actor
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		a.mu.Lock()
		changed := a.changed
		a.mu.Unlock()
		if got = a.Actor(t.Context(), id, at); got == want {
			return
		}
		select {
		case <-changed:
		case <-time.After(time.Second):
		}
	}
	t.Fatalf("%+v, want %+v", got, want)
}

// TestLiveFiftyClients: every session of fifty clients, spread over three
// servers, has the exact address of its socket, from its first write on.
func TestLiveFiftyClients(t *testing.T) {
	servers := zktest.Start(t, zktest.Options{Servers: 3})
	const interval = time.Second
	a := startLive(t, interval, membersOf(servers)...)
	clients, times := make([]*client, 50), make([]time.Time, 50)
	first := 0 // How many addresses were known at once.
	for i := range clients {
		clients[i] = connect(t, fmt.Sprintf("127.0.0.%d", 2+i/2), servers.Server(i%3+1).Addr())
		times[i] = clients[i].create(t, fmt.Sprintf("/%d", i))
		began := time.Now()
		got := a.Actor(t.Context(), clients[i].session(), times[i])
		if took := time.Since(began); took > Patience+time.Second {
			t.Errorf("an answer took %s", took)
		}
		if got.Client == clients[i].address() && got.Confidence == audit.ConfidenceExact {
			first++
		}
	}
	// All are, unless the machine stalls for longer than an event waits; none
	// would be if only polls told of them.
	t.Logf("%d of 50 addresses were known at once", first)
	if first < 20 {
		t.Errorf("only %d of 50 addresses were known at once", first)
	}
	for i, c := range clients {
		if made := byte(c.session() >> 56); int(made) != i%3+1 {
			t.Errorf("session %x is not by server %d", c.session(), i%3+1)
		}
		await(t, a, c.session(), times[i], c.address(), audit.ConfidenceExact)
	}

	// What the clients do later is theirs, too, and one that is gone is remembered.
	later := clients[7].create(t, "/later")
	id, address := clients[7].session(), clients[7].address()
	clients[7].conn.Close()
	await(t, a, id, later, address, audit.ConfidenceExact)
	await(t, a, clients[8].session(), time.Now(), clients[8].address(), audit.ConfidenceExact)
}

// A session that moves to another host and another server is found there, and
// what it did before was done from the first.
func TestLiveMove(t *testing.T) {
	servers := zktest.Start(t, zktest.Options{Servers: 3})
	const interval = 200 * time.Millisecond
	a := startLive(t, interval, membersOf(servers)...)
	c := connect(t, "127.0.0.2", servers.Addrs()...)
	made := c.create(t, "/before")
	was, before := c.address(), made.Add(2*skew)
	await(t, a, c.session(), before.Add(2*interval), was, audit.ConfidenceExact)
	c.move("127.0.0.3")
	after := c.create(t, "/after").Add(2 * skew)
	await(t, a, c.session(), after, c.address(), audit.ConfidenceExact)
	if got := a.Actor(t.Context(), c.session(), before); got.Client != was || got.Confidence != audit.ConfidenceExact || was == c.address() {
		t.Errorf("%+v before the client went from %s to %s", got, was, c.address())
	}
}

// TestLiveIPv6: a server that listens on IPv6 prints other addresses.
func TestLiveIPv6(t *testing.T) {
	server := zktest.Start(t, zktest.Options{
		Config: map[string]string{"clientPortAddress": ""}, JVM: []string{"-Djava.net.preferIPv4Stack=false"},
	}).Server(1)
	_, port, err := net.SplitHostPort(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	a := startLive(t, 200*time.Millisecond, Member{-1, server.Addr()})
	for i, c := range []*client{connect(t, "::1", net.JoinHostPort("::1", port)), connect(t, "127.0.0.9", server.Addr())} {
		at := c.create(t, fmt.Sprintf("/%d", i))
		await(t, a, c.session(), at, c.address(), audit.ConfidenceExact)
	}
}

// TestLiveKinds: the oldest servers and those with the other network library
// are understood, too.
func TestLiveKinds(t *testing.T) {
	for name, o := range map[string]zktest.Options{
		"3.4":   {Version: "3.4.14"},
		"Netty": {Config: map[string]string{"serverCnxnFactory": "org.apache.zookeeper.server.NettyServerCnxnFactory"}},
	} {
		t.Run(name, func(t *testing.T) {
			server := zktest.Start(t, o).Server(1)
			a := startLive(t, time.Second, Member{1, server.Addr()})
			c := connect(t, "127.0.0.9", server.Addr())
			at := c.create(t, "/a")
			await(t, a, c.session(), at, c.address(), audit.ConfidenceExact)
		})
	}
}
