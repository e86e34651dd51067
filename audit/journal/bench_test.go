package journal

import (
	"slices"
	"testing"
	"time"
)

// BenchmarkAppend measures durable events with content, appended by one
// goroutine as the recorder does; the last flush is included.
func BenchmarkAppend(b *testing.B) {
	j := newTestJournal(b, b.TempDir())
	e := change(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := j.Append(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
	if err := j.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

// BenchmarkLatency measures from Append to durable at 1,000 events/s.
func BenchmarkLatency(b *testing.B) {
	j := newTestJournal(b, b.TempDir())
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	var took []time.Duration
	for b.Loop() {
		<-tick.C
		begin := time.Now()
		appendEvents(b, j, 1)
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
	b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
}

// BenchmarkReplay measures reading and checking.
func BenchmarkReplay(b *testing.B) {
	j := newTestJournal(b, b.TempDir())
	const n = 100_000
	appendEvents(b, j, n)
	for b.Loop() {
		count := 0
		for _, err := range j.Replay(b.Context(), 0) {
			if err != nil {
				b.Fatal(err)
			}
			count++
		}
		if count != n {
			b.Fatalf("replayed %d of %d lines", count, n)
		}
	}
	b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "lines/s")
}
