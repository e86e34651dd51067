package prometheus

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"zkwarden/internal/zktest"
)

// runbooks is where the links of the alerts begin.
const runbooks = "https://github.com/zkwarden/zkwarden/blob/main/docs/runbooks/"

// eachRule calls f for every shipped rule.
func eachRule(t *testing.T, f func(t *testing.T, r rule)) {
	t.Helper()
	for _, name := range shipped {
		for _, r := range loadRules(t, name).rules() {
			t.Run(r.Alert+r.Record, func(t *testing.T) { f(t, r) })
		}
	}
}

func TestAlertsAreWhole(t *testing.T) {
	recorded := regexp.MustCompile(`^[a-z]+:[a-z_]+:[a-z0-9]+$`)
	eachRule(t, func(t *testing.T, r rule) {
		if r.Record != "" {
			if !recorded.MatchString(r.Record) {
				t.Errorf("%s is not level:metric:operation", r.Record)
			}
			return
		}
		if severity := r.Labels["severity"]; !slices.Contains([]string{"critical", "warning", "info"}, severity) {
			t.Errorf("severity is %q", severity)
		}
		if want := runbooks + r.Alert + ".md"; r.Annotations["runbook_url"] != want {
			t.Errorf("runbook_url is %q, want %q", r.Annotations["runbook_url"], want)
		}
		if !strings.HasSuffix(r.Annotations["summary"], ".") {
			t.Errorf("summary is no sentence: %q", r.Annotations["summary"])
		}
		for _, part := range []string{"$value", "$labels.ensemble"} {
			if !strings.Contains(r.Annotations["description"], part) {
				t.Errorf("description lacks %s: %s", part, r.Annotations["description"])
			}
		}
	})
}

// A runbook has all that somebody needs at three in the morning, and each is of
// an alert and in the index.
func TestRunbooks(t *testing.T) {
	const dir = "../../docs/runbooks"
	index, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	alerts := []string{"README.md"}
	eachRule(t, func(t *testing.T, r rule) {
		if r.Alert == "" {
			return
		}
		alerts = append(alerts, r.Alert+".md")
		if row := fmt.Sprintf("\n| [%[1]s](%[1]s.md) | %s | %s |\n", r.Alert, r.Labels["severity"], r.Annotations["summary"]); !strings.Contains(string(index), row) {
			t.Errorf("the index of the runbooks lacks %s", row)
		}
		text, err := os.ReadFile(filepath.Join(dir, r.Alert+".md"))
		if err != nil {
			t.Fatal(err)
		}
		at := 0
		for _, heading := range []string{"# " + r.Alert, "## Meaning", "## Impact", "## How to see it", "## What to do"} {
			_, behind, ok := strings.Cut(string(text)[at:], heading+"\n\n")
			if !ok || strings.HasPrefix(behind, "#") && at > 0 {
				t.Errorf("no section %q in its place, or an empty one", heading)
			}
			at = len(text) - len(behind)
		}
		checkCommands(t, string(text))
		checkLinks(t, dir, string(text))
	})
	slices.Sort(alerts)
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range files {
		files[i] = filepath.Base(f)
	}
	if diff := cmp.Diff(alerts, files); diff != "" {
		t.Errorf("runbooks (-alerts +files):\n%s", diff)
	}
}

var (
	commandLine = regexp.MustCompile(`(?m)^\s*zkwarden (\w+)(.*)$`)
	flagOfLine  = regexp.MustCompile(`--[a-z][a-z.-]*`)
	link        = regexp.MustCompile(`\]\(([^)#]+)`)
)

// checkCommands sees to it that zkwarden has the commands and flags; its help is
// held to the code by the tests of package main.
func checkCommands(t *testing.T, text string) {
	t.Helper()
	for _, found := range commandLine.FindAllStringSubmatch(text, -1) {
		help, err := os.ReadFile(filepath.Join("..", "..", "testdata", "help-"+found[1]+".txt"))
		if err != nil {
			t.Errorf("zkwarden has no command %s: %v", found[1], err)
			continue
		}
		for _, flag := range flagOfLine.FindAllString(found[2], -1) {
			if !regexp.MustCompile(`\s` + regexp.QuoteMeta(flag) + `[\s=]`).Match(help) {
				t.Errorf("zkwarden %s has no flag %s", found[1], flag)
			}
		}
	}
}

func checkLinks(t *testing.T, dir, text string) {
	t.Helper()
	for _, found := range link.FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join(dir, found[1])); err != nil {
			t.Errorf("a link leads nowhere: %v", err)
		}
	}
}

// threshold is a number that a chart may put another in the place of.
var threshold = regexp.MustCompile(`(?m)([<>]=?) ([0-9.]+) # threshold (\w+)$`)

