package watch

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// logbook is a log that can be read while it is written.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logbook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logbook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// demanding are servers that close sessions without what they demand.
func demanding(t *testing.T) map[string]zktest.Options {
	jaas := filepath.Join(t.TempDir(), "jaas.conf")
	text := `Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_bob="unspoken"; };`
	if err := os.WriteFile(jaas, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sasl := []string{"-Djava.security.auth.login.config=" + jaas}
	const provider = "org.apache.zookeeper.server.auth.SASLAuthenticationProvider"
	return map[string]zktest.Options{
		"3.6.4 sessionRequireClientSASLAuth": {Version: "3.6.4", JVM: sasl, Config: map[string]string{"authProvider.sasl": provider, "sessionRequireClientSASLAuth": "true"}},
		"sessionRequireClientSASLAuth":       {JVM: sasl, Config: map[string]string{"authProvider.sasl": provider, "sessionRequireClientSASLAuth": "true"}},
		"enforce.auth.schemes=sasl":          {JVM: sasl, Config: map[string]string{"authProvider.sasl": provider, "enforce.auth.enabled": "true", "enforce.auth.schemes": "sasl"}},
		"enforce.auth.schemes=digest":        {Config: map[string]string{"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest"}},
	}
}

// TestDemandedAuthentication: an ensemble that demands what is not presented is
// told of plainly, once, and asked again ever more rarely.
func TestDemandedAuthentication(t *testing.T) {
	t.Parallel()
	for name, options := range demanding(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ensemble := zktest.Start(t, options)
			book := &logbook{}
			c := &traffic{requests: map[int32]int{}}
			r := record(t, Options{Servers: ensemble.Addrs(), Dial: c.dial, Logger: level.NewFilter(log.NewLogfmtLogger(book), level.AllowInfo())}, "/")
			r.await("plain word", func() bool { return errors.Is(r.Err(), ErrAuthDemanded) })
			r.await("third attempt", func() bool { return c.of(opAddWatch) >= 3 })
			if n := strings.Count(book.String(), "SASL is not spoken here"); n != 1 {
				t.Errorf("told %d times in\n%s", n, book)
			}
		})
	}
}

// TestCredentials: they are presented before the watches on every connection,
// as the file has them then, and what they open is seen.
func TestCredentials(t *testing.T) {
	t.Parallel()
	ensemble := zktest.Start(t, zktest.Options{Config: map[string]string{"enforce.auth.enabled": "true", "enforce.auth.schemes": "digest"}})
	conn := client(t, ensemble.Addrs()[0])
	if err := conn.AddAuth("digest", []byte("u:p")); err != nil {
		t.Fatal(err)
	}
	own := zk.DigestACL(zk.PermAll, "u", "p")
	for _, path := range []string{"/quiet", "/r"} {
		if _, err := conn.Create(path, nil, 0, own); err != nil {
			t.Fatal(err)
		}
	}
	proxy, err := zktest.NewProxy(ensemble.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	var reads atomic.Int32
	r := record(t, Options{
		Servers: []string{proxy.Addr()}, Dial: new(net.Dialer).DialContext,
		Auth: func() ([]Credential, error) {
			reads.Add(1)
			return []Credential{{"digest", []byte("other:x")}, {"digest", []byte("u:p")}}, nil
		},
	}, "/r")
	r.walked(1)
	for i := range 3 {
		if _, err := conn.Create("/r/"+string(rune('a'+i)), nil, 0, own); err != nil {
			t.Fatal(err)
		}
		r.balances(conn, "/r")
		before := reads.Load()
		proxy.Cut()
		r.await("reading of the file", func() bool { return reads.Load() > before })
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Op == audit.OpDeleted {
			t.Errorf("recorded %+v", e)
		}
	}
}

// TestRefusedCredentials: the scheme is not known there.
func TestRefusedCredentials(t *testing.T) {
	address := borrow(t, zktest.Options{})
	book := &logbook{}
	r := record(t, Options{
		Servers: []string{address}, Dial: new(net.Dialer).DialContext, Logger: log.NewLogfmtLogger(book),
		Auth: func() ([]Credential, error) { return []Credential{{"nosuch", []byte("hush")}}, nil },
	}, "/")
	r.await("plain word", func() bool { return errors.Is(r.Err(), ErrCredentialsRefused) })
	r.await("log", func() bool { return strings.Contains(book.String(), "server refuses the credentials") })
	if strings.Contains(book.String()+r.Err().Error(), "hush") {
		t.Error("the secret is told")
	}
}

// TestSessionExpires: the next one is watched like the first.
func TestSessionExpires(t *testing.T) {
	t.Parallel()
	ensemble := zktest.Start(t, zktest.Options{})
	conns := clients(t, ensemble.Addrs()[0], "/r")
	// The name leads elsewhere after a while: addresses are resolved each time.
	first, err := zktest.NewProxy(ensemble.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	second, err := zktest.NewProxy(ensemble.Addrs()[0])
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	var address atomic.Value
	address.Store(first.Addr())
	r := record(t, Options{Servers: []string{"zookeeper.example:2181"}, SessionTimeout: 4 * time.Second, Dial: func(ctx context.Context, network, name string) (net.Conn, error) {
		if name != "zookeeper.example:2181" {
			t.Errorf("dialled %s", name)
		}
		return new(net.Dialer).DialContext(ctx, network, address.Load().(string))
	}}, "/r")
	r.walked(1)
	first.Refuse(true)
	first.Cut()
	turmoil(t, conns, "/r", 100)
	r.await("end of the session", func() bool { return strings.Contains(ensemble.Server(1).Log(), "Expiring session 0x") })
	address.Store(second.Addr())
	r.balances(conns[0], "/r")
}
