package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/exporter-toolkit/web"

	"zkwarden/internal/fourletter"
)

// App is a process that is wired and has its listener, but does nothing yet.
type App struct {
	options  Options
	listener net.Listener
	registry *prometheus.Registry
	dialer   *fourletter.Dialer
	exporter *exporter
	reload   *reloader
	server   *http.Server
	auditor  atomic.Pointer[auditor] // Nil until it is open, and when nothing is audited.
}

// New wires the process and binds its listener. After an error nothing is
// left open.
func New(o Options) (*App, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		versioncollector.NewCollector("zkwarden"),
		&frugal{of: collectors.NewGoCollector()},
		&frugal{of: collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})},
		newDisks(o.disks(), spaceOf),
	)
	dialer := &fourletter.Dialer{TLS: o.ZooKeeper.TLS}
	exporter, err := newExporter(o, dialer, registry)
	if err != nil {
		return nil, err
	}
	a := &App{options: o, registry: registry, dialer: dialer, exporter: exporter}
	a.reload = newReloader(registry, a.readAgain)
	if a.listener, err = net.Listen("tcp", o.Web.ListenAddress); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", o.Web.ListenAddress, err), exporter.close())
	}
	a.server = &http.Server{
		Handler:           a.routes(),
		ReadHeaderTimeout: readHeaderTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.WebLogger.Handler(), slog.LevelWarn),
	}
	return a, nil
}

// Addr returns where the process listens.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

// Run works until ctx is done or something fails that the process cannot do
// without, and then stops in order. It may be called once.
//
// It serves its pages before it opens the auditor, which takes longer the
// longer the journal is: probes and signals work meanwhile.
func (a *App) Run(ctx context.Context) error {
	auditing, stopAuditing := context.WithCancel(ctx)
	defer stopAuditing()
	served, audited, heard := make(chan error, 1), make(chan error, 1), make(chan struct{})
	go func() {
		defer close(heard)
		a.hangups(auditing)
	}()
	go func() { served <- a.serve() }()
	go func() { audited <- a.audit(auditing) }()

	var failure error
	select {
	case <-ctx.Done():
	case failure = <-served:
		served = nil
	case failure = <-audited:
		audited = nil
	}
	level.Info(a.options.Logger).Log("msg", "stopping")
	stopAuditing()
	return errors.Join(failure, a.stop(audited, served, heard))
}

// audit returns when ctx is done or auditing fails; what was seen is recorded
// then. Without anything to audit it waits for the former.
func (a *App) audit(ctx context.Context) error {
	if !a.options.Audit.enabled() {
		<-ctx.Done()
		return nil
	}
	auditor, err := openAuditor(ctx, a.options, a.dialer, a.registry)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // Nothing was seen yet.
	}
	if err != nil {
		return err
	}
	a.auditor.Store(auditor)
	return auditor.run(ctx)
}

// stop waits for what still runs. A channel is nil when its sender has ended.
func (a *App) stop(audited, served <-chan error, heard <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout+stopGrace)
	defer cancel()
	var errs []error
	if audited != nil {
		select {
		case err := <-audited:
			errs = append(errs, err)
		case <-ctx.Done(): // No context ends a system call.
			errs = append(errs, fmt.Errorf("stop auditor: the disk of %s does not answer: %w", a.options.Audit.Dir, ctx.Err()))
		}
	}
	if err := a.server.Shutdown(ctx); err != nil {
		errs = append(errs, fmt.Errorf("stop web server: %w", err), a.server.Close())
	}
	if served != nil {
		errs = append(errs, <-served)
	}
	select {
	case <-heard:
	case <-ctx.Done():
		errs = append(errs, fmt.Errorf("stop reloading: %w", ctx.Err()))
	}
	errs = append(errs, a.exporter.close())
	return errors.Join(errs...)
}

func (a *App) serve() error {
	addresses, systemd := []string{a.options.Web.ListenAddress}, false
	err := web.Serve(a.listener, a.server, &web.FlagConfig{
		WebListenAddresses: &addresses,
		WebSystemdSocket:   &systemd,
		WebConfigFile:      &a.options.Web.ConfigFile,
	}, a.options.WebLogger)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve on %s: %w", a.listener.Addr(), err)
}
