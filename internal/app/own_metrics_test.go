package app

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit/sink/webhook"
	"zkwarden/internal/zktest"
)

var update = flag.Bool("update", false, "write docs/own-metrics.md")

// ownHead is what docs/own-metrics.md says before its table.
const ownHead = `# Metrics of zkwarden itself

What zkwarden says of its auditor, journal, sinks, probes and disks. Those of the server beside it, and of the reading of
it, are in [metrics](metrics.md). No path, session, address or content is in any label but ` + "`directory`" + `, which is what a
flag names.

- ` + "`zkwarden_audit_*`, `zkwarden_journal_*` and `zkwarden_sink_*`" + ` are there while it audits, ` + "`zkwarden_webhook_*`" + ` with
  ` + "`--sink.webhook.url`, `zkwarden_audit_txnlog_*`" + ` with ` + "`--audit.txnlog-dir`, `zkwarden_audit_attribution_*`" + ` and
  those of actors unless ` + "`--audit.attribution-interval=0`, `zkwarden_disk_*`" + ` for the audit directory and those of
  ` + "`--collector.disk`" + `.
- Zxids are numbers: the epoch times 2^32 and the counter. ` + "`floor(x / 2^32)` and `x % 2^32`" + ` take them apart.
- ` + "`process_*`, `go_*` and `promhttp_*`" + ` are those of every exporter that is written in Go.

This page is made from what a running zkwarden says, by ` + "`go test ./internal/app -run TestOwnMetricsPage -update`" + `; a test
holds the two together.

| metric | type | labels | meaning |
|---|---|---|---|
`

// The page of docs has every metric of a process that does all there is to do.
func TestOwnMetricsPage(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer sink.Close()
	o := auditOptions(t.TempDir(), newRecords(), []string{server.Addr()}, "/a")
	o.Audit.TxnlogDir, o.Audit.AttributionInterval, o.Audit.Webhook = server.TxnLogDir(), time.Second, Webhook{URL: sink.URL, Format: webhook.FormatLines, Timeout: patience}
	page := awaitPage(t, run(t, o)+"/metrics", http.StatusOK, "zkwarden_audit_synced 1")
	reference, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	table := ownMetrics(page, string(reference))
	const file = "../../docs/own-metrics.md"
	if *update {
		if err := os.WriteFile(file, []byte(ownHead+table), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	written, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(written), ownHead+table); diff != "" {
		t.Errorf("docs/own-metrics.md is stale (-written +made):\n%s", diff)
	}
}

// ownMetrics makes a table of the families of a page that the reference has not.
func ownMetrics(page, reference string) string {
	var table strings.Builder
	for _, help := range regexp.MustCompile(`(?m)^# HELP (zkwarden_\w+) (.*)\n# TYPE \w+ (\w+)$`).FindAllStringSubmatch(page, -1) {
		name, meaning, kind := help[1], help[2], help[3]
		if strings.Contains(reference, "`"+name+"`") {
			continue
		}
		labels := map[string]bool{}
		for _, sample := range regexp.MustCompile(`(?m)^`+name+`(?:_bucket)?\{(.*)\} `).FindAllStringSubmatch(page, -1) {
			for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(sample[1], -1) {
				labels[label[1]] = label[1] != "le"
			}
		}
		maps.DeleteFunc(labels, func(_ string, own bool) bool { return !own })
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", name, kind, strings.Join(slices.Sorted(maps.Keys(labels)), ", "), strings.ReplaceAll(meaning, "|", `\|`))
	}
	return table.String()
}
