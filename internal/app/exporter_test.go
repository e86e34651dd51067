package app

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-kit/log"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

// startSidecar runs a sidecar that audits nothing, until the test ends, and
// returns the URL of its pages.
func startSidecar(t *testing.T, change func(*Options), addrs ...string) string {
	t.Helper()
	o := auditOptions("", io.Discard, addrs)
	change(&o)
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return "http://" + a.Addr().String()
}

func bodyOf(t *testing.T, url string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// awaitBody reads the page until it has every line.
func awaitBody(t *testing.T, url string, lines ...string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		text, missing := "\n"+bodyOf(t, url), ""
		for _, line := range lines {
			if !strings.Contains(text, "\n"+line+"\n") {
				missing = line
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("no page with %s; the last:\n%s", missing, text)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func TestExporterOverHTTP(t *testing.T) {
	own := serveLeader(t)
	url := startSidecar(t, func(*Options) {}, own)
	page, probe := bodyOf(t, url+"/metrics"), bodyOf(t, url+"/probe?target="+own)
	has(t, page, "zookeeper_up 1", "zookeeper_ensemble_members 1")
	has(t, probe, "zookeeper_up 1")
	for _, text := range []string{page, probe} {
		command, err := zktest.Promtool(t.Context(), "check", "metrics")
		if err != nil {
			t.Fatal(err)
		}
		command.Stdin = strings.NewReader(text)
		if out, err := command.CombinedOutput(); err != nil {
			t.Errorf("promtool: %v\n%s", err, out)
		}
	}
	has(t, bodyOf(t, url+"/probe"), "want one parameter target=HOST:PORT, have 0")
}

// Whoever turns verification off reads of it in the log.
func TestInsecureTLSIsLoud(t *testing.T) {
	for name, o := range map[string]Options{
		"flag":   {ZooKeeper: ZooKeeper{TLS: &fourletter.TLSFiles{InsecureSkipVerify: true}}},
		"module": {Probe: Probe{ConfigFile: writeModules(t, "modules:\n  any: {tls: {insecure_skip_verify: true}}\n")}},
	} {
		t.Run(name, func(t *testing.T) {
			var logged strings.Builder
			o.ZooKeeper.Addresses, o.ZooKeeper.Timeout, o.Logger = []string{"zk:2181"}, time.Second, log.NewLogfmtLogger(&logged)
			e, err := newExporter(o, &fourletter.Dialer{TLS: o.ZooKeeper.TLS}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer e.close()
			if got := logged.String(); !strings.Contains(got, "level=warn") || !strings.Contains(got, "in between can answer") {
				t.Errorf("log: %s", got)
			}
		})
	}
}

func TestStateFileOfTheAuditDirectory(t *testing.T) {
	audited := Audit{Paths: []string{"/a"}, Dir: "data"}
	for want, o := range map[string]Options{
		"":                   {Audit: Audit{Dir: "data"}},
		"data/ensemble.json": {Audit: audited},
		"own.json":           {Audit: audited, Ensemble: Ensemble{StateFile: "own.json"}},
	} {
		if got := o.StateFile(); got != want {
			t.Errorf("state file %q, want %q", got, want)
		}
	}
}
