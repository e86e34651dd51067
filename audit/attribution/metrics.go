package attribution

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"zkwarden/audit"
	"zkwarden/internal/fourletter"
)

// metrics are the attributor's own. No session and no address is a label.
type metrics struct {
	members  prometheus.Gauge
	asks     prometheus.Counter
	failures *prometheus.CounterVec
	actors   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, known func() float64) *metrics {
	auto := promauto.With(reg)
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "zkwarden_audit_sessions_known",
		Help: "Sessions whose client's address is remembered.",
	}, known)
	m := &metrics{
		members: auto.NewGauge(prometheus.GaugeOpts{
			Name: "zkwarden_audit_attribution_members",
			Help: "Members of the ensemble that are asked for their clients.",
		}),
		asks: auto.NewCounter(prometheus.CounterOpts{
			Name: "zkwarden_audit_attribution_polls_total",
			Help: "How often a member was asked for its clients.",
		}),
		failures: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "zkwarden_audit_attribution_poll_errors_total",
			Help: "How often a member did not tell its clients.",
		}, []string{"reason"}),
		actors: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "zkwarden_audit_actors_total",
			Help: "Answers to who is behind a session, by how sure they are.",
		}, []string{"confidence"}),
	}
	for _, reason := range fourletter.Reasons() {
		m.failures.WithLabelValues(string(reason))
	}
	for _, grade := range []string{audit.ConfidenceExact, audit.ConfidenceLikely, audit.ConfidenceUnknown} {
		m.actors.WithLabelValues(grade)
	}
	return m
}

// asked counts an ask that ended with err.
func (m *metrics) asked(err error) {
	m.asks.Inc()
	if reason, failed := fourletter.ReasonOf(err); failed {
		m.failures.WithLabelValues(string(reason)).Inc()
	}
}
