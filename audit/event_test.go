package audit

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fullEvent has every member, with values that need no escaping.
func fullEvent() Event {
	return Event{
		Schema: Schema, Seq: 3, ID: "id", Kind: KindChange, Control: ControlResync,
		Ensemble: "prod", Recorder: "host", Source: OriginWatch, Rule: "/a",
		Time: AtUnixMilli(1700000000123), Observed: AtUnixMilli(1700000000456),
		Zxid: 0x100000002, ZxidAfter: new(Zxid(0)), ZxidUntil: new(Zxid(9)),
		Op: OpDeleted, Path: "/a", Cause: CauseUnknown, Index: 3,
		Czxid: 0x1, Version: new(int32(0)), Aversion: new(int32(2)), EphemeralOwner: 0x8000000000000001,
		Before: &Content{Size: new(0), Digest: "d", Encoding: EncodingNull},
		After: &Content{
			Size: new(5000), Digest: "d", Data: "x", Encoding: EncodingUTF8,
			ACL: []ACL{{Perms: "cdrwa", Scheme: "world", ID: "anyone"}}, ACLMasked: true, Truncated: true,
		},
		Exact: new(false), Collapsed: 4, Actor: &Actor{Session: 1, Client: "127.0.0.1", Confidence: "exact"},
		Reason: "why", Count: new(uint64(0)), Roots: []string{"/a"}, Chain: "c", Generation: 2, Mode: ModeOneShot,
		Policy: "f", DigestKey: "k", Anchor: "7:h",
		ACLZxid: 0x5, Unreadable: new(uint64(0)), UnreadableRoots: []string{"/a"}, VerifiedThrough: 0x4, Prev: "p",
	}
}

func TestEventShape(t *testing.T) {
	for name, test := range map[string]struct {
		event Event
		want  string
	}{
		"every member, in this order": {fullEvent(), `{"schema":"zkwarden/v1","seq":3,"id":"id","kind":"change","control":"resync",` +
			`"ensemble":"prod","recorder":"host","source":"watch","rule":"/a",` +
			`"time":"2023-11-14T22:13:20.123Z","observed":"2023-11-14T22:13:20.456Z",` +
			`"zxid":"0x100000002","zxid_after":"0x0","zxid_until":"0x9","op":"deleted","path":"/a","cause":"unknown","index":3,` +
			`"czxid":"0x1","version":0,"aversion":2,"ephemeral_owner":"0x8000000000000001",` +
			`"before":{"size":0,"digest":"d","encoding":"null"},` +
			`"after":{"size":5000,"digest":"d","data":"x","encoding":"utf-8","acl":[{"perms":"cdrwa","scheme":"world","id":"anyone"}],"acl_masked":true,"truncated":true},` +
			`"exact":false,"collapsed":4,"actor":{"session":"0x1","client":"127.0.0.1","confidence":"exact"},` +
			`"reason":"why","count":0,"roots":["/a"],"chain":"c","generation":2,"mode":"one_shot","policy":"f","digest_key":"k","anchor":"7:h",` +
			`"acl_zxid":"0x5","unreadable":0,"unreadable_roots":["/a"],"verified_through":"0x4","prev":"p"}`},
		"what is not known is absent": {Event{}, `{"schema":"","seq":0,"id":"","kind":"","ensemble":"","recorder":"","observed":"0001-01-01T00:00:00.000Z","prev":""}`},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := json.Marshal(test.event)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, string(text)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestEventRoundTrip(t *testing.T) {
	want := fullEvent()
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Event
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b Millis) bool { return a.Time().Equal(b.Time()) })); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMillisText(t *testing.T) {
	for name, test := range map[string]struct {
		instant Millis
		want    string
	}{
		"digits are cut, not rounded": {AtTime(time.Date(2026, 11, 22, 1, 2, 3, 999_999_999, time.UTC)), "2026-11-22T01:02:03.999Z"},
		"three digits always":         {AtTime(time.Date(2026, 11, 22, 1, 2, 3, 0, time.UTC)), "2026-11-22T01:02:03.000Z"},
		"written in UTC":              {AtTime(time.Date(2026, 11, 22, 1, 2, 3, 0, time.FixedZone("", 3600))), "2026-11-22T00:02:03.000Z"},
		"the epoch is known":          {AtUnixMilli(0), "1970-01-01T00:00:00.000Z"},
		"before the epoch":            {AtUnixMilli(-1), "1969-12-31T23:59:59.999Z"},
		"the last that has a text":    {AtUnixMilli(253402300799999), "9999-12-31T23:59:59.999Z"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.instant.IsZero() {
				t.Error("a known instant counts as unknown")
			}
			roundTrip(t, test.want, new(Millis), func(m *Millis) bool { return m.Time().Equal(test.instant.Time()) })
			if text, err := test.instant.MarshalText(); err != nil || string(text) != test.want {
				t.Errorf("MarshalText() = %q, %v; want %q", text, err, test.want)
			}
		})
	}
}

// A server sends any number as a time. One that has no RFC 3339 text would
// make a record that cannot be read again.
func TestMillisOutsideOfRFC3339AreUnknown(t *testing.T) {
	for _, ms := range []int64{math.MinInt64, -62167219200001, 253402300800000, math.MaxInt64} {
		if at := AtUnixMilli(ms); !at.IsZero() {
			t.Errorf("AtUnixMilli(%d) = %v, want unknown", ms, at.Time())
		}
	}
}

func TestMillisRefused(t *testing.T) {
	for _, text := range []string{"", "2026-11-22", "2026-11-22T01:02:03Z", "2026-11-22T01:02:03.1234Z", "1700000000"} {
		if err := new(Millis).UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was accepted", text)
		}
	}
}

// The recorder's type switch ends silently where a type is missing, so a new
// observation has to fail here first.
func TestObservationsAreAClosedSet(t *testing.T) {
	_ = []Observation{Seen{}, Gap{}, Mark{}}
	file, err := parser.ParseFile(token.NewFileSet(), "observation.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	ast.Inspect(file, func(n ast.Node) bool {
		if method, ok := n.(*ast.FuncDecl); ok && method.Recv != nil && method.Name.Name == "observation" {
			got = append(got, method.Recv.List[0].Type.(*ast.Ident).Name)
		}
		return true
	})
	slices.Sort(got)
	if diff := cmp.Diff([]string{"Counted", "Gap", "Mark", "Mode", "Seen", "Txn"}, got); diff != "" {
		t.Errorf("observations (-want +got):\n%s", diff)
	}
}
