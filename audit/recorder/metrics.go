package recorder

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
)

type metrics struct {
	events     *prometheus.CounterVec
	inexact    prometheus.Counter
	collapsed  prometheus.Counter
	gaps       *prometheus.CounterVec
	sweepFinds prometheus.Counter
	denied     prometheus.Counter
	untold     prometheus.Counter
	unreadable prometheus.GaugeFunc
	watermark  prometheus.GaugeFunc
	marked     prometheus.GaugeFunc
	verified   prometheus.Gauge
	synced     prometheus.Gauge

	state *atomic.Pointer[State]
}

func newMetrics(reg prometheus.Registerer, m *mirror.Mirror) *metrics {
	auto := promauto.With(reg)
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "zkwarden_audit_mirror_znodes",
		Help: "Znodes whose last known state is kept.",
	}, func() float64 { return float64(m.Len()) })
	auto.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "zkwarden_audit_mirror_bytes",
		Help: "Size of the file with the last known state of the znodes.",
	}, func() float64 { return float64(m.Size()) })
	state := new(atomic.Pointer[State])
	state.Store(&State{})
	x := &metrics{
		state: state,
		events: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "zkwarden_audit_events_total",
			Help: "Change records appended to the journal, by operation and by how the change was found.",
		}, []string{"op", "source"}),
		inexact: auto.NewCounter(prometheus.CounterOpts{
			Name: "zkwarden_audit_inexact_events_total",
			Help: "Change records that could not be told completely (exact:false).",
		}),
		collapsed: auto.NewCounter(prometheus.CounterOpts{
			Name: "zkwarden_audit_collapsed_changes_total",
			Help: "Changes without a record of their own, counted in collapsed.",
		}),
		gaps: auto.NewCounterVec(prometheus.CounterOpts{
			Name: "zkwarden_audit_gaps_total",
			Help: "Stretches in which changes may have gone unseen, by reason.",
		}, []string{"reason"}),
		sweepFinds: auto.NewCounter(prometheus.CounterOpts{
			Name: "zkwarden_audit_sweep_finds_total",
			Help: "Changes that the sweep found and a watch should have told of, so those of ACLs are not among them.",
		}),
		denied: auto.NewCounter(prometheus.CounterOpts{
			Name: "zkwarden_audit_unreadable_reads_total",
			Help: "Reads of watched znodes that their ACL refused.",
		}),
		untold: auto.NewCounter(prometheus.CounterOpts{
			Name: "zkwarden_audit_unreadable_untold_total",
			Help: "Refused reads of znodes beyond those that zkwarden_audit_unreadable_znodes can tell apart.",
		}),
		unreadable: auto.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "zkwarden_audit_unreadable_znodes",
			Help: "Watched znodes that cannot be read, and whose changes may go unseen.",
		}, func() float64 { return float64(state.Load().Unreadable) }),
		watermark: auto.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "zkwarden_audit_watermark_zxid",
			Help: "The zxid through which everything is recorded, as a number: epoch times 2^32 plus counter.",
		}, func() float64 { return float64(state.Load().Watermark) }), // Exact below epoch 2^21: a float64 has 53 bits.
		marked: auto.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "zkwarden_audit_watermark_timestamp_seconds",
			Help: "When the watermark was last confirmed, in seconds since 1970.",
		}, func() float64 { return state.Load().seconds() }),
		verified: auto.NewGauge(prometheus.GaugeOpts{
			Name: "zkwarden_audit_verified_zxid",
			Help: "The zxid through which the transaction log adds up to the server's digests, as a number; zero without a log or digests.",
		}),
		synced: auto.NewGauge(prometheus.GaugeOpts{
			Name: "zkwarden_audit_synced",
			Help: "Whether the first sync or resync since the start is complete.",
		}),
	}
	x.begin()
	return x
}

// begin makes series that exist from the first scrape on.
func (m *metrics) begin() {
	for _, reason := range []string{
		audit.GapReconnect, audit.GapRestart, audit.GapOverflow, audit.GapHistoryRewritten, audit.GapWatchLost, audit.GapMirrorLost,
		audit.GapLogLost, audit.GapLogHole, audit.GapLogUnconfirmed, audit.GapDigestMismatch, audit.ResyncPolicy,
	} {
		m.gaps.WithLabelValues(reason)
	}
	for _, op := range []audit.Op{audit.OpCreated, audit.OpDataChanged, audit.OpDeleted, audit.OpACLChanged} {
		m.events.WithLabelValues(string(op), string(audit.OriginTxnlog))
		m.events.WithLabelValues(string(op), string(audit.OriginResync))
		if op == audit.OpACLChanged { // No watch tells of it.
			m.events.WithLabelValues(string(op), string(audit.OriginSweep))
			continue
		}
		m.events.WithLabelValues(string(op), string(audit.OriginWatch))
	}
	m.events.WithLabelValues(string(audit.OpChildrenChanged), string(audit.OriginResync))
}

func (m *metrics) count(e audit.Event) {
	switch e.Kind {
	case audit.KindGap:
		m.gaps.WithLabelValues(e.Reason).Inc()
	case audit.KindChange:
		m.events.WithLabelValues(string(e.Op), string(e.Source)).Inc()
		m.collapsed.Add(float64(e.Collapsed))
		if e.Source == audit.OriginSweep && e.Op != audit.OpACLChanged {
			m.sweepFinds.Inc()
		}
		if e.Exact != nil && !*e.Exact {
			m.inexact.Inc()
		}
	}
}
