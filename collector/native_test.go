package collector

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/fourletter"
)

const nativeHead = `# Recording rules for the names of ZooKeeper's own Prometheus metrics provider, as
# in 3.6 to 3.9, made of the metrics of zkwarden: dashboards and alerts for those
# names go on working, also on 3.10, which renames its counters. Left out are the
# percentiles, which no recording can make. avg_latency, max_latency and
# min_latency need --collector.lifetime.
#
# This file is made from the table of metrics by
#   go test ./collector -run TestNativeNames -update
# Don't load it where Prometheus also scrapes the provider itself.
groups:
  - name: zookeeper-native-names
    rules:
`

// nativeRule is one recording rule.
type nativeRule struct{ record, expr string }

// nativeRules returns the rules for all that a server of 3.9 prints.
func nativeRules() []nativeRule {
	var rules []nativeRule
	for _, m := range allMetrics() {
		switch {
		case m.word != fourletter.Mntr || m.kind == text || m.value != "":
			continue
		case m.since == "ClickHouse Keeper" || !releaseOf(m.since).before(release{3, 10, 0}):
			continue
		case m.key == "followers" || m.key == "fsync_threshold_exceed_count":
			continue // Of 3.4 and 3.5, which have no metrics providers.
		}
		factor := ""
		if m.unit == millis {
			factor = " * 1000"
		}
		if m.kind.has(whole) {
			rules = append(rules, nativeRule{m.key, m.native("") + factor})
			continue
		}
		rules = append(rules, nativeRule{m.key + "_count", m.native("_count")}, nativeRule{m.key + "_sum", m.native("_sum") + factor})
	}
	slices.SortFunc(rules, func(a, b nativeRule) int { return strings.Compare(a.record, b.record) })
	return rules
}

// native returns the expression of the series, with the label of the provider.
func (m *metric) native(suffix string) string {
	if m.label == "" {
		return m.name + suffix
	}
	return fmt.Sprintf(`sum without (%s) (label_replace(%s, "key", "$1", %q, "(.*)"))`, m.label, m.name+suffix, m.label)
}

func TestNativeNames(t *testing.T) {
	var b strings.Builder
	b.WriteString(nativeHead)
	for _, r := range nativeRules() {
		fmt.Fprintf(&b, "      - record: %s\n        expr: '%s'\n", r.record, r.expr)
	}
	file := filepath.Join("..", "deploy", "prometheus", "native-names.rules.yml")
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("rules (-want +got); -update writes them:\n%s", diff)
	}
}

// Every name that a live provider of 3.9 prints in mntr has a rule, but for the
// percentiles and the JVM; and every rule reads a series that a page has.
func TestNativeNamesAreComplete(t *testing.T) {
	have, pages := map[string]string{}, ""
	for _, r := range nativeRules() {
		have[r.record] = r.expr
	}
	for _, dir := range recordings(t) {
		replies := recorded(t, dir)
		pages += get(t, start(t, Options{Client: replies, Lifetime: true}), "")
		if !strings.HasPrefix(dir, filepath.Join("testdata", "3.9")) || !strings.Contains(dir, prometheusSuffix) {
			continue
		}
		for line := range strings.Lines(replies[fourletter.Mntr]) {
			key, _, _ := strings.Cut(strings.TrimPrefix(line, "zk_"), "\t")
			name, _, _ := strings.Cut(key, "{")
			if strings.Contains(key, `quantile="`) || isJVM([]byte(name)) && !strings.HasPrefix(name, "jvm_pause") {
				continue
			}
			switch name {
			case "version", "server_state", "peer_state", "observer_master_id":
				continue
			}
			if _, ok := have[name]; !ok {
				t.Errorf("no rule for %s, which %s has", name, dir)
			}
		}
	}
	series := regexp.MustCompile(`zookeeper_\w+`)
	for record, expr := range have {
		name := series.FindString(expr)
		if !strings.Contains(pages, "\n"+name+" ") && !strings.Contains(pages, "\n"+name+"{") && !rare(record) {
			t.Errorf("rule for %s reads %s, which no page has", record, name)
		}
	}
}

// rare tells what the recorded servers have no reason to print.
func rare(record string) bool {
	switch record {
	case "quota_exceeded_error_per_namespace", "quota_bytes_limit_per_namespace", "observer_master_id", "ack_latency_count", "ack_latency_sum":
		return true
	}
	return false
}
