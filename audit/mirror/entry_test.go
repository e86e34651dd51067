package mirror

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

var entries = map[string]Entry{
	"nothing known":    {},
	"counters":         {Czxid: math.MaxUint64, Version: math.MaxInt32, Cversion: math.MinInt32, Aversion: -1, EphemeralOwner: math.MaxUint64},
	"unknown data":     {Czxid: 1, Version: 2},
	"metadata":         {Czxid: 1, Content: &audit.Content{Size: new(3), Digest: digest}},
	"no digest":        {Content: &audit.Content{Size: new(3)}},
	"null":             {Content: &audit.Content{Size: new(0), Digest: digest, Encoding: audit.EncodingNull}},
	"empty":            {Content: &audit.Content{Size: new(0), Digest: digest, Encoding: audit.EncodingUTF8}},
	"text":             {Content: &audit.Content{Size: new(3), Digest: digest, Encoding: audit.EncodingUTF8, Data: "x\x00y"}},
	"binary":           {Content: &audit.Content{Size: new(2), Digest: digest, Encoding: audit.EncodingBase64, Data: "/wA="}},
	"an ACL":           {ACL: []audit.ACL{{Perms: "cdrwa", Scheme: "world", ID: "anyone"}}},
	"an empty ACL":     {ACL: []audit.ACL{}},
	"masked ACL":       {Content: &audit.Content{Size: new(3), Digest: digest}, ACL: []audit.ACL{{Perms: "ra", Scheme: "digest", ID: digest}, {Scheme: "ip", ID: "10.0.0.0/8"}}, ACLMasked: true},
	"third of a multi": {Czxid: 9, Occurrence: 2, Content: &audit.Content{Size: new(3), Digest: digest}},
	"a way":            {Czxid: 1, Version: 2, Cversion: 3, Aversion: 4, Way: true},
	"masked":           {Content: &audit.Content{Size: new(3), Digest: digest, Encoding: audit.EncodingUTF8, Data: "***", Redaction: audit.RedactionMasked}},
	"withheld":         {Content: &audit.Content{Size: new(3), Digest: digest, Redaction: audit.RedactionWithheld}},
	"truncated":        {Content: &audit.Content{Size: new(1 << 20), Digest: digest, Encoding: audit.EncodingUTF8, Data: strings.Repeat("x", 4096), Truncated: true}},
}

const digest = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func TestEntryRoundTrip(t *testing.T) {
	for name, want := range entries {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(want, decode(encode(want))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestEntryIsSmall holds the mirror to 300 bytes a znode beyond its path, with
// what the pages of the file need beside it.
func TestEntryIsSmall(t *testing.T) {
	e := entries["metadata"]
	e.Czxid, e.Version, e.EphemeralOwner = math.MaxUint64, math.MaxInt32, math.MaxUint64
	if n := len(encode(e)); n > 80 {
		t.Errorf("an entry at level metadata takes %d bytes", n)
	}
}

// FuzzDecode: a damaged file must not stop the auditor, and what was read from
// it must have a form that can be written and read again.
func FuzzDecode(f *testing.F) {
	for _, e := range entries {
		f.Add(encode(e))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		e := decode(text)
		if diff := cmp.Diff(e, decode(encode(e))); diff != "" {
			t.Errorf("(-read +read again):\n%s", diff)
		}
	})
}
