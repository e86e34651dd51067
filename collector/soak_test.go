package collector

import (
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/internal/fourletter/fourlettertest"
	"zkwarden/internal/zktest"
)

// long tells whether the tests that take minutes run at their full length.
func long() bool { return os.Getenv("ZKWARDEN_TEST") == "all" }

// Scrapes leave neither goroutines nor file descriptors behind: of the server,
// its ensemble, an AdminServer and what is not ZooKeeper.
func TestLiveScrapesLeakNothing(t *testing.T) {
	scrapes := 300
	if long() {
		scrapes = 10_000
	}
	server := zktest.Start(t, zktest.Options{Admin: true}).Server(1)
	witness, hung := adminAt(t, "http://"+server.AdminAddr()), fourlettertest.Serve(t, fourlettertest.HangAfter("zk_"))
	c := start(t, Options{Addr: server.Addr(), Witness: witness})
	e := startEnsemble(t, EnsembleOptions{Addr: server.Addr(), Timeout: 10 * time.Millisecond, Members: []Member{
		{ID: 0, Addr: server.Addr()},
		{ID: 1, Addr: fourlettertest.Closed(t)},
		{ID: 2, Addr: hung},
	}})
	handler := Handler(c, prometheus.NewRegistry(), e)
	scrape := func() {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
		if _, err := witness.Leader(t.Context()); err == nil {
			t.Error("a standalone server has a leader")
		}
		witness.quiet = time.Time{}
	}
	for range 20 {
		scrape()
	}
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for range scrapes {
		scrape()
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > goroutines || openFiles(t) > files {
		if time.Now().After(deadline) {
			t.Fatalf("after %d scrapes: %d goroutines and %d files, before: %d and %d",
				scrapes, runtime.NumGoroutine(), openFiles(t), goroutines, files)
		}
		runtime.Gosched()
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// Under ten scrapes a second the exporter alone stays below 30 MiB.
func TestLiveMemory(t *testing.T) {
	length := 3 * time.Second
	if long() {
		length = 5 * time.Minute
	}
	ensemble := zktest.Start(t, zktest.Options{})
	exporter := sidecar(t, ensemble.Addrs()[0])
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(length); time.Now().Before(end); <-tick.C {
		if err := exporter.scrape(); err != nil {
			t.Fatal(err)
		}
	}
	rss := exporter.rss(t)
	t.Logf("%.1f MiB resident at most", float64(rss)/(1<<20))
	if rss >= 30<<20 {
		t.Errorf("%d MiB resident, want less than 30", rss>>20)
	}
}
