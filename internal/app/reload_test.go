package app

import (
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-kit/log"
)

func post(t *testing.T, url string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fetch(t, request)
}

func overwrite(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A reload takes over good modules, keeps the old ones over bad ones, and says
// which it was.
func TestReload(t *testing.T) {
	own := serveLeader(t)
	file := writeModules(t, "modules:\n  old: {}\n")
	o := exporterOptions(own)
	o.Probe.ConfigFile = file
	sidecar := run(t, o)
	status := func(module string) int {
		t.Helper()
		code, _ := get(t, sidecar+"/probe?"+url.Values{"target": {own}, "module": {module}}.Encode())
		return code
	}
	_, page := get(t, sidecar+"/metrics")
	began := stampOf(t, page)
	if age := float64(time.Now().UnixNano())/1e9 - began; age < 0 || age > patience.Seconds() {
		t.Errorf("the start has the time %v", began)
	}
	has(t, page, "zkwarden_config_last_reload_successful 1")
	if status("old") != http.StatusOK || status("new") != http.StatusBadRequest {
		t.Error("the modules are not those of the file")
	}

	overwrite(t, file, "modules:\n  new: {wrods: []}\n")
	code, body := post(t, sidecar+"/-/reload")
	if want := "not reloaded, what was read before is kept: read probe modules: " + file + ":2: unknown field wrods\n"; code != http.StatusInternalServerError || body != want {
		t.Errorf("status %d and %q, want 500 and %q", code, body, want)
	}
	_, page = get(t, sidecar+"/metrics")
	has(t, page, "zkwarden_config_last_reload_successful 0", "zkwarden_probe_targets 1", `zkwarden_probe_targets_dropped_total{cause="reload"} 0`)
	if status("old") != http.StatusOK || status("new") != http.StatusBadRequest {
		t.Error("the old modules are not kept over a bad file")
	}
	if stamp := stampOf(t, page); stamp != began {
		t.Errorf("a reload that failed has the time %v", stamp)
	}

	overwrite(t, file, "modules:\n  new: {}\n")
	if code, body := post(t, sidecar+"/-/reload"); code != http.StatusOK || body != "reloaded\n" {
		t.Errorf("status %d and %q", code, body)
	}
	_, page = get(t, sidecar+"/metrics")
	has(t, page, "zkwarden_config_last_reload_successful 1", "zkwarden_probe_targets 0", `zkwarden_probe_targets_dropped_total{cause="reload"} 1`)
	if stamp := stampOf(t, page); stamp <= began {
		t.Errorf("a good reload has the time %v, the start had %v", stamp, began)
	}
	if status("new") != http.StatusOK || status("old") != http.StatusBadRequest {
		t.Error("the modules are not those of the new file")
	}
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
		request, err := http.NewRequestWithContext(t.Context(), method, sidecar+"/-/reload", nil)
		if err != nil {
			t.Fatal(err)
		}
		if code, _ := fetch(t, request); code != http.StatusMethodNotAllowed {
			t.Errorf("%s gets status %d, want 405", method, code)
		}
	}
}

// stampOf returns when the page says that a reload was last a success.
func stampOf(t *testing.T, page string) float64 {
	t.Helper()
	_, rest, _ := strings.Cut(page, "\nzkwarden_config_last_reload_success_timestamp_seconds ")
	line, _, _ := strings.Cut(rest, "\n")
	stamp, err := strconv.ParseFloat(line, 64)
	if err != nil {
		t.Fatal(err)
	}
	return stamp
}

// lockedText is a log that is read while it is written.
type lockedText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// SIGHUP is the other way to reload, and the log says what came of it.
func TestReloadBySignal(t *testing.T) {
	own := serveLeader(t)
	file := writeModules(t, "modules:\n  a: {}\n")
	o := exporterOptions(own)
	o.Probe.ConfigFile = file
	hangups, logged := make(chan os.Signal), &lockedText{}
	o.Hangups, o.Logger = hangups, log.NewLogfmtLogger(logged)
	sidecar := run(t, o)
	overwrite(t, file, "modules: {}\n")
	hangups <- syscall.SIGHUP
	awaitPage(t, sidecar+"/metrics", http.StatusOK, "\nzkwarden_config_last_reload_successful 0\n")
	overwrite(t, file, "modules:\n  b: {}\n")
	hangups <- syscall.SIGHUP
	awaitPage(t, sidecar+"/probe?module=b&target="+own, http.StatusOK, "zookeeper_up 1")
	for _, line := range []string{
		`level=error msg="configuration is not reloaded, what was read before is kept" err="read probe modules: ` + file + `:1: want at least one module below modules"`,
		`level=info msg="configuration is reloaded"`,
	} {
		deadline := time.After(patience)
		for !strings.Contains(logged.String(), line) {
			select {
			case <-deadline:
				t.Fatalf("the log lacks %s:\n%s", line, logged)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}
