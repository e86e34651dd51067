package collector

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/fourletter"
)

// docsHead is what docs/metrics.md says before its tables.
const docsHead = `# Metrics

This page is made from the table in the code by ` + "`go test ./collector -run TestMetricsPage -update`" + `; a
test holds the two together.

## Naming

- ` + "`zookeeper_`" + ` begins what is about ZooKeeper, ` + "`zkwarden_`" + ` what is about the reading of it.
  The auditor and what else zkwarden says of itself is in [own metrics](own-metrics.md).
- Counters end in ` + "`_total`" + `, durations in ` + "`_seconds`" + `, sizes in ` + "`_bytes`" + `; a summary or counter of such puts ` + "`_total`" + `,
  ` + "`_sum`" + ` or ` + "`_count`" + ` behind the unit. What ` + "`mntr`" + ` prints in milliseconds is shown in seconds.
- What the server keeps by namespace, learner or client address is a label, never part of a name.
- The names don't depend on the ZooKeeper version or on its metrics provider. A server that lacks a key lacks the
  series; ` + "`-1`" + ` for "none" is absent too.
- A key that is not in the tables is shown all the same, as ` + "`zookeeper_`" + ` and the key, without a type; how many there
  are is ` + "`zkwarden_mntr_unknown_keys`" + `. With the Prometheus metrics provider, ` + "`mntr`" + ` also prints the metrics of the
  JVM (` + "`jvm_*`, `process_*`" + `); they are known and not shown.
- Summaries have ` + "`_sum` and `_count`" + `: ` + "`rate(x_sum[5m]) / rate(x_count[5m])`" + ` is the mean of the last five minutes. With
  ` + "`--collector.lifetime`" + ` there are also percentiles, as the label ` + "`quantile`" + `, and ` + "`_lifetime_avg`, `_lifetime_min` and\n  `_lifetime_max`" + ` before the unit: all over the life of the server, which makes them of little use in alerts. Only
  the default metrics provider prints all of them.
- With ` + "`--metrics.compat=zk`" + ` the page also has the names of ` + "`mntr`" + `; see [migrating](migrating.md).

Series of namespaces are for at most ` + "`--collector.namespaces-max`" + ` namespaces, those of ` + "`--collector.namespaces-allow`" + ` and
not of ` + "`--collector.namespaces-deny`" + `; what is left out is counted in ` + "`zkwarden_mntr_dropped_entries`" + `. A namespace that is
on one page keeps its place on the next.

"Since" is the first ZooKeeper release that prints the key. Words other than ` + "`mntr` and `srvr`" + ` are asked every
` + "`--collector.slow-interval`" + ` when the role or the version of the server changes, and sooner after a failure;
` + "`zookeeper_word_age_seconds`" + ` says how old their answers are.
`

// The page of docs is the one that the table gives.
func TestMetricsPage(t *testing.T) {
	file := filepath.Join("..", "docs", "metrics.md")
	page := metricsPage()
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), page); diff != "" {
		t.Errorf("page (-want +got); -update writes it:\n%s", diff)
	}
}

const aroundHead = `
## The ensemble as seen from here, and TLS

Every member is asked for ` + "`srvr`" + `; who they are says ` + "`--ensemble.member`" + `, else the server (` + "`conf`" + `, once a minute, or
` + "`/zookeeper/config`" + ` where that is not whitelisted), else what was known before. The metrics of TLS are there with ` + "`--zookeeper.tls`" + `.

| metric | type | label | meaning |
|---|---|---|---|
`

func metricsPage() string {
	var b strings.Builder
	b.WriteString(docsHead)
	b.WriteString("\n## The server and the reading of it\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n")
	labels := map[own]string{
		stateMetric: "state", infoMetric: "version", peerMetric: "phase, state, sync",
		environmentMetric: "java_vendor, java_version, os_arch, os_name, os_version",
		successMetric:     "word", durationMetric: "word", ageMetric: "word", failureMetric: "reason, word", failuresMetric: "reason, word",
	}
	for i, f := range ownFamilies() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.kind.typeName(), labels[own(i)], f.help)
	}
	b.WriteString(aroundHead)
	aroundLabels := map[int]string{int(membershipMetric): "source", int(memberUpMetric): "member", int(memberDistanceMetric): "member", int(handshakesMetric): "cause"}
	for i, f := range aroundFamilies() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.kind.typeName(), aroundLabels[i], f.help)
	}
	for _, word := range slices.Concat([]fourletter.Word{fourletter.Mntr}, DefaultWords(), []fourletter.Word{fourletter.Cons}) {
		writeWord(&b, word)
	}
	return b.String()
}

// writeWord writes the table of what one word gives, if it gives any.
func writeWord(b *strings.Builder, word fourletter.Word) {
	of := slices.DeleteFunc(allMetrics(), func(m metric) bool { return m.word != word || m.kind == text })
	if len(of) == 0 {
		return
	}
	slices.SortStableFunc(of, func(x, y metric) int { return strings.Compare(x.name, y.name) })
	fmt.Fprintf(b, "\n## From `%s`\n\n", word)
	if word == fourletter.Cons {
		b.WriteString("Only with `--collector.cons`.\n\n")
	}
	b.WriteString("| metric | type | label | key | since | meaning |\n|---|---|---|---|---|---|\n")
	for _, m := range of {
		help := m.help
		if m.kind == lifetime {
			help += " Only with `--collector.lifetime`."
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | `%s` | %s | %s |\n", m.name, m.kind.typeName(), m.label, m.key, m.since, help)
	}
}
