package collector

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"zkwarden/internal/fourletter"
)

// page writes one scrape in the text exposition format. It writes bytes, with
// headers that are rendered once: 200 descriptors and a registry for each scrape
// would cost more than mntr itself. The samples see to it that names and labels
// are valid, and that no series is there twice.
type page struct {
	text  []byte
	begun string    // Name of the family that was begun last.
	group []entryOf // Reused.
}

// entryOf is a series among those of its family.
type entryOf struct {
	label string
	*sample
}

// write appends what a scrape shows of the outcomes. Names that are taken
// elsewhere on the page are left to that place.
func (c *Collector) write(text []byte, v view, all *samples, taken func(name string) bool) []byte {
	p := &page{text: text}
	c.writeServer(p, v, all)
	c.writeWords(p, v, c.failureCounts())
	c.writeTable(p, all)
	c.writeReading(p, v, all)
	if c.options.Compat == CompatZK {
		c.writeCompat(p, v, all)
	}
	for _, name := range slices.Sorted(maps.Keys(all.unknown)) {
		if !taken(name) {
			p.begin(name, "# HELP "+name+" Key of mntr that this exporter doesn't know.\n# TYPE "+name+" untyped\n")
			p.series(name, "", all.unknown[name])
		}
	}
	return p.text
}

// failureCounts returns a copy of the failures so far.
func (c *Collector) failureCounts() map[failureID]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.failures)
}

func (c *Collector) writeServer(p *page, v view, all *samples) {
	state := v.state(all)
	c.own(p, upMetric, truth(v.up()))
	c.own(p, servingMetric, truth(state.Serving()))
	for _, s := range States() {
		c.own(p, stateMetric, truth(s == state), "state", string(s))
	}
	if all.witnessed {
		c.own(p, silentMetric, truth(all.leads))
	}
	if all.version != "" {
		c.own(p, infoMetric, 1, "version", versionOf(all.version))
	}
	if all.peer != "" {
		state, phase, sync := peerOf(all.peer)
		c.own(p, peerMetric, 1, "phase", phase, "state", state, "sync", sync)
	}
	if e := all.env; e != (environment{}) {
		c.own(p, environmentMetric, 1, "java_vendor", e.javaVendor, "java_version", e.javaVersion,
			"os_arch", e.osArch, "os_name", e.osName, "os_version", e.osVersion)
	}
	switch {
	case !all.hasZxid:
	case isKeeper(all.version):
		c.own(p, zxidMetric, float64(all.zxid)) // It has no epochs, and nothing to roll over.
	default:
		c.own(p, epochMetric, float64(all.zxid>>32))
		c.own(p, zxidMetric, float64(all.zxid&math.MaxUint32))
		c.own(p, rolloverMetric, float64(math.MaxUint32-all.zxid&math.MaxUint32))
	}
}

func (c *Collector) writeWords(p *page, v view, failures map[failureID]uint64) {
	for _, word := range c.words {
		if o, asked := v[word]; asked {
			c.own(p, successMetric, truth(o.err == nil), "word", word.String())
		}
	}
	for _, word := range c.words {
		if o := v[word]; o.took > 0 {
			c.own(p, durationMetric, o.took.Seconds(), "word", word.String())
		}
	}
	for _, word := range c.options.Words {
		if o, asked := v[word]; asked {
			c.own(p, ageMetric, time.Since(o.asked).Seconds(), "word", word.String())
		}
	}
	for _, word := range c.words {
		for _, reason := range fourletter.Reasons() {
			c.own(p, failureMetric, truth(v[word].reason() == reason), "reason", string(reason), "word", word.String())
		}
	}
	for _, word := range c.words {
		for _, reason := range fourletter.Reasons() {
			c.own(p, failuresMetric, float64(failures[failureID{word, reason}]), "reason", string(reason), "word", word.String())
		}
	}
}

