package collector

// prefix begins the name of every series about ZooKeeper.
const prefix = "zookeeper_"

// kind says how the values of a mntr key are to be read.
type kind uint8

const (
	gauge    kind = iota + 1
	counter       // Only rises, until the server or, where the help says so, its role restarts.
	basic         // Summary of five lines: avg, min, max, cnt and sum.
	advanced      // Summary of nine lines: also p50, p95, p99 and p999.
	lifetime      // Known and left out: a mean or extreme over the life of the server.
	text          // Not a number; see samples.
)

// has tells whether a metric of this kind has such a line.
func (k kind) has(p part) bool {
	switch p {
	case whole:
		return k != basic && k != advanced
	case percentile:
		return k == advanced
	}
	return k == basic || k == advanced
}

// unit says what a value of mntr counts. The name of the metric ends accordingly.
type unit uint8

const (
	each   unit = iota // Things, or no unit.
	octets             // Bytes.
	millis             // Milliseconds, exported as seconds.
)

// base converts a value of mntr to the base unit of Prometheus.
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
)

// metric is one row of the table.
type metric struct {
	key   string // Key in mntr without its zk_; of a set, what follows the name of the entry.
	name  string // Canonical name, with prefix.
	kind  kind
	unit  unit
	since string // First ZooKeeper release that prints it.
	help  string

	label string // Empty: the metric has no label.
	value string // Constant value of the label; empty: the entry of the set that the key names.
	unset bool   // A negative value stands for "none yet" or "no limit".
	slot  int    // Where samples keep it; the same for keys that share a series.
}

func (m *metric) isSet() bool { return m.label != "" && m.value == "" }

// row is what a metric has to say of itself.
type row struct {
	key   string
	name  string // Without prefix.
	unit  unit
	since string
	help  string
}

func rows(k kind, list []row) []metric {
	out := make([]metric, 0, len(list))
	for _, r := range list {
		out = append(out, metric{
			key: r.key, name: prefix + r.name, kind: k, unit: r.unit, since: r.since, help: r.help,
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
