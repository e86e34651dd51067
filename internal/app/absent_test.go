package app

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// ZooKeeper may come after its sidecar, and go and come again: whatever waits
// for it goes on by itself.
func TestZooKeeperComesLater(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	admin := client(t, server.Addr())
	mustCreate(t, admin, "/a", "", 0)
	server.Kill()

	stdout := newRecords()
	auditing := run(t, auditOptions(t.TempDir(), stdout, []string{server.Addr()}, "/a"))
	exporting := run(t, exporterOptions(server.Addr()))
	awaitPage(t, auditing+"/-/ready", http.StatusServiceUnavailable, "not ready: first sync is waiting: ")
	scrape(t, auditing, 2*time.Second, "zookeeper_up 0", "zookeeper_serving 0", "zkwarden_audit_connected 0",
		`zookeeper_word_failure{reason="refused",word="mntr"} 1`)
	awaitPage(t, auditing, http.StatusOK, "Not ready: first sync is waiting")
	if status, _ := get(t, exporting+"/-/ready"); status != http.StatusOK {
		t.Errorf("the exporter is not ready: status %d", status)
	}

	comes := func(path string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if err := server.Restart(ctx); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		awaitPage(t, auditing+"/-/ready", http.StatusOK, "ready")
		awaitPage(t, auditing+"/metrics", http.StatusOK, "zkwarden_audit_connected 1")
		awaitPage(t, exporting+"/metrics", http.StatusOK, "zookeeper_serving 1")
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %s to recover", took)
		}
		mustCreate(t, client(t, server.Addr()), path, "", 0)
		stdout.await(t, path, isCreated(path))
	}
	comes("/a/first")
	stdout.await(t, "first sync", isControl(audit.ControlBaseline))
	server.Kill()
	awaitPage(t, auditing+"/metrics", http.StatusOK, "zkwarden_audit_connected 0")
	comes("/a/second")
}

// An auditor that was ready stays so while ZooKeeper is away: page and metric
// say it. One that is started then waits for a resync, not for a first sync.
func TestZooKeeperGoesAway(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	mustCreate(t, client(t, server.Addr()), "/a", "", 0)
	dir := t.TempDir()
	p := startAuditor(t, dir, []string{server.Addr()}, "/a")
	url := "http://" + p.app.Addr().String()
	awaitPage(t, url+"/-/ready", http.StatusOK, "ready")
	awaitPage(t, url, http.StatusOK, `<th>Session</th><td><span class="good">watching`)
	server.Kill()
	awaitPage(t, url, http.StatusOK, `<th>Session</th><td><span class="bad">`)
	awaitPage(t, url+"/metrics", http.StatusOK, "zkwarden_audit_connected 0")
	if status, text := get(t, url+"/-/ready"); status != http.StatusOK {
		t.Errorf("behind the first sync /-/ready answers %d, %s", status, text)
	}
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}

	next := startAuditor(t, dir, []string{server.Addr()}, "/a")
	url = "http://" + next.app.Addr().String()
	awaitPage(t, url+"/-/ready", http.StatusServiceUnavailable, "not ready: resync is waiting: ")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := server.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	awaitPage(t, url+"/-/ready", http.StatusOK, "ready")
	if err := next.stop(); err != nil {
		t.Error(err)
	}
}

// The first sync of a large tree is told, and can be ended.
func TestStopDuringTheFirstSync(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Servers()[0]
	admin := client(t, server.Addr())
	mustCreate(t, admin, "/a", "", 0)
	for n := range 200 {
		mustCreate(t, admin, fmt.Sprintf("/a/%03d", n), strings.Repeat("x", 1000), 0)
	}
	stalled, release := stall(t, server.Addr(), 50_000)
	dir := t.TempDir()
	p := startAuditor(t, dir, []string{stalled}, "/a")
	url := "http://" + p.app.Addr().String()
	awaitPage(t, url+"/-/ready", http.StatusServiceUnavailable, "not ready: first sync ")
	start := time.Now()
	if err := p.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if took := time.Since(start); took > stopTimeout/2 {
		t.Errorf("the stop took %s", took)
	}
	release()

	// Nothing was skipped: the next run begins with a whole first sync.
	next := startAuditor(t, dir, []string{server.Addr()}, "/a")
	events := next.stdout.await(t, "first sync", isControl(audit.ControlBaseline))
	if e := events[len(events)-1]; e.Control == audit.ControlBaseline && *e.Count != 201 {
		t.Errorf("the first sync counts %d znodes, want 201", *e.Count)
	}
	if err := next.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	for n, e := range decodeAll(t, journalLines(t, dir)) {
		if first := e.Control == audit.ControlStart; first != (n == 0 || n == 3) { // Behind start, mode and stop.
			t.Errorf("record %d is %s %s", n+1, e.Kind, e.Control)
		}
	}
}

// A journal that the disk refuses is a reason not to be ready, and no reason
// to end.
func TestJournalNotWritable(t *testing.T) {
	addr := zktest.Start(t, zktest.Options{}).Addrs()[0]
	admin := client(t, addr)
	mustCreate(t, admin, "/a", "", 0)
	// The shell counts in blocks of 512 bytes or of 1024: the mirror fits
	// into either, one record of a full znode after another does not.
	url := startProcess(t, nil, "sh", "-c", `ulimit -f 512; exec "$@"`, "sh", binary(t),
		"--web.listen-address=127.0.0.1:0", "--zookeeper.address="+addr,
		"--ensemble.name=test", "--audit.path=/a", "--audit.dir="+filepath.Join(t.TempDir(), "audit")).url
	awaitPage(t, url+"/-/ready", http.StatusOK, "ready")
	for range 200 {
		if _, err := admin.Set("/a", []byte(strings.Repeat("x", 4000)), -1); err != nil {
			t.Fatal(err)
		}
	}
	awaitPage(t, url+"/-/ready", http.StatusServiceUnavailable, "not ready: journal is not writable: ")
	awaitPage(t, url+"/metrics", http.StatusOK, "zkwarden_journal_writable 0")
	awaitPage(t, url+"/-/healthy", http.StatusOK, "healthy")
}
