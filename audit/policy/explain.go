package policy

import (
	"fmt"
	"strings"
)

// Trial is what became of one rule for a path.
type Trial struct {
	Index   int
	Rule    Rule
	Matches bool
	Reason  string // Which glob matches, or why none does.
}

// Explain returns the rules that are tried for path, up to the one that
// decides. That is the last, if it matches.
func (p *Policy) Explain(path string) []Trial {
	var trials []Trial
	server := inServerTree(path)
	for i := range p.rules {
		trial := Trial{Index: i, Rule: p.rules[i]}
		g := p.rules[i].matching(path, server)
		if trial.Matches = g != nil; trial.Matches {
			trial.Reason = fmt.Sprintf("%s matches", g.written())
			return append(trials, trial)
		}
		trial.Reason = p.rules[i].missing(path, server)
		trials = append(trials, trial)
	}
	return trials
}

// missing says why no glob matches.
func (r *Rule) missing(path string, server bool) string {
	var written []string
	for i := range r.globs {
		g := &r.globs[i]
		if server && g.matches(path, false) {
			return fmt.Sprintf("%s would match, but %s is recorded only where a rule names it", g.written(), serverTree)
		}
		written = append(written, g.written())
	}
	if len(written) == 1 {
		return written[0] + " does not match"
	}
	return "none of " + strings.Join(written, ", ") + " matches"
}

// written is how a policy file says what the glob is.
func (g *glob) written() string {
	if g.below && !strings.HasSuffix(g.text, subtreeEnd) {
		return g.text + " with everything below it"
	}
	return g.text
}

// Records says in words what the rule records of a znode.
func (r Rule) Records() string {
	switch {
	case r.Level == LevelNone:
		return "nothing; it is not even read"
	case r.Level == LevelMetadata:
		return "size, keyed digest and ACL, no data"
	case r.redact == nil:
		return fmt.Sprintf("size, keyed digest, ACL and up to %d bytes of data", r.maxData)
	}
	return fmt.Sprintf("size, keyed digest, ACL and up to %d bytes of data, with %s masked; no data where they can't be read for that", r.maxData, r.redact.words())
}

func (r *redaction) words() string {
	var parts []string
	for _, format := range []struct {
		name string
		keys keys
	}{{"JSON", r.JSON}, {"YAML", r.YAML}, {"properties", r.Properties}} {
		if format.keys != nil {
			parts = append(parts, fmt.Sprintf("the %s keys %s", format.name, strings.Join(format.keys, ", ")))
		}
	}
	for _, pattern := range r.Patterns {
		parts = append(parts, fmt.Sprintf("what %s matches", pattern))
	}
	return strings.Join(parts, ", ")
}
