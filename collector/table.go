package collector

import (
	"bytes"
	"slices"
)

// part says which line of a metric a key is.
type part uint8

const (
	whole      part = iota // The only line of a gauge or counter.
	count                  // Number of observations of a summary.
	sum                    // Their sum.
	extreme                // Their lifetime mean, minimum or maximum.
	percentile             // A percentile over a sample of their lifetime.
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
	single   map[string]*metric
	slots    int // Series that don't belong to a set.
	sets     []*metric
	own      map[string]family // The families that are not about keys, by name.
	reserved map[string]bool   // Names that an unknown key may not take.
}

func newTable() *table {
	t := &table{single: map[string]*metric{}, own: map[string]family{}, reserved: map[string]bool{}}
	slots := map[series]int{}
	for _, m := range slices.Concat(gauges(), counters(), summaries(), sets()) {
		t.reserve(m.name)
		if m.isSet() {
			t.sets = append(t.sets, &m)
			continue
		}
		id := series{m.name, m.value}
		if _, ok := slots[id]; !ok {
			slots[id] = len(slots)
		}
		m.slot = slots[id]
		t.single[m.key] = &m
	}
	t.slots = len(slots)
	for _, f := range families() {
		t.reserve(f.name)
		t.own[f.name] = f
	}
	return t
}

// reserve keeps name, and what a summary of that name would print, for the table.
func (t *table) reserve(name string) {
	for _, suffix := range []string{"", "_sum", "_count", "_bucket"} {
		t.reserved[name+suffix] = true
	}
}

// find decodes a key of mntr without its zk_. It decides by the names of the
// table, never by a prefix alone: max_proposal_size is a gauge of its own, while
// max_fsynctime is the maximum of fsynctime.
func (t *table) find(key []byte) (place, bool) {
	if m, ok := t.single[string(key)]; ok && m.kind.has(whole) {
		return place{metric: m}, true
	}
	base, p := cutPart(key)
	if m, ok := t.single[string(base)]; ok && m.kind.has(p) {
		return place{metric: m, part: p}, true
	}
	for _, m := range t.sets {
		name, p := base, p
		if m.kind.has(whole) {
			// A znode may be named avg_x, so that only summaries have a part to cut.
			name, p = key, whole
		}
		entry, ok := cutEntry(name, m.key)
		if !ok || !m.kind.has(p) || m.label == learnerLabel && !isNumber(entry) {
			continue
		}
		return place{metric: m, part: p, entry: entry}, true
	}
	return place{}, false
}

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
	case "avg", "min", "max":
		return after, extreme
	case "p50", "p95", "p99", "p999":
		return after, percentile
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
	return !bytes.ContainsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
}
