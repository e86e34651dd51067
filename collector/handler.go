package collector

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
)

const (
	// timeoutHeader is how long Prometheus will wait, in seconds.
	timeoutHeader = "X-Prometheus-Scrape-Timeout-Seconds"
	// timeoutOffset is left of that time to write the page and carry it over.
	timeoutOffset = 250 * time.Millisecond
)

// Handler serves the metrics of c together with those of own. A page is ready
// when the round is, which Options.Timeout bounds, and in time for the scraper,
// which tells by its header how long it waits. A server that can't be scraped is
// still a page, with status 200. Other requests than GET and HEAD get 405.
func Handler(c *Collector, own prometheus.Gatherer) http.Handler {
	options := promhttp.HandlerOpts{
		ErrorLog:      errorLog{c.logger},
		ErrorHandling: promhttp.ContinueOnError,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "metrics are read with GET", http.StatusMethodNotAllowed)
			return
		}
		ctx, cancel := scrapeContext(r)
		defer cancel()
		server := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) { return c.Gather(ctx) })
		// Gatherers sort, and leave out what would make the page invalid.
		promhttp.HandlerFor(prometheus.Gatherers{own, server}, options).ServeHTTP(w, r)
	})
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

// errorLog carries the errors of promhttp to the logger.
type errorLog struct{ logger log.Logger }

func (l errorLog) Println(v ...any) {
	level.Error(l.logger).Log("msg", "metrics page is incomplete", "err", fmt.Sprint(v...))
}
