package collector

import (
	"bytes"
	"cmp"
	"maps"
	"math"
	"strconv"
	"strings"

	"zkwarden/internal/fourletter"
)

// Caps on what one reply can add to a page, beside those of Options.
const (
	maxLearners = 100
	maxEntry    = 256 // Bytes of the name of an entry of a set.
	maxUnknown  = 200 // Unknown keys.
	maxName     = 128 // Bytes of the name of an unknown key.
)

// series names one series of the page: a metric and the value of its label.
type series struct {
	name  string
	label string
}

func (a series) compare(b series) int {
	return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.label, b.label))
}

// sample is what is known of a series, in the units of the server.
type sample struct {
	metric *metric
	parts  uint16           // Bits of the parts that are known.
	values [sum + 1]float64 // Of the parts up to sum.
	more   *[partCount]float64
}

func (s *sample) take(at place, v float64) {
	s.metric = at.metric
	s.parts |= 1 << at.part
	if at.part <= sum {
		s.values[at.part] = v
		return
	}
	if s.more == nil {
		s.more = new([partCount]float64)
	}
	s.more[at.part] = v
}

func (s *sample) knows(p part) bool { return s.parts&(1<<p) != 0 }

// value returns a part that is known, in the base unit.
func (s *sample) value(p part) float64 { return s.metric.unit.base(s.raw(p)) }

// raw returns a part that is known, as the server prints it.
func (s *sample) raw(p part) float64 {
	if p <= sum {
		return s.values[p]
	}
	return s.more[p]
}

// complete tells whether there is enough to show: a summary needs both lines.
func (s *sample) complete() bool { return s.knows(whole) || s.knows(count) && s.knows(sum) }

// measured tells whether the lifetime lines of a summary say anything: with no
// observation the server prints 0 for each.
func (s *sample) measured() bool { return s.knows(count) && s.values[count] > 0 }

// samples is what a server said, in terms of the table.
type samples struct {
	table  *table
	limits *limits

	version string // As the server prints it; empty: not said.
	state   string // Role in the server's words; empty: not said.
	peer    string // Phase in the server's words; empty: not said.
	env     environment

	zxid    uint64
	hasZxid bool

	witnessed bool // Whether somebody else was asked if the server leads, and knew.
	leads     bool // What the answer was.

	single  []sample           // By slot of the table; written through slot.
	touched []int              // Slots that are used.
	sets    map[series]*sample // Of sets.
	seats   seats              // The entries that are shown.
	unknown map[string]float64 // Name to value.

	unknownKeys int // Keys that the table lacks, shown or not.
	unparsable  int // Lines and values that can't be read.
	dropped     int // Entries of sets beyond the caps, one for each metric and entry.
}

func newSamples(t *table, l *limits) *samples {
	return &samples{
		table: t, limits: l,
		single:  make([]sample, len(t.slots)),
		touched: make([]int, 0, len(t.slots)),
		sets:    map[series]*sample{},
		seats:   seats{},
		unknown: map[string]float64{},
	}
}

// put takes a key of mntr, without its zk_, and its value.
func (s *samples) put(key, value []byte) {
	at, known := s.table.find(key)
	switch {
	case !known:
		s.putUnknown(key, value)
	case at.metric == nil || at.part == window:
		// Known, and not shown.
	case at.metric.kind == text:
		s.putText(at.metric.key, value)
	case s.limits.lifetime || at.metric.kind != lifetime && at.part <= sum:
		s.putNumber(at, value)
	}
}

// putOf takes a key of another word.
func (s *samples) putOf(word fourletter.Word, key, value string) {
	if m, ok := s.table.single[word][key]; ok {
		s.putNumber(place{metric: m}, []byte(value))
	}
}

// putEntry takes the value of one entry of a set of another word.
func (s *samples) putEntry(word fourletter.Word, key, entry string, v float64) {
	for _, m := range s.table.sets {
		if m.word == word && m.key == key {
			s.member(series{m.name, entry}).take(place{metric: m}, v)
		}
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
		s.slot(m.slot).take(at, v)
		return
	}
	if entry, ok := s.entry(at); ok {
		s.member(series{m.name, entry}).take(at, v)
	}
}

// slot returns the sample of a slot, to be written to.
func (s *samples) slot(i int) *sample {
	if s.single[i].parts == 0 {
		s.touched = append(s.touched, i)
	}
	return &s.single[i]
}

// member returns the sample of a series of a set, to be written to.
func (s *samples) member(id series) *sample {
	have, ok := s.sets[id]
	if !ok {
		have = &sample{}
		s.sets[id] = have
	}
	return have
}

// entry returns the name of the entry of a set, if it may be shown.
func (s *samples) entry(at place) (string, bool) {
	label := at.metric.label
	entry, answer := s.seats.take(label, at.entry, s.limits)
	// The lines of a summary are of one entry, which counts once.
	if answer == full && (at.part == whole || at.part == count) {
		s.dropped++
	}
	return entry, answer == seated
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
	for _, i := range other.touched {
		if !s.single[i].complete() {
			*s.slot(i) = other.single[i]
		}
	}
	for id, v := range other.sets {
		if have, ok := s.sets[id]; !ok || !have.complete() {
			s.sets[id] = v
		}
	}
	maps.Copy(s.unknown, other.unknown)
	s.version = cmp.Or(s.version, other.version)
	s.state = cmp.Or(s.state, other.state)
	s.peer = cmp.Or(s.peer, other.peer)
	s.env = cmp.Or(s.env, other.env)
	if !s.hasZxid {
		s.zxid, s.hasZxid = other.zxid, other.hasZxid
	}
	s.unknownKeys += other.unknownKeys
	s.unparsable += other.unparsable
	s.dropped += other.dropped
}