// Each threshold has one place, and README.md tells its name and number.
func TestThresholds(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `\\w+` \\| `\\w+` \\| [0-9.]+ \\|").FindAllString(string(readme), -1)
	var want []string
	names := map[string]bool{}
	for _, name := range shipped {
		for _, r := range loadRules(t, name).rules() {
			found := threshold.FindAllStringSubmatch(r.Expr, -1)
			if n := strings.Count(r.Expr, "#"); n != len(found) {
				t.Errorf("%s has %d comments, and %d that are a threshold", r.Alert+r.Record, n, len(found))
			}
			for _, f := range found {
				if names[f[3]] {
					t.Errorf("threshold %s is there twice", f[3])
				}
				names[f[3]] = true
				want = append(want, fmt.Sprintf("| `%s` | `%s` | %s |", f[3], r.Alert, f[2]))
			}
		}
	}
	if diff := cmp.Diff(want, rows); diff != "" {
		t.Errorf("table of thresholds in README.md (-rules +README):\n%s", diff)
	}
}

// The labels that tell ensembles apart are the same everywhere.
func TestEnsemblesAreToldApart(t *testing.T) {
	const apart = "cluster, namespace, ensemble, job"
	by := regexp.MustCompile(`\b(?:by|on|without|ignoring) \(([^)]*)\)`)
	eachRule(t, func(t *testing.T, r rule) {
		for _, found := range by.FindAllStringSubmatch(r.Expr, -1) {
			if found[1] != apart && !strings.HasPrefix(found[1], apart+", ") {
				t.Errorf("%s does not begin with (%s)", found[0], apart)
			}
		}
		if strings.Contains(r.Expr, "job=") || strings.Contains(r.Expr, "job=~") {
			t.Error("the name of a job is taken for granted")
		}
	})
}

var seriesName = regexp.MustCompile(`\b(zookeeper|zkwarden)_[a-z0-9_]+\b`)

// raw returns the metrics that an alert is made of in the end.
func raw(rules []rule, expr string) []string {
	names := map[string]bool{}
	for _, r := range rules {
		if r.Record != "" && strings.Contains(expr, r.Record) {
			for _, name := range raw(rules, r.Expr) {
				names[name] = true
			}
			expr = strings.ReplaceAll(expr, r.Record, "")
		}
	}
	for _, name := range seriesName.FindAllString(expr, -1) {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// Each alert fires in a scenario, and is silent in another one that shows what it
// looks at: silence without series is no proof.
func TestScenariosCoverAlerts(t *testing.T) {
	firing := regexp.MustCompile(`alertname="(\w+)"`)
	for _, name := range shipped {
		rules, tests := loadRules(t, name).rules(), loadScenarios(t, name).Tests
		fires, silent := map[string]bool{}, map[string]bool{}
		for _, s := range tests {
			fired, shown := map[string]bool{}, map[string]bool{}
			for _, in := range s.InputSeries {
				shown[seriesName.FindString(in.Series)] = true
			}
			for _, check := range s.Exprs {
				for _, sample := range check.Samples {
					fired[firing.FindStringSubmatch(sample.Labels)[1]] = true
				}
			}
			for _, r := range rules {
				switch {
				case r.Alert == "":
				case fired[r.Alert]:
					fires[r.Alert] = true
				case slices.ContainsFunc(raw(rules, r.Expr), func(name string) bool { return shown[name] }):
					silent[r.Alert] = true
				}
			}
		}
		for _, r := range rules {
			if r.Alert != "" && (!fires[r.Alert] || !silent[r.Alert]) {
				t.Errorf("%s fires in a scenario: %t, is silent in another one: %t", r.Alert, fires[r.Alert], silent[r.Alert])
			}
		}
	}
}

// Alertmanager takes the inhibition, and it names alerts and labels that exist.
func TestInhibition(t *testing.T) {
	const file = "alertmanager/inhibit.yml"
	command, err := zktest.PrometheusTool(t.Context(), "amtool", "check-config", file)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("amtool: %v\n%s", err, out)
	}
	var alerts []string
	eachRule(t, func(_ *testing.T, r rule) { alerts = append(alerts, r.Alert) })
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Inhibit []struct {
			Source []string `yaml:"source_matchers"`
			Target []string `yaml:"target_matchers"`
			Equal  []string `yaml:"equal"`
		} `yaml:"inhibit_rules"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	for _, inhibit := range config.Inhibit {
		if len(inhibit.Equal) < 3 {
			t.Errorf("%v inhibits alerts of other ensembles", inhibit.Source)
		}
		for _, matcher := range slices.Concat(inhibit.Source, inhibit.Target) {
			for _, name := range matched(matcher) {
				if !slices.Contains(alerts, name) {
					t.Errorf("there is no alert %s", name)
				}
			}
		}
	}
}

// matched returns the alerts that a matcher names, each written out.
func matched(matcher string) []string {
	value, ok := strings.CutPrefix(matcher, "alertname =")
	if !ok {
		return nil
	}
	value = strings.Trim(value, `~ "`)
	prefix, list, ok := strings.Cut(strings.TrimSuffix(value, ")"), "(")
	if !ok {
		return []string{value}
	}
	var names []string
	for name := range strings.SplitSeq(list, "|") {
		names = append(names, prefix+name)
	}
	return names
}
