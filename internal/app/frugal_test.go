package app

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// The metrics are those of the other collector, at most a second old.
func TestFrugal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gauge := prometheus.NewGauge(prometheus.GaugeOpts{Name: "x", Help: "X."})
		kept := &frugal{of: gauge}
		for _, step := range []struct {
			after time.Duration
			set   float64
			want  float64
		}{{0, 1, 1}, {frugalAge - 1, 2, 1}, {1, 3, 3}} {
			time.Sleep(step.after)
			// A metric that is collected can't be changed, unlike this gauge, so that a
			// new one takes its place.
			gauge = prometheus.NewGauge(prometheus.GaugeOpts{Name: "x", Help: "X."})
			gauge.Set(step.set)
			kept.of = gauge
			if got := testutil.ToFloat64(kept); got != step.want {
				t.Errorf("after %s: %v, want %v", step.after, got, step.want)
			}
		}
	})
}
