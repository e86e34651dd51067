package collector

import (
	"strings"

	"zkwarden/internal/fourletter"
)

// prefix begins the name of every series about ZooKeeper.
const prefix = "zookeeper_"

// kind says how the values of a key are to be read.
type kind uint8

const (
	gauge    kind = iota + 1
	counter       // Only rises, until the server or, where the help says so, its role restarts.
	basic         // Summary of five lines: avg, min, max, cnt and sum.
	advanced      // Summary of nine lines: also p50, p95, p99 and p999.
	lifetime      // A mean or extreme over the life of the server, shown only with Options.Lifetime.
	text          // Not a number; see samples.
)

// has tells whether a metric of this kind has such a line.
func (k kind) has(p part) bool {
	switch p {
	case whole:
		return k != basic && k != advanced
	case p50, p95, p99, p999:
		return k == advanced
	}
	return k == basic || k == advanced
}

// typeName returns what the exposition format calls the kind.
func (k kind) typeName() string {
	switch k {
	case counter:
		return "counter"
	case basic, advanced:
		return "summary"
	}
	return "gauge"
}

// unit says what a value of mntr counts. The name of the metric ends accordingly.
type unit uint8

const (
	each   unit = iota // Things, or no unit.
	octets             // Bytes.
	millis             // Milliseconds, exported as seconds.
)

// base converts a value of the server to the base unit of Prometheus.
func (u unit) base(v float64) float64 {
	if u == millis {
		return v / 1000
	}
	return v
}

// The labels of the table.
const (
	namespaceLabel = "namespace" // A top-level znode, without the slash.
	learnerLabel   = "learner"   // The server id of a follower or observer.
	operationLabel = "operation" // What a client asked for.
	clientLabel    = "client"    // The address of a client, without its port; or otherClients.
)

// metric is one row of the table.
type metric struct {
	family
	word  fourletter.Word // Whose answer has it.
	key   string          // Key in mntr without its zk_; of a set, what follows the name of the entry.
	unit  unit
	since string // First release that prints it, of ZooKeeper unless it says otherwise.

	label string // Empty: the metric has no label.
	value string // Constant value of the label; empty: the entry of the set that the key names.
	unset bool   // A negative value stands for "none yet" or "no limit".
	slot  int    // Where samples keep it; the same for keys that share a series.

	extremes []family // Of a summary: mean, minimum and maximum over the life of the server.
}

func (m *metric) isSet() bool { return m.label != "" && m.value == "" }

// labels returns the label of the metric with its value, as names and values in turn.
func (m *metric) labels(value string) []string {
	if m.label == "" {
		return nil
	}
	return []string{m.label, value}
}

// render prepares the headers of the metric. The unit stays at the end of a name.
func (m *metric) render() {
	m.family.render()
	if m.kind.has(whole) {
		return
	}
	base, end := m.name, ""
	for _, unit := range []string{"_seconds", "_bytes"} {
		if before, ok := strings.CutSuffix(base, unit); ok {
			base, end = before, unit
		}
	}
	for _, stat := range [][2]string{{"avg", "Mean"}, {"min", "Smallest"}, {"max", "Largest"}} {
		f := family{
			name: base + "_lifetime_" + stat[0] + end, kind: gauge,
			help: stat[1] + " over the life of the server of " + m.name + ".",
		}
		f.render()
		m.extremes = append(m.extremes, f)
	}
}

// row is what a metric has to say of itself.
type row struct {
	key   string
	name  string // Without prefix.
	unit  unit
	since string
	help  string
}

// rows makes metrics of mntr.
func rows(k kind, list []row) []metric { return rowsOf(fourletter.Mntr, k, list) }

func rowsOf(word fourletter.Word, k kind, list []row) []metric {
	out := make([]metric, 0, len(list))
	for _, r := range list {
		out = append(out, metric{
			family: family{name: prefix + r.name, kind: k, help: r.help},
			word:   word, key: r.key, unit: r.unit, since: r.since,
		})
	}
	return out
}

// unsettable marks metrics for which a negative value is no value.
func unsettable(list []metric) []metric {
	for i := range list {
		list[i].unset = true
	}
	return list
}

// keyed makes sets of metrics: the name of the entry goes into a label.
func keyed(label string, list []metric) []metric {
	for i := range list {
		list[i].label = label
	}
	return list
}
