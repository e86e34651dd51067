package journal

import (
	"crypto/sha256"
	"fmt"
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

// large makes a journal of about so many bytes in segments of 64 MiB.
func large(b *testing.B, bytes int) (dir string) {
	b.Helper()
	dir = b.TempDir()
	o := testOptions(dir)
	o.Limits.SegmentSize = 64 << 20
	j, err := Open(o)
	if err != nil {
		b.Fatal(err)
	}
	e := change(1)
	for j.filling.first < uint64(bytes/1000) && j.last.seq < uint64(bytes/930) {
		if _, err := j.Append(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
	closeJournal(b, j)
	return dir
}

// BenchmarkVerify measures verification, beside it the SHA-256 of as much as
// one piece: no verification can be faster on one core.
func BenchmarkVerify(b *testing.B) {
	dir := large(b, 512<<20)
	block := make([]byte, 1<<20)
	b.Run("sha256", func(b *testing.B) {
		b.SetBytes(int64(len(block)))
		for b.Loop() {
			sha256.Sum256(block)
		}
	})
	b.Run("verify", func(b *testing.B) {
		for b.Loop() {
			report, err := Verify(b.Context(), dir, VerifyOptions{})
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(report.Bytes)
		}
	})
	b.Run("browse", func(b *testing.B) {
		for b.Loop() {
			n := int64(0)
			for line, err := range Browse(b.Context(), dir, BrowseOptions{}) {
				if err != nil {
					b.Fatal(err)
				}
				n += int64(len(line.JSON)) + 1
			}
			b.SetBytes(n)
		}
	})
}

// BenchmarkOpen measures how long a start takes with a large journal: its last
// segment is read, and both ends of the others.
func BenchmarkOpen(b *testing.B) {
	for _, size := range []int{100 << 20, 1 << 30} {
		b.Run(fmt.Sprintf("%dMiB", size>>20), func(b *testing.B) {
			dir := large(b, size)
			for b.Loop() {
				found, err := recoverDir(dir)
				if err != nil {
					b.Fatal(err)
				}
				if err := found.head.close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
