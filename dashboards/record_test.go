package dashboards

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// make pictures passes where to put what Prometheus answers.
var recordDir = flag.String("record", "", "directory for the answers and audit records to make pictures of")

// record keeps what Prometheus answers to every query, and the auditor's
// records.
func (l *lab) record(t *testing.T, s span, dir string) {
	t.Helper()
	leader, err := l.ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string]json.RawMessage{}
	for file, text := range boards(t) {
		b, err := parseBoard(text)
		if err != nil {
			t.Fatal(err)
		}
		s.instance = ".*"
		if b.UID == "zkwarden-server" { // It shows one of them.
			s.instance = fmt.Sprintf("zk-%d", leader.ID())
		}
		for _, q := range b.queries() {
			if answers[b.UID+"/"+q.name], err = get(t.Context(), s.query(l.prometheus, q.expr, q.instant)); err != nil {
				t.Fatalf("%s: %s: %v", file, q.name, err)
			}
		}
	}
	text, err := json.Marshal(map[string]any{"begin": s.begin.UnixMilli(), "end": s.end.UnixMilli(), "answers": answers})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "prometheus.json"), string(text))
	records, err := os.ReadFile(l.records)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "records.jsonl"), string(records))
}
