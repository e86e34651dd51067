package policy

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

func TestDescribe(t *testing.T) {
	digest := func(data string) string {
		mac := hmac.New(sha256.New, testKey)
		mac.Write([]byte(data))
		return hex.EncodeToString(mac.Sum(nil))
	}
	long := strings.Repeat("x", DefaultMaxData)
	for name, test := range map[string]struct {
		data      []byte
		text      string
		encoding  string
		truncated bool
	}{
		"null":                         {nil, "", audit.EncodingNull, false},
		"empty":                        {[]byte{}, "", audit.EncodingUTF8, false},
		"text":                         {[]byte("käse\x00\n"), "käse\x00\n", audit.EncodingUTF8, false},
		"binary":                       {[]byte{0xff, 0}, "/wA=", audit.EncodingBase64, false},
		"at the limit":                 {[]byte(long), long, audit.EncodingUTF8, false},
		"one byte above it":            {[]byte(long + "y"), long, audit.EncodingUTF8, true},
		"a rune across the limit":      {[]byte(long[3:] + "漢漢"), long[3:] + "漢", audit.EncodingUTF8, true},
		"all but its last byte fits":   {[]byte(long[3:] + "🦓"), long[3:], audit.EncodingUTF8, true},
		"binary above the limit":       {append([]byte{0xff}, long...), base64.StdEncoding.EncodeToString(append([]byte{0xff}, long[1:]...)), audit.EncodingBase64, true},
		"binary only behind the limit": {append([]byte(long), 0xff), base64.StdEncoding.EncodeToString([]byte(long)), audit.EncodingBase64, true},
	} {
		t.Run(name, func(t *testing.T) {
			want := &audit.Content{Size: new(len(test.data)), Digest: digest(string(test.data))}
			if diff := cmp.Diff(want, describe(mustPolicy(t, LevelMetadata, testKey, "/"), test.data)); diff != "" {
				t.Errorf("at level metadata (-want +got):\n%s", diff)
			}
			want.Data, want.Encoding, want.Truncated = test.text, test.encoding, test.truncated
			if diff := cmp.Diff(want, describe(mustPolicy(t, LevelData, testKey, "/"), test.data)); diff != "" {
				t.Errorf("at level data (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzDescribe(f *testing.F) {
	f.Add([]byte(nil))
	f.Add([]byte(strings.Repeat("x", DefaultMaxData-1) + "漢"))
	f.Fuzz(func(t *testing.T, data []byte) {
		got := describe(mustPolicy(t, LevelData, testKey, "/"), data)
		raw := []byte(got.Data)
		if got.Encoding == audit.EncodingBase64 {
			var err error
			if raw, err = base64.StdEncoding.DecodeString(got.Data); err != nil {
				t.Fatal(err)
			}
		}
		switch {
		case *got.Size != len(data) || got.Truncated != (len(raw) < len(data)):
			t.Errorf("size %d and truncated %v for %d of %d bytes", *got.Size, got.Truncated, len(raw), len(data))
		case !bytes.HasPrefix(data, raw) || len(raw) > DefaultMaxData || got.Truncated && len(raw) < DefaultMaxData-3:
			t.Errorf("kept %d bytes of %d, not the first part", len(raw), len(data))
		case (got.Encoding == audit.EncodingUTF8) != (data != nil && utf8.Valid(data)):
			t.Errorf("encoding %s", got.Encoding)
		}
	})
}

func TestDigestIsKeyed(t *testing.T) {
	other := []byte("another key of the same length")
	seen := map[string]string{}
	for name, content := range map[string]*audit.Content{
		"one":           describe(mustPolicy(t, LevelMetadata, testKey, "/"), []byte("secret")),
		"another key":   describe(mustPolicy(t, LevelMetadata, other, "/"), []byte("secret")),
		"another value": describe(mustPolicy(t, LevelMetadata, testKey, "/"), []byte("Secret")),
	} {
		if twin, ok := seen[content.Digest]; ok {
			t.Errorf("%s and %s share the digest %s", name, twin, content.Digest)
		}
		seen[content.Digest] = name
	}
	again := describe(mustPolicy(t, LevelData, testKey, "/elsewhere"), []byte("secret"))
	if seen[again.Digest] != "one" {
		t.Error("equal data under one key have different digests")
	}
}

// forms are the shapes in which content could leak.
func forms(secret string) []string {
	plain, long := sha256.Sum256([]byte(secret)), sha512.Sum512([]byte(secret))
	return []string{
		secret, hex.EncodeToString([]byte(secret)), base64.StdEncoding.EncodeToString([]byte(secret)),
		hex.EncodeToString(plain[:]), base64.StdEncoding.EncodeToString(plain[:]), hex.EncodeToString(long[:]),
		string(testKey), hex.EncodeToString(testKey), base64.StdEncoding.EncodeToString(testKey),
	}
}

func TestLevelMetadataReturnsNoContent(t *testing.T) {
	const secret = "p4ssw0rd-of-the-cluster"
	for _, data := range []string{secret, secret + "\xff", strings.Repeat(secret, 1000)} {
		metadata, full := mustPolicy(t, LevelMetadata, testKey, "/"), mustPolicy(t, LevelData, testKey, "/")
		for name, returned := range map[string]any{
			"Describe":    describe(metadata, []byte(data)),
			"Allow":       metadata.Allow(metadata.rules[0], describe(full, []byte(data))),
			"Fingerprint": metadata.Fingerprint(),
		} {
			text, err := json.Marshal(returned)
			if err != nil {
				t.Fatal(err)
			}
			text = fmt.Appendf(text, " %+v", returned)
			for _, form := range forms(secret) {
				if bytes.Contains(text, []byte(form)) {
					t.Errorf("%s returned %q in %s", name, form, text)
				}
			}
		}
	}
}

func TestAllow(t *testing.T) {
	metadata, full := mustPolicy(t, LevelMetadata, testKey, "/"), mustPolicy(t, LevelData, testKey, "/")
	for name, test := range map[string]struct {
		policy     *Policy
		kept, want *audit.Content
	}{
		"nothing stays nothing":        {metadata, nil, nil},
		"nothing does not become more": {full, nil, nil},
		"data are cut down":            {metadata, describe(full, []byte("x")), describe(metadata, []byte("x"))},
		"null is cut down":             {metadata, describe(full, nil), describe(metadata, nil)},
		"metadata do not become data":  {full, describe(metadata, []byte("x")), describe(metadata, []byte("x"))},
		"metadata stay":                {metadata, describe(metadata, []byte("x")), describe(metadata, []byte("x"))},
		"data stay where they may":     {full, describe(full, []byte("x")), describe(full, []byte("x"))},
		"the ACL stays": {
			metadata, &audit.Content{Size: new(1), ACL: []audit.ACL{{ID: "user"}}, ACLMasked: true, Truncated: true},
			&audit.Content{Size: new(1), ACL: []audit.ACL{{ID: "user"}}, ACLMasked: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.policy.Allow(test.policy.rules[0], test.kept)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAllowRedacts: what was kept before a rule masked it is masked now, or
// dropped where it can't be told any more.
func TestAllowRedacts(t *testing.T) {
	open := mustParse(t, "rules: [{name: a, path: /a, level: data, max_data: 30}]")
	masking := mustParse(t, "rules: [{name: a, path: /a, level: data, max_data: 20, redact: {json_keys: [password], patterns: ['[0-9]{9}']}}]")
	for name, test := range map[string]struct{ data, want, redaction string }{
		"masked":              {`{"password":"hunter2"}`, `{"password":"***"}`, audit.RedactionMasked},
		"masked and cut":      {`{"a":"b","password":1}`, `{"a":"b","password":`, audit.RedactionMasked},
		"not understood":      {`password=hunter2`, "", audit.RedactionWithheld},
		"cut before":          {`{"a":"` + strings.Repeat("x", 30) + `"}`, "", audit.RedactionWithheld},
		"nothing to mask":     {`{"a":1}`, `{"a":1}`, ""},
		"binary":              {"\xff", "", audit.RedactionWithheld},
		"masked by a pattern": {`{"a":123456789}`, `{"a":***}`, audit.RedactionMasked},
	} {
		t.Run(name, func(t *testing.T) {
			kept := describe(open, []byte(test.data))
			got := masking.Allow(masking.rules[0], kept)
			want := &audit.Content{Size: kept.Size, Digest: kept.Digest, Redaction: test.redaction}
			if test.want != "" {
				want.Data, want.Encoding, want.Truncated = test.want, audit.EncodingUTF8, strings.HasSuffix(test.want, ":")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	patterns := mustParse(t, "rules: [{name: a, path: /a, level: data, redact: {patterns: ['[0-9]{9}']}}]")
	half := &audit.Content{Data: "123456", Encoding: audit.EncodingUTF8, Truncated: true}
	if got := patterns.Allow(patterns.rules[0], half); got.Data != "" || got.Encoding != "" || got.Truncated {
		t.Errorf("half of what a pattern masks is shown: %+v", got)
	}
	cut := open.Allow(open.rules[0], &audit.Content{Data: "abc", Encoding: audit.EncodingUTF8, Truncated: true})
	if !cut.Truncated || cut.Data != "abc" {
		t.Errorf("what was cut stays cut: %+v", cut)
	}
	bytes := open.Allow(open.rules[0], describe(open, []byte("\xff\xfe")))
	if diff := cmp.Diff(describe(open, []byte("\xff\xfe")), bytes); diff != "" {
		t.Errorf("binary data (-want +got):\n%s", diff)
	}
}

// TestFingerprintOfRules: everything that a file says counts.
func TestFingerprintOfRules(t *testing.T) {
	seen := map[string]string{}
	for _, rules := range []string{
		"{name: a, path: /a}", "{name: b, path: /a}", "{name: a, path: /a/**}", "{name: a, paths: [/a, /b]}", "{name: a, path: /a, level: data}",
		"{name: a, path: /a}, {name: b, path: /b, level: none}", "{name: b, path: /b, level: none}, {name: a, path: /a}",
		"{name: a, path: /a, level: data, max_data: 1}", "{name: a, path: /a, level: data, redact: {json_keys: [a]}}",
		"{name: a, path: /a, level: data, redact: {json_keys: [b]}}", "{name: a, path: /a, level: data, redact: {yaml_keys: [a]}}",
		"{name: a, path: /a, level: data, redact: {properties_keys: [a]}}", "{name: a, path: /a, level: data, redact: {patterns: [a]}}",
	} {
		print := mustParse(t, "rules: ["+rules+"]").Fingerprint()
		if twin, ok := seen[print]; ok {
			t.Errorf("%s and %s share a fingerprint", rules, twin)
		}
		seen[print] = rules
		if again := mustParse(t, "rules: ["+rules+"]").Fingerprint(); again != print {
			t.Errorf("%s has two fingerprints", rules)
		}
	}
	if len(seen) > 0 && mustParse(t, "rules: [{name: a, path: /a, level: metadata}]").Fingerprint() != mustParse(t, "# Comment.\nrules:\n- path: /a\n  name: a").Fingerprint() {
		t.Error("the same rules, written otherwise, have another fingerprint")
	}
}

func TestFingerprint(t *testing.T) {
	base := mustPolicy(t, LevelMetadata, testKey, "/a", "/b")
	if base.Fingerprint() != mustPolicy(t, LevelMetadata, testKey, "/a", "/b").Fingerprint() {
		t.Error("the same policy has two fingerprints")
	}
	longer := mustPolicy(t, LevelMetadata, testKey, "/a", "/b")
	longer.rules[0].maxData++
	seen := map[string]string{base.Fingerprint(): "the first policy"}
	for name, changed := range map[string]*Policy{
		"another level": mustPolicy(t, LevelData, testKey, "/a", "/b"),
		"another path":  mustPolicy(t, LevelMetadata, testKey, "/a", "/c"),
		"fewer paths":   mustPolicy(t, LevelMetadata, testKey, "/a"),
		"joined paths":  mustPolicy(t, LevelMetadata, testKey, "/a/b"),
		"another limit": longer,
	} {
		if twin, ok := seen[changed.Fingerprint()]; ok {
			t.Errorf("%s and %s share a fingerprint", name, twin)
		}
		seen[changed.Fingerprint()] = name
	}
}

func TestKeyFingerprint(t *testing.T) {
	one, other := mustPolicy(t, LevelMetadata, testKey, "/a"), mustPolicy(t, LevelMetadata, []byte("fedcba9876543210"), "/a")
	if one.Fingerprint() != other.Fingerprint() {
		t.Error("the fingerprint of the rules depends on the key")
	}
	if one.KeyFingerprint() == other.KeyFingerprint() {
		t.Error("two keys share a fingerprint")
	}
	// printf 'zkwarden digest key' | openssl dgst -sha256 -mac HMAC -macopt key:0123456789abcdef
	if got, want := one.KeyFingerprint(), "e58be5b8241a674c"; got != want {
		t.Errorf("KeyFingerprint() = %s, want %s", got, want)
	}
}

func TestUndigested(t *testing.T) {
	p := mustPolicy(t, LevelData, testKey, "/")
	world := []audit.ACL{{Perms: "r", Scheme: "world", ID: "anyone"}}
	secret, masked := p.ACL(p.rules[0], append(world, audit.ACL{Perms: "a", Scheme: "digest", ID: "a:x"}))
	for name, test := range map[string]struct{ kept, want *audit.Content }{
		"nothing":      {nil, nil},
		"data":         {describe(p, []byte("x")), &audit.Content{Size: new(1), Data: "x", Encoding: audit.EncodingUTF8}},
		"a plain ACL":  {&audit.Content{Digest: "d", ACL: world}, &audit.Content{ACL: world}},
		"a secret ACL": {&audit.Content{Digest: "d", ACL: secret, ACLMasked: masked}, &audit.Content{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Undigested(test.kept)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRedactionIsTold: a content says what a redaction did to its data, for as
// long as data may be recorded.
func TestRedactionIsTold(t *testing.T) {
	masking := mustParse(t, "rules: [{name: a, path: /a, level: data, redact: {json_keys: [password]}}]")
	open := mustParse(t, "rules: [{name: a, path: /a, level: data}]")
	for data, want := range map[string]string{
		`{"password":1}`: audit.RedactionMasked, `password=1`: audit.RedactionWithheld, `{"password":"***"}`: "", "": "",
	} {
		content := describe(masking, []byte(data))
		if content.Redaction != want || (want == audit.RedactionWithheld) != (content.Encoding == "") {
			t.Errorf("%s is described as %+v, want %q", data, content, want)
		}
		if later := open.Allow(open.rules[0], content); later.Redaction != want {
			t.Errorf("%s is %q under a policy that masks nothing, want %q", data, later.Redaction, want)
		}
		if again := masking.Allow(masking.rules[0], content); again.Redaction != want {
			t.Errorf("%s is %q under the same policy, want %q", data, again.Redaction, want)
		}
		metadata := mustPolicy(t, LevelMetadata, testKey, "/a")
		if bare := metadata.Allow(metadata.rules[0], content); bare.Redaction != "" {
			t.Errorf("%s is %q where no data may be", data, bare.Redaction)
		}
	}
	if content := describe(masking, nil); content.Redaction != "" || content.Encoding != audit.EncodingNull {
		t.Errorf("null data are described as %+v", content)
	}
}
