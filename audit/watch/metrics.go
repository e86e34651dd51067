package watch

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"zkwarden/audit"
)

// metrics are the source's own.
type metrics struct {
	connected prometheus.Gauge
	mode      *prometheus.GaugeVec
	lost      *prometheus.CounterVec
	fallbacks prometheus.Counter
	sweeps    prometheus.Counter
}

// The reasons of connections lost, in the label of their counter.
const (
	lostBroken    = "broken"     // The server or the network ended it.
	lostSilent    = "silent"     // An answer was overdue.
	lostOverflow  = "overflow"   // The auditor could not keep up.
	lostWatch     = "watch_lost" // The server had forgotten a watch.
	lostRewritten = "history_rewritten"
)

func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	m := &metrics{
		connected: auto.NewGauge(prometheus.GaugeOpts{
			Name: "zkwarden_audit_connected",
			Help: "Whether the auditor observes: its session is connected and its watches are confirmed, or it follows the server's transaction log.",
		}),
		mode: auto.NewGaugeVec(prometheus.GaugeOpts{
			Name: "zkwarden_audit_mode",
			Help: "Whether the auditor observes by persistent recursive watches (recursive), by a data and a child watch on every znode (one_shot), or by the server's transaction log (txnlog); all 0 until it is known.",
		}, []string{"mode"}),
		lost: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "zkwarden_audit_connections_lost_total",
			Help: "Connections of the auditor's session that were lost after their watches were confirmed.",
		}, []string{"reason"}),
		fallbacks: auto.NewCounter(prometheus.CounterOpts{
			Name: "zkwarden_audit_resync_fallbacks_total",
			Help: "Resyncs that read every znode, because the server did not tell what changed on a second connection.",
		}),
		sweeps: auto.NewCounter(prometheus.CounterOpts{
			Name: "zkwarden_audit_sweeps_total",
			Help: "Completed comparisons of every watched znode with the server.",
		}),
	}
	for _, mode := range []string{audit.ModeRecursive, audit.ModeOneShot, audit.ModeTxnlog} {
		m.mode.WithLabelValues(mode)
	}
	for _, reason := range []string{lostBroken, lostSilent, lostOverflow, lostWatch, lostRewritten} {
		m.lost.WithLabelValues(reason)
	}
	return m
}

// observing notes the mode that is in use.
func (m *metrics) observing(mode string) {
	for _, other := range []string{audit.ModeRecursive, audit.ModeOneShot, audit.ModeTxnlog} {
		m.mode.WithLabelValues(other).Set(0)
	}
	m.mode.WithLabelValues(mode).Set(1)
}

// lose counts the loss of a connection that was of use.
func (m *metrics) lose(err error, overflow bool) {
	reason := lostBroken
	switch {
	case overflow || errors.Is(err, errFlooded):
		reason = lostOverflow
	case errors.Is(err, errSilent):
		reason = lostSilent
	case errors.Is(err, errWatchLost):
		reason = lostWatch
	case errors.Is(err, errRewritten):
		reason = lostRewritten
	}
	m.lost.WithLabelValues(reason).Inc()
}
