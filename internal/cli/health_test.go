package cli

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		w.Write([]byte(body)) //nolint:errcheck // The client under test may hang up.
	}
}

func TestHealth(t *testing.T) {
	byPath := http.NewServeMux()
	byPath.HandleFunc("GET /-/healthy", answering(200, "Healthy.\n"))
	byPath.HandleFunc("GET /-/ready", answering(503, "not ready: first sync of /kafka\nmore\n"))

	for name, c := range map[string]struct {
		handler http.Handler
		tls     *tls.Config // Nil for plain HTTP.
		ready   bool
		want    string // Part of the error; empty for none.
	}{
		"healthy":                        {handler: byPath},
		"healthy over TLS":               {handler: byPath, tls: &tls.Config{}},
		"not ready":                      {handler: byPath, ready: true, want: "/-/ready: status 503: not ready: first sync of /kafka"},
		"not ready over TLS":             {handler: byPath, ready: true, tls: &tls.Config{}, want: "status 503"},
		"ready":                          {handler: answering(200, ""), ready: true},
		"credentials, healthy":           {handler: answering(401, "Unauthorized\n")},
		"credentials, ready":             {handler: answering(401, "Unauthorized\n"), ready: true, want: "readiness stays unknown"},
		"client certificate, healthy":    {handler: byPath, tls: &tls.Config{ClientAuth: tls.RequireAnyClientCert}},
		"client certificate, ready":      {handler: byPath, tls: &tls.Config{ClientAuth: tls.RequireAnyClientCert}, ready: true, want: "readiness stays unknown"},
		"broken":                         {handler: answering(500, "\x1b[2Jboom"), want: `status 500: \x1b[2Jboom`},
		"elsewhere":                      {handler: http.RedirectHandler("/login", http.StatusFound), want: "status 302"},
		"another program's bad request":  {handler: answering(400, "no"), want: "https://"},
		"endless answer, first part cut": {handler: answering(500, strings.Repeat("x", 1<<20)), want: "status 500: xxx"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(c.handler)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			if c.tls != nil {
				server.TLS = c.tls
				server.StartTLS()
			} else {
				server.Start()
			}
			defer server.Close()
			err := Health(t.Context(), HealthOptions{
				ListenAddress: server.Listener.Addr().String(), Ready: c.ready, Timeout: 5 * time.Second,
			})
			if c.want == "" && err != nil {
				t.Fatalf("got error %v", err)
			}
			if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Fatalf("got error %v, want one with %q", err, c.want)
			}
			if err != nil && len(err.Error()) > 1000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
}

func TestHealthOfNobody(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	silent := listener.Addr().String() // Accepts, and never answers.
	defer listener.Close()
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()

	for name, c := range map[string]struct{ address, want string }{
		"nobody listens": {gone.Addr().String(), "connection refused"},
		"no answer":      {silent, "deadline exceeded"},
		"no port":        {"localhost", "missing port"},
		"vsock":          {"vsock://:9141", "only TCP"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Health(t.Context(), HealthOptions{ListenAddress: c.address, Timeout: 200 * time.Millisecond})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestHealthURL(t *testing.T) {
	got := map[string]string{}
	for _, listen := range []string{":9141", "0.0.0.0:9141", "[::]:9141", "[::1]:80", "zk-0:9141", "127.0.0.1:1", "http://:9141", "https://zk-0:9141/x"} {
		u, err := healthURL(listen)
		if err != nil {
			t.Fatal(err)
		}
		got[listen] = u.String()
	}
	want := map[string]string{
		":9141":               "http://127.0.0.1:9141",
		"0.0.0.0:9141":        "http://127.0.0.1:9141",
		"[::]:9141":           "http://127.0.0.1:9141",
		"[::1]:80":            "http://[::1]:80",
		"zk-0:9141":           "http://zk-0:9141",
		"127.0.0.1:1":         "http://127.0.0.1:1",
		"http://:9141":        "http://127.0.0.1:9141",
		"https://zk-0:9141/x": "https://zk-0:9141",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
