package policy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"zkwarden/audit"
)

// Level says how much of a znode may be recorded.
type Level string

// The levels, each including the one before it.
const (
	LevelMetadata Level = "metadata" // Sizes, counters and keyed digests.
	LevelData     Level = "data"     // Also the data, up to a limit.
)

// DefaultMaxData is how many bytes of data a record holds at most.
const DefaultMaxData = 4 << 10

// serverTree is ZooKeeper's own subtree: quotas and the ensemble's
// configuration. It is recorded only where a rule names it.
const serverTree = "/zookeeper"

// Rule gives a subtree a level.
type Rule struct {
	Name  string // Written to the records that it matched.
	Root  string // The znode that it matches, with everything below.
	Level Level
}

// Policy is a validated list of rules. It is immutable and safe for
// concurrent use.
type Policy struct {
	rules   []Rule
	roots   []string
	key     []byte
	maxData int
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
		rules = append(rules, Rule{Name: path, Root: path, Level: level})
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return &Policy{rules: rules, roots: outermost(rules), key: key, maxData: DefaultMaxData}, nil
}

// outermost returns the roots of the rules without those that lie inside
// another one.
func outermost(rules []Rule) []string {
	var roots []string
	for _, rule := range rules {
		inside := slices.ContainsFunc(rules, func(other Rule) bool {
			return other.Root != rule.Root && other.matches(rule.Root)
		})
		if !inside && !slices.Contains(roots, rule.Root) {
			roots = append(roots, rule.Root)
		}
	}
	return roots
}

func (r Rule) matches(path string) bool {
	if !audit.Within(path, r.Root) {
		return false
	}
	return !audit.Within(path, serverTree) || audit.Within(r.Root, serverTree)
}

// Roots returns the outermost subtrees that rules match; it implements
// [audit.Scope].
func (p *Policy) Roots() []string { return slices.Clone(p.roots) }

// Wants reports whether a rule matches path; it implements [audit.Scope].
func (p *Policy) Wants(path string) bool {
	_, ok := p.Match(path)
	return ok
}

// Match returns the rule that decides about path.
func (p *Policy) Match(path string) (Rule, bool) {
	for _, rule := range p.rules {
		if rule.matches(path) {
			return rule, true
		}
	}
	return Rule{}, false
}

// Describe returns what rule allows to record of data; nil data is a znode's
// null data.
func (p *Policy) Describe(rule Rule, data []byte) *audit.Content {
	content := &audit.Content{Size: new(len(data)), Digest: p.digest(data)}
	if rule.Level == LevelData {
		content.Data, content.Encoding, content.Truncated = encode(data, p.maxData)
	}
	return content
}

// digest is lowercase hex HMAC-SHA-256 under the policy's key.
func (p *Policy) digest(data []byte) string {
	mac := hmac.New(sha256.New, p.key)
	mac.Write(data)
	return hex.EncodeToString(mac.Sum(nil))
}

// Allow cuts content that was recorded under another policy, but the same
// digest key, down to what rule allows. What was recorded under another key
// goes through [Undigested] first.
func (p *Policy) Allow(rule Rule, content *audit.Content) *audit.Content {
	if content == nil || rule.Level == LevelData {
		return content
	}
	return &audit.Content{Size: content.Size, Digest: content.Digest, ACL: content.ACL, ACLMasked: content.ACLMasked}
}

// Undigested returns content without what only another digest key vouches for:
// the digest of the data, and an ACL with digests in it. A content without
// digest says nothing about whether the data changed.
func Undigested(content *audit.Content) *audit.Content {
	if content == nil {
		return nil
	}
	bare := *content
	bare.Digest = ""
	if slices.ContainsFunc(bare.ACL, digested) {
		bare.ACL, bare.ACLMasked = nil, false
	}
	return &bare
}

func encode(data []byte, limit int) (text, encoding string, truncated bool) {
	if data == nil {
		return "", audit.EncodingNull, false
	}
	isText := utf8.Valid(data)
	if len(data) > limit {
		data, truncated = data[:limit], true
		for isText && !utf8.Valid(data) {
			data = data[:len(data)-1]
		}
	}
	if isText {
		return string(data), audit.EncodingUTF8, truncated
	}
	return base64.StdEncoding.EncodeToString(data), audit.EncodingBase64, truncated
}

// Fingerprint identifies the rules, whatever the digest key. State that was
// kept under another fingerprint must be cut down with Allow.
func (p *Policy) Fingerprint() string {
	sum := sha256.New()
	for _, rule := range p.rules {
		fmt.Fprintf(sum, "%q %q %d\n", rule.Root, rule.Level, p.maxData)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// KeyFingerprint identifies the digest key and tells nothing of it: the first
// 16 hex digits of the HMAC-SHA-256 of "zkwarden digest key" under it. State
// that was kept under another one must go through [Undigested].
func (p *Policy) KeyFingerprint() string { return p.digest([]byte("zkwarden digest key"))[:16] }
