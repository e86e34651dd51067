package collector

import (
	"bytes"

	"zkwarden/internal/fourletter"
)

// ZooKeeper's Prometheus metrics provider (3.6 and later) prints the same
// metrics in another form: summaries as name_count, name_sum and, since 3.10,
// name_avg; percentiles as name{quantile="0.5"}; entries of sets as
// name{key="1"} or name{key="1",quantile="0.5"}. Nothing within the quotes is
// escaped, so that a znode's name may hold quotes, commas and braces.

const (
	keyStart      = `{key="`
	quantileStart = `{quantile="`
	quantileInner = `",quantile="`
	labelsEnd     = `"}`
)

// findLabelled decodes a key that ends with labels. No key of the default
// provider does: there the name of the set comes last.
func (t *table) findLabelled(key []byte) (place, bool) {
	if isJVM(key) {
		return place{}, true
	}
	if name, quantile, ok := cutLabel(key, quantileStart); ok && isQuantile(quantile) {
		m, ok := t.single[fourletter.Mntr][string(name)]
		return place{metric: m, part: window}, ok && m.kind.has(count)
	}
	name, entry, ok := cutLabel(key, keyStart)
	if !ok {
		return place{}, false
	}
	base, p := cutSuffix(name)
	if i := bytes.LastIndex(entry, []byte(quantileInner)); i >= 0 && isQuantile(entry[i+len(quantileInner):]) {
		base, p, entry = name, window, entry[:i]
	}
	for _, m := range t.sets {
		base, p := base, p
		if m.kind.has(whole) {
			base, p = name, whole
		}
		if m.word == fourletter.Mntr && m.key == string(base) && m.kind.has(p) && m.takes(entry) {
			return place{metric: m, part: p, entry: entry}, true
		}
	}
	return place{}, false
}

// cutLabel splits name{label="value"} where start is {label=" of it.
func cutLabel(key []byte, start string) (name, value []byte, ok bool) {
	name, value, ok = bytes.Cut(key, []byte(start))
	if !ok {
		return nil, nil, false
	}
	value, ok = bytes.CutSuffix(value, []byte(labelsEnd))
	return name, value, ok
}

// cutSuffix splits a key such as fsynctime_sum into the name and the part.
func cutSuffix(key []byte) ([]byte, part) {
	i := bytes.LastIndexByte(key, '_')
	if i < 0 {
		return key, whole
	}
	switch string(key[i+1:]) {
	case "count":
		return key[:i], count
	case "sum":
		return key[:i], sum
	case "avg":
		return key[:i], avg
	}
	return key, whole
}

func isQuantile(text []byte) bool {
	v, ok := number(text)
	return ok && v >= 0 && v <= 1
}

// isJVM tells the metrics of the Java client library, which the provider adds
// to those of ZooKeeper, and which are not shown: the exporter of the JVM is
// the provider itself, on its own port.
func isJVM(key []byte) bool {
	return bytes.HasPrefix(key, []byte("jvm_")) || bytes.HasPrefix(key, []byte("process_"))
}
