package journal

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

type metrics struct {
	fsync      prometheus.Histogram
	sinkErrors *prometheus.CounterVec
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
	}
}

func (m *metrics) fsynced(d time.Duration) { m.fsync.Observe(d.Seconds()) }

// state exports where the journal and its consumers are. All values of one
// scrape belong to one moment: head_seq and head_check together make
// Prometheus a witness of the chain, and mean nothing apart.
type state struct {
	journal                                               *Journal
	headSeq, headCheck, bytes, writable, sinkSeq, sinkLag *prometheus.Desc
}

func newState(j *Journal) *state {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("zkwarden_"+name, help, labels, nil)
	}
	return &state{
		journal:   j,
		headSeq:   desc("journal_head_seq", "Place of the last durable record in the journal."),
		headCheck: desc("journal_head_check", "First 52 bits of the hash of the last durable record, as a number."),
		bytes:     desc("journal_bytes", "Size of the durable records."),
		writable:  desc("journal_writable", "Whether the disk accepts records (1) or refuses them (0)."),
		sinkSeq:   desc("sink_acked_seq", "Place of the last record that the sink accepted.", "sink"),
		sinkLag:   desc("sink_lag_records", "Durable records that the sink has not accepted.", "sink"),
	}
}

// Describe implements prometheus.Collector.
func (s *state) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.headSeq, s.headCheck, s.bytes, s.writable, s.sinkSeq, s.sinkLag} {
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
	gauge(s.headCheck, check(durable.hash))
	gauge(s.bytes, float64(s.journal.older+durable.size))
	writable := 1.0
	if s.journal.err != nil {
		writable = 0
	}
	gauge(s.writable, writable)
	for name, c := range s.journal.cursors {
		acked := c.acked.Load()
		gauge(s.sinkSeq, float64(acked), name)
		gauge(s.sinkLag, float64(durable.seq-acked), name)
	}
}

// check is the number that the first 52 bits of a hash make, which a float64
// holds without loss.
func check(hash string) float64 {
	v, _ := strconv.ParseUint(hash[:13], 16, 64) // Hashes are hex digits.
	return float64(v)
}
