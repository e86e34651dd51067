package app

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

const (
	latencyWrites = 10_000
	latencyPace   = time.Millisecond // 1,000 writes a second.
)

// BenchmarkLatency makes 1,000 znodes a second and measures, from the
// acknowledgement that the writer gets, until the record is durable in the
// journal: stdout has nothing before. Beside it stand the tree caches of other
// clients, until their callback, where they are installed: kazoo's for
// python3, and Curator's with its jars in ZKWARDEN_CURATOR_CLASSPATH. They
// keep nothing. By the transaction log it is measured, too.
func BenchmarkLatency(b *testing.B) {
	b.Run("zkwarden", func(b *testing.B) {
		measureLatency(b, func(b *testing.B, server *zktest.Server) (told func() map[string]time.Time) {
			b.Helper()
			arrivals := &arrivals{at: map[string]time.Time{}}
			startReady(b, auditOptions(b.TempDir(), arrivals, []string{server.Addr()}, "/latency"))
			return arrivals.told
		})
	})
	b.Run("zkwarden txnlog", func(b *testing.B) {
		measureLatency(b, func(b *testing.B, server *zktest.Server) (told func() map[string]time.Time) {
			b.Helper()
			arrivals := &arrivals{at: map[string]time.Time{}}
			o := auditOptions(b.TempDir(), arrivals, []string{server.Addr()}, "/latency")
			o.Audit.TxnlogDir = server.TxnLogDir()
			startReady(b, o)
			arrivals.awaitMode(b, audit.ModeTxnlog)
			return arrivals.told
		})
	})
	for name, command := range latencyPeers() {
		b.Run(name, func(b *testing.B) {
			measureLatency(b, func(b *testing.B, server *zktest.Server) func() map[string]time.Time {
				b.Helper()
				return startPeer(b, append(command, server.Addr(), "/latency"))
			})
		})
	}
}

// latencyPeers are the commands that are installed. Each prints a line "path
// nanoseconds" for every znode that it is told of.
func latencyPeers() map[string][]string {
	peers := map[string][]string{}
	if exec.Command("python3", "-c", "import kazoo").Run() == nil {
		peers["kazoo TreeCache"] = []string{"python3", "testdata/peers/kazoo_cache.py"}
	}
	if jars := os.Getenv("ZKWARDEN_CURATOR_CLASSPATH"); jars != "" {
		peers["Curator TreeCache"] = []string{"java", "-cp", jars, "testdata/peers/CuratorCache.java"}
	}
	return peers
}

func measureLatency(b *testing.B, start func(b *testing.B, server *zktest.Server) (told func() map[string]time.Time)) {
	b.Helper()
	ensemble := zktest.Start(b, zktest.Options{Servers: 3})
	conn, events, err := zk.Connect(ensemble.Addrs()[:1], 10*time.Second, zk.WithLogger(quietLogger{}), zk.WithLogInfo(false))
	if err != nil {
		b.Fatal(err)
	}
	defer closeClient(conn, events)
	if _, err := conn.Create("/latency", nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
		b.Fatal(err)
	}
	told := start(b, ensemble.Server(2))
	for b.Loop() {
		acked := writeAtPace(b, conn)
		seen := awaitTold(b, told, acked)
		var waits []time.Duration
		for path, at := range acked {
			waits = append(waits, max(seen[path].Sub(at), 0))
		}
		slices.Sort(waits)
		report := func(name string, share float64) {
			at := waits[int(share*float64(len(waits)-1))]
			b.ReportMetric(float64(at.Microseconds())/1000, name)
		}
		report("p50-ms", 0.5)
		report("p99-ms", 0.99)
		report("max-ms", 1)
	}
	b.ReportMetric(0, "ns/op")
}

// writeAtPace returns when each znode's creation was acknowledged.
func writeAtPace(b *testing.B, conn *zk.Conn) map[string]time.Time {
	b.Helper()
	prefix := fmt.Sprintf("/latency/%d-", time.Now().UnixNano())
	acked := map[string]time.Time{}
	var mu sync.Mutex
	var writers sync.WaitGroup
	ticker := time.NewTicker(latencyPace)
	defer ticker.Stop()
	for n := range latencyWrites {
		<-ticker.C
		writers.Go(func() {
			path := prefix + strconv.Itoa(n)
			if _, err := conn.Create(path, []byte("x"), 0, zk.WorldACL(zk.PermAll)); err != nil {
				b.Errorf("create %s: %v", path, err)
			}
			now := time.Now()
			mu.Lock()
			defer mu.Unlock()
			acked[path] = now
		})
	}
	writers.Wait()
	return acked
}

func awaitTold(b *testing.B, told func() map[string]time.Time, acked map[string]time.Time) map[string]time.Time {
	b.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		seen := told()
		missing := 0
		for path := range acked {
			if seen[path].IsZero() {
				missing++
			}
		}
		if missing == 0 {
			return seen
		}
		if time.Now().After(end) {
			b.Fatalf("%d of %d changes were not told within %s", missing, len(acked), patience)
		}
	}
}

// arrivals is a stdout that notes when the record of a creation is written.
type arrivals struct {
	mu      sync.Mutex
	partial []byte
	at      map[string]time.Time
	mode    string // How the auditor observes.
}

func (a *arrivals) Write(p []byte) (int, error) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.partial = append(a.partial, p...)
	for {
		line, rest, whole := bytes.Cut(a.partial, []byte("\n"))
		if !whole {
			return len(p), nil
		}
		var e audit.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return 0, err
		}
		if e.Op == audit.OpCreated {
			a.at[e.Path] = now
		}
		if e.Mode != "" {
			a.mode = e.Mode
		}
		a.partial = rest
	}
}

// awaitMode waits until the auditor observes so.
func (a *arrivals) awaitMode(b *testing.B, mode string) {
	b.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		a.mu.Lock()
		now := a.mode
		a.mu.Unlock()
		if now == mode {
			return
		}
		if time.Now().After(end) {
			b.Fatalf("mode %q, not %q, within %s", now, mode, patience)
		}
	}
}

func (a *arrivals) told() map[string]time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return maps.Clone(a.at)
}

// startPeer runs a command until the benchmark ends.
func startPeer(b *testing.B, command []string) func() map[string]time.Time {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), command[0], command[1:]...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	a := &arrivals{at: map[string]time.Time{}}
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		a.read(out, ready)
	}()
	b.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait() // It was killed.
	})
	select {
	case <-ready:
	case <-ended:
		b.Fatalf("%s ended before it was ready", command[0])
	}
	return a.told
}

// read notes a peer's lines; the first is "ready".
func (a *arrivals) read(out io.Reader, ready chan<- struct{}) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		path, text, _ := strings.Cut(lines.Text(), " ")
		if path == "ready" {
			close(ready)
			continue
		}
		nanos, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			continue
		}
		a.mu.Lock()
		a.at[path] = time.Unix(0, nanos)
		a.mu.Unlock()
	}
}

// startReady runs an auditor until the benchmark ends or stop is called, and
// returns when its first sync is complete.
func startReady(b *testing.B, o Options) (stop func() error) {
	b.Helper()
	a, stop := startApp(b, o)
	for end := time.Now().Add(patience); a.Ready() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			b.Fatalf("not ready within %s: %v", patience, a.Ready())
		}
	}
	return stop
}
