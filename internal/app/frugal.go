package app

import (
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// frugalAge is how old the metrics of a frugal collector can get.
const frugalAge = time.Second

// frugal keeps the metrics of another collector for a moment. Those of Go and the
// process take about as long to read as the server takes to answer mntr.
type frugal struct {
	of prometheus.Collector

	mu   sync.Mutex
	at   time.Time
	kept []prometheus.Metric
}

// Describe sends the descriptions of the other collector.
func (f *frugal) Describe(out chan<- *prometheus.Desc) { f.of.Describe(out) }

// Collect sends the metrics that the other collector had at most a second ago.
func (f *frugal) Collect(out chan<- prometheus.Metric) {
	for _, m := range f.metrics() {
		out <- m
	}
}

func (f *frugal) metrics() []prometheus.Metric {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.at.IsZero() && time.Since(f.at) < frugalAge {
		return f.kept
	}
	metrics := make(chan prometheus.Metric)
	var collected sync.WaitGroup
	collected.Go(func() {
		defer close(metrics)
		f.of.Collect(metrics)
	})
	f.kept = slices.Grow([]prometheus.Metric(nil), len(f.kept))
	for m := range metrics {
		f.kept = append(f.kept, m)
	}
	collected.Wait()
	f.at = time.Now()
	return f.kept
}
