package journal

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	fsync      prometheus.Histogram
	sinkErrors *prometheus.CounterVec
	sinkLost   *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, j *Journal) *metrics {
	if reg != nil {
		reg.MustRegister(newState(j))
	}
	return &metrics{
		fsync: promauto.With(reg).NewHistogram(prometheus.HistogramOpts{
			Name:    "zkwarden_journal_fsync_duration_seconds",
			Help:    "Time that the disk took to make a group of records durable.",
			Buckets: []float64{.0005, .002, .01, .05, .2, 1, 5},
		}),
		sinkErrors: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "zkwarden_sink_errors_total",
			Help: "Deliveries that the sink, or the disk behind its cursor, did not accept. They are tried again.",
		}, []string{"sink"}),
		sinkLost: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
			Name: "zkwarden_sink_lost_records_total",
			Help: "Records that the hard retention size removed before the sink accepted them.",
		}, []string{"sink"}),
	}
}

func (m *metrics) fsynced(d time.Duration) { m.fsync.Observe(d.Seconds()) }

// state exports where the journal and its consumers are. All values of one
// scrape belong to one moment: head_seq and head_check together make
// Prometheus a witness of the chain, and mean nothing apart.
type state struct {
	journal                      *Journal
	headSeq, headCheck, firstSeq *prometheus.Desc
	bytes, segments              *prometheus.Desc
	writable, sinkSeq, sinkLag   *prometheus.Desc
	chain                        *prometheus.Desc
}

func newState(j *Journal) *state {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("zkwarden_"+name, help, labels, nil)
	}
	return &state{
		journal:   j,
		headSeq:   desc("journal_head_seq", "Place of the last durable record in the journal."),
		headCheck: desc("journal_head_check", "First 52 bits of the hash of the last durable record, as a number."),
		firstSeq:  desc("journal_first_seq", "Place of the oldest record that retention has left; 1 if it has removed none."),
		segments:  desc("journal_segments", "Files that hold the records."),
		bytes:     desc("journal_bytes", "Size of the durable records."),
		writable:  desc("journal_writable", "Whether the disk accepts records (1) or refuses them (0)."),
		chain:     desc("journal_chain_info", "Chain id of the journal, within which head_seq only grows; always 1.", "chain"),
		sinkSeq:   desc("sink_acked_seq", "Place of the last record that the sink accepted.", "sink"),
		sinkLag:   desc("sink_lag_records", "Durable records that the sink has not accepted.", "sink"),
	}
}

// Describe implements prometheus.Collector.
func (s *state) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		s.headSeq, s.headCheck, s.firstSeq, s.bytes, s.segments, s.writable, s.sinkSeq, s.sinkLag, s.chain,
	} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (s *state) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	s.journal.mu.Lock()
	defer s.journal.mu.Unlock()
	durable := s.journal.durable
	gauge(s.headSeq, float64(durable.seq))
	gauge(s.headCheck, float64(checkOf(durable.hash)))
	gauge(s.firstSeq, float64(s.journal.begin.seq+1))
	gauge(s.bytes, float64(s.journal.size()))
	gauge(s.segments, float64(len(s.journal.sealed)+1))
	writable := 1.0
	if s.journal.err != nil {
		writable = 0
	}
	gauge(s.writable, writable)
	gauge(s.chain, 1, s.journal.chain)
	for name, c := range s.journal.cursors {
		acked := c.acked.Load()
		gauge(s.sinkSeq, float64(acked), name)
		gauge(s.sinkLag, float64(durable.seq-acked), name)
	}
}
