package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
)

const (
	// mask stands where something was. In JSON and YAML it is quoted.
	mask       = "***"
	quotedMask = `"` + mask + `"`

	byteOrderMark = "\ufeff"
)

var (
	errNotJSON       = errors.New("data are no JSON document")
	errNotYAML       = errors.New("data are no YAML document that can be redacted")
	errNotProperties = errors.New("data are no properties file")
	// errNoCollection is what a YAML document without keys is: any text may be
	// one.
	errNoCollection = errors.New("data are neither a YAML mapping nor a sequence")
)

// redaction masks what a rule must not show. Each list of keys is nil where
// the rule does not name that format.
type redaction struct {
	JSON       keys             `json:"json_keys,omitempty"`
	YAML       keys             `json:"yaml_keys,omitempty"`
	Properties keys             `json:"properties_keys,omitempty"`
	Patterns   []*regexp.Regexp `json:"patterns,omitempty"`
}

// spelled is the same for the same redaction.
func (r *redaction) spelled() string {
	text, _ := json.Marshal(r) // It holds nothing but texts.
	return string(text)
}

// mask returns data with everything masked that keys and patterns name, and
// leaves the rest as it is. An error means that the data are not what the keys
// are for.
func (r *redaction) mask(data []byte) ([]byte, error) {
	masked, err := r.maskKeys(data)
	if err != nil {
		return nil, err
	}
	for _, pattern := range r.Patterns {
		masked = maskPattern(masked, pattern)
	}
	return masked, nil
}

// maskKeys takes data for JSON where they begin like it, then for YAML where
// they have keys as such, then for properties, as far as the rule names these
// formats. What begins like one format and is broken is not taken for another.
func (r *redaction) maskKeys(data []byte) ([]byte, error) {
	if r.JSON != nil && (beginsLike(data, "{[") || r.YAML == nil && r.Properties == nil) {
		return maskJSON(data, r.JSON)
	}
	if r.YAML != nil {
		masked, err := maskYAML(data, r.YAML)
		if r.Properties == nil || !errors.Is(err, errNoCollection) {
			return masked, err
		}
	}
	if r.Properties != nil {
		return maskProperties(data, r.Properties)
	}
	return data, nil
}

// beginsLike reports whether the first character of the text behind blanks is
// one of those.
func beginsLike(data []byte, those string) bool {
	text := bytes.TrimLeft(bytes.TrimPrefix(data, []byte(byteOrderMark)), " \t\r\n\f")
	return len(text) > 0 && strings.IndexByte(those, text[0]) >= 0
}

// keys are the names of keys in lower case; a star stands for any characters.
type keys []string

// match reports whether key is one of them, in whatever case.
func (k keys) match(key string) bool {
	key = strings.ToLower(strings.TrimSpace(key))
	return slices.ContainsFunc(k, func(name string) bool { return wildcard(name, key) })
}

// wildcard reports whether text is what pattern says. It goes back to the last
// star only, which is enough.
func wildcard(pattern, text string) bool {
	p, t, star, resume := 0, 0, -1, 0
	for t < len(text) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, resume = p, t
			p++
		case p < len(pattern) && pattern[p] == text[t]:
			p++
			t++
		case star >= 0:
			resume++
			p, t = star+1, resume
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// maskPattern masks what the groups of pattern match, or all of a match where
// no group has a part in it.
func maskPattern(data []byte, pattern *regexp.Regexp) []byte {
	var spans []span
	for _, match := range pattern.FindAllSubmatchIndex(data, -1) {
		before := len(spans)
		for i := 2; i < len(match); i += 2 {
			if match[i] < match[i+1] {
				spans = append(spans, span{match[i], match[i+1]})
			}
		}
		if len(spans) == before && match[0] < match[1] {
			spans = append(spans, span{match[0], match[1]})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.begin - b.begin })
	return replace(data, spans, mask)
}

// span is a part of a text, from one byte up to another.
type span struct{ begin, end int }

// replace puts with in the place of every span. The spans are in order, and
// those that overlap become one.
func replace(data []byte, spans []span, with string) []byte {
	if len(spans) == 0 {
		return data
	}
	out := make([]byte, 0, len(data)+len(spans)*len(with))
	done := 0
	for i, s := range spans {
		if i == 0 || s.begin >= done {
			out = append(append(out, data[done:s.begin]...), with...)
		}
		done = max(done, s.end)
	}
	return append(out, data[done:]...)
}
