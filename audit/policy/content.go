package policy

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"unicode/utf8"

	"zkwarden/audit"
)

// Describe returns what rule allows to record of data; nil data is a znode's
// null data. Size and digest are those of the data as they are.
func (p *Policy) Describe(rule Rule, data []byte) *audit.Content {
	content := &audit.Content{Size: new(len(data)), Digest: p.digest(data)}
	rule.show(content, data)
	return content
}

// show gives content the data, as far as the rule allows.
func (r Rule) show(content *audit.Content, data []byte) {
	if r.Level != LevelData {
		return
	}
	if r.redact != nil && len(data) > 0 {
		masked, err := r.redact.mask(data)
		if err != nil {
			content.Redaction = audit.RedactionWithheld // What cannot be understood may hold what has to be masked.
			return
		}
		if !bytes.Equal(masked, data) {
			data, content.Redaction = masked, audit.RedactionMasked
		}
	}
	content.Data, content.Encoding, content.Truncated = encode(data, r.maxData)
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
	if content == nil {
		return nil
	}
	allowed := &audit.Content{Size: content.Size, Digest: content.Digest, ACL: content.ACL, ACLMasked: content.ACLMasked}
	if rule.Level != LevelData {
		return allowed
	}
	allowed.Redaction = content.Redaction
	data, ok := decode(content)
	if !ok {
		return allowed
	}
	if content.Truncated && rule.redact != nil {
		// What was cut off could tell that the rest has to be masked.
		allowed.Redaction = audit.RedactionWithheld
		return allowed
	}
	rule.show(allowed, data)
	allowed.Truncated = allowed.Truncated || content.Truncated && allowed.Encoding != ""
	return allowed
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

// decode returns the data that a content holds, and false where it holds none.
func decode(content *audit.Content) ([]byte, bool) {
	switch content.Encoding {
	case audit.EncodingNull:
		return nil, true
	case audit.EncodingUTF8:
		return []byte(content.Data), true
	case audit.EncodingBase64:
		data, err := base64.StdEncoding.DecodeString(content.Data)
		return data, err == nil
	}
	return nil, false
}
