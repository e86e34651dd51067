package prometheus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// shipped are the files of alerts; each has scenarios of the same name in tests/.
var shipped = []string{"ensemble", "server", "audit"}

// rule is an alert or a recording rule, as Prometheus reads it.
type rule struct {
	Alert         string            `yaml:"alert,omitempty"`
	Record        string            `yaml:"record,omitempty"`
	Expr          string            `yaml:"expr"`
	For           string            `yaml:"for,omitempty"`
	KeepFiringFor string            `yaml:"keep_firing_for,omitempty"`
	Labels        map[string]string `yaml:"labels,omitempty"`
	Annotations   map[string]string `yaml:"annotations,omitempty"`
}

type group struct {
	Name  string `yaml:"name"`
	Rules []rule `yaml:"rules"`
}

type ruleFile struct {
	Groups []group `yaml:"groups"`
}

// rules returns all rules of the file in their order.
func (f ruleFile) rules() []rule {
	var all []rule
	for _, g := range f.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// scenarios is a file of promtool test rules.
type scenarios struct {
	RuleFiles          []string   `yaml:"rule_files"`
	EvaluationInterval string     `yaml:"evaluation_interval"`
	Tests              []scenario `yaml:"tests"`
}

type scenario struct {
	Name        string      `yaml:"name"`
	Interval    string      `yaml:"interval"`
	InputSeries []input     `yaml:"input_series"`
	Exprs       []exprTest  `yaml:"promql_expr_test"`
	Alerts      []yaml.Node `yaml:"alert_rule_test,omitempty"`
}

type input struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type exprTest struct {
	Expr     string   `yaml:"expr"`
	EvalTime string   `yaml:"eval_time"`
	Samples  []sample `yaml:"exp_samples"`
}

type sample struct {
	Labels string  `yaml:"labels"`
	Value  float64 `yaml:"value"`
}

func loadRules(t *testing.T, name string) ruleFile {
	t.Helper()
	return load[ruleFile](t, name+".rules.yml")
}

func loadScenarios(t *testing.T, name string) scenarios {
	t.Helper()
	return load[scenarios](t, filepath.Join("tests", name+".yml"))
}

func load[T any](t *testing.T, file string) T {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var loaded T
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	decoder.KnownFields(true)
	if err := decoder.Decode(&loaded); err != nil {
		t.Fatalf("read %s: %v", file, err)
	}
	return loaded
}

// save writes what promtool is to read.
func save(t *testing.T, file string, content any) {
	t.Helper()
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
