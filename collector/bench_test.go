package collector

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

// BenchmarkMetrics compares the page with the bare round trip of mntr on one
// real server, in turns, so that both see the same machine.
func BenchmarkMetrics(b *testing.B) {
	ensemble := zktest.Start(b, zktest.Options{})
	addr := ensemble.Addrs()[0]
	client := &fourletter.Client{Dialer: &fourletter.Dialer{}}
	web := httptest.NewServer(Handler(start(b, Options{Addr: addr}), prometheus.NewRegistry()))
	defer web.Close()
	raw := func() {
		if _, err := client.Ask(b.Context(), addr, fourletter.Mntr); err != nil {
			b.Fatal(err)
		}
	}
	page := func() {
		response, err := web.Client().Get(web.URL)
		if err != nil {
			b.Fatal(err)
		}
		defer response.Body.Close()
		if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
			b.Fatal(response.Status, err)
		}
	}
	for range 300 {
		raw()
		page()
	}
	var raws, pages []time.Duration
	for b.Loop() {
		raws = append(raws, measured(raw))
		pages = append(pages, measured(page))
	}
	mntr, metrics := median(raws), median(pages)
	b.ReportMetric(float64(mntr.Microseconds()), "µs-mntr-p50")
	b.ReportMetric(float64(metrics.Microseconds()), "µs-metrics-p50")
	b.ReportMetric(float64(metrics)/float64(mntr), "ratio")
}

func measured(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
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
