package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

func TestACL(t *testing.T) {
	p := mustPolicy(t, LevelMetadata, testKey, "/")
	entry := func(scheme, id string) audit.ACL { return audit.ACL{Perms: "cdrwa", Scheme: scheme, ID: id} }
	hash, long := "alice:1hiUW6QlbCGFJrvTx7z2eUF7u8M=", strings.Repeat("x", 257)
	for name, test := range map[string]struct {
		entries, want []audit.ACL
		masked        bool
	}{
		"none":                 {nil, nil, false},
		"everybody":            {[]audit.ACL{entry("world", "anyone")}, []audit.ACL{entry("world", "anyone")}, false},
		"names and addresses":  {[]audit.ACL{entry("ip", "10.0.0.0/8"), entry("sasl", "kafka")}, []audit.ACL{entry("ip", "10.0.0.0/8"), entry("sasl", "kafka")}, false},
		"a digest":             {[]audit.ACL{entry("digest", hash)}, []audit.ACL{entry("digest", p.digest([]byte(hash)))}, false},
		"masked by the server": {[]audit.ACL{entry("digest", "alice:x")}, []audit.ACL{entry("digest", p.digest([]byte("alice:x")))}, true},
		"an x that is no mask": {[]audit.ACL{entry("x509", "CN=a:x")}, []audit.ACL{entry("x509", "CN=a:x")}, false},
		"nonsense as a digest": {[]audit.ACL{entry("digest", "")}, []audit.ACL{entry("digest", p.digest(nil))}, false},
		"as long as may be":    {[]audit.ACL{entry("x509", long[1:])}, []audit.ACL{entry("x509", long[1:])}, false},
		"too long an id":       {[]audit.ACL{entry("x509", long)}, []audit.ACL{entry("x509", p.digest([]byte(long)))}, true},
		"as many as may be":    {slices.Repeat([]audit.ACL{entry("ip", "::1")}, 64), slices.Repeat([]audit.ACL{entry("ip", "::1")}, 64), false},
		"more than may be":     {slices.Repeat([]audit.ACL{entry("ip", "::1")}, 65), slices.Repeat([]audit.ACL{entry("ip", "::1")}, 64), true},
		"one secret among others": {
			[]audit.ACL{entry("world", "anyone"), entry("digest", hash)},
			[]audit.ACL{entry("world", "anyone"), entry("digest", p.digest([]byte(hash)))},
			false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			before := slices.Clone(test.entries)
			got, masked := p.ACL(p.rules[0], test.entries)
			if diff := cmp.Diff(test.want, got); diff != "" || masked != test.masked {
				t.Errorf("masked %v, want %v (-want +got):\n%s", masked, test.masked, diff)
			}
			if diff := cmp.Diff(before, test.entries); diff != "" {
				t.Errorf("the argument was changed (-want +got):\n%s", diff)
			}
			if text := fmt.Sprint(got); strings.Contains(text, "1hiUW6") || strings.Contains(text, "alice") {
				t.Errorf("a digest id is shown: %s", text)
			}
		})
	}
}
