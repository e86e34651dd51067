package app

import (
	"fmt"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/policy"
	"zkwarden/internal/zktest"
)

const (
	plantedParents, plantedBelow = 1000, 99                            // The targets speak of 100,000 znodes.
	planted                      = 1 + plantedParents*(1+plantedBelow) // The root included.
	inFlight                     = 128                                 // Requests, as many as the source has.
)

// BenchmarkFirstSync shows what the first sync of the whole auditor takes, its
// journal and last known state included, beside the same reads through the
// client library alone. Then come a restart and a reconnect with one znode
// changed meanwhile, and the heap for each znode.
func BenchmarkFirstSync(b *testing.B) {
	addr := zktest.Start(b, zktest.Options{}).Addrs()[0]
	conn, events, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogger(quietLogger{}), zk.WithLogInfo(false))
	if err != nil {
		b.Fatal(err)
	}
	defer closeClient(conn, events)
	plant(b, conn)
	proxy, err := zktest.NewProxy(addr)
	if err != nil {
		b.Fatal(err)
	}
	defer proxy.Close()

	var bare, first, restart, reconnect, memory float64
	for b.Loop() {
		bare += bareReads(b, addr).Seconds()
		dir := filepath.Join(b.TempDir(), "audit")
		before := heap()
		a := syncAuditor(b, dir, addr)
		first += a.took.Seconds()
		memory += heap() - before
		a.stop()

		a = syncAuditor(b, dir, proxy.Addr())
		restart += a.took.Seconds()
		if watches := wchs(b, addr); !strings.HasPrefix(watches, "1 connections watching 1 paths") {
			b.Errorf("wchs: %s", watches)
		}
		proxy.Refuse(true)
		proxy.Cut()
		if _, err := conn.Set("/r", nil, -1); err != nil { // Else nothing can have changed.
			b.Fatal(err)
		}
		proxy.Refuse(false)
		// How long a connection takes is another matter, so this begins with the gap.
		gap := func(e audit.Event) bool { return e.Kind == audit.KindGap && e.Reason == audit.GapReconnect }
		resync := func(e audit.Event) bool { return e.Control == audit.ControlResync && e.Reason == audit.GapReconnect }
		reconnect += a.stdout.observed(b, resync).Sub(a.stdout.observed(b, gap)).Seconds()
		a.stop()
	}
	n := float64(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(bare/n, "bare-s")
	b.ReportMetric(first/n, "sync-s")
	b.ReportMetric(bare/first, "sync/bare-rate")
	b.ReportMetric(restart/n, "restart-s")
	b.ReportMetric(reconnect/n, "reconnect-s")
	b.ReportMetric(memory/n/planted, "heap-B/znode")
}

// plant makes the tree below /r.
func plant(b *testing.B, conn *zk.Conn) {
	b.Helper()
	requests := []any{&zk.CreateRequest{Path: "/r", Acl: zk.WorldACL(zk.PermAll)}}
	for parent := range plantedParents {
		path := "/r/parent-" + strconv.Itoa(parent)
		requests = append(requests, &zk.CreateRequest{Path: path, Data: []byte(path), Acl: zk.WorldACL(zk.PermAll)})
		for child := range plantedBelow {
			path := fmt.Sprintf("%s/child-%d", path, child)
			requests = append(requests, &zk.CreateRequest{Path: path, Data: []byte(path), Acl: zk.WorldACL(zk.PermAll)})
		}
		if len(requests) > 1000 || parent == plantedParents-1 {
			if _, err := conn.Multi(requests...); err != nil {
				b.Fatal(err)
			}
			requests = requests[:0]
		}
	}
}

// bareReads reads all znodes and lists their children through the client
// library alone, level by level, and returns how long that took.
func bareReads(b *testing.B, addr string) time.Duration {
	b.Helper()
	began := time.Now()
	conn, events, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogger(quietLogger{}), zk.WithLogInfo(false))
	if err != nil {
		b.Fatal(err)
	}
	defer closeClient(conn, events)
	read := 0
	for level := []string{"/r"}; len(level) > 0; {
		read += len(level)
		below := make([][]string, len(level))
		var next atomic.Int64
		var pool sync.WaitGroup
		for range inFlight {
			pool.Go(func() {
				for {
					at := int(next.Add(1)) - 1
					if at >= len(level) {
						return
					}
					_, stat, err := conn.Get(level[at])
					if err == nil && stat.NumChildren > 0 {
						below[at], _, err = conn.Children(level[at])
					}
					if err != nil {
						b.Errorf("read %s: %v", level[at], err)
					}
				}
			})
		}
		pool.Wait()
		var paths []string
		for at, names := range below {
			for _, name := range names {
				paths = append(paths, level[at]+"/"+name)
			}
		}
		level = paths
	}
	if read != planted {
		b.Fatalf("%d znodes were read", read)
	}
	return time.Since(began)
}

// syncedAuditor is an auditor whose first sync or resync is complete.
type syncedAuditor struct {
	stdout *records
	took   time.Duration
	stop   func()
}

func syncAuditor(b *testing.B, dir, addr string) *syncedAuditor {
	b.Helper()
	s := &syncedAuditor{stdout: newRecords()}
	o := auditOptions(dir, s.stdout, []string{addr}, "/r")
	o.Audit.Level = policy.LevelMetadata
	began := time.Now()
	stop := startReady(b, o)
	s.took = time.Since(began)
	s.stop = func() {
		if err := stop(); err != nil {
			b.Errorf("stop: %v", err)
		}
	}
	return s
}

// observed awaits a record and returns when the auditor made it.
func (r *records) observed(b *testing.B, is func(audit.Event) bool) time.Time {
	b.Helper()
	for _, e := range r.await(b, "record", is) {
		if is(e) {
			return e.Observed.Time()
		}
	}
	return time.Time{}
}

// heap returns the bytes that are in use.
func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func wchs(b *testing.B, addr string) string {
	b.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "wchs"); err != nil {
		b.Fatal(err)
	}
	text, err := io.ReadAll(conn)
	if err != nil {
		b.Fatal(err)
	}
	return string(text)
}
