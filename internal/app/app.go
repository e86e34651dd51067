package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	"github.com/prometheus/exporter-toolkit/web"

	"zkwarden/internal/fourletter"
)

// App is a process that is wired and listens, but does nothing yet.
type App struct {
	options  Options
	listener net.Listener
	exporter *exporter
	auditor  *auditor // Nil when nothing is audited.
	server   *http.Server
}

// New wires the process and binds its listener. After an error nothing is
// left open.
func New(o Options) (*App, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := web.Validate(o.Web.ConfigFile); err != nil {
		return nil, fmt.Errorf("read web config file %s: %w", o.Web.ConfigFile, err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		versioncollector.NewCollector("zkwarden"),
		&frugal{of: collectors.NewGoCollector()},
		&frugal{of: collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})},
	)
	dialer := &fourletter.Dialer{TLS: o.ZooKeeper.TLS}
	exporter, err := newExporter(o, dialer)
	if err != nil {
		return nil, err
	}
	a := &App{options: o, exporter: exporter}
	if o.Audit.enabled() {
		if a.auditor, err = newAuditor(o, dialer, registry); err != nil {
			return nil, errors.Join(err, exporter.close())
		}
	}
	if a.listener, err = net.Listen("tcp", o.Web.ListenAddress); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", o.Web.ListenAddress, err), a.abandon())
	}
	a.server = &http.Server{
		Handler:           a.routes(registry),
		ReadHeaderTimeout: readHeaderTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
	}
	return a, nil
}

// Addr returns where the process listens.
func (a *App) Addr() net.Addr { return a.listener.Addr() }

// abandon releases what New has opened.
func (a *App) abandon() error {
	err := a.exporter.close()
	if a.auditor != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
		defer cancel()
		err = errors.Join(err, a.auditor.close(ctx))
	}
	return err
}

// Run works until ctx is done or something fails that the process cannot do
// without, and then stops in order. It may be called once.
func (a *App) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- a.serve() }()
	audited := make(chan error, 1)
	if a.auditor != nil {
		a.auditor.start()
		go func() { audited <- a.auditor.wait() }()
	}

	var failure error
	auditing := a.auditor != nil
	select {
	case <-ctx.Done():
	case failure = <-served:
		served = nil
	case failure = <-audited:
		auditing = false
	}
	level.Info(a.options.Logger).Log("msg", "stopping")
	return errors.Join(failure, a.stop(auditing, audited, served))
}

// stop ends what still runs.
func (a *App) stop(auditing bool, audited, served <-chan error) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	if auditing {
		errs = append(errs, a.auditor.stop(ctx), <-audited)
	}
	if a.auditor != nil {
		errs = append(errs, a.auditor.close(ctx))
	}
	if err := a.server.Shutdown(ctx); err != nil {
		errs = append(errs, fmt.Errorf("stop web server: %w", err), a.server.Close())
	}
	if served != nil {
		errs = append(errs, <-served)
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
