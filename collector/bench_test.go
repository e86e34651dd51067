package collector

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

// BenchmarkMetrics compares the page of the binary with the bare round trip of
// mntr on one real server, in turns, so that both see the same machine; and with
// that of mntr and srvr at once, which is what a page asks. Another exporter takes
// its turn too where ZKWARDEN_BENCH_EXPORTER is the path of one; it is started with
// ZKWARDEN_BENCH_EXPORTER_ARGS, in which {server} and {listen} stand for the
// addresses of ZooKeeper and of its own page at /metrics.
func BenchmarkMetrics(b *testing.B) {
	ensemble := zktest.Start(b, zktest.Options{})
	addr := ensemble.Addrs()[0]
	client := &fourletter.Client{Dialer: &fourletter.Dialer{}}
	ask := func(word fourletter.Word) error {
		_, err := client.Ask(b.Context(), addr, word)
		return err
	}
	turns := []*turn{
		{name: "mntr", take: func() error { return ask(fourletter.Mntr) }},
		{name: "mntr+srvr", take: func() error {
			srvr := make(chan error, 1)
			go func() { srvr <- ask(fourletter.Srvr) }()
			return errors.Join(ask(fourletter.Mntr), <-srvr)
		}},
		{name: "metrics", process: sidecar(b, addr)},
	}
	if path := os.Getenv("ZKWARDEN_BENCH_EXPORTER"); path != "" {
		turns = append(turns, &turn{name: "other", process: other(b, path, addr)})
	}
	for _, turn := range turns {
		if turn.process != nil {
			turn.take = turn.process.scrape
		}
		for range 300 {
			turn.measure(b)
		}
		turn.took = nil
	}
	for b.Loop() {
		for _, turn := range turns {
			turn.measure(b)
		}
	}
	for _, turn := range turns {
		turn.report(b, turns[0].median())
	}
}

// turn is one of those that the benchmark compares.
type turn struct {
	name    string
	take    func() error
	process *process // nil: this one.
	took    []time.Duration
}

func (u *turn) measure(b *testing.B) {
	b.Helper()
	begin := time.Now()
	if err := u.take(); err != nil {
		b.Fatal(err)
	}
	u.took = append(u.took, time.Since(begin))
}

func (u *turn) median() time.Duration {
	slices.Sort(u.took)
	return u.took[len(u.took)/2]
}

func (u *turn) report(b *testing.B, base time.Duration) {
	b.Helper()
	median := u.median()
	b.ReportMetric(float64(median.Microseconds()), "µs-p50-"+u.name)
	b.ReportMetric(float64(u.took[len(u.took)*99/100].Microseconds()), "µs-p99-"+u.name)
	if median != base {
		b.ReportMetric(float64(median)/float64(base), "x-mntr-"+u.name)
	}
	u.reportCost(b)
	if u.process != nil {
		b.ReportMetric(float64(u.process.rss(b))/(1<<20), "MiB-rss-"+u.name)
	}
}

// reportCost takes a thousand turns in a row and tells what they cost the process
// that asks ZooKeeper: what the server and the scraper spend is not among it.
func (u *turn) reportCost(b *testing.B) {
	b.Helper()
	const turns = 1000
	process := u.process
	if process == nil {
		process = itself()
	}
	mallocs, known := process.mallocs(b)
	cpu := process.cpu(b)
	for range turns {
		if err := u.take(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((process.cpu(b) - cpu).Seconds(), "cpu-s/1000-"+u.name)
	if known {
		now, _ := process.mallocs(b)
		b.ReportMetric((now-mallocs)/turns, "allocs/scrape-"+u.name)
	}
}

// BenchmarkPage is what a page costs beside the server: reading, building, writing.
func BenchmarkPage(b *testing.B) {
	replies := recorded(b, "testdata/"+zktest.Default+"/leader")
	handler := Handler(start(b, Options{Client: replies}), prometheus.NewRegistry())
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	b.ReportAllocs()
	for b.Loop() {
		handler.ServeHTTP(httptest.NewRecorder(), request)
	}
}

func BenchmarkMntr(b *testing.B) {
	mntr := recorded(b, "testdata/"+zktest.Default+"/leader")[fourletter.Mntr]
	table := newTable()
	b.SetBytes(int64(len(mntr)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readMntr(strings.NewReader(mntr), newSamples(table, testLimits())); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkWrite is what remains to do once the answers are there.
func BenchmarkWrite(b *testing.B) {
	c := start(b, Options{Client: recorded(b, "testdata/"+zktest.Default+"/leader")})
	r, err := c.join()
	if err != nil {
		b.Fatal(err)
	}
	<-r.done
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		v, all := c.outcome(r)
		text = c.write(text[:0], v, all, func(string) bool { return false })
	}
	b.SetBytes(int64(len(text)))
}

// BenchmarkNew is what each probe of another server costs beside its round.
func BenchmarkNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := New(Options{Addr: "127.0.0.1:2181", Logger: log.NewNopLogger()}); err != nil {
			b.Fatal(err)
		}
	}
}
