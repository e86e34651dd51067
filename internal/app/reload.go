package app

import (
	"context"
	"net/http"
	"sync"

	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// reloader reads the files again that a process can take over while it runs.
type reloader struct {
	read       func() error // Changes nothing when it fails.
	successful prometheus.Gauge
	at         prometheus.Gauge

	mu sync.Mutex // One at a time.
}

// newReloader counts the reading at the start as a success.
func newReloader(reg prometheus.Registerer, read func() error) *reloader {
	with := promauto.With(reg)
	r := &reloader{
		read: read,
		successful: with.NewGauge(prometheus.GaugeOpts{
			Name: "zkwarden_config_last_reload_successful", Help: "Whether the last attempt to read the configuration files was a success.",
		}),
		at: with.NewGauge(prometheus.GaugeOpts{
			Name: "zkwarden_config_last_reload_success_timestamp_seconds", Help: "When the configuration files were last read with success.",
		}),
	}
	r.succeed()
	return r
}

func (r *reloader) succeed() {
	r.successful.Set(1)
	r.at.SetToCurrentTime()
}

func (r *reloader) reload() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.read(); err != nil {
		r.successful.Set(0)
		return err
	}
	r.succeed()
	return nil
}

// ServeHTTP answers POST /-/reload: 500 with the reason when what was read
// before is kept.
func (r *reloader) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	if err := r.reload(); err != nil {
		answer(w, http.StatusInternalServerError, "not reloaded, what was read before is kept: "+err.Error())
		return
	}
	answer(w, http.StatusOK, "reloaded")
}

// hangups reloads at every signal until ctx is done.
func (a *App) hangups(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-a.options.Hangups:
		}
		if err := a.reload.reload(); err != nil {
			level.Error(a.options.Logger).Log("msg", "configuration is not reloaded, what was read before is kept", "err", err)
			continue
		}
		level.Info(a.options.Logger).Log("msg", "configuration is reloaded")
	}
}
