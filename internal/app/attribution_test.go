package app

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// clientFrom opens a session from a host of its own, and returns what tells the
// address of its socket.
func clientFrom(t *testing.T, host, addr string) (conn *zk.Conn, address func() string) {
	t.Helper()
	var (
		mu    sync.Mutex
		local string
	)
	conn, events, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogger(quietLogger{}), zk.WithLogInfo(false),
		zk.WithDialer(func(network, addr string, timeout time.Duration) (net.Conn, error) {
			dialer := net.Dialer{Timeout: timeout, LocalAddr: &net.TCPAddr{IP: net.ParseIP(host)}}
			socket, err := dialer.Dial(network, addr)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				local = socket.LocalAddr().String()
			}
			return socket, err
		}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeClient(conn, events) })
	return conn, func() string {
		mu.Lock()
		defer mu.Unlock()
		return local
	}
}

// attributed starts an auditor of /a that asks for clients, with its log.
func attributed(t *testing.T, addr string) (p *process, logged func() string) {
	t.Helper()
	var (
		mu   sync.Mutex
		text bytes.Buffer
	)
	p = &process{stdout: newRecords(), dir: t.TempDir()}
	o := auditOptions(p.dir, p.stdout, []string{addr}, "/a")
	o.Audit.AttributionInterval = 500 * time.Millisecond
	o.Logger = log.NewLogfmtLogger(writer(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return text.Write(b)
	}))
	p.app, p.stop = startApp(t, o)
	p.stdout.await(t, "baseline", isControl(audit.ControlBaseline))
	return p, func() string {
		mu.Lock()
		defer mu.Unlock()
		return text.String()
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// TestAttribution: who creates ephemeral znodes on any server of an ensemble is
// in the records, with the address of the client's own socket.
func TestAttribution(t *testing.T) {
	servers := zktest.Start(t, zktest.Options{Servers: 3, Dynamic: true})
	mustCreate(t, client(t, servers.Server(1).Addr()), "/a", "", 0)
	// The first clients are there before the auditor is, the last write as soon
	// as they are connected.
	var conns [6]*zk.Conn
	var addresses [6]func() string
	open := func(i int) {
		conns[i], addresses[i] = clientFrom(t, fmt.Sprintf("127.0.0.%d", 20+i), servers.Server(i%3+1).Addr())
		if _, _, err := conns[i].Exists("/a"); err != nil { // It has its session now.
			t.Fatal(err)
		}
	}
	for i := range 3 {
		open(i)
	}
	p, _ := attributed(t, servers.Server(1).Addr())
	began := time.Now()
	for i := range conns {
		if i >= 3 {
			open(i)
		}
		// On a machine that stalls an answer may come too late for the first
		// record, but for no later one, and no address is ever wrong.
		for n, known := 0, false; !known; n++ {
			path := fmt.Sprintf("/a/%d-%d", i, n)
			mustCreate(t, conns[i], path, "", zk.FlagEphemeral)
			events := p.stdout.await(t, path, isCreated(path))
			made := events[slices.IndexFunc(events, isCreated(path))]
			want := audit.Actor{Session: audit.SessionID(conns[i].SessionID()), Client: addresses[i](), Confidence: audit.ConfidenceExact}
			late := audit.Actor{Session: want.Session, Confidence: audit.ConfidenceUnknown}
			if known = made.Actor != nil && *made.Actor == want; !known && (made.Actor == nil || *made.Actor != late || time.Since(began) > patience) {
				t.Fatalf("%s is by %+v, want %+v", path, made.Actor, want)
			}
		}
	}
	holdToSchema(t, journalLines(t, p.dir))
}

// TestAttributionRefused: a server that does not list its clients, and an
// ensemble of which one member is known, are named in the log once.
func TestAttributionRefused(t *testing.T) {
	servers := zktest.Start(t, zktest.Options{Version: "3.6.4", Servers: 3, Config: map[string]string{"4lw.commands.whitelist": "srvr"}})
	conn := client(t, servers.Server(1).Addr())
	mustCreate(t, conn, "/a", "", 0)
	p, logged := attributed(t, servers.Server(1).Addr())
	for i := range 3 {
		path := fmt.Sprintf("/a/%d", i)
		mustCreate(t, conn, path, "", zk.FlagEphemeral)
		events := p.stdout.await(t, path, isCreated(path))
		made := events[slices.IndexFunc(events, isCreated(path))]
		want := audit.Actor{Session: audit.SessionID(conn.SessionID()), Confidence: audit.ConfidenceUnknown}
		if made.Actor == nil || *made.Actor != want {
			t.Errorf("%s is by %+v, want %+v", path, made.Actor, want)
		}
	}
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	for _, once := range []string{"4lw.commands.whitelist=cons", "--ensemble.member=ID=HOST:PORT"} {
		if n := strings.Count(logged(), once); n != 1 {
			t.Errorf("the log names %s %d times:\n%s", once, n, logged())
		}
	}
}

// TestAskable: members come from the view of the ensemble, which is renewed
// where nobody scrapes it.
func TestAskable(t *testing.T) {
	for name, tc := range map[string]struct {
		options  zktest.Options
		want     string // A letter is the address of a server.
		warnings int
	}{
		"ensemble":                          {zktest.Options{Servers: 3, Dynamic: true}, "[{1 A} {2 B} {3 C}]", 0},
		"standalone":                        {zktest.Options{}, "[{0 A}]", 0},
		"addresses of others are not known": {zktest.Options{Servers: 3}, "[{1 A}]", 1},
		"members are not known":             {zktest.Options{Version: "3.4.14", Servers: 3}, "[{-1 A}]", 1},
	} {
		t.Run(name, func(t *testing.T) {
			var logged bytes.Buffer
			servers := zktest.Start(t, tc.options)
			o := auditOptions(t.TempDir(), newRecords(), []string{servers.Server(1).Addr()}, "/a")
			app, err := New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer app.listener.Close()
			defer func() { _ = app.exporter.close() }()
			m := &askable{view: app.exporter.ensemble, first: o.ZooKeeper.Addresses[0], logger: log.NewLogfmtLogger(&logged)}
			for range 2 {
				got := fmt.Sprint(m.members(t.Context()))
				for i, server := range servers.Servers() {
					got = strings.ReplaceAll(got, server.Addr(), string(rune('A'+i)))
				}
				if got != tc.want {
					t.Errorf("%s, want %s", got, tc.want)
				}
			}
			if n := strings.Count(logged.String(), "level=warn"); n != tc.warnings {
				t.Errorf("%d warnings:\n%s", n, &logged)
			}
		})
	}
}
