package collector

import (
	"maps"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"zkwarden/internal/fourletter"
)

// page collects the families of one scrape, by name. They are messages of the
// exposition format, built directly: 200 descriptors and a registry for each
// scrape would cost more than mntr itself. The samples see to it that names and
// labels are valid, and that no series is there twice.
type page struct {
	families map[string]*dto.MetricFamily
	own      map[string]family
}

// page returns what a scrape shows of the outcomes, sorted by name.
func (c *Collector) page(v view) []*dto.MetricFamily {
	p := &page{families: make(map[string]*dto.MetricFamily, c.table.slots), own: c.table.own}
	all := v.said(c.table)
	p.addServer(v, all)
	p.addWords(v, c.failureCounts())
	for _, s := range all.single {
		if s.complete() {
			p.addSample(s, s.metric.value)
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(all.sets), series.compare) {
		if s := all.sets[id]; s.complete() {
			p.addSample(s, id.label)
		}
	}
	p.addReading(v, all)
	return slices.SortedFunc(maps.Values(p.families), func(a, b *dto.MetricFamily) int {
		return strings.Compare(a.GetName(), b.GetName())
	})
}

// failureCounts returns a copy of the failures so far.
func (c *Collector) failureCounts() map[failureID]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.failures)
}

func (p *page) addServer(v view, all *samples) {
	state := v.state(all)
	p.addOwn(upName, truth(v.up()))
	p.addOwn(servingName, truth(state.Serving()))
	for _, s := range States() {
		p.addOwn(stateName, truth(s == state), label("state", string(s)))
	}
	if all.version != "" {
		p.addOwn(infoName, 1, label("version", versionOf(all.version)))
	}
	if all.peer != "" {
		state, phase, sync := peerOf(all.peer)
		p.addOwn(peerName, 1, label("phase", phase), label("state", state), label("sync", sync))
	}
	if all.hasZxid {
		p.addOwn(epochName, float64(all.zxid>>32))
		p.addOwn(zxidName, float64(all.zxid&math.MaxUint32))
	}
}

func (p *page) addWords(v view, failures map[failureID]uint64) {
	for _, word := range words() {
		name := label("word", word.String())
		o, asked := v[word]
		if asked {
			p.addOwn(successName, truth(o.err == nil), name)
		}
		if o.took > 0 {
			p.addOwn(durationName, o.took.Seconds(), name)
		}
		for _, reason := range fourletter.Reasons() {
			why := label("reason", string(reason))
			p.addOwn(failureName, truth(o.reason() == reason), why, name)
			p.addOwn(failuresName, float64(failures[failureID{word, reason}]), why, name)
		}
	}
}

// addReading adds what the reader has to say of the replies.
func (p *page) addReading(v view, all *samples) {
	for name, value := range all.unknown {
		p.add(name, "Key of mntr that this exporter doesn't know.", dto.MetricType_UNTYPED,
			&dto.Metric{Untyped: &dto.Untyped{Value: &value}})
	}
	p.addOwn(unparsableName, float64(all.unparsable))
	if v[fourletter.Mntr].said != nil {
		p.addOwn(unknownName, float64(all.unknownKeys))
		p.addOwn(droppedName, float64(all.dropped))
	}
}

// addSample adds a series of the table, with the value of its label, if it has one.
func (p *page) addSample(s sample, value string) {
	m, kind := &dto.Metric{}, dto.MetricType_GAUGE
	if s.metric.label != "" {
		m.Label = []*dto.LabelPair{label(s.metric.label, value)}
	}
	switch s.metric.kind {
	case counter:
		kind, m.Counter = dto.MetricType_COUNTER, &dto.Counter{Value: &s.value}
	case basic, advanced:
		observations := uint64(s.count)
		kind, m.Summary = dto.MetricType_SUMMARY, &dto.Summary{SampleCount: &observations, SampleSum: &s.value}
	default:
		m.Gauge = &dto.Gauge{Value: &s.value}
	}
	p.add(s.metric.name, s.metric.help, kind, m)
}

// addOwn adds a series of a family that is not of the table. Labels come sorted.
func (p *page) addOwn(name string, value float64, labels ...*dto.LabelPair) {
	f, m := p.own[name], &dto.Metric{Label: labels}
	if f.kind == dto.MetricType_COUNTER {
		m.Counter = &dto.Counter{Value: &value}
	} else {
		m.Gauge = &dto.Gauge{Value: &value}
	}
	p.add(f.name, f.help, f.kind, m)
}

func (p *page) add(name, help string, kind dto.MetricType, m *dto.Metric) {
	mf, ok := p.families[name]
	if !ok {
		mf = &dto.MetricFamily{Name: &name, Help: &help, Type: &kind}
		p.families[name] = mf
	}
	mf.Metric = append(mf.Metric, m)
}

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
