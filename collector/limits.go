package collector

import (
	"path"
	"strings"
)

// limits says how much of a reply is kept.
type limits struct {
	lifetime   bool // Means, extremes and percentiles too.
	namespaces int
	allow      []string // Globs of namespaces; empty: all.
	deny       []string
	consTop    int
	shown      seats // The entries of the last page, whose seats are kept.
}

// wants tells whether the lists let a namespace be shown.
func (l *limits) wants(namespace string) bool {
	return !matches(l.deny, namespace) && (len(l.allow) == 0 || matches(l.allow, namespace))
}

func matches(globs []string, name string) bool {
	for _, glob := range globs {
		// New has seen to it that the glob is one.
		if ok, err := path.Match(glob, name); glob == name || err == nil && ok {
			return true
		}
	}
	return false
}

// seats holds the entries of sets that are shown, by label. The server prints
// them in no order: without seats that are kept from page to page, the entries
// beyond the cap would come and go.
type seats map[string]map[string]bool

// answer says whether an entry is shown.
type answer uint8

const (
	seated answer = iota
	full          // No more entries of this label fit.
	denied        // The lists or the length forbid it.
)

// take returns the name of entry, as a label value, and whether it is shown.
func (t seats) take(label string, entry []byte, l *limits) (string, answer) {
	taken, ok := t[label]
	if !ok {
		taken = map[string]bool{}
		for name := range l.shown[label] {
			taken[name] = true
		}
		t[label] = taken
	}
	limit := maxLearners
	if label == namespaceLabel {
		limit = l.namespaces
	}
	if len(entry) > maxEntry {
		return "", full
	}
	if len(taken) >= limit && len(l.allow) == 0 && len(l.deny) == 0 && !taken[string(entry)] {
		return "", full
	}
	name := strings.ToValidUTF8(string(entry), "\uFFFD")
	switch {
	case taken[name]:
	case label == namespaceLabel && !l.wants(name):
		return "", denied
	case len(taken) >= limit:
		return "", full
	}
	taken[name] = true
	return name, seated
}

// seatsOf returns the entries that s shows.
func seatsOf(s *samples) seats {
	out := seats{}
	for id, v := range s.sets {
		if label := v.metric.label; label != clientLabel {
			if out[label] == nil {
				out[label] = map[string]bool{}
			}
			out[label][id.label] = true
		}
	}
	return out
}
