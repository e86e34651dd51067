package collector

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/fourletter/fourlettertest"
	"zkwarden/internal/zktest"
)

// Whatever the target does, the page comes in time, says that the server is down
// or serves nobody, and why.
func TestBadTargets(t *testing.T) {
	certs := zktest.Certs(t, zktest.CertOptions{})
	pair, err := tls.LoadX509KeyPair(certs.ServerCert, certs.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	secure := func(conn net.Conn) {
		_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}}).Handshake()
	}
	own := &fourletter.TLSFiles{CAFile: certs.CA}
	for name, tc := range map[string]struct {
		addr   string
		tls    *fourletter.TLSFiles
		up     string
		reason string
	}{
		"refuses":                {fourlettertest.Closed(t), nil, "0", "refused"},
		"hangs after accept":     {fourlettertest.Serve(t, fourlettertest.Hang), nil, "0", "timeout"},
		"hangs in a line":        {fourlettertest.Serve(t, fourlettertest.HangAfter("zk_ver")), nil, "0", "timeout"},
		"closes at once":         {fourlettertest.Serve(t, func(net.Conn) {}), nil, "0", "empty_reply"},
		"half a line":            {fourlettertest.Serve(t, fourlettertest.Say("zk_ver")), nil, "0", "truncated"},
		"garbage":                {fourlettertest.Serve(t, fourlettertest.Say("\x00\xff\n\t\n")), nil, "0", "parse"},
		"100 MiB":                {fourlettertest.Serve(t, fourlettertest.Flood(strings.Repeat("x", 1<<20), 100<<20)), nil, "0", "too_large"},
		"100 MiB of lines":       {fourlettertest.Serve(t, fourlettertest.Flood(strings.Repeat("x y z\n", 100_000), 100<<20)), nil, "0", "too_large"},
		"100 MiB of keys":        {fourlettertest.Serve(t, fourlettertest.Flood(strings.Repeat("zk_x\t1\n", 100_000), 100<<20)), nil, "1", "too_large"},
		"serves nobody":          {fourlettertest.Serve(t, fourlettertest.Say("This ZooKeeper instance is not currently serving requests\n")), nil, "1", "not_serving"},
		"TLS where plain meant":  {fourlettertest.Serve(t, secure), nil, "0", "timeout"},
		"plain where TLS meant":  {fourlettertest.Serve(t, fourlettertest.Say("not a handshake")), own, "0", "tls"},
		"hangs where TLS meant":  {fourlettertest.Serve(t, fourlettertest.Hang), own, "0", "timeout"},
		"closes where TLS meant": {fourlettertest.Serve(t, func(net.Conn) {}), own, "0", "tls"},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, Options{
				Addr: tc.addr, Timeout: time.Minute,
				Client: &fourletter.Client{Dialer: &fourletter.Dialer{TLS: tc.tls}, MaxBytes: 8 << 20},
			})
			wait := time.Second
			if tc.reason == "too_large" {
				// Reading up to the cap takes its time with the race detector on.
				wait = 30 * time.Second
			}
			begin := time.Now()
			page := get(t, c, strconv.FormatFloat(wait.Seconds(), 'f', -1, 64))
			if took := time.Since(begin); took > wait {
				t.Errorf("page after %s, while the scraper waits for %s", took, wait)
			}
			wants(t, page, "zookeeper_up "+tc.up, "zookeeper_serving 0",
				`zookeeper_word_failure{reason="`+tc.reason+`",word="mntr"} 1`,
				`zookeeper_server_state{state="leader"} 0`)
		})
	}
}

// A server that never forgot a namespace has 157,000 of them, in 1.5 million
// lines. They are read as a stream, and cost neither the memory nor the series.
func TestFloodMemory(t *testing.T) {
	const namespaces = 157_000
	addr := fourlettertest.Serve(t, func(conn net.Conn) {
		word := make([]byte, 4)
		if _, err := io.ReadFull(conn, word); err != nil || string(word) != "mntr" {
			return
		}
		out := bufio.NewWriter(conn)
		defer func() { _ = out.Flush() }()
		for i := range namespaces {
			for _, set := range []string{"read_per_namespace", "write_per_namespace"} {
				for _, part := range []string{"avg", "min", "max", "cnt", "sum"} {
					fmt.Fprintf(out, "zk_%s_tenant-%08d_%s\t12345\n", part, i, set)
				}
			}
		}
		io.WriteString(out, "zk_server_state\tleader\n")
	})
	c := start(t, Options{Addr: addr, Timeout: time.Minute})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	page := get(t, c, "")
	runtime.GC()
	runtime.ReadMemStats(&after)
	wants(t, page, `zookeeper_word_success{word="mntr"} 1`, `zookeeper_server_state{state="leader"} 1`,
		"zkwarden_mntr_dropped_entries "+strconv.Itoa(2*(namespaces-DefaultNamespacesMax)))
	if grown := int64(after.Sys) - int64(before.Sys); grown > 24<<20 {
		t.Errorf("the process took %d MiB from the system", grown>>20)
	}
	if got := strings.Count(page, "zookeeper_namespace_write_bytes_sum{"); got != DefaultNamespacesMax {
		t.Errorf("%d namespaces, want the cap of %d", got, DefaultNamespacesMax)
	}
}

func TestHandlerMethods(t *testing.T) {
	handler := Handler(start(t, Options{Client: script{}}), prometheus.NewRegistry())
	for method, want := range map[string]int{
		http.MethodGet: http.StatusOK, http.MethodHead: http.StatusOK,
		http.MethodPost: http.StatusMethodNotAllowed, http.MethodDelete: http.StatusMethodNotAllowed,
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/metrics", nil))
		if w.Code != want {
			t.Errorf("%s: status %d, want %d", method, w.Code, want)
		}
	}
}

// The exporter's own metrics stand on the same page.
func TestHandlerOwnMetrics(t *testing.T) {
	own := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "zkwarden_build_info", Help: "Build."})
	build.Set(1)
	own.MustRegister(build)
	w := httptest.NewRecorder()
	Handler(start(t, Options{Client: script{}}), own).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	wants(t, w.Body.String(), "zkwarden_build_info 1", "zookeeper_up 0")
}
