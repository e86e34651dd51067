package app

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"zkwarden/collector"
	"zkwarden/internal/fourletter"
	"zkwarden/internal/fourletter/fourlettertest"
	"zkwarden/internal/zktest"
)

// serveLeader returns the address of a server that answers like a leader.
func serveLeader(t *testing.T) string {
	t.Helper()
	return fourlettertest.Serve(t, fourlettertest.Answer(func(word string) string { return leaderAnswers()[word] }))
}

func leaderAnswers() map[string]string {
	return map[string]string{
		"mntr": "zk_version\t3.9.5-x, built\nzk_server_state\tleader\nzk_znode_count\t7\nzk_avg_latency\t1.5\n",
		"srvr": "Zookeeper version: 3.9.5-x, built\nZxid: 0x100000002\nMode: leader\nNode count: 7\n",
		"conf": "clientPort=2181\nserverId=0\nsome.password=hunter2\n",
		"cons": " /10.1.2.3:48582[1](queued=0,recved=7,sent=7,sid=0x300000dbced0000,lop=PING,est=1795341889544,to=10000,lzxid=0x1,lresp=9,llat=0,minlat=0,avglat=5,maxlat=18)\n\n",
		"envi": "Environment:\njava.version=17\nos.name=Linux\nmy.secret=hunter2\n",
		"isro": "rw", "wchs": "0 connections watching 0 paths\nTotal watches:0\n", "dirs": "datadir_size: 1\nlogdir_size: 2\n",
	}
}

// probing returns the prober of a process beside the first address.
func probing(t *testing.T, o Options) *prober {
	t.Helper()
	if o.ZooKeeper.Timeout == 0 {
		o.ZooKeeper.Timeout = 2 * time.Second
	}
	o.Logger = log.NewNopLogger()
	e, err := newExporter(o, &fourletter.Dialer{TLS: o.ZooKeeper.TLS}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.close() })
	return e.probes
}

func probe(t *testing.T, p *prober, query url.Values) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/probe?"+query.Encode(), nil))
	return w
}

func has(t *testing.T, page string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+page, "\n"+line+"\n") {
			t.Errorf("page lacks %s:\n%.2000s", line, page)
		}
	}
}

func TestProbe(t *testing.T) {
	own, other := serveLeader(t), serveLeader(t)
	dead := fourlettertest.Closed(t)
	p := probing(t, Options{
		ZooKeeper: ZooKeeper{Addresses: []string{own}},
		Ensemble:  Ensemble{Members: []collector.Member{{ID: 1, Addr: other}, {ID: 2, Addr: dead}}},
	})
	for name, tc := range map[string]struct {
		query  url.Values
		status int
		want   string
	}{
		"the server of the flags":   {url.Values{"target": {own}}, 200, "zookeeper_up 1"},
		"a member":                  {url.Values{"target": {other}, "module": {"default"}}, 200, `zookeeper_server_state{state="leader"} 1`},
		"a dead member":             {url.Values{"target": {dead}}, 200, "zookeeper_up 0"},
		"no target":                 {url.Values{}, 400, "want one parameter target=HOST:PORT, have 0"},
		"an empty target":           {url.Values{"target": {""}}, 400, "want one parameter target=HOST:PORT, have 1"},
		"two targets":               {url.Values{"target": {own, other}}, 400, "want one parameter target=HOST:PORT, have 2"},
		"a list as target":          {url.Values{"target": {own + "," + other}}, 400, `target "` + own + "," + other + `": want one HOST:PORT`},
		"a URL as target":           {url.Values{"target": {"http://" + own}}, 400, `target "http://` + own + `": want host:port, without scheme or chroot`},
		"a port that is none":       {url.Values{"target": {"zk:port"}}, 400, `target "zk:port": port "port" is not a number from 1 to 65535`},
		"an unknown module":         {url.Values{"target": {own}, "module": {"x"}}, 400, `unknown module "x"`},
		"an empty module":           {url.Values{"target": {own}, "module": {""}}, 400, `unknown module ""`},
		"a target of somebody else": {url.Values{"target": {"169.254.169.254:80"}}, 403, "target 169.254.169.254:80 is not allowed: it is no known member of the ensemble, nor does --probe.allow name it"},
	} {
		t.Run(name, func(t *testing.T) {
			w := probe(t, p, tc.query)
			if w.Code != tc.status {
				t.Errorf("status %d, want %d", w.Code, tc.status)
			}
			has(t, w.Body.String(), tc.want)
		})
	}
}

