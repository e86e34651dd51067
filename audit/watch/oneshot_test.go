package watch

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

var optimized = []string{"-Dzookeeper.watchManagerName=org.apache.zookeeper.server.watch.WatchManagerOptimized"}

// fallbacks are the servers without recursive watches.
var fallbacks = map[string]zktest.Options{
	"3.4.14":                  {Version: "3.4.14"},
	"3.5.10":                  {Version: "3.5.10"},
	"optimized watch manager": {JVM: optimized},
}

// clients connects several writers, and makes the tree for turmoil.
func clients(t *testing.T, address, root string) []*zk.Conn {
	t.Helper()
	var conns []*zk.Conn
	for range 4 {
		conns = append(conns, client(t, address))
	}
	create(t, conns[0], "/quiet", "")
	create(t, conns[0], root, "")
	for i := range 4 {
		create(t, conns[0], fmt.Sprintf("%s/p%d", root, i), "")
	}
	return conns
}

// TestOneShotAccountsForEverything: however many changes fall between the shot
// of a watch and the next look, they are recorded or counted.
func TestOneShotAccountsForEverything(t *testing.T) {
	t.Parallel()
	for name, options := range fallbacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := borrow(t, options)
			conns := clients(t, address, "/r")
			version := options.Version
			if version == "" {
				version = zktest.Default
			}
			r := record(t, Options{
				Servers: []string{address}, Dial: new(net.Dialer).DialContext,
				Version: func(context.Context, string) string { return version },
			}, "/r")
			r.walked(1)
			for range 5 {
				turmoil(t, conns, "/r", 300)
				r.balances(conns[0], "/r")
			}
			if diff := cmp.Diff([]audit.Mode{{Name: audit.ModeOneShot, Server: version}}, of[audit.Mode](r)); diff != "" {
				t.Errorf("modes (-want +got):\n%s", diff)
			}
			if gaps := of[audit.Gap](r); len(gaps) != 0 {
				t.Errorf("gaps %+v", gaps)
			}
			r.stop()
			for _, e := range r.events {
				if e.Kind == audit.KindChange && e.Source != audit.OriginWatch {
					t.Fatalf("%s of %s was found by %s, and there was no gap", e.Op, e.Path, e.Source)
				}
			}
		})
	}
}

// TestOneShotReconnect: connections are cut under load, and nothing falls
// through, as it would if the library set its watches again.
func TestOneShotReconnect(t *testing.T) {
	t.Parallel()
	for name, options := range fallbacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := borrow(t, options)
			conns := clients(t, address, "/r")
			proxy, err := zktest.NewProxy(address)
			if err != nil {
				t.Fatal(err)
			}
			defer proxy.Close()
			r := record(t, Options{Servers: []string{proxy.Addr()}, Dial: new(net.Dialer).DialContext}, "/r")
			r.walked(1)
			for round := range 3 {
				done := make(chan struct{})
				go func() {
					defer close(done)
					turmoil(t, conns, "/r", 200)
				}()
				proxy.Cut()
				<-done
				proxy.CutAfter(int64(1000 + 1517*round))
				turmoil(t, conns, "/r", 200)
				r.walked(round + 2)
				r.balances(conns[0], "/r")
			}
		})
	}
}

// TestOneShotRoots: a root that does not exist, comes, goes and comes again.
func TestOneShotRoots(t *testing.T) {
	t.Parallel()
	address := borrow(t, zktest.Options{Version: "3.5.10"})
	conn := client(t, address)
	create(t, conn, "/quiet", "")
	r := record(t, Options{Servers: []string{address}, Dial: new(net.Dialer).DialContext}, "/r")
	r.walked(1)
	for range 3 {
		create(t, conn, "/r", "x")
		create(t, conn, "/r/a", "x")
		r.balances(conn, "/r")
		for _, path := range []string{"/r/a", "/r"} {
			if err := conn.Delete(path, -1); err != nil {
				t.Fatal(err)
			}
		}
		r.await("deletion", func() bool { return r.mirror.Len() == 0 })
	}
}

// TestUpgrade: what a server lacks is remembered while its version stays, and
// forgotten when that changes.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	ensemble := zktest.Start(t, zktest.Options{Version: "3.5.10"})
	server := ensemble.Server(1)
	conn := client(t, server.Addr())
	create(t, conn, "/quiet", "")
	create(t, conn, "/r", "")
	var version atomic.Value
	version.Store("3.5.10")
	proxy, err := zktest.NewProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	c := &traffic{requests: map[int32]int{}}
	r := record(t, Options{
		Servers: []string{proxy.Addr()}, Dial: c.dial,
		Version: func(context.Context, string) string { return version.Load().(string) },
	}, "/r")
	r.walked(1)
	proxy.Cut()
	r.walked(2)
	if asked := c.of(opAddWatch); asked != 1 {
		t.Errorf("the server was asked %d times for what it does not have", asked)
	}
	if err := server.Reconfigure(t.Context(), func(o *zktest.Options) { o.Version = zktest.Default }); err != nil {
		t.Fatal(err)
	}
	version.Store(zktest.Default)
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.await("another mode", func() bool { return len(of[audit.Mode](r)) == 2 })
	r.balances(conn, "/r")
	want := []audit.Mode{{Name: audit.ModeOneShot, Server: "3.5.10"}, {Name: audit.ModeRecursive}}
	if diff := cmp.Diff(want, of[audit.Mode](r)); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

// TestUsualWatchManager: a server that is started without the optimized watch
// manager says the same version as before, and is asked all the same. While it
// has that manager, it is asked by no more than every second connection.
func TestUsualWatchManager(t *testing.T) {
	t.Parallel()
	ensemble := zktest.Start(t, zktest.Options{JVM: optimized})
	server := ensemble.Server(1)
	conn := client(t, server.Addr())
	create(t, conn, "/quiet", "")
	create(t, conn, "/r", "")
	proxy, err := zktest.NewProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	c := &traffic{requests: map[int32]int{}}
	r := record(t, Options{
		Servers: []string{proxy.Addr()}, Dial: c.dial,
		Version: func(context.Context, string) string { return zktest.Default },
	}, "/r")
	r.walked(1)
	for n := range 2 {
		proxy.Cut()
		r.walked(n + 2)
	}
	if asked := c.of(opAddWatch); asked != 3 {
		t.Errorf("the server was asked %d times in 3 rounds", asked)
	}
	if err := server.Reconfigure(t.Context(), func(o *zktest.Options) { o.JVM = nil }); err != nil {
		t.Fatal(err)
	}
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.await("another mode", func() bool { return len(of[audit.Mode](r)) == 2 })
	r.balances(conn, "/r")
	want := []audit.Mode{{Name: audit.ModeOneShot, Server: zktest.Default}, {Name: audit.ModeRecursive}}
	if diff := cmp.Diff(want, of[audit.Mode](r)); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
}

func TestVersionsThatCouldWatch(t *testing.T) {
	for version, want := range map[string]bool{"3.4.14": false, "3.5.10": false, "3.6.0": true, "3.10.1": true, "4.0.0": true, "2.9.9": false, "": false, "3": false} {
		if got := couldWatch(version); got != want {
			t.Errorf("couldWatch(%q) = %v", version, got)
		}
	}
}
