package queries

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/grafana/dskit/user"
	"github.com/grafana/loki/v3/pkg/logproto"
	"github.com/grafana/loki/v3/pkg/logql"
	"github.com/grafana/loki/v3/pkg/logql/syntax"
	"github.com/grafana/loki/v3/pkg/logqlmodel"
	"github.com/prometheus/prometheus/promql/parser"
)

// What make pictures passes: records of a real auditor, and where to put the
// answers of the queries.
var (
	recordsFile = flag.String("records", "testdata/records.jsonl", "audit records to run the queries over")
	answersFile = flag.String("answers", "", "where to write the answers")
)

type query struct{ Name, Kind, Expr string }

// dashboardQueries are all queries of panels and annotations.
func dashboardQueries(t *testing.T) []query {
	t.Helper()
	files, err := filepath.Glob("../../../dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dashboards: %v", err)
	}
	var all []query
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		type source struct{ Type string }
		var board struct {
			UID    string
			Panels []struct {
				ID      int
				Title   string
				Targets []struct {
					RefID      string
					Datasource source
					Expr       string
				}
			}
			Annotations struct {
				List []struct {
					Name       string
					Datasource source
					Expr       string
				}
			}
		}
		if err := json.Unmarshal(text, &board); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, p := range board.Panels {
			for _, q := range p.Targets {
				all = append(all, query{board.UID + "/" + p.Title + "/" + q.RefID, q.Datasource.Type, q.Expr})
			}
		}
		for _, a := range board.Annotations.List {
			all = append(all, query{board.UID + "/annotation " + a.Name, a.Datasource.Type, a.Expr})
		}
	}
	return all
}

// interpolate does what Grafana does with variables that nobody has changed.
func interpolate(expr string) string {
	return strings.NewReplacer(
		"$__rate_interval", "1m", "$__range", "1h", "$__auto", "5s", "${stream:raw}", `job="zkwarden-audit"`,
		"${recorder:regex}", "", "${path:regex}", "", "${actor:regex}", "", "${op:pipe}", ".*",
		"$namespace", ".*", "$ensemble", ".*", "$instance", ".*",
	).Replace(expr)
}

var variable = regexp.MustCompile(`\$\{?[A-Za-z_]\w*`)

func TestPromQL(t *testing.T) {
	parse := parser.NewParser(parser.Options{})
	count := 0
	for _, q := range dashboardQueries(t) {
		if q.Kind != "prometheus" {
			continue
		}
		count++
		expr := interpolate(q.Expr)
		if left := variable.FindString(expr); left != "" {
			t.Errorf("%s: %s is not known", q.Name, left)
		}
		if _, err := parse.ParseExpr(expr); err != nil {
			t.Errorf("%s: %v\n%s", q.Name, err, expr)
		}
	}
	if count < 150 {
		t.Errorf("only %d queries", count)
	}
	if _, err := parse.ParseExpr("sum by (a) rate(b[1m]"); err == nil {
		t.Error("anything is PromQL")
	}
}

// The queries for Loki parse, and each of them finds something among records of
// every kind.
func TestLogQL(t *testing.T) {
	stream, begin, end := records(t, *recordsFile)
	engine := logql.NewEngine(logql.EngineOpts{}, logql.NewMockQuerier(0, []logproto.Stream{stream}), logql.NoLimits, nil)
	answers := map[string]json.RawMessage{}
	for _, q := range dashboardQueries(t) {
		if q.Kind != "loki" {
			continue
		}
		expr := interpolate(q.Expr)
		if _, err := syntax.ParseExpr(expr); err != nil {
			t.Errorf("%s: %v\n%s", q.Name, err, expr)
			continue
		}
		params, err := logql.NewLiteralParams(expr, begin, end, 5*time.Second, 0, logproto.BACKWARD, 500, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		result, err := engine.Query(params).Exec(user.InjectOrgID(t.Context(), "test"))
		if err != nil {
			t.Errorf("%s: %v\n%s", q.Name, err, expr)
			continue
		}
		answer, err := json.Marshal(result.Data)
		if err != nil {
			t.Fatal(err)
		}
		if empty(answer) {
			t.Errorf("%s finds nothing: %s", q.Name, expr)
		}
		answers[q.Name] = answer
		if streams, ok := result.Data.(logqlmodel.Streams); ok {
			parsed(t, q.Name, streams)
		}
	}
	if len(answers) < 7 {
		t.Errorf("only %d queries", len(answers))
	}
	if *answersFile == "" {
		return
	}
	text, err := json.Marshal(answers)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(*answersFile, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// parsed checks that no stage of a pipeline failed, which Loki tells by a label.
func parsed(t *testing.T, name string, streams logqlmodel.Streams) {
	t.Helper()
	for _, s := range streams {
		if strings.Contains(s.Labels, "__error__") {
			t.Errorf("%s: %s", name, s.Labels)
		}
	}
}

func empty(answer []byte) bool {
	return len(answer) == 0 || string(answer) == "null" || string(answer) == "[]"
}

// records are the lines of a file as Loki would hold them, and their time.
func records(t *testing.T, file string) (stream logproto.Stream, begin, end time.Time) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	stream.Labels = `{job="zkwarden-audit"}`
	for line := range strings.Lines(string(text)) {
		var record struct{ Observed time.Time }
		line = strings.TrimSuffix(line, "\n")
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		stream.Entries = append(stream.Entries, logproto.Entry{Timestamp: record.Observed, Line: line})
	}
	first, last := stream.Entries[0].Timestamp, stream.Entries[len(stream.Entries)-1].Timestamp
	return stream, first.Add(-time.Second), last.Add(time.Minute)
}
