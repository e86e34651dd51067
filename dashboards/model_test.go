package dashboards

import (
	"encoding/json"
	"io/fs"
	"testing"
)

// board is what the tests look at, read from the JSON and not from the
// description that it was made of.
type board struct {
	UID           string `json:"uid"`
	Title         string `json:"title"`
	Description   string `json:"description"`
	Tags          []string
	SchemaVersion int  `json:"schemaVersion"`
	Editable      bool `json:"editable"`
	GraphTooltip  int  `json:"graphTooltip"`
	Links         []boardLink
	Templating    struct{ List []boardVariable }
	Annotations   struct{ List []boardAnnotation }
	Panels        []boardPanel
}

type boardLink struct {
	Title, Type, URL      string
	IncludeVars, KeepTime bool
}

type boardSource struct{ Type, UID string }

type boardVariable struct {
	Name, Label, Description, Type, AllValue string
	Datasource                               *boardSource
	Query                                    json.RawMessage
	Refresh                                  int
	IncludeAll, Multi                        bool
}

type boardAnnotation struct {
	Name, Expr string
	Enable     bool
	Datasource boardSource
}

type boardPanel struct {
	ID                       int
	Type, Title, Description string
	Datasource               *boardSource
	GridPos                  struct{ H, W, X, Y int }
	Links                    []boardLink
	Targets                  []boardTarget
	FieldConfig              boardFields
	Options                  struct{ TextMode string }
}

type boardTarget struct {
	RefID, Expr, LegendFormat, Format string
	Instant, Range                    bool
	Datasource                        boardSource
}

type boardFields struct {
	Defaults struct {
		Unit, NoValue string
		Links         []boardLink
		Mappings      []json.RawMessage
		Thresholds    *boardThresholds
	}
	Overrides []struct {
		Properties []struct {
			ID    string
			Value json.RawMessage
		}
	}
}

func parseBoard(text []byte) (board, error) {
	var b board
	err := json.Unmarshal(text, &b)
	return b, err
}

// boards are the dashboards by the names of their files.
func boards(t testing.TB) map[string][]byte {
	t.Helper()
	names, err := fs.Glob(Files(), "*.json")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, name := range names {
		if all[name], err = fs.ReadFile(Files(), name); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != 5 {
		t.Fatalf("%d dashboards, want 5: %v", len(all), names)
	}
	return all
}

type boardThresholds struct {
	Steps []struct {
		Color string
		Value *float64
	}
}
