package collector

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
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

// Handler serves the metrics of c together with those of own, in the text format.
// A page is ready when the round is, which Options.Timeout bounds, and in time
// for the scraper, which tells by its header how long it waits. A server that
// can't be scraped is still a page, with status 200. Other methods than GET and
// HEAD get 405.
//
// The page is neither negotiated nor packed: either would take longer than mntr,
// for 60 kB that mostly go over loopback.
func Handler(c *Collector, own prometheus.Gatherer) http.Handler {
	pages := sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, pageSize)) }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "metrics are read with GET", http.StatusMethodNotAllowed)
			return
		}
		ctx, cancel := scrapeContext(r)
		defer cancel()
		families, err := c.gatherBeside(ctx, own)
		text := pages.Get().(*bytes.Buffer)
		defer pages.Put(text)
		text.Reset()
		for _, mf := range families {
			_, encodeErr := expfmt.MetricFamilyToText(text, mf)
			err = errors.Join(err, encodeErr)
		}
		if err != nil {
			level.Error(c.logger).Log("msg", "metrics page is incomplete", "err", err)
		}
		w.Header().Set("Content-Type", string(expfmt.NewFormat(expfmt.TypeTextPlain)))
		w.Header().Set("Content-Length", strconv.Itoa(text.Len()))
		// A scraper that has gone needs no page, and nobody needs to know.
		_, _ = w.Write(text.Bytes())
	})
}

// gatherBeside returns the families of own and of the server, sorted. A name that
// both have is that of own. A closed collector leaves own.
func (c *Collector) gatherBeside(ctx context.Context, own prometheus.Gatherer) ([]*dto.MetricFamily, error) {
	server, serverErr := c.Gather(ctx)
	page, err := own.Gather()
	page = append(page, server...)
	byName := func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) }
	slices.SortStableFunc(page, byName)
	page = slices.CompactFunc(page, func(a, b *dto.MetricFamily) bool { return byName(a, b) == 0 })
	return page, errors.Join(serverErr, err)
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
