package journal

import (
	"strconv"
	"unicode/utf8"

	"zkwarden/audit"
)

// object is JSON being written. It makes the very bytes that encoding/json
// makes of an audit.Event without HTML escaping, which a test holds it to,
// in a fraction of the time: the recorder waits for it on every event.
type object []byte

func appendEvent(b []byte, e *audit.Event) []byte {
	o := object(append(b, '{'))
	o.string("schema", e.Schema)
	o.uint("seq", e.Seq)
	o.string("id", e.ID)
	o.string("kind", string(e.Kind))
	o.text("control", string(e.Control))
	o.string("ensemble", e.Ensemble)
	o.string("recorder", e.Recorder)
	o.text("source", string(e.Source))
	o.text("rule", e.Rule)
	if !e.Time.IsZero() {
		o.millis("time", e.Time)
	}
	o.millis("observed", e.Observed)
	o.id("zxid", uint64(e.Zxid))
	o.zxid("zxid_after", e.ZxidAfter)
	o.zxid("zxid_until", e.ZxidUntil)
	o.text("op", string(e.Op))
	o.text("path", e.Path)
	o.text("cause", string(e.Cause))
	if e.Index != 0 {
		o.int("index", e.Index)
	}
	o.id("czxid", uint64(e.Czxid))
	o.counter("version", e.Version)
	o.counter("aversion", e.Aversion)
	o.id("ephemeral_owner", uint64(e.EphemeralOwner))
	o.content("before", e.Before)
	o.content("after", e.After)
	if e.Exact != nil {
		o.bool("exact", *e.Exact)
	}
	if e.Collapsed != 0 {
		o.uint("collapsed", e.Collapsed)
	}
	o.actor("actor", e.Actor)
	o.text("reason", e.Reason)
	if e.Count != nil {
		o.uint("count", *e.Count)
	}
	o.texts("roots", e.Roots)
	o.text("chain", e.Chain)
	if e.Generation != 0 {
		o.uint("generation", e.Generation)
	}
	o.text("mode", e.Mode)
	o.text("policy", e.Policy)
	o.text("digest_key", e.DigestKey)
	o.text("anchor", e.Anchor)
	o.id("acl_zxid", uint64(e.ACLZxid))
	if e.Unreadable != nil {
		o.uint("unreadable", *e.Unreadable)
	}
	o.texts("unreadable_roots", e.UnreadableRoots)
	o.id("verified_through", uint64(e.VerifiedThrough))
	o.string("prev", e.Prev)
	return append(o, '}')
}

func (o *object) content(name string, c *audit.Content) {
	if c == nil {
		return
	}
	o.key(name)
	*o = append(*o, '{')
	if c.Size != nil {
		o.int("size", *c.Size)
	}
	o.text("digest", c.Digest)
	o.text("data", c.Data)
	o.text("encoding", c.Encoding)
	o.acl("acl", c.ACL)
	if c.ACLMasked {
		o.bool("acl_masked", true)
	}
	if c.Truncated {
		o.bool("truncated", true)
	}
	o.text("redaction", c.Redaction)
	*o = append(*o, '}')
}

func (o *object) acl(name string, entries []audit.ACL) {
	if len(entries) == 0 {
		return
	}
	o.key(name)
	sep := byte('[')
	for _, a := range entries {
		*o = append(*o, sep, '{')
		o.string("perms", a.Perms)
		o.string("scheme", a.Scheme)
		o.string("id", a.ID)
		*o = append(*o, '}')
		sep = ','
	}
	*o = append(*o, ']')
}

func (o *object) actor(name string, a *audit.Actor) {
	if a == nil {
		return
	}
	o.key(name)
	*o = append(*o, '{')
	o.id("session", uint64(a.Session))
	o.text("client", a.Client)
	o.string("confidence", a.Confidence)
	*o = append(*o, '}')
}

// key begins a member.
func (o *object) key(name string) {
	if (*o)[len(*o)-1] != '{' {
		*o = append(*o, ',')
	}
	*o = append(*o, '"')
	*o = append(*o, name...)
	*o = append(*o, '"', ':')
}

func (o *object) string(name, value string) {
	o.key(name)
	*o = appendString(*o, value)
}

// text writes a string unless it is empty.
func (o *object) text(name, value string) {
	if value != "" {
		o.string(name, value)
	}
}

func (o *object) texts(name string, values []string) {
	if len(values) == 0 {
		return
	}
	o.key(name)
	sep := byte('[')
	for _, v := range values {
		*o = appendString(append(*o, sep), v)
		sep = ','
	}
	*o = append(*o, ']')
}

func (o *object) uint(name string, value uint64) {
	o.key(name)
	*o = strconv.AppendUint(*o, value, 10)
}

func (o *object) int(name string, value int) {
	o.key(name)
	*o = strconv.AppendInt(*o, int64(value), 10)
}

func (o *object) bool(name string, value bool) {
	o.key(name)
	*o = strconv.AppendBool(*o, value)
}

// counter writes a version of a znode unless it is unknown.
func (o *object) counter(name string, value *int32) {
	if value == nil {
		return
	}
	o.key(name)
	*o = strconv.AppendInt(*o, int64(*value), 10)
}

// id writes a zxid or session id unless it is zero.
func (o *object) id(name string, value uint64) {
	if value != 0 {
		o.hex(name, value)
	}
}

func (o *object) zxid(name string, value *audit.Zxid) {
	if value != nil {
		o.hex(name, uint64(*value))
	}
}

func (o *object) hex(name string, value uint64) {
	o.key(name)
	*o = strconv.AppendUint(append(*o, `"0x`...), value, 16)
	*o = append(*o, '"')
}

func (o *object) millis(name string, value audit.Millis) {
	text, _ := value.MarshalText() // It has no way to fail.
	o.key(name)
	*o = append(*o, '"')
	*o = append(*o, text...)
	*o = append(*o, '"')
}

// appendString quotes s. Bytes that are not UTF-8 become U+FFFD; U+2028 and
// U+2029 are escaped for readers that take JSON for JavaScript.
func appendString(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			if (r != utf8.RuneError || size > 1) && r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
			b = append(append(b, s[from:i]...), `\u`...)
			b = append(b, digits[r>>12], digits[r>>8&15], digits[r>>4&15], digits[r&15])
		} else {
			b = appendEscape(append(b, s[from:i]...), c)
		}
		i += size
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// appendEscape escapes a quote, a backslash or a control character.
func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\b':
		return append(b, '\\', 'b')
	case '\f':
		return append(b, '\\', 'f')
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	default:
		const digits = "0123456789abcdef"
		return append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
	}
}
