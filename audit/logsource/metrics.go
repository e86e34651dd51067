package logsource

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"zkwarden/audit"
)

// metrics are the source's own.
type metrics struct {
	leading   prometheus.Gauge
	verifying prometheus.Gauge
	read      prometheus.Counter
	left      *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	auto := promauto.With(reg)
	m := &metrics{
		leading: auto.NewGauge(prometheus.GaugeOpts{
			Name: "zkwarden_audit_txnlog_leading",
			Help: "Whether the auditor follows the server's transaction log; 0 while it watches the live ensemble.",
		}),
		verifying: auto.NewGauge(prometheus.GaugeOpts{
			Name: "zkwarden_audit_txnlog_verifying",
			Help: "Whether the operations of the transaction log are compared with the digests in it.",
		}),
		read: auto.NewCounter(prometheus.CounterOpts{
			Name: "zkwarden_audit_txnlog_transactions_total",
			Help: "Committed transactions that were followed in the server's transaction log.",
		}),
		left: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "zkwarden_audit_txnlog_left_total",
			Help: "How often the auditor stopped following the transaction log and watched the live ensemble.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{
		audit.GapLogLost, audit.GapLogHole, audit.GapLogUnconfirmed, audit.GapDigestMismatch, audit.ResyncPolicy,
	} {
		m.left.WithLabelValues(reason)
	}
	return m
}
