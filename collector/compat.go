package collector

import (
	"maps"
	"slices"
	"strings"

	"zkwarden/internal/fourletter"
)

// With CompatZK the page also has the names that mntr prints with the default
// metrics provider, in its units, as the Go exporters for ZooKeeper show them:
// zk_znode_count, zk_sum_fsynctime and so on, and beside them zk_up, zk_ruok,
// zk_server_leader, zk_server_state and zk_version. They are the same whichever
// provider the server has. Sets are left out: there the names of znodes are part
// of the name of the metric.

const compatPrefix = "zk_"

// compatLine is a line of a summary in mntr.
type compatLine struct {
	start string // Of its key.
	part  part
}

func compatLines() []compatLine {
	return []compatLine{
		{"avg_", avg},
		{"min_", minimum},
		{"max_", maximum},
		{"cnt_", count},
		{"sum_", sum},
		{"p50_", p50},
		{"p95_", p95},
		{"p99_", p99},
		{"p999_", p999},
	}
}

func (c *Collector) writeCompat(p *page, v view, all *samples) {
	state := v.state(all)
	p.compat("up", truth(v.up()))
	// A server that answers any word would answer ruok, which says no more.
	p.compat("ruok", truth(v.up()))
	// 0 for a server that serves nobody, whose role nobody knows, unless somebody does.
	p.compat("server_leader", truth(state == Leader || all.leads))
	for _, s := range States() {
		p.compat("server_state", truth(s == state), "state", strings.ReplaceAll(string(s), "_", "-"))
	}
	if all.version != "" {
		p.compat("version", 1, "version", versionOf(all.version))
	}
	known := c.table.single[fourletter.Mntr]
	for _, key := range slices.Sorted(maps.Keys(known)) {
		m := known[key]
		s := &all.single[m.slot]
		if !s.complete() {
			continue
		}
		if s.knows(whole) {
			p.compat(key, s.raw(whole))
			continue
		}
		for _, line := range compatLines() {
			if s.knows(line.part) {
				p.compat(line.start+key, s.raw(line.part))
			}
		}
	}
}

// compat writes a series of the names of mntr, without a type: mntr has none.
func (p *page) compat(key string, value float64, labels ...string) {
	name := compatPrefix + key
	p.begin(name, "# HELP "+name+" The same as in mntr.\n# TYPE "+name+" untyped\n")
	p.series(name, "", value, labels...)
}
