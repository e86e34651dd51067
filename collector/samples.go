package collector

import (
	"bytes"
	"cmp"
	"maps"
	"math"
	"strconv"
	"strings"
)

// Caps on what one reply can add to a page.
const (
	maxEntries = 100 // Namespaces, and learners, each.
	maxEntry   = 256 // Bytes of the name of one.
	maxUnknown = 200 // Unknown keys.
	maxName    = 128 // Bytes of the name of an unknown key.
)

// series names one series of the page: a metric and the value of its label.
type series struct {
	name  string
	label string
}

func (a series) compare(b series) int {
	return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.label, b.label))
}

// sample is the value of a series, in base units.
type sample struct {
	metric *metric
	value  float64 // Of a gauge or counter; of a summary the sum.
	count  float64 // Of a summary.
	parts  uint8   // Bits of the parts that are known.
}

// take keeps one line of the metric.
func (s *sample) take(at place, v float64) {
	s.metric = at.metric
	s.parts |= 1 << at.part
	if at.part == count {
		s.count = v
	} else {
		s.value = at.metric.unit.base(v)
	}
}

func (s sample) knows(p part) bool { return s.parts&(1<<p) != 0 }

// complete tells whether there is enough to show: a summary needs both lines.
func (s sample) complete() bool { return s.knows(whole) || s.knows(count) && s.knows(sum) }

// samples is what a server said, in terms of the table.
type samples struct {
	table *table

	version string // As the server prints it; empty: not said.
	state   string // Role in the server's words; empty: not said.
	peer    string // Phase in the server's words; empty: not said.

	zxid    uint64
	hasZxid bool

	single  []sample                   // By slot of the table.
	sets    map[series]sample          // Of sets.
	entries map[string]map[string]bool // Label name to the entries that are shown.
	unknown map[string]float64         // Name to value.

	unknownKeys int // Keys that the table lacks, shown or not.
	unparsable  int // Lines and values that can't be read.
	dropped     int // Entries of sets beyond the caps, one for each metric and entry.
}

func newSamples(t *table) *samples {
	return &samples{
		table:   t,
		single:  make([]sample, t.slots),
		sets:    map[series]sample{},
		entries: map[string]map[string]bool{namespaceLabel: {}, learnerLabel: {}},
		unknown: map[string]float64{},
	}
}

// put takes a key of mntr, without its zk_, and its value.
func (s *samples) put(key, value []byte) {
	at, known := s.table.find(key)
	switch {
	case !known:
		s.putUnknown(key, value)
	case at.metric.kind == text:
		s.putText(at.metric.key, value)
	case at.metric.kind != lifetime && at.part <= sum:
		s.putNumber(at, value)
	}
}

func (s *samples) putText(key string, value []byte) {
	switch key {
	case "version":
		s.version = string(value)
	case "server_state":
		s.state = string(value)
	case "peer_state":
		s.peer = string(value)
	}
}

func (s *samples) putNumber(at place, value []byte) {
	v, ok := number(value)
	m := at.metric
	if !ok || v < 0 && (m.kind == counter || at.part == count) || at.part == count && v > math.MaxInt64 {
		s.unparsable++
		return
	}
	if v < 0 && m.unset {
		return
	}
	if !m.isSet() {
		s.single[m.slot].take(at, v)
		return
	}
	if entry, ok := s.entry(at); ok {
		id := series{m.name, entry}
		have := s.sets[id]
		have.take(at, v)
		s.sets[id] = have
	}
}

// entry returns the name of the entry of a set, if it may still be shown.
func (s *samples) entry(at place) (string, bool) {
	shown := s.entries[at.metric.label]
	entry := strings.ToValidUTF8(string(at.entry), "\uFFFD")
	if shown[entry] {
		return entry, true
	}
	if len(shown) < maxEntries && len(entry) <= maxEntry {
		shown[entry] = true
		return entry, true
	}
	// The lines of a summary are of one entry, which counts once.
	if at.part != sum {
		s.dropped++
	}
	return "", false
}

// number parses what Java prints: integers, and doubles such as 1.0E7. A NaN or
// infinity is no measurement, and no integer of the server exceeds 64 bits.
func number(text []byte) (float64, bool) {
	v, err := strconv.ParseFloat(string(text), 64)
	return v, err == nil && math.Abs(v) <= math.MaxUint64
}

// putUnknown keeps a number under a name made of the key, while there is room
// and the name is free. A key with labels in it, as the Prometheus metrics
// provider prints them unescaped, is only counted.
func (s *samples) putUnknown(key, value []byte) {
	s.unknownKeys++
	v, ok := number(value)
	if !ok || len(s.unknown) >= maxUnknown || len(key) == 0 || len(key) > maxName || bytes.IndexByte(key, '{') >= 0 {
		return
	}
	name := prefix + sanitize(key)
	if _, taken := s.unknown[name]; taken || s.table.reserved[name] {
		return
	}
	s.unknown[name] = v
}

// sanitize returns key with everything that has no place in the name of a metric
// replaced.
func sanitize(key []byte) string {
	out := []byte(strings.ToLower(string(key)))
	for i, c := range out {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			out[i] = '_'
		}
	}
	return string(out)
}

// fill takes over from other what s lacks.
func (s *samples) fill(other *samples) {
	for i, v := range other.single {
		if !s.single[i].complete() {
			s.single[i] = v
		}
	}
	for id, v := range other.sets {
		if !s.sets[id].complete() {
			s.sets[id] = v
		}
	}
	maps.Copy(s.unknown, other.unknown)
	s.version = cmp.Or(s.version, other.version)
	s.state = cmp.Or(s.state, other.state)
	s.peer = cmp.Or(s.peer, other.peer)
	if !s.hasZxid {
		s.zxid, s.hasZxid = other.zxid, other.hasZxid
	}
	s.unknownKeys += other.unknownKeys
	s.unparsable += other.unparsable
	s.dropped += other.dropped
}
