package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"zkwarden/internal/fourletter/fourlettertest"
	"zkwarden/internal/zktest"
)

// run starts the app and returns the URL of its pages.
func run(t *testing.T, o Options) (url string) {
	t.Helper()
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return "http://" + a.Addr().String()
}

// exporterOptions are those of a process that audits nothing.
func exporterOptions(addr string) Options {
	o := auditOptions("", io.Discard, []string{addr})
	o.Audit = Audit{}
	return o
}

// fetch returns status and body of a page.
func fetch(t *testing.T, request *http.Request) (status int, body string) {
	t.Helper()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fetch(t, request)
}

// awaitPage fetches the page until it has the status and the text.
func awaitPage(t *testing.T, url string, status int, text string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		got, body := get(t, url)
		if got == status && strings.Contains(body, text) {
			return body
		}
		select {
		case <-deadline:
			t.Fatalf("%s never had status %d and %q; at last status %d:\n%s", url, status, text, got, body)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestPages(t *testing.T) {
	o := exporterOptions(fourlettertest.Serve(t, fourlettertest.Say("Zookeeper version: <script>alert(1)</script>-x, built on 1\nMode: follower\n")))
	url := run(t, o)
	status, landing := get(t, url)
	if status != http.StatusOK || !strings.Contains(landing, "no scrape yet") || !strings.Contains(landing, "neither <code>--audit.path</code> nor <code>--audit.policy-file</code>") {
		t.Errorf("before the first scrape, status %d:\n%s", status, landing)
	}
	if _, metrics := get(t, url+"/metrics"); !strings.Contains(metrics, "zookeeper_up 1\n") {
		t.Errorf("metrics:\n%s", metrics)
	}
	if _, landing = get(t, url); !strings.Contains(landing, ">follower<") || strings.Contains(landing, "<script") {
		t.Errorf("after a scrape of a hostile server:\n%s", landing)
	}
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{http.MethodGet, "/-/healthy", http.StatusOK, "healthy\n"},
		{http.MethodGet, "/-/ready", http.StatusOK, "ready\n"},
		{http.MethodHead, "/metrics", http.StatusOK, ""},
		{http.MethodPost, "/metrics", http.StatusMethodNotAllowed, "metrics are read with GET\n"},
		{http.MethodPost, "/-/healthy", http.StatusMethodNotAllowed, "Method Not Allowed\n"},
		{http.MethodDelete, "/-/ready", http.StatusMethodNotAllowed, "Method Not Allowed\n"},
		{http.MethodPost, "/", http.StatusMethodNotAllowed, "Method Not Allowed\n"},
		{http.MethodGet, "/nothing", http.StatusNotFound, "404 page not found\n"},
		{http.MethodGet, "/metrics/more", http.StatusNotFound, "404 page not found\n"},
		{http.MethodGet, "/debug/pprof/", http.StatusNotFound, "404 page not found\n"},
	} {
		request, err := http.NewRequestWithContext(t.Context(), c.method, url+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if status, body := fetch(t, request); status != c.status || body != c.body {
			t.Errorf("%s %s: status %d and %q, want %d and %q", c.method, c.path, status, body, c.status, c.body)
		}
	}
}

func TestLandingTellsWhatToDo(t *testing.T) {
	url := run(t, exporterOptions(fourlettertest.Serve(t, fourlettertest.Say("mntr is not executed because it is not in the whitelist.\n"))))
	get(t, url+"/metrics")
	if _, landing := get(t, url); !strings.Contains(landing, "4lw.commands.whitelist=mntr,srvr") {
		t.Errorf("no advice in:\n%s", landing)
	}
}

// Nothing on the landing page is taken for HTML but our own.
func TestLandingEscapes(t *testing.T) {
	o := auditOptions(t.TempDir(), io.Discard, []string{"127.0.0.1:1"}, "/<script>")
	o.Audit.Ensemble = "<script>"
	url := run(t, o)
	if _, landing := get(t, url); strings.Contains(landing, "<script") || strings.Count(landing, "&lt;script&gt;") != 2 {
		t.Errorf("the page:\n%s", landing)
	}
}

func TestProfiles(t *testing.T) {
	o := exporterOptions("127.0.0.1:1")
	o.Web.Pprof = true
	url := run(t, o)
	if status, body := get(t, url+"/debug/pprof/goroutine?debug=1"); status != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("status %d and %q", status, body)
	}
}

// passwordHash is bcrypt of "secret", of minimal cost.
const passwordHash = "$2a$04$kbZqOGYrVZl5euEiG31Tou/g8uXrXe1x7U3K7acEcEVZCro4rzErK"

func TestWebConfig(t *testing.T) {
	certs := zktest.Certs(t, zktest.CertOptions{})
	config := filepath.Join(t.TempDir(), "web.yml")
	text := "tls_server_config: {cert_file: " + certs.ServerCert + ", key_file: " + certs.ServerKey + "}\n" +
		"basic_auth_users: {prometheus: " + passwordHash + "}\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o := exporterOptions("127.0.0.1:1")
	o.Web.ConfigFile = config
	url := run(t, o)

	authority, err := os.ReadFile(certs.CA)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	secure := &http.Client{Transport: transport}
	for _, c := range []struct {
		user, password string
		status         int
	}{
		{"", "", http.StatusUnauthorized},
		{"prometheus", "guess", http.StatusUnauthorized},
		{"prometheus", "secret", http.StatusOK},
	} {
		for _, path := range []string{"/metrics", "/", "/-/ready"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https"+strings.TrimPrefix(url, "http")+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if c.user != "" {
				request.SetBasicAuth(c.user, c.password)
			}
			response, err := secure.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != c.status {
				t.Errorf("%s as %q with %q: status %d, want %d", path, c.user, c.password, response.StatusCode, c.status)
			}
		}
	}
	if status, body := get(t, url+"/metrics"); status != http.StatusBadRequest || strings.Contains(body, "zookeeper") {
		t.Errorf("plain HTTP gets status %d and %q", status, body)
	}
}

// The whole page is what promtool check metrics wants, its own part included.
func TestMetricsLint(t *testing.T) {
	addr := zktest.Start(t, zktest.Options{}).Addrs()[0]
	stdout := newRecords()
	url := run(t, auditOptions(t.TempDir(), stdout, []string{addr}, "/a"))
	stdout.await(t, "first sync", isControl("baseline"))
	page := awaitPage(t, url+"/metrics", http.StatusOK, "zookeeper_serving 1")
	for _, family := range []string{
		"zookeeper_up", "zkwarden_build_info", "zkwarden_audit_connected", "zkwarden_journal_head_seq",
		"zkwarden_sink_lag_records", "zkwarden_journal_chain_info", "zkwarden_disk_available_bytes", "zkwarden_disk_size_bytes", "process_resident_memory_bytes", "go_goroutines",
	} {
		if !strings.Contains(page, "\n# TYPE "+family+" ") {
			t.Errorf("the page lacks %s", family)
		}
	}
	problems, err := promlint.New(strings.NewReader(page)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}