// writeTable writes the metrics of the table, family by family.
func (c *Collector) writeTable(p *page, all *samples) {
	for i, m := range c.table.slots {
		if i == 0 || c.table.slots[i-1].name != m.name {
			c.flush(p)
		}
		if s := &all.single[i]; s.complete() {
			p.group = append(p.group, entryOf{m.value, s})
		}
	}
	name := ""
	for _, id := range slices.SortedFunc(maps.Keys(all.sets), series.compare) {
		if id.name != name {
			c.flush(p)
			name = id.name
		}
		if s := all.sets[id]; s.complete() {
			p.group = append(p.group, entryOf{id.label, s})
		}
	}
	c.flush(p)
}

// flush writes the series of the group, which are of one name.
func (c *Collector) flush(p *page) {
	if len(p.group) == 0 {
		return
	}
	m := p.group[0].metric
	if m.kind == lifetime && !c.options.Lifetime {
		p.group = p.group[:0]
		return
	}
	p.begin(m.name, m.header)
	for _, s := range p.group {
		if m.kind.has(whole) {
			p.series(m.name, "", s.value(whole), m.labels(s.label)...)
			continue
		}
		if c.options.Lifetime {
			p.percentiles(m, s)
		}
		p.series(m.name, "_sum", s.value(sum), m.labels(s.label)...)
		p.series(m.name, "_count", s.raw(count), m.labels(s.label)...)
	}
	if c.options.Lifetime && !m.kind.has(whole) {
		p.extremes(m)
	}
	p.group = p.group[:0]
}

// percentiles writes those over the life of the server, where it prints them.
func (p *page) percentiles(m *metric, s entryOf) {
	for i, quantile := range []string{"0.5", "0.95", "0.99", "0.999"} {
		if part := p50 + part(i); s.knows(part) && s.measured() {
			p.series(m.name, "", s.value(part), append(m.labels(s.label), "quantile", quantile)...)
		}
	}
}

// extremes writes mean, minimum and maximum over the life of the server.
func (p *page) extremes(m *metric) {
	for i, f := range m.extremes {
		part := avg + part(i)
		for _, s := range p.group {
			if s.knows(part) && s.measured() {
				p.begin(f.name, f.header)
				p.series(f.name, "", s.value(part), m.labels(s.label)...)
			}
		}
	}
}

// writeReading writes what the reader has to say of the replies.
func (c *Collector) writeReading(p *page, v view, all *samples) {
	c.own(p, unparsableMetric, float64(all.unparsable))
	if v[fourletter.Mntr].said != nil {
		c.own(p, unknownMetric, float64(all.unknownKeys))
		c.own(p, droppedMetric, float64(all.dropped))
	}
}

// own writes a series of a family that is not of the table.
func (c *Collector) own(p *page, id own, value float64, labels ...string) {
	f := &c.table.own[id]
	p.begin(f.name, f.header)
	p.series(f.name, "", value, labels...)
}

// begin starts a family, unless it is the last one begun.
func (p *page) begin(name, header string) {
	if p.begun != name {
		p.begun = name
		p.text = append(p.text, header...)
	}
}

// series writes one line. Labels are names and values in turn.
func (p *page) series(name, suffix string, value float64, labels ...string) {
	p.text = append(p.text, name...)
	p.text = append(p.text, suffix...)
	for i := 0; i < len(labels); i += 2 {
		separator := byte(',')
		if i == 0 {
			separator = '{'
		}
		p.text = append(p.text, separator)
		p.text = append(p.text, labels[i]...)
		p.text = append(p.text, '=', '"')
		p.text = appendEscaped(p.text, labels[i+1])
		p.text = append(p.text, '"')
	}
	if len(labels) > 0 {
		p.text = append(p.text, '}')
	}
	p.text = append(p.text, ' ')
	if whole := int64(value); float64(whole) == value && whole < 1<<53 && whole > -1<<53 {
		p.text = strconv.AppendInt(p.text, whole, 10)
	} else {
		p.text = strconv.AppendFloat(p.text, value, 'g', -1, 64)
	}
	p.text = append(p.text, '\n')
}

func appendEscaped(text []byte, value string) []byte {
	for i := range len(value) {
		switch value[i] {
		case '\n':
			text = append(text, '\\', 'n')
		case '\\', '"':
			text = append(text, '\\', value[i])
		default:
			text = append(text, value[i])
		}
	}
	return text
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
