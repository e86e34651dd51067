package dashboards

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// make pictures passes where to put what Prometheus answers.
var recordDir = flag.String("record", "", "directory for answers and audit records to make pictures of; nothing is recorded without it")

// TestRecord is no test, but the lab at work for the pictures: it keeps what
// Prometheus answers to every query, and the auditor's records.
func TestRecord(t *testing.T) {
	if *recordDir == "" {
		t.Skip("only for make pictures")
	}
	l := startLab(t)
	l.story(t, 50*time.Second)
	s := span{l.begin.Truncate(time.Second), time.Now().Truncate(time.Second), ".*"}
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
	if err := os.MkdirAll(*recordDir, 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(*recordDir, "prometheus.json"), string(text))
	records, err := os.ReadFile(l.records)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(*recordDir, "records.jsonl"), string(records))
}
