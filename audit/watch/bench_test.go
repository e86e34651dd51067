package watch

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// many is the number of znodes that the targets speak of.
const many = 100_000

// bare reads everything from root on through the library alone, as many
// requests at a time as the source, and returns how many reads that took.
func bare(b *testing.B, address, root string) int {
	b.Helper()
	conn, events, err := zk.Connect([]string{address}, 10*time.Second, zk.WithLogger(clientLogger{log.NewNopLogger()}))
	if err != nil {
		b.Fatal(err)
	}
	defer func() {
		conn.Close()
		for range events {
			// Until its last goroutine has ended.
		}
	}()
	var mu sync.Mutex
	more := sync.NewCond(&mu)
	stack, open, reads := []string{root}, 1, 0
	read := func(path string) (below []string, n int) {
		_, stat, err := conn.Get(path)
		if err != nil {
			b.Errorf("read %s: %v", path, err)
			return nil, 1
		}
		if stat.NumChildren == 0 {
			return nil, 1
		}
		names, _, err := conn.Children(path)
		if err != nil {
			b.Errorf("list %s: %v", path, err)
		}
		for _, name := range names {
			below = append(below, audit.Child(path, name))
		}
		return below, 2
	}
	var pool sync.WaitGroup
	for range readers {
		pool.Go(func() {
			mu.Lock()
			defer mu.Unlock()
			for {
				for len(stack) == 0 && open > 0 {
					more.Wait()
				}
				if open == 0 {
					return
				}
				path := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				mu.Unlock()
				below, n := read(path)
				mu.Lock()
				reads += n
				stack = append(stack, below...)
				open += len(below) - 1
				more.Broadcast()
			}
		})
	}
	pool.Wait()
	return reads
}

// planted starts a server with many znodes below /r, and returns a client of it.
func planted(b *testing.B) (conn *zk.Conn, address string) {
	b.Helper()
	ensemble, err := zktest.Launch(b.Context(), zktest.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ensemble.Close() })
	address = ensemble.Addrs()[0]
	conn, events, err := zk.Connect([]string{address}, 10*time.Second, zk.WithLogger(clientLogger{log.NewNopLogger()}))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		conn.Close()
		for range events {
			// Until its last goroutine has ended.
		}
	})
	plant(b, conn, "/r", many, 99)
	return conn, address
}

// BenchmarkSync shows what a first sync costs beside the same reads through
// the library alone, and a resync when nothing changed.
func BenchmarkSync(b *testing.B) {
	conn, address := planted(b)
	proxy, err := zktest.NewProxy(address)
	if err != nil {
		b.Fatal(err)
	}
	defer proxy.Close()

	var bareTime, syncTime, reconnectTime, restartTime time.Duration
	for b.Loop() {
		began := time.Now()
		reads := bare(b, address, "/r")
		bareTime += time.Since(began)

		known := newLedger()
		r := startRun(b, known, 0, Options{Servers: []string{address}, Dial: dialDirectly}, "/r")
		began = time.Now()
		r.walked()
		syncTime += time.Since(began)
		r.stop()

		r = startRun(b, known, known.mark, Options{Servers: []string{address}, Dial: dialDirectly}, "/r")
		began = time.Now()
		if _, mark, _ := r.walked(); mark.Znodes != many+1 {
			b.Fatalf("%d znodes compared", mark.Znodes)
		}
		restartTime += time.Since(began)
		r.stop()

		r = startRun(b, known, known.mark, Options{Servers: []string{proxy.Addr()}, Dial: dialDirectly}, "/r")
		r.walked()
		proxy.Refuse(true)
		proxy.Cut()
		if _, err := conn.Set("/r", nil, -1); err != nil { // Else there would be no gap.
			b.Fatal(err)
		}
		proxy.Refuse(false)
		r.until("gap", func(o audit.Observation) bool { _, is := o.(audit.Gap); return is })
		began = time.Now() // How long a connection takes is another matter.
		r.walked()
		reconnectTime += time.Since(began)
		r.stop()
		b.ReportMetric(float64(reads), "reads")
	}
	n := float64(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(bareTime.Seconds()/n, "bare-s")
	b.ReportMetric(syncTime.Seconds()/n, "sync-s")
	b.ReportMetric(bareTime.Seconds()/syncTime.Seconds(), "sync/bare-rate")
	b.ReportMetric(restartTime.Seconds()/n, "restart-s")
	b.ReportMetric(reconnectTime.Seconds()/n, "reconnect-s")
}

// BenchmarkRescope shows what another policy costs: everything below a root is
// read once more while notifications go on, beside a first sync of the same.
func BenchmarkRescope(b *testing.B) {
	conn, address := planted(b)
	var syncTime, rescopeTime, toldTime time.Duration
	for b.Loop() {
		known := newLedger()
		r := startRun(b, known, 0, Options{Servers: []string{address}, Dial: dialDirectly}, "/r")
		began := time.Now()
		r.walked()
		syncTime += time.Since(began)

		known.leaveOut("/r")
		began = time.Now()
		r.Rescope()
		if _, err := conn.Set("/r", nil, -1); err != nil {
			b.Fatal(err)
		}
		r.until("notification", func(o audit.Observation) bool {
			seen, is := o.(audit.Seen)
			return is && seen.Hint == audit.OpDataChanged
		})
		toldTime += time.Since(began)
		if _, mark, _ := r.walked(); mark.Znodes < many {
			b.Fatalf("%d znodes read", mark.Znodes)
		}
		rescopeTime += time.Since(began)
		r.stop()
	}
	n := float64(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(syncTime.Seconds()/n, "sync-s")
	b.ReportMetric(rescopeTime.Seconds()/n, "rescope-s")
	b.ReportMetric(toldTime.Seconds()/n, "notification-s")
}

func dialDirectly(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}
