package recorder

import (
	"fmt"
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
