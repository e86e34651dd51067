package app

import (
	"errors"
	"net/http"
	"path/filepath"
	"time"

	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/collector"
	"zkwarden/internal/fourletter"
)

// Ensemble says whom the ensemble view asks.
type Ensemble struct {
	Members   []collector.Member // Empty: those that the server lists.
	Timeout   time.Duration      // Of each member; 0: collector.DefaultEnsembleTimeout.
	StateFile string             // Where the last known members survive a restart; empty: in the audit directory, if there is one.

	// AdminServer is where the server's AdminServer answers, as of collector.NewAdminServer.
	AdminServer string
}

// StateFile returns where the last known members are kept; empty: nowhere.
func (o *Options) StateFile() string {
	if o.Ensemble.StateFile == "" && o.Audit.enabled() {
		return filepath.Join(o.Audit.Dir, "ensemble.json")
	}
	return o.Ensemble.StateFile
}

// exporter is the half of the process that asks four-letter words.
type exporter struct {
	server   *collector.Collector
	ensemble *collector.Ensemble
	probes   *prober
	asker    collector.Asker // Asks the server beside this process, or another member.
}

// newExporter wires the exporter, which asks nobody before it is scraped.
func newExporter(o Options, dialer *fourletter.Dialer, reg prometheus.Registerer) (_ *exporter, err error) {
	if dialer.TLS != nil && dialer.TLS.InsecureSkipVerify {
		level.Warn(o.Logger).Log("msg", "ZooKeeper's certificates are not verified: whoever is in between can answer in its place",
			"flag", "--zookeeper.tls-insecure-skip-verify")
	}
	e := &exporter{}
	scrape := o.Collector
	scrape.Addr, scrape.Timeout, scrape.Logger = o.ZooKeeper.Addresses[0], o.ZooKeeper.Timeout, o.Logger
	var client *fourletter.Client
	client, scrape.Handshakes = clientOf(dialer)
	e.asker = &shared{addr: scrape.Addr, own: client, others: &fourletter.Client{Dialer: dialer.ForMembers()}}
	scrape.Client = e.asker
	if scrape.Witness, err = collector.NewAdminServer(o.Ensemble.AdminServer, scrape.Addr); err != nil {
		return nil, err
	}
	if e.server, err = collector.New(scrape); err != nil {
		return nil, err
	}
	e.ensemble, err = collector.NewEnsemble(collector.EnsembleOptions{
		Addr: scrape.Addr, Client: e.asker, Secure: dialer.TLS != nil,
		Timeout: o.Ensemble.Timeout, Members: o.Ensemble.Members, StateFile: o.StateFile(), Logger: o.Logger,
		Witness: scrape.Witness, Config: ConfigZnode{scrape.Addr, dialer},
	})
	if err != nil {
		return nil, errors.Join(err, e.server.Close())
	}
	if e.probes, err = newProber(o, dialer, e.ensemble, e.server, reg); err != nil {
		return nil, errors.Join(err, e.server.Close(), e.ensemble.Close())
	}
	return e, nil
}

// clientOf returns a client and, with TLS, what its handshakes tell.
func clientOf(dialer *fourletter.Dialer) (*fourletter.Client, *collector.Handshakes) {
	if dialer.TLS == nil {
		return &fourletter.Client{Dialer: dialer}, nil
	}
	handshakes := collector.NewHandshakes(dialer)
	return &fourletter.Client{Dialer: handshakes}, handshakes
}

func (e *exporter) metrics(own prometheus.Gatherer) http.Handler {
	return collector.Handler(e.server, own, e.ensemble)
}

func (e *exporter) close() error {
	e.probes.close()
	return errors.Join(e.server.Close(), e.ensemble.Close())
}