func TestProbeAllow(t *testing.T) {
	p := probing(t, Options{ZooKeeper: ZooKeeper{Addresses: []string{"zk-0:2181"}}})
	for name, tc := range map[string]struct {
		allow  []string
		target string
		want   bool
	}{
		"own server by default":                 {nil, "zk-0:2181", true},
		"another port of it":                    {nil, "zk-0:22", false},
		"literal":                               {[]string{"a:1", "b:2"}, "b:2", true},
		"literal, other port":                   {[]string{"b:2"}, "b:22", false},
		"host alone":                            {[]string{"b"}, "b:22", true},
		"glob of host and port":                 {[]string{"zk-*.zk.svc:2181"}, "zk-7.zk.svc:2181", true},
		"glob, other port":                      {[]string{"zk-*.zk.svc:2181"}, "zk-7.zk.svc:22", false},
		"glob of hosts":                         {[]string{"*.zk.svc"}, "zk-7.zk.svc:2281", true},
		"all":                                   {[]string{"*"}, "[::1]:2181", true},
		"IPv6 literal":                          {[]string{"[::1]:2181"}, "[::1]:2181", true},
		"an allow list leaves out the ensemble": {[]string{"b:2"}, "zk-0:2181", false},
	} {
		t.Run(name, func(t *testing.T) {
			p.told.Allow = tc.allow
			if got := p.allowed(t.Context(), tc.target); got != tc.want {
				t.Errorf("allowed %t, want %t", got, tc.want)
			}
		})
	}
	for _, glob := range []string{"", "[a"} {
		if err := (Probe{Allow: []string{glob}}).validate(time.Second); err == nil {
			t.Errorf("glob %q was accepted", glob)
		}
	}
}

// A probe that waits takes a slot, and one too many is turned away at once.
func TestProbesAreCapped(t *testing.T) {
	release, waiting := make(chan struct{}), make(chan struct{}, 1000)
	hanging := func(string) string {
		waiting <- struct{}{}
		<-release
		return ""
	}
	addrs := []string{fourlettertest.Serve(t, fourlettertest.Answer(hanging)), fourlettertest.Serve(t, fourlettertest.Answer(hanging))}
	idle := serveLeader(t)
	p := probing(t, Options{ZooKeeper: ZooKeeper{Addresses: append(addrs, idle), Timeout: time.Minute}})
	p.slots = make(chan struct{}, len(addrs))
	var probes sync.WaitGroup
	for _, addr := range addrs {
		probes.Go(func() { probe(t, p, url.Values{"target": {addr}}) })
	}
	for range 4 { // Two words of each.
		<-waiting
	}
	for _, addr := range []string{idle, addrs[0]} {
		if w := probe(t, p, url.Values{"target": {addr}}); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
			t.Errorf("status %d with %v, want 503", w.Code, w.Header())
		}
	}
	if refused := testutil.ToFloat64(p.metrics.refused); refused != 2 {
		t.Errorf("%v probes count as refused, want 2", refused)
	}
	close(release)
	probes.Wait()
	if w := probe(t, p, url.Values{"target": {idle}}); w.Code != http.StatusOK {
		t.Errorf("status %d after the others ended", w.Code)
	}
}

