package recorder

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// BenchmarkFirstSync hands over the first sync of 100,000 znodes, as a walk
// that goes down first reads them. The first sync of a real ensemble brings
// some 40,000 a second, so this must be far above.
func BenchmarkFirstSync(b *testing.B) {
	const znodes = 100_000
	for b.Loop() {
		b.StopTimer()
		s := newStage(b, policy.LevelMetadata, "/r")
		seen := make([]audit.Observation, 0, znodes)
		for i := range znodes {
			seen = append(seen, found(fmt.Sprintf("/r/%03d/znode-%d", i%317, i), 9, znode(audit.Zxid(i+2), 1, "some data of a znode")))
		}
		b.StartTimer()
		s.show(seen...)
		s.show(walked(9))
		b.StopTimer()
		s.mirror.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(znodes)*float64(b.N)/b.Elapsed().Seconds(), "znodes/s")
}

// discard is a journal that only counts.
type discard struct{ seq uint64 }

func (d *discard) Append(context.Context, audit.Event) (uint64, error) { d.seq++; return d.seq, nil }
func (d *discard) Flush(context.Context) error                         { return nil }

// BenchmarkChanges hands over changes of the data of 10,000 znodes, 200 bytes
// each, as notifications with the reads behind them and as operations of a log.
func BenchmarkChanges(b *testing.B) {
	const znodes = 10_000
	data := make([]byte, 200)
	path := func(i int) string { return fmt.Sprintf("/r/%05d", i%znodes) }
	for name, change := range map[string]func(i int) audit.Observation{
		"seen": func(i int) audit.Observation {
			node := znode(audit.Zxid(i%znodes+2), int32(i/znodes+1), "")
			node.Data = data
			return hint(audit.OpDataChanged, path(i), audit.Zxid(znodes+2+i), node)
		},
		"txn": func(i int) audit.Observation {
			return audit.Txn{Zxid: audit.Zxid(znodes + 2 + i), Session: 7, Op: audit.OpDataChanged, Path: path(i), Data: data, Version: int32(i/znodes + 1)}
		},
	} {
		b.Run(name, func(b *testing.B) {
			s := &stage{t: b, file: filepath.Join(b.TempDir(), "mirror.db"), policy: mustPolicy(b, policy.LevelMetadata, "/r"), journal: &memory{}}
			o := s.options()
			defer s.mirror.Close()
			o.Journal = &discard{}
			r, err := New(o)
			if err != nil {
				b.Fatal(err)
			}
			s.Recorder = r
			if err := s.begin(b.Context()); err != nil {
				b.Fatal(err)
			}
			for i := range znodes {
				s.show(found(path(i), znodes+1, znode(audit.Zxid(i+2), 0, "")))
			}
			s.show(walked(znodes + 1))
			if name == "txn" {
				s.show(txnlogMode)
			}
			handed := 0
			for b.Loop() {
				s.show(change(handed))
				if handed++; handed%100 == 0 {
					s.show(audit.Mark{Zxid: audit.Zxid(znodes + 1 + handed)}) // A ping, or a poll of the log.
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "changes/s")
		})
	}
}
