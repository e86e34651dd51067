package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/collector"
	"zkwarden/internal/fourletter"
)

// maxProbes is how many targets are probed at a time.
const maxProbes = 32

// Probe says what /probe may be asked for.
type Probe struct {
	Allow      []string // Globs of targets, as host:port or host; empty: the members of the ensemble.
	ConfigFile string   // Modules; empty: the one called default, with the flags of the connection.
}

// validate reports globs that are none.
func (p Probe) validate() error {
	for _, glob := range p.Allow {
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			return fmt.Errorf("--probe.allow: %q is no target and no glob of targets", glob)
		}
	}
	return nil
}

// module is a way to probe.
type module struct {
	tls      *fourletter.TLSFiles // nil: plain TCP.
	timeout  time.Duration
	lifetime bool
	words    []fourletter.Word // Beside mntr and srvr; nil: collector.DefaultWords.
	cons     bool
}

const defaultModule = "default"

// prober serves /probe?target=HOST:PORT&module=NAME: the page that a sidecar of
// the target would have, without the ensemble view. Mistakes of the caller get
// 400, targets that are not allowed 403, more than maxProbes at a time 503. A
// target that is down is a page with zookeeper_up 0.
type prober struct {
	modules  map[string]module
	allow    []string
	own      []string // Addresses that the flags give.
	ensemble *collector.Ensemble
	options  collector.Options // Of every probe.
	slots    chan struct{}
	logger   log.Logger
}

func newProber(o Options, dialer *fourletter.Dialer, ensemble *collector.Ensemble) (*prober, error) {
	p := &prober{
		modules: map[string]module{defaultModule: {
			tls: dialer.ForMembers().TLS, timeout: o.ZooKeeper.Timeout, lifetime: o.Collector.Lifetime, words: o.Collector.Words, cons: o.Collector.Cons,
		}},
		allow: o.Probe.Allow, own: o.ZooKeeper.Addresses, ensemble: ensemble,
		options: o.Collector, slots: make(chan struct{}, maxProbes), logger: log.NewNopLogger(),
	}
	if o.Probe.ConfigFile == "" {
		return p, nil
	}
	modules, err := readModules(o.Probe.ConfigFile, o.ZooKeeper.Timeout)
	if err != nil {
		return nil, err
	}
	for name, m := range modules {
		if m.tls != nil && m.tls.InsecureSkipVerify {
			level.Warn(o.Logger).Log("msg", "this module doesn't verify certificates: whoever is in between can answer in the target's place", "module", name)
		}
		p.modules[name] = m
	}
	return p, nil
}

// ServeHTTP answers one probe.
func (p *prober) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	target, err := parseTarget(query["target"])
	if err != nil {
		answer(w, http.StatusBadRequest, err.Error())
		return
	}
	name := defaultModule
	if query.Has("module") {
		name = query.Get("module")
	}
	m, ok := p.modules[name]
	if !ok {
		answer(w, http.StatusBadRequest, fmt.Sprintf("unknown module %q", name))
		return
	}
	if !p.allowed(r.Context(), target) {
		answer(w, http.StatusForbidden, fmt.Sprintf("target %s is not allowed: it is no known member of the ensemble, nor does --probe.allow name it", target))
		return
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	default:
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, fmt.Sprintf("%d probes are under way already", maxProbes))
		return
	}
	p.probe(w, r, target, m)
}

// probe asks the target, once.
func (p *prober) probe(w http.ResponseWriter, r *http.Request, target string, m module) {
	o := p.options
	o.Client, o.Handshakes = clientOf(&fourletter.Dialer{TLS: m.tls})
	var heard *transcript
	if r.URL.Query().Get("debug") == "true" {
		heard = &transcript{asker: o.Client}
		o.Client = heard
	}
	o.Addr, o.Timeout, o.Logger = target, m.timeout, p.logger
	o.Lifetime, o.Words, o.Cons = m.lifetime, m.words, m.cons
	c, err := collector.New(o)
	if err != nil {
		answer(w, http.StatusInternalServerError, err.Error())
		return
	}
	defer func() { _ = c.Close() }() // Always nil.
	page := collector.Handler(c, prometheus.NewRegistry())
	if heard == nil {
		page.ServeHTTP(w, r)
		return
	}
	heard.serve(w, r, page)
}

// allowed tells whether the target may be asked.
func (p *prober) allowed(ctx context.Context, target string) bool {
	if len(p.allow) == 0 {
		return slices.Contains(p.own, target) || slices.Contains(p.ensemble.Addresses(ctx), target)
	}
	host, _, err := net.SplitHostPort(target)
	for _, glob := range p.allow {
		if glob == target || glob == host || match(glob, target) || err == nil && match(glob, host) {
			return true
		}
	}
	return false
}

func match(glob, name string) bool {
	ok, err := path.Match(glob, name)
	return ok && err == nil
}

// parseTarget reads the parameter, with the default port where it has none.
func parseTarget(values []string) (string, error) {
	if len(values) != 1 || values[0] == "" {
		return "", fmt.Errorf("want one parameter target=HOST:PORT, have %d", len(values))
	}
	if strings.ContainsAny(values[0], ",\r\n") {
		return "", fmt.Errorf("target %q: want one HOST:PORT", values[0])
	}
	target, err := parseAddress(values[0])
	if err != nil {
		return "", fmt.Errorf("target %q: %w", values[0], err)
	}
	return target, nil
}
