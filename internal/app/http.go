package app

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/go-kit/log/level"
)

const (
	readHeaderTimeout = 10 * time.Second
	writeTimeout      = time.Minute     // For clients that do not read; profiles extend theirs.
	idleTimeout       = 5 * time.Minute // Longer than usual scrape intervals, which keep their connection.
	maxHeaderBytes    = 64 << 10
)

//go:embed landing.html
var landingHTML string

// routes are the pages of the process.
func (a *App) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", a.exporter.metrics(a.registry))
	mux.Handle("GET /probe", a.exporter.probes)
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, "healthy")
	})
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		if err := a.Ready(); err != nil {
			answer(w, http.StatusServiceUnavailable, "not ready: "+err.Error())
			return
		}
		answer(w, http.StatusOK, "ready")
	})
	mux.Handle("POST /-/reload", a.reload)
	page := template.Must(template.New("landing").Parse(landingHTML))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if err := page.Execute(w, a.overview()); err != nil {
			level.Debug(a.options.Logger).Log("msg", "landing page was not delivered", "err", err)
		}
	})
	if a.options.Web.Pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	fmt.Fprintln(w, text)
}

// errOpening is why an auditor is not ready at first.
var errOpening = errors.New("journal is being opened and read")

// Ready returns why the process cannot do its work yet, or nil. A ZooKeeper
// that is down is no reason for an exporter: reporting that is its work.
func (a *App) Ready() error {
	if !a.options.Audit.enabled() {
		return nil
	}
	auditor := a.auditor.Load()
	if auditor == nil {
		return errOpening
	}
	return auditor.ready()
}
