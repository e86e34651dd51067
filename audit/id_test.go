package audit

import (
	"encoding/json"
	"os"
	"testing"
)

// TestIdentityVectors holds the ids to the published vectors, which were
// computed outside of this program. printf 'prod\0001\000/path...' | sha256sum |
// cut -c1-32 does the same.
func TestIdentityVectors(t *testing.T) {
	text, err := os.ReadFile("../docs/event-id.vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var published struct {
		Vectors []struct {
			Name string
			Identity
			Expected string `json:"id"`
		}
	}
	if err := json.Unmarshal(text, &published); err != nil {
		t.Fatal(err)
	}
	if len(published.Vectors) < 10 {
		t.Fatalf("%d vectors", len(published.Vectors))
	}
	for _, v := range published.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			if got := v.ID(); got != v.Expected {
				t.Errorf("ID() of %+v = %s, want %s", v.Identity, got, v.Expected)
			}
		})
	}
}

func TestSeqIDVectors(t *testing.T) {
	const chain = "0123456789abcdef0123456789abcdef"
	for name, test := range map[string]struct {
		event Event
		want  string
	}{
		"unknown incarnation": {Event{Ensemble: "prod", Seq: 42, Path: "/gone", Op: OpDeleted}, "38b96d6ead8eb5fb5eb95010260b0a1c"},
		"no change at all":    {Event{Ensemble: "prod", Seq: 1}, "61e1594a2b25d8370ffde8eaa407c110"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.event.SeqID(chain); got != test.want {
				t.Errorf("SeqID() = %s, want %s", got, test.want)
			}
		})
	}
}
