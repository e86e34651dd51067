package logsource

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// BenchmarkFollowing measures how much of a core it costs to follow a server
// that logs 1,000 writes a second: the time of this process with a source less
// that with the writer alone.
func BenchmarkFollowing(b *testing.B) {
	server := zktest.Start(b, zktest.Options{}).Server(1)
	conn := connect(b, server.Addr())
	must[string](b)(conn.Create("/r", nil, 0, zk.WorldACL(zk.PermAll)))
	for b.Loop() {
		alone := writing(b, conn, "alone")
		s := newStory(b, under("/r"))
		_, stop := start(s, 0, server)
		s.await("handing over", 0, isMode(audit.ModeTxnlog))
		followed := writing(b, conn, "followed")
		stop()
		b.ReportMetric(100*(followed-alone), "%core")
		b.ReportMetric(100*alone, "%core-writer")
	}
	b.ReportMetric(0, "ns/op")
}

// writing writes at 1,000 a second for ten seconds, and returns how many seconds
// of computing a second took.
func writing(b *testing.B, conn *zk.Conn, name string) float64 {
	b.Helper()
	began, used := time.Now(), computed(b)
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	var writers sync.WaitGroup
	for n := range 10_000 {
		<-ticker.C
		writers.Go(func() {
			if _, err := conn.Create(fmt.Sprintf("/r/%s-%d-%d", name, began.UnixNano(), n), make([]byte, 200), 0, zk.WorldACL(zk.PermAll)); err != nil {
				b.Error(err)
			}
		})
	}
	writers.Wait()
	return (computed(b) - used).Seconds() / time.Since(began).Seconds()
}

// computed is the time that this process has used.
func computed(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkApplied measures a question how far the ensemble is.
func BenchmarkApplied(b *testing.B) {
	server := zktest.Start(b, zktest.Options{}).Server(1)
	applied := appliedOf(server)
	defer applied.Close()
	for b.Loop() {
		if _, err := applied.Applied(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
