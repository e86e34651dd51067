package app

import (
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"zkwarden/collector"
)

const (
	// maxTargets is how many targets are remembered between probes. It is above
	// maxProbes, so that there is always one that nobody is asking.
	maxTargets = 256
	// targetIdle is how long a target is remembered that nobody probes any more.
	targetIdle = 15 * time.Minute
)

// Why a target is no longer remembered, as a label of metrics.
const (
	droppedIdle   = "idle"
	droppedFull   = "full"
	droppedReload = "reload"
)

// targetID is what makes a probe another one.
type targetID struct{ addr, module string }

// target is a server that is probed, with what one probe leaves to the next:
// the answers to slow words, the places of namespaces, the counts of failures.
type target struct {
	id        targetID
	collector *collector.Collector
	page      http.Handler
	users     int // Probes under way.
	used      time.Time
}

// targets remembers a bounded number of targets. It runs no goroutine: what is
// idle goes when another target is probed. It is safe for concurrent use.
type targets struct {
	open    func(targetID) (*collector.Collector, error)
	dropped *prometheus.CounterVec // By cause.

	mu     sync.Mutex
	all    map[targetID]*target
	closed bool // Nothing is remembered any more.
}

func newTargets(open func(targetID) (*collector.Collector, error), dropped *prometheus.CounterVec) *targets {
	return &targets{open: open, dropped: dropped, all: map[targetID]*target{}}
}

func (t *targets) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all)
}

// acquire returns the target, which the caller releases.
func (t *targets) acquire(id targetID) (*target, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one, ok := t.all[id]
	if !ok {
		c, err := t.open(id)
		if err != nil {
			return nil, err
		}
		one = &target{id: id, collector: c, page: collector.Handler(c, prometheus.NewRegistry())}
		if !t.closed {
			t.makeRoom()
			t.all[id] = one
		}
	}
	one.users++
	return one, nil
}

// release ends a use. A target that is no longer remembered ends with its last.
func (t *targets) release(one *target) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one.users--
	one.used = time.Now()
	if one.users == 0 && t.all[one.id] != one {
		_ = one.collector.Close() // Always nil.
	}
}

// makeRoom drops what is idle, and the target that has waited longest when
// there is still no room.
func (t *targets) makeRoom() {
	var oldest *target
	for _, one := range t.all {
		switch {
		case one.users > 0:
		case time.Since(one.used) > targetIdle:
			t.drop(one, droppedIdle)
		case oldest == nil || one.used.Before(oldest.used):
			oldest = one
		}
	}
	if len(t.all) >= maxTargets && oldest != nil {
		t.drop(oldest, droppedFull)
	}
}

// drop forgets a target, and ends it unless it is in use.
func (t *targets) drop(one *target, why string) {
	delete(t.all, one.id)
	t.dropped.WithLabelValues(why).Inc()
	if one.users == 0 {
		_ = one.collector.Close() // Always nil.
	}
}

// close forgets all targets, for good.
func (t *targets) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for _, one := range t.all {
		t.drop(one, droppedReload)
	}
}

// probeMetrics tell of /probe itself.
type probeMetrics struct {
	dropped *prometheus.CounterVec
	refused prometheus.Counter
}

func newProbeMetrics(reg prometheus.Registerer, kept func() int) *probeMetrics {
	with := promauto.With(reg)
	with.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "zkwarden_probe_targets", Help: "Targets that /probe remembers from one probe to the next.",
	}, func() float64 { return float64(kept()) })
	m := &probeMetrics{
		dropped: with.NewCounterVec(prometheus.CounterOpts{
			Name: "zkwarden_probe_targets_dropped_total",
			Help: "Targets that /probe has forgotten, and their counters with them: not probed for long, more targets than it remembers, or modules read again.",
		}, []string{"cause"}),
		refused: with.NewCounter(prometheus.CounterOpts{
			Name: "zkwarden_probes_refused_total", Help: "Probes that were turned away because as many as may be were under way.",
		}),
	}
	for _, cause := range []string{droppedIdle, droppedFull, droppedReload} {
		m.dropped.WithLabelValues(cause)
	}
	return m
}
