package collector

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"zkwarden/internal/fourletter"
)

// part says which line of a metric a key is.
type part uint8

const (
	whole part = iota // The only line of a gauge or counter.
	count             // Number of observations of a summary.
	sum               // Their sum.
	avg               // Their mean, minimum and maximum over the life of the server.
	minimum
	maximum
	p50 // Percentiles over a sample of their lifetime.
	p95
	p99
	p999
	window // A percentile over the last minutes, of the Prometheus metrics provider; never shown.
	partCount
)

// place is where a key belongs: a line of a metric and, in a set, the entry.
type place struct {
	metric *metric
	part   part
	entry  []byte
}

// table holds all known metrics, ready to be looked up. It doesn't change
// once it is made, so that rounds can share it.
type table struct {
	single   map[fourletter.Word]map[string]*metric
	mntr     map[string]*metric // Of single.
	slots    []*metric          // Series that don't belong to a set, by name; of keys that share one, any.
	sets     []*metric
	own      []family        // The families that are not about keys.
	reserved map[string]bool // Names that an unknown key may not take.
}

func newTable() *table {
	t := &table{single: map[fourletter.Word]map[string]*metric{}, own: ownFamilies(), reserved: map[string]bool{}}
	all := allMetrics()
	slices.SortStableFunc(all, func(a, b metric) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	for _, m := range all {
		t.reserve(m.name)
		m.render()
		for _, f := range m.extremes {
			t.reserve(f.name)
		}
		if m.isSet() {
			t.sets = append(t.sets, &m)
			continue
		}
		last := len(t.slots) - 1
		if last < 0 || t.slots[last].name != m.name || t.slots[last].value != m.value {
			t.slots = append(t.slots, &m)
		}
		m.slot = len(t.slots) - 1
		if t.single[m.word] == nil {
			t.single[m.word] = map[string]*metric{}
		}
		t.single[m.word][m.key] = &m
	}
	t.mntr = t.single[fourletter.Mntr]
	for i := range t.own {
		t.own[i].render()
		t.reserve(t.own[i].name)
	}
	for _, f := range aroundFamilies() {
		t.reserve(f.name)
	}
	return t
}

func allMetrics() []metric {
	return slices.Concat(gauges(), counters(), summaries(), sets(), wordMetrics(), keeperMetrics())
}

// reserve keeps name, and what a summary of that name would print, for the table.
func (t *table) reserve(name string) {
	for _, suffix := range []string{"", "_sum", "_count", "_bucket"} {
		t.reserved[name+suffix] = true
	}
}

// find decodes a key of mntr without its zk_, in the form of any metrics
// provider. A known key without a metric is one that is never shown. It decides by the names of the table, never by a prefix alone:
// max_proposal_size is a gauge of its own, while max_fsynctime is the maximum of
// fsynctime.
func (t *table) find(key []byte) (place, bool) {
	if len(key) > 0 && key[len(key)-1] == '}' {
		return t.findLabelled(key)
	}
	// Most lines are of summaries, so that these are tried first; no key of the
	// table looks like a part of one that is there too.
	base, p := cutPart(key)
	if m, ok := t.mntr[string(base)]; ok && m.kind.has(p) {
		return place{metric: m, part: p}, true
	}
	if m, ok := t.mntr[string(key)]; ok && m.kind.has(whole) {
		return place{metric: m}, true
	}
	if base, p := cutSuffix(key); p != whole {
		if m, ok := t.mntr[string(base)]; ok && m.kind.has(p) {
			return place{metric: m, part: p}, true
		}
	}
	if at, ok := t.findEntry(key, base, p); ok {
		return at, true
	}
	return place{}, isJVM(key)
}

// findEntry decodes a key of a set, as the default metrics provider prints it:
// the name of the entry and that of the set with an underscore between them.
func (t *table) findEntry(key, base []byte, p part) (place, bool) {
	for _, m := range t.sets {
		name, p := base, p
		if m.kind.has(whole) {
			// A znode may be named avg_x, so that only summaries have a part to cut.
			name, p = key, whole
		}
		if m.word != fourletter.Mntr || !m.kind.has(p) {
			continue
		}
		if entry, ok := cutEntry(name, m.key); ok && m.takes(entry) {
			return place{metric: m, part: p, entry: entry}, true
		}
	}
	return place{}, false
}

// takes tells whether entry can be one of the set.
func (m *metric) takes(entry []byte) bool { return m.label != learnerLabel || isNumber(entry) }

// cutPart splits a key such as sum_fsynctime into the name and the part.
func cutPart(key []byte) ([]byte, part) {
	before, after, ok := bytes.Cut(key, []byte("_"))
	if !ok {
		return key, whole
	}
	switch string(before) {
	case "cnt":
		return after, count
	case "sum":
		return after, sum
	case "avg":
		return after, avg
	case "min":
		return after, minimum
	case "max":
		return after, maximum
	case "p50":
		return after, p50
	case "p95":
		return after, p95
	case "p99":
		return after, p99
	case "p999":
		return after, p999
	}
	return key, whole
}

// cutEntry splits what a set prints into the entry and the name of the set.
func cutEntry(name []byte, set string) ([]byte, bool) {
	n := len(name) - len(set) - 1
	if n <= 0 || name[n] != '_' || string(name[n+1:]) != set {
		return nil, false
	}
	return name[:n], true
}

func isNumber(text []byte) bool {
	return len(text) > 0 && !bytes.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}
