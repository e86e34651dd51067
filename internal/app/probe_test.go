package app

import (
	"io"
	"net"
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
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"zkwarden/collector"
	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

// fakeServer answers words like this until the test ends, and returns its address.
func fakeServer(t *testing.T, answers func(word string) string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer conn.Close()
				word := make([]byte, 4)
				if _, err := io.ReadFull(conn, word); err == nil {
					_, _ = io.WriteString(conn, answers(string(word)))
				}
			})
		}
	})
	t.Cleanup(func() {
		listener.Close()
		all.Wait()
	})
	return listener.Addr().String()
}

func replying(answers map[string]string) func(string) string {
	return func(word string) string { return answers[word] }
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
	own, other := fakeServer(t, replying(leaderAnswers())), fakeServer(t, replying(leaderAnswers()))
	dead := closedPort(t)
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

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
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
	addrs := []string{fakeServer(t, hanging), fakeServer(t, hanging)}
	idle := fakeServer(t, replying(leaderAnswers()))
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
	own := fakeServer(t, replying(leaderAnswers()))
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

	flood := fakeServer(t, func(string) string { return strings.Repeat("zk_x\t1\n", maxTranscript) })
	p.own = []string{flood}
	page = probe(t, p, url.Values{"target": {flood}, "debug": {"true"}}).Body.String()
	if len(page) > 4*maxTranscript || !strings.Contains(page, "(cut after 65536 bytes)") {
		t.Errorf("page has %d bytes", len(page))
	}
	dead := closedPort(t)
	p.own = []string{dead}
	page = probe(t, p, url.Values{"target": {dead}, "debug": {"true"}}).Body.String()
	has(t, page, "zookeeper_up 0")
	if !strings.Contains(page, "failed: ask mntr of "+dead) {
		t.Errorf("page doesn't say why:\n%s", page)
	}
}

func writeModules(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "modules.yml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestModules(t *testing.T) {
	file := writeModules(t, `
modules:
  small: {words: [mntr, srvr], timeout: 500ms}
  default:
    lifetime: true
  secure:
    words: [conf, cons]
    tls: {ca_file: ca.pem, cert_file: c.pem, key_file: c.key, server_name: zk, min_version: "1.3", insecure_skip_verify: true}
  system: {tls: {}}
`)
	got, err := readModules(file, 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]module{
		"small":   {timeout: 500 * time.Millisecond, words: []fourletter.Word{}},
		"default": {timeout: 3 * time.Second, lifetime: true},
		"secure": {timeout: 3 * time.Second, words: []fourletter.Word{fourletter.Conf}, cons: true, tls: &fourletter.TLSFiles{
			CAFile: "ca.pem", CertFile: "c.pem", KeyFile: "c.key", ServerName: "zk", MinVersion: 0x304, InsecureSkipVerify: true,
		}},
		"system": {timeout: 3 * time.Second, tls: &fourletter.TLSFiles{}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(module{})); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
}

// Every mistake is named at once, each with its line.
func TestModulesMistakes(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"empty file":       {"", "1: want modules, have nothing"},
		"no modules":       {"modules: {}\n", "1: want at least one module below modules"},
		"several mistakes": {"modules:\n  a:\n    timeout: soon\n    wrods: []\n  a: {}\nextra: 1\n", "3: want a positive duration such as 5s, have \"soon\"\n4: unknown field wrods\n5: a is given twice\n6: unknown field extra"},
		"negative timeout": {"modules:\n  a: {timeout: -1s}\n", "2: want a positive duration such as 5s, have \"-1s\""},
		"forbidden word":   {"modules:\n  a:\n    words:\n    - mntr\n    - srst\n", "5: \"srst\" is no four-letter word that may be asked"},
		"word twice":       {"modules:\n  a: {words: [conf, conf]}\n", "2: conf is given twice"},
		"words are text":   {"modules:\n  a: {words: conf}\n", "2: want a list of four-letter words"},
		"flag is text":     {"modules:\n  a: {lifetime: maybe}\n", "2: want true or false"},
		"flag is null":     {"modules:\n  a: {lifetime: }\n", "2: want true or false"},
		"half a pair":      {"modules:\n  a:\n    tls:\n      cert_file: c\n", "4: cert_file and key_file belong together"},
		"TLS version":      {"modules:\n  a: {tls: {min_version: 2}}\n", `2: TLS version "2": want 1.0, 1.1, 1.2 or 1.3`},
		"module is null":   {"modules:\n  a:\n", "2: want a mapping"},
		"two documents":    {"modules:\n  a: {}\n---\nmodules:\n  b: {}\n", "3: want one document, this is another"},
		"no name":          {"modules:\n  \"\": {}\n", "2: want a module with a name"},
		"list as name":     {"modules:\n  [a]: {}\n", "2: want a name as key"},
		"unknown in tls":   {"modules:\n  a:\n    tls: {ca: x}\n", "3: unknown field ca"},
		"file is a list":   {"modules:\n  a:\n    tls: {ca_file: [x]}\n", "3: want a text"},
		"file is null":     {"modules:\n  a:\n    tls:\n      key_file:\n      cert_file: c\n", "4: want a text\n4: cert_file and key_file belong together"},
		"key alone":        {"modules:\n  a:\n    tls: {key_file: k}\n", "3: cert_file and key_file belong together"},
		"TLS is a flag":    {"modules:\n  a: {tls: true}\n", "2: want a mapping"},
		"merge":            {"modules:\n  a: &x {timeout: 1s}\n  b:\n    <<: *x\n", "4: unknown field <<"},
		"timeout of zero":  {"modules:\n  a: {timeout: 0s}\n", "2: want a positive duration such as 5s, have \"0s\""},
		"word is a list":   {"modules:\n  a: {words: [[conf]]}\n", "2: \"\" is no four-letter word that may be asked"},
		"alias":            {"modules:\n  a: &x {timeout: 1s}\n  b: *x\n", "3: want a mapping"},
		"list":             {"- modules\n", "1: want a mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			file := writeModules(t, tc.text)
			_, err := readModules(file, time.Second)
			if err == nil {
				t.Fatal("accepted")
			}
			got := strings.ReplaceAll(err.Error(), file+":", "")
			if got != tc.want {
				t.Errorf("error %q, want %q", got, tc.want)
			}
		})
	}
	long := writeModules(t, "modules: {a: {}}\n"+strings.Repeat("#\n", maxModulesFile/2))
	if _, err := readModules(long, time.Second); err == nil || err.Error() != long+" has more than 1048576 bytes" {
		t.Errorf("error %v for a file that is too long", err)
	}
	if _, err := readModules(writeModules(t, "modules: [\n"), time.Second); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("error %v for broken YAML, want its line", err)
	}
	if _, err := readModules(filepath.Join(t.TempDir(), "none"), time.Second); err == nil {
		t.Error("a file that doesn't exist was read")
	}
}

func FuzzModules(f *testing.F) {
	f.Add("modules:\n  a: {timeout: 1s, words: [conf], tls: {min_version: \"1.2\"}}\n")
	f.Add("modules: *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		modules, err := readModules(writeModules(t, text), time.Second)
		if err == nil && len(modules) == 0 {
			t.Error("no modules and no error")
		}
	})
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
