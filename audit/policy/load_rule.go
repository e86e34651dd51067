package policy

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// The bounds of a policy file.
const (
	maxRules    = 1000
	maxGlobs    = 100 // Of a rule.
	maxName     = 100 // Bytes.
	maxKeys     = 200 // Of a format.
	maxKey      = 200 // Bytes.
	maxPatterns = 50
	maxPattern  = 1000    // Bytes.
	maxMaxData  = 1 << 20 // Bytes; as much as a server takes by default.
)

// policy reads the file's only mapping.
func (l *loader) policy(n *yaml.Node) {
	seen := l.mapping(n, "", map[string]field{
		"rules": func(n *yaml.Node, at string) { l.list(n, at, maxRules, l.rule) },
	})
	switch {
	case len(l.mistakes) > 0:
	case len(seen) == 0:
		l.wrong(n, "", "want rules, have nothing")
	case !slices.ContainsFunc(l.rules, func(r Rule) bool { return r.Level != LevelNone }):
		l.wrong(seen["rules"], "rules", "every rule has level none, so nothing would be recorded")
	}
}

// rule reads one such as
//
//	name: users
//	paths: ["/kafka/config/users/**", "/kafka/config/topics/*"]
//	level: data
//	max_data: 16KiB
//	redact:
//	  json_keys: [password, "*secret*"]
//	  patterns: ['token=(\S+)']
func (l *loader) rule(n *yaml.Node, at string) {
	rule := Rule{Level: LevelMetadata, maxData: DefaultMaxData}
	before := len(l.mistakes)
	seen := l.mapping(n, at, map[string]field{
		"name":     func(n *yaml.Node, at string) { rule.Name = l.name(n, at) },
		"path":     func(n *yaml.Node, at string) { rule.globs = append(rule.globs, l.glob(n, at)...) },
		"level":    func(n *yaml.Node, at string) { rule.Level = l.level(n, at) },
		"max_data": func(n *yaml.Node, at string) { rule.maxData = l.maxData(n, at) },
		"redact":   func(n *yaml.Node, at string) { rule.redact = l.redact(n, at) },
		"paths": func(n *yaml.Node, at string) {
			l.list(n, at, maxGlobs, func(n *yaml.Node, at string) { rule.globs = append(rule.globs, l.glob(n, at)...) })
		},
	})
	if resolve(n).Kind == yaml.MappingNode {
		l.complete(n, at, rule, seen)
	}
	if len(l.mistakes) == before {
		l.reachable(n, at, rule)
	}
	l.rules = append(l.rules, rule)
}

// complete reports what a rule lacks, and what contradicts its level.
func (l *loader) complete(n *yaml.Node, at string, rule Rule, seen map[string]*yaml.Node) {
	if seen["name"] == nil {
		l.wrong(n, at, "the rule has no name")
	}
	switch path, paths := seen["path"], seen["paths"]; {
	case path == nil && paths == nil:
		l.wrong(n, at, "the rule has neither path nor paths")
	case path != nil && paths != nil:
		l.wrong(paths, at, "path and paths are both given")
	}
	for _, key := range []string{"max_data", "redact"} {
		if value := seen[key]; value != nil && rule.Level != LevelData && rule.Level != "" {
			l.wrong(value, inside(at, key), "it is for level data, and the level is %s", rule.Level)
		}
	}
}

// reachable reports a rule behind others that take everything it is for.
func (l *loader) reachable(n *yaml.Node, at string, rule Rule) {
	first := -1
	for _, g := range rule.globs {
		if first = l.taker(g); first < 0 {
			return
		}
	}
	if first < 0 {
		return // The rule is for nothing, which is a mistake that was told.
	}
	l.wrong(n, at, "it never matches: rules[%d], %q, comes first and matches everything that it is for", first, l.rules[first].Name)
}

// taker returns the index of a rule that matches everything below the root of
// g, or -1.
func (l *loader) taker(g glob) int {
	return slices.IndexFunc(l.rules, func(rule Rule) bool {
		return slices.ContainsFunc(rule.globs, func(other glob) bool { return other.below && other.matches(g.root, g.server) })
	})
}

func (l *loader) name(n *yaml.Node, at string) string {
	name, ok := l.text(n, at)
	if !ok {
		return ""
	}
	other, twice := l.names[name]
	switch {
	case len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		l.wrong(n, at, "want at most %d bytes, all printable", maxName)
	case twice:
		l.wrong(n, at, "%q is the name of rules[%d] already", name, other)
	}
	l.names[name] = len(l.rules)
	return name
}

func (l *loader) level(n *yaml.Node, at string) Level {
	switch level := Level(resolve(n).Value); level {
	case LevelNone, LevelMetadata, LevelData:
		return level
	}
	l.wrong(n, at, "unknown level %q, want %s, %s or %s", resolve(n).Value, LevelNone, LevelMetadata, LevelData)
	return ""
}

func (l *loader) glob(n *yaml.Node, at string) []glob {
	text, ok := l.text(n, at)
	if !ok {
		return nil
	}
	globs, err := compileGlob(text)
	if err != nil {
		l.wrong(n, at, "%v", err)
	}
	return globs
}

// maxData reads a number of bytes, such as 4096 or 4KiB.
func (l *loader) maxData(n *yaml.Node, at string) int {
	value := resolve(n).Value
	digits, unit := value, uint64(1)
	for suffix, factor := range map[string]uint64{"KiB": 1 << 10, "MiB": 1 << 20} {
		if before, ok := strings.CutSuffix(value, suffix); ok {
			digits, unit = before, factor
		}
	}
	number, err := strconv.ParseUint(digits, 10, 32)
	if size := number * unit; err == nil && size >= 1 && size <= maxMaxData {
		return int(size)
	}
	l.wrong(n, at, "want 1 to %d bytes, as a number or as in 16KiB, have %q", maxMaxData, value)
	return DefaultMaxData
}

func (l *loader) redact(n *yaml.Node, at string) *redaction {
	r := &redaction{}
	into := func(to *keys) field {
		return func(n *yaml.Node, at string) {
			l.list(n, at, maxKeys, func(n *yaml.Node, at string) { *to = append(*to, l.key(n, at)) })
		}
	}
	seen := l.mapping(n, at, map[string]field{
		"json_keys": into(&r.JSON), "yaml_keys": into(&r.YAML), "properties_keys": into(&r.Properties),
		"patterns": func(n *yaml.Node, at string) {
			l.list(n, at, maxPatterns, func(n *yaml.Node, at string) { r.Patterns = append(r.Patterns, l.pattern(n, at)) })
		},
	})
	if len(seen) == 0 && resolve(n).Kind == yaml.MappingNode {
		l.wrong(n, at, "nothing to redact is named")
	}
	return r
}

func (l *loader) key(n *yaml.Node, at string) string {
	key, ok := l.text(n, at)
	if !ok {
		return ""
	}
	if key = strings.ToLower(strings.TrimSpace(key)); key == "" || len(key) > maxKey {
		l.wrong(n, at, "want the name of a key, of at most %d bytes", maxKey)
	}
	return key
}

func (l *loader) pattern(n *yaml.Node, at string) *regexp.Regexp {
	text, ok := l.text(n, at)
	if !ok {
		return nil
	}
	if len(text) > maxPattern {
		l.wrong(n, at, "the pattern has more than %d bytes", maxPattern)
		return nil
	}
	pattern, err := regexp.Compile(text)
	switch {
	case err != nil:
		l.wrong(n, at, "%v", err)
	case pattern.MatchString(""):
		l.wrong(n, at, "pattern %q matches the empty text, so it would match everywhere", text)
	}
	return pattern
}
