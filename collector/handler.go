package collector

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

const (
	// timeoutHeader is how long Prometheus will wait, in seconds.
	timeoutHeader = "X-Prometheus-Scrape-Timeout-Seconds"
	// timeoutOffset is left of that time to write the page and carry it over.
	timeoutOffset = 250 * time.Millisecond
	// pageSize is room for the page of a leader.
	pageSize = 128 << 10
)

// Source has metrics that take asking, within the time of the scrape. An
// *Ensemble is one.
type Source interface {
	Gather(ctx context.Context) ([]*dto.MetricFamily, error)
}

// Handler serves the metrics of c together with those of own, in the text format.
// A page is ready when the round is, which ends within one and a half times
// Options.Timeout, and in time for the scraper, which tells by its header how long
// it waits. A server that can't be scraped is still a page, with status 200. Other
// methods than GET and HEAD get 405.
//
// Sources beside c are asked at the same time.
//
// The page is neither negotiated nor packed: either would take longer than mntr,
// for 60 kB that mostly go over loopback.
func Handler(c *Collector, own prometheus.Gatherer, beside ...Source) http.Handler {
	pages := sync.Pool{New: func() any { return &buffer{text: make([]byte, 0, pageSize)} }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "metrics are read with GET", http.StatusMethodNotAllowed)
			return
		}
		ctx, cancel := scrapeContext(r)
		defer cancel()
		page := pages.Get().(*buffer)
		defer pages.Put(page)
		page.text = page.text[:0]
		if err := c.writePage(ctx, page, own, beside...); err != nil {
			level.Error(c.logger).Log("msg", "metrics page is incomplete", "err", err)
		}
		w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
		w.Header().Set("Content-Length", strconv.Itoa(len(page.text)))
		// A scraper that has gone needs no page, and nobody needs to know.
		_, _ = w.Write(page.text)
	})
}

// buffer is a page that is being written.
type buffer struct{ text []byte }

// Write appends to the page.
func (b *buffer) Write(text []byte) (int, error) {
	b.text = append(b.text, text...)
	return len(text), nil
}

func (b *buffer) encode(families []*dto.MetricFamily) error {
	var err error
	for _, mf := range families {
		_, encodeErr := expfmt.MetricFamilyToText(b, mf)
		err = errors.Join(err, encodeErr)
	}
	return err
}

// aside is what a source beside the server came to.
type aside struct {
	families []*dto.MetricFamily
	err      error
}

// writePage writes the families of own and those of the server, which is asked
// in the meantime, as far as its answers come before ctx ends. The end of ctx
// doesn't end the round, which others may share. A closed collector leaves own.
func (c *Collector) writePage(ctx context.Context, page *buffer, own prometheus.Gatherer, beside ...Source) error {
	r, joinErr := c.join()
	var asked sync.WaitGroup
	asides := make([]aside, len(beside))
	for i, source := range beside {
		asked.Go(func() { asides[i].families, asides[i].err = source.Gather(ctx) })
	}
	families, err := own.Gather()
	asked.Wait()
	for _, a := range asides {
		families, err = append(families, a.families...), errors.Join(err, a.err)
	}
	names := make(map[string]bool, len(families))
	for _, mf := range families {
		names[mf.GetName()] = true
	}
	err = errors.Join(err, page.encode(families))
	if joinErr != nil {
		return errors.Join(joinErr, err)
	}
	select {
	case <-r.done:
	case <-ctx.Done():
	}
	v, all := c.outcome(r)
	page.text = c.write(page.text, v, all, func(name string) bool { return names[name] })
	if c.options.Handshakes != nil {
		err = errors.Join(err, page.encode(c.options.Handshakes.families()))
	}
	return err
}

// scrapeContext returns the context of the request, bounded by its header. A
// header that is no positive number is ignored, as Prometheus always sends one
// that is.
func scrapeContext(r *http.Request) (context.Context, context.CancelFunc) {
	seconds, err := strconv.ParseFloat(r.Header.Get(timeoutHeader), 64)
	if err != nil || !(seconds > 0) || seconds > time.Hour.Seconds() {
		return context.WithCancel(r.Context())
	}
	budget := time.Duration(seconds * float64(time.Second))
	return context.WithTimeout(r.Context(), budget-min(timeoutOffset, budget/4))
}
