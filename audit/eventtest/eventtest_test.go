package eventtest

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"zkwarden/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func published(t *testing.T) *Schema {
	t.Helper()
	s, err := Published()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMembers holds the schema to the type that is written.
func TestMembers(t *testing.T) {
	s := published(t)
	for definition, v := range map[string]any{"": audit.Event{}, "content": audit.Content{}, "acl": audit.ACL{}, "actor": audit.Actor{}} {
		var want []string
		if definition == "" {
			want = append(want, "hash") // The journal's own.
		}
		for _, field := range reflect.VisibleFields(reflect.TypeOf(v)) {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			want = append(want, name)
		}
		slices.Sort(want)
		if diff := cmp.Diff(want, s.Members(definition)); diff != "" {
			t.Errorf("members of %q (-type +schema):\n%s", definition, diff)
		}
	}
}

func TestValidate(t *testing.T) {
	const hash = "0000000000000000000000000000000000000000000000000000000000000000"
	whole := map[string]any{
		"schema": "zkwarden/v1", "seq": 1, "id": hash[:32], "kind": "change", "ensemble": "e", "recorder": "r",
		"observed": "2026-11-24T00:00:00.000Z", "prev": hash, "hash": hash,
		"source": "watch", "op": "created", "path": "/a", "exact": true, "zxid": "0x1",
		"after": map[string]any{"size": 1, "acl": []any{map[string]any{"perms": "cra", "scheme": "ip", "id": "::1"}}},
	}
	for name, test := range map[string]struct {
		member string
		value  any // Nil: the member is removed.
		want   string
	}{
		"valid":                   {"time", "2026-11-24T00:00:00.000Z", ""},
		"a member too many":       {"user", "x", "record: the member user is not in the schema"},
		"one too few":             {"id", nil, "record: id is missing"},
		"of a kind":               {"exact", nil, "record: exact is missing"},
		"no zxid and no bracket":  {"zxid", nil, "record: none of "},
		"a bracket":               {"zxid_after", "0x0", ""},
		"an unknown operation":    {"op", "moved", "record.op: moved is none of "},
		"a deletion for no cause": {"op", "deleted", "record: cause is missing"},
		"a number as a zxid":      {"zxid", 1, "record.zxid: 1 is no string"},
		"leading zeros":           {"zxid", "0x01", `record.zxid: "0x01" does not match`},
		"microseconds":            {"time", "2026-11-24T00:00:00.000000Z", `record.time: "2026-11-24T00:00:00.000000Z" does not match`},
		"half a version":          {"version", 1.5, "record.version: 1.5 is no integer"},
		"a version too large":     {"version", int64(1) << 31, "record.version: 2147483648 is beyond the maximum"},
		"collapsed nothing":       {"collapsed", 0, "record.collapsed: 0 is beyond the minimum"},
		"inside of a content":     {"after", map[string]any{"acl": []any{map[string]any{"perms": "xyz", "scheme": "ip", "id": ""}}}, `record.after.acl[0].perms: "xyz" does not match`},
		"data of no bytes":        {"after", map[string]any{"data": "", "encoding": "utf-8"}, ""},
		"null data":               {"after", map[string]any{"encoding": "null"}, ""},
		"data left out":           {"after", map[string]any{"encoding": "utf-8"}, "record.after: data is missing"},
		"data in no encoding":     {"after", map[string]any{"data": ""}, "record.after: encoding is missing"},
		"null data with text":     {"after", map[string]any{"data": "", "encoding": "null"}, "record.after.encoding: null is none of"},
		"another schema":          {"schema", "zkwarden/v2", "record.schema: zkwarden/v2 is not zkwarden/v1"},
		"a checkpoint of nothing": {"kind", "checkpoint", "record: unreadable is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			record := maps.Clone(whole)
			if record[test.member] = test.value; test.value == nil {
				delete(record, test.member)
			}
			text, err := json.Marshal(record)
			if err != nil {
				t.Fatal(err)
			}
			err = published(t).Validate(text)
			if got := ""; err != nil && (test.want == "" || !strings.HasPrefix(err.Error(), test.want)) || err == nil && test.want != got {
				t.Errorf("Validate() = %v, want %s", err, test.want)
			}
		})
	}
	odd := &Schema{root: map[string]any{"multipleOf": 2.0}}
	if err := odd.Validate([]byte("3")); err == nil {
		t.Error("a keyword that is not understood is ignored")
	}
	if err := odd.Validate([]byte("{")); err == nil {
		t.Error("half a record is valid")
	}
}
