package prometheus

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"zkwarden/internal/zktest"
)

// Every metric that a rule reads is in the code: those of ZooKeeper in the page of
// docs that a test of the collector holds to its tables, for no server shows them
// all; those of zkwarden on the page of a real one that audits.
func TestMetricsExist(t *testing.T) {
	documented, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| `(zookeeper_\\w+)` \\| (\\w+)").FindAllStringSubmatch(string(documented), -1) {
		known[row[1]] = true
		if row[2] == "summary" {
			known[row[1]+"_sum"], known[row[1]+"_count"] = true, true
		}
	}
	for _, found := range regexp.MustCompile(`(?m)^# TYPE (zkwarden_\w+)`).FindAllStringSubmatch(auditingPage(t), -1) {
		known[found[1]] = true
	}
	eachRule(t, func(t *testing.T, r rule) {
		expr := regexp.MustCompile(`\w+:\w+:\w+`).ReplaceAllString(r.Expr, "")
		for _, name := range seriesName.FindAllString(expr, -1) {
			if !known[name] {
				t.Errorf("no page has %s", name)
			}
		}
	})
}

// auditingPage returns the metrics of a zkwarden that audits and has a sink.
func auditingPage(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	server := zktest.Start(t, zktest.Options{}).Server(1)
	url := "http://" + freeAddr(t)
	run(t, exec.Command(buildBinary(ctx, t), "--zookeeper.address="+server.Addr(), "--ensemble.name=prod",
		"--audit.path=/a", "--audit.dir="+t.TempDir(), "--sink.webhook.url=http://"+freeAddr(t), "--log.level=warn",
		"--web.listen-address="+strings.TrimPrefix(url, "http://")), url+"/-/ready")
	response, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	page, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func buildBinary(ctx context.Context, t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "zkwarden")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "zkwarden")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatal(fmt.Errorf("build zkwarden: %w\n%s", err, out))
	}
	return binary
}
