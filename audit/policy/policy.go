package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"

	"zkwarden/audit"
)

// Level says how much of a znode may be recorded.
type Level string

// The levels, each including the one before it.
const (
	LevelNone     Level = "none"     // Nothing: it is not even read.
	LevelMetadata Level = "metadata" // Sizes, counters and keyed digests.
	LevelData     Level = "data"     // Also the data, redacted and up to a limit.
)

// DefaultMaxData is how many bytes of data a record holds at most.
const DefaultMaxData = 4 << 10

// serverTree is ZooKeeper's own subtree: quotas and the ensemble's
// configuration. It is recorded only where a rule names it.
const serverTree = "/zookeeper"

// Rule says how much is recorded of the znodes that it matches.
type Rule struct {
	Name  string // Written to the records that it matched.
	Level Level

	globs   []glob
	maxData int        // At LevelData.
	redact  *redaction // Nil: nothing is masked.
}

// Policy is a validated list of rules. It is immutable and safe for
// concurrent use.
type Policy struct {
	rules []Rule
	roots []string
	key   []byte
}

func newPolicy(rules []Rule, key []byte) *Policy {
	return &Policy{rules: rules, roots: outermost(rules), key: key}
}

// ForPaths makes the policy of people without a policy file: each path with
// everything below it, all at one level. It reports every bad path at once.
func ForPaths(paths []string, level Level, key []byte) (*Policy, error) {
	if len(paths) == 0 {
		return nil, errors.New("no path to audit is given")
	}
	if level != LevelMetadata && level != LevelData {
		return nil, fmt.Errorf("unknown audit level %q, want %q or %q", level, LevelMetadata, LevelData)
	}
	var errs []error
	rules := make([]Rule, 0, len(paths))
	for _, path := range paths {
		if err := audit.ValidatePath(path); err != nil {
			errs = append(errs, err)
			continue
		}
		rules = append(rules, Rule{Name: path, Level: level, globs: []glob{subtree(path)}, maxData: DefaultMaxData})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return newPolicy(rules, key), nil
}

// Unlimited returns the rule of people who have the files of a server anyway:
// one level for every znode, ZooKeeper's own included, and data uncut. Ids of
// the digest scheme stay digests.
func Unlimited(level Level, key []byte) (*Policy, Rule) {
	rule := Rule{Level: level, globs: []glob{{text: "/", root: "/", below: true, server: true}}, maxData: math.MaxInt}
	return newPolicy([]Rule{rule}, key), rule
}

// outermost returns the roots of what the rules record, without those that lie
// inside another one.
func outermost(rules []Rule) []string {
	var all []string
	for _, rule := range rules {
		if rule.Level == LevelNone {
			continue
		}
		for _, g := range rule.globs {
			if !slices.Contains(all, g.root) {
				all = append(all, g.root)
			}
		}
	}
	return slices.DeleteFunc(slices.Clone(all), func(root string) bool {
		return slices.ContainsFunc(all, func(other string) bool {
			// What watches all of the tree does not show the server's own.
			return other != root && audit.Within(root, other) && (inServerTree(other) || !inServerTree(root))
		})
	})
}

// Roots returns the outermost subtrees that rules match; it implements
// [audit.Scope].
func (p *Policy) Roots() []string { return slices.Clone(p.roots) }

// Wants reports whether path is recorded; it implements [audit.Scope].
func (p *Policy) Wants(path string) bool {
	_, ok := p.Match(path)
	return ok
}

// Leads reports whether something below path may be recorded. A source has to
// look at such a znode to find what lies below it, even where Wants is false.
func (p *Policy) Leads(path string) bool {
	server := inServerTree(path)
	for i := range p.rules {
		rule := &p.rules[i]
		for j := range rule.globs {
			switch g := &rule.globs[j]; {
			case rule.Level != LevelNone && g.leads(path, server):
				return true
			case rule.Level == LevelNone && g.below && g.matches(path, server):
				return false
			}
		}
	}
	return false
}

// Whole reports whether every child of path is recorded, whatever its name.
// Where a rule of LevelNone may leave out some, it is false.
func (p *Policy) Whole(path string) bool {
	server := inServerTree(path)
	for i := range p.rules {
		rule := &p.rules[i]
		for j := range rule.globs {
			switch some, all := rule.globs[j].children(path, server); {
			case some && rule.Level == LevelNone:
				return false
			case all:
				return true
			}
		}
	}
	return false
}

// Match returns the rule that decides about path: the first that matches. It
// is false when that is none, or one of LevelNone.
func (p *Policy) Match(path string) (Rule, bool) {
	i := p.match(path)
	if i < 0 || p.rules[i].Level == LevelNone {
		return Rule{}, false
	}
	return p.rules[i], true
}

// match returns the index of the rule that decides about path, or -1.
func (p *Policy) match(path string) int {
	server := inServerTree(path)
	for i := range p.rules {
		if p.rules[i].matching(path, server) != nil {
			return i
		}
	}
	return -1
}

// matching returns the first glob that matches, or nil.
func (r *Rule) matching(path string, server bool) *glob {
	for i := range r.globs {
		if r.globs[i].matches(path, server) {
			return &r.globs[i]
		}
	}
	return nil
}

// Fingerprint identifies the rules, whatever the digest key. State that was
// kept under another fingerprint must be cut down with Allow.
func (p *Policy) Fingerprint() string {
	sum := sha256.New()
	for _, rule := range p.rules {
		fmt.Fprintf(sum, "%q %q %d\n", rule.Name, rule.Level, rule.maxData)
		for _, g := range rule.globs {
			fmt.Fprintf(sum, "%q %t\n", g.text, g.below)
		}
		if rule.redact != nil {
			fmt.Fprintf(sum, "%s\n", rule.redact.spelled())
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// KeyFingerprint identifies the digest key and tells nothing of it: the first
// 16 hex digits of the HMAC-SHA-256 of "zkwarden digest key" under it. State
// that was kept under another one must go through [Undigested].
func (p *Policy) KeyFingerprint() string { return p.digest([]byte("zkwarden digest key"))[:16] }
