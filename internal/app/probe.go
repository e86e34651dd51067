package app

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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

// validate reports globs that are none, and what is wrong with the modules.
func (p Probe) validate(timeout time.Duration) error {
	for _, glob := range p.Allow {
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			return fmt.Errorf("--probe.allow: %q is no target and no glob of targets", glob)
		}
	}
	_, err := p.modules(timeout)
	return err
}

// modules reads those of the file, if there is one; timeout is of those that
// have none of their own.
func (p Probe) modules(timeout time.Duration) (map[string]module, error) {
	if p.ConfigFile == "" {
		return nil, nil
	}
	modules, err := readModules(p.ConfigFile, timeout)
	if err != nil {
		return nil, fmt.Errorf("read probe modules: %w", err)
	}
	return modules, nil
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
	told     Probe
	flags    map[string]module // The modules that need no file.
	timeout  time.Duration     // Of modules that have none of their own.
	own      []string          // Addresses that the flags give.
	ensemble *collector.Ensemble
	options  collector.Options // Of every probe.
	slots    chan struct{}
	logger   log.Logger
	metrics  *probeMetrics

	reloading sync.Mutex
	current   atomic.Pointer[generation]
}

// generation is what one reading of the modules' file gave, and the targets
// that were probed with it.
type generation struct {
	modules map[string]module
	targets *targets
}

// newProber shares with scraped what doesn't depend on the target. The caller
// closes the prober.
func newProber(o Options, dialer *fourletter.Dialer, ensemble *collector.Ensemble, scraped *collector.Collector, reg prometheus.Registerer) (*prober, error) {
	p := &prober{
		told: o.Probe, timeout: o.ZooKeeper.Timeout,
		flags: map[string]module{defaultModule: {
			tls: dialer.ForMembers().TLS, timeout: o.ZooKeeper.Timeout, lifetime: o.Collector.Lifetime, words: o.Collector.Words, cons: o.Collector.Cons,
		}},
		own: o.ZooKeeper.Addresses, ensemble: ensemble,
		options: o.Collector, slots: make(chan struct{}, maxProbes), logger: o.Logger,
	}
	p.options.Like = scraped
	p.metrics = newProbeMetrics(reg, p.kept)
	if err := p.reload(); err != nil {
		return nil, err
	}
	return p, nil
}

// reload reads the modules and uses them.
func (p *prober) reload() error {
	read, err := p.told.modules(p.timeout)
	if err != nil {
		return err
	}
	p.use(read)
	return nil
}

// use replaces the modules of the file, unless they are the same. Probes under
// way end as they began; with the targets go their counters and the answers
// that were kept.
func (p *prober) use(read map[string]module) {
	p.reloading.Lock()
	defer p.reloading.Unlock()
	last := p.current.Load()
	modules := maps.Clone(p.flags)
	for name, m := range read {
		if m.tls != nil && m.tls.InsecureSkipVerify {
			level.Warn(p.logger).Log("msg", "this module doesn't verify certificates: whoever is in between can answer in the target's place", "module", name)
		}
		modules[name] = m
	}
	if last != nil && reflect.DeepEqual(last.modules, modules) {
		return
	}
	next := &generation{modules: modules}
	next.targets = newTargets(func(id targetID) (*collector.Collector, error) { return p.open(id.addr, modules[id.module], p.logger) }, p.metrics.dropped)
	p.current.Store(next)
	if last != nil {
		last.targets.close()
	}
}

func (p *prober) close() {
	if g := p.current.Load(); g != nil {
		g.targets.close()
	}
}

// kept returns how many targets are remembered.
func (p *prober) kept() int {
	if g := p.current.Load(); g != nil {
		return g.targets.len()
	}
	return 0
}

// open returns a collector of the target, which the caller closes.
func (p *prober) open(addr string, m module, logger log.Logger) (*collector.Collector, error) {
	client, handshakes := clientOf(&fourletter.Dialer{TLS: m.tls})
	return collector.New(p.optionsOf(addr, m, client, handshakes, logger))
}

func (p *prober) optionsOf(addr string, m module, asker collector.Asker, h *collector.Handshakes, logger log.Logger) collector.Options {
	o := p.options
	o.Addr, o.Client, o.Handshakes, o.Timeout, o.Logger = addr, asker, h, m.timeout, logger
	o.Lifetime, o.Words, o.Cons = m.lifetime, m.words, m.cons
	return o
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
	g := p.current.Load()
	m, ok := g.modules[name]
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
		p.metrics.refused.Inc()
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusServiceUnavailable, fmt.Sprintf("%d probes are under way already", cap(p.slots)))
		return
	}
	if query.Get("debug") == "true" {
		p.debug(w, r, target, m)
		return
	}
	kept, err := g.targets.acquire(targetID{target, name})
	if err != nil {
		answer(w, http.StatusInternalServerError, err.Error())
		return
	}
	defer g.targets.release(kept)
	kept.page.ServeHTTP(w, r)
}

// debug asks the target anew, whatever is known of it, so that every answer can
// be shown.
func (p *prober) debug(w http.ResponseWriter, r *http.Request, target string, m module) {
	client, handshakes := clientOf(&fourletter.Dialer{TLS: m.tls})
	heard := &transcript{asker: client}
	c, err := collector.New(p.optionsOf(target, m, heard, handshakes, log.NewNopLogger()))
	if err != nil {
		answer(w, http.StatusInternalServerError, err.Error())
		return
	}
	defer func() { _ = c.Close() }() // Always nil.
	heard.serve(w, r, collector.Handler(c, prometheus.NewRegistry()))
}

// allowed tells whether the target may be asked.
func (p *prober) allowed(ctx context.Context, target string) bool {
	if len(p.told.Allow) == 0 {
		return slices.Contains(p.own, target) || slices.Contains(p.ensemble.Addresses(ctx), target)
	}
	host, _, err := net.SplitHostPort(target)
	for _, glob := range p.told.Allow {
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
