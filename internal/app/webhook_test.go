package app

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/sink/webhook"
	"zkwarden/internal/zktest"
)

// hook is a webhook's far end that is down at first.
type hook struct {
	mu    sync.Mutex
	up    bool
	lines []string
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.up {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	scanner := bufio.NewScanner(r.Body)
	for scanner.Scan() {
		h.lines = append(h.lines, scanner.Text())
	}
}

// A webhook that is down holds up neither stdout nor the journal, and has
// every record, byte for byte, once it is back: even behind a restart.
func TestWebhookCatchesUp(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	admin := client(t, server.Addr())
	mustCreate(t, admin, "/a", "", 0)
	far := &hook{}
	endpoint := httptest.NewServer(far)
	t.Cleanup(endpoint.Close)

	dir := t.TempDir()
	begin := func() (*records, func() error) {
		stdout := newRecords()
		o := auditOptions(dir, stdout, []string{server.Addr()}, "/a")
		o.Audit.Webhook = Webhook{URL: endpoint.URL, Format: webhook.FormatLines, Timeout: 5 * time.Second}
		_, stop := startApp(t, o)
		return stdout, stop
	}
	stdout, stop := begin()
	stdout.await(t, "first sync", isControl(audit.ControlBaseline))
	mustCreate(t, admin, "/a/down", "x", 0)
	stdout.await(t, "change while the webhook is down", isCreated("/a/down"))
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	far.mu.Lock()
	far.up = true
	far.mu.Unlock()
	stdout, stop = begin()
	mustCreate(t, admin, "/a/up", "x", 0)
	stdout.await(t, "change while the webhook is up", isCreated("/a/up"))
	if err := stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	far.mu.Lock()
	defer far.mu.Unlock()
	if diff := cmp.Diff(journalLines(t, dir), slices.Compact(far.lines)); diff != "" {
		t.Errorf("(-journal +webhook):\n%s", diff)
	}
}

// An endpoint that takes changes only refuses the first record of every run,
// for good: it holds up none behind it, neither at first nor after a restart.
func TestWebhookThatTakesChangesOnly(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	admin := client(t, server.Addr())
	mustCreate(t, admin, "/a", "", 0)
	var mu sync.Mutex
	var changes []string
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || bytes.Count(body, []byte("\n")) != bytes.Count(body, []byte(`"kind":"change"`)) {
			w.WriteHeader(http.StatusUnprocessableEntity)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		changes = append(changes, strings.Split(strings.TrimSpace(string(body)), "\n")...)
	}))
	t.Cleanup(endpoint.Close)

	dir := t.TempDir()
	for _, path := range []string{"/a/first", "/a/second"} {
		stdout := newRecords()
		o := auditOptions(dir, stdout, []string{server.Addr()}, "/a")
		o.Audit.Webhook = Webhook{URL: endpoint.URL, Format: webhook.FormatLines, Timeout: 5 * time.Second}
		app, stop := startApp(t, o)
		stdout.await(t, "sync", func(e audit.Event) bool {
			return e.Control == audit.ControlBaseline || e.Control == audit.ControlResync
		})
		mustCreate(t, admin, path, "", 0)
		stdout.await(t, path, isCreated(path))
		metrics := awaitPage(t, "http://"+app.Addr().String()+"/metrics", http.StatusOK, `zkwarden_sink_lag_records{sink="webhook"} 0`)
		if strings.Contains(metrics, "zkwarden_webhook_passed_over_total 0") {
			t.Error("nothing is counted as passed over")
		}
		if err := stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	var want []string
	for _, line := range journalLines(t, dir) {
		if strings.Contains(line, `"kind":"change"`) {
			want = append(want, line)
		}
	}
	if diff := cmp.Diff(want, slices.Compact(changes)); diff != "" || len(want) != 2 {
		t.Errorf("changes (-journal +webhook):\n%s", diff)
	}
}