func TestProbeDebug(t *testing.T) {
	own := serveLeader(t)
	file := writeModules(t, "modules:\n  all:\n    words: [conf, cons, envi]\n    lifetime: true\n")
	p := probing(t, Options{ZooKeeper: ZooKeeper{Addresses: []string{own}}, Probe: Probe{ConfigFile: file}})
	page := probe(t, p, url.Values{"target": {own}, "module": {"all"}, "debug": {"true"}}).Body.String()
	has(t, page, "== mntr ==", "zk_znode_count\t7", "== cons ==", "== metrics ==", "zookeeper_znodes 7", "some.password=(masked)", "my.secret=(masked)")
	for _, secret := range []string{"hunter2", "300000dbced0000"} {
		if strings.Contains(page, secret) {
			t.Errorf("page tells %s", secret)
		}
	}
	if !strings.Contains(page, "sid=(masked),lop=PING") {
		t.Error("page lacks the rest of the connection")
	}

	flood := fourlettertest.Serve(t, fourlettertest.Say(strings.Repeat("zk_x\t1\n", maxTranscript)))
	p.own = []string{flood}
	page = probe(t, p, url.Values{"target": {flood}, "debug": {"true"}}).Body.String()
	if len(page) > 4*maxTranscript || !strings.Contains(page, "(cut after 65536 bytes)") {
		t.Errorf("page has %d bytes", len(page))
	}
	dead := fourlettertest.Closed(t)
	p.own = []string{dead}
	page = probe(t, p, url.Values{"target": {dead}, "debug": {"true"}}).Body.String()
	has(t, page, "zookeeper_up 0")
	if !strings.Contains(page, "failed: ask mntr of "+dead) {
		t.Errorf("page doesn't say why:\n%s", page)
	}
}

// A module over TLS reaches the secure port of a real server.
func TestLiveProbeTLS(t *testing.T) {
	certs := zktest.Certs(t, zktest.CertOptions{})
	server := zktest.Start(t, zktest.Options{TLS: certs}).Server(1)
	file := writeModules(t, "modules:\n  secure:\n    tls:\n      ca_file: "+certs.CA+"\n      cert_file: "+certs.ClientCert+"\n      key_file: "+certs.ClientKey+"\n")
	p := probing(t, Options{
		ZooKeeper: ZooKeeper{Addresses: []string{server.Addr()}}, Probe: Probe{ConfigFile: file, Allow: []string{"127.0.0.1"}},
	})
	page := probe(t, p, url.Values{"target": {server.SecureAddr()}, "module": {"secure"}}).Body.String()
	has(t, page, "zookeeper_up 1", `zookeeper_word_success{word="conf"} 1`)
	if !strings.Contains(page, "\nzookeeper_tls_certificate_expiry_timestamp_seconds ") {
		t.Error("page lacks the certificate's expiry")
	}
	has(t, probe(t, p, url.Values{"target": {server.Addr()}}).Body.String(), "zookeeper_up 1")
}

// The example of the docs is one that works: its modules are read, and the
// targets that Prometheus is told of are allowed.
func TestProbeExampleOfTheDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "ensemble.md"))
	if err != nil {
		t.Fatal(err)
	}
	part := func(from, to string) string {
		_, rest, found := strings.Cut(string(text), from)
		part, _, ended := strings.Cut(rest, to)
		if !found || !ended {
			t.Fatalf("docs lack %q and %q behind it", from, to)
		}
		return part
	}
	file := writeModules(t, "modules:"+part("```yaml\nmodules:", "```"))
	modules, err := readModules(file, time.Second)
	if err != nil || len(modules) != 2 || modules["secure"].tls.ServerName != "zookeeper.example" {
		t.Errorf("modules %+v, %v", modules, err)
	}
	p := probing(t, Options{
		ZooKeeper: ZooKeeper{Addresses: []string{part("zkwarden --zookeeper.address=", " ")}},
		Probe:     Probe{Allow: []string{part("--probe.allow='", "'")}, ConfigFile: file},
	})
	if _, ok := p.current.Load().modules[part("params: {module: [", "]}")]; !ok {
		t.Error("the module of the scrape is none of the file")
	}
	for target := range strings.SplitSeq(part("targets: [", "]"), ", ") {
		if !p.allowed(t.Context(), target) {
			t.Errorf("target %s is not allowed", target)
		}
	}
}

// Every cause of a failed handshake is explained.
func TestCausesOfTheDocs(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "ensemble.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, cause := range fourletter.Causes() {
		if !strings.Contains(string(text), "`"+string(cause)+"`") {
			t.Errorf("docs lack the cause %s", cause)
		}
	}
}
