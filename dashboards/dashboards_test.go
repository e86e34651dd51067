package dashboards

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestLint(t *testing.T) {
	for file, text := range boards(t) {
		for _, finding := range lint(file, text, runbookOf(t)) {
			t.Errorf("%s: %s", file, finding)
		}
	}
}

// runbookOf returns where the alerts say that the runbook of an alert is, or nothing
// where there is no such alert or its runbook is no file.
func runbookOf(t testing.TB) func(alert string) string {
	t.Helper()
	rules, err := filepath.Glob("../deploy/prometheus/*.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	urls := map[string]string{}
	for _, file := range rules {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`runbook_url: (\S+/(\w+)\.md)`).FindAllSubmatch(text, -1) {
			if _, err := os.Stat("../docs/runbooks/" + string(m[2]) + ".md"); err == nil {
				urls[string(m[2])] = string(m[1])
			}
		}
	}
	if len(urls) < 20 {
		t.Fatalf("only %d alerts have a runbook", len(urls))
	}
	return func(alert string) string { return urls[alert] }
}

// Each rule finds what breaks it.
func TestLintFinds(t *testing.T) {
	for finding, change := range map[string][2]string{
		"uid ":                    {`"uid": "zkwarden-ensemble"`, `"uid": "other"`},
		"no title or description": {`"title": "ZooKeeper / Ensemble"`, `"title": ""`},
		"schemaVersion is 39":     {`"schemaVersion": 42`, `"schemaVersion": 39`},
		"editable":                {`"editable": false`, `"editable": true`},
		"no shared crosshair":     {`"graphTooltip": 1`, `"graphTooltip": 0`},
		"without the tag": {`"tags": [
    "zookeeper",
    "zkwarden"`, `"tags": [
    "zookeeper"`},
		"drops time or variables": {`"keepTime": true`, `"keepTime": false`},
		"no variable instance":    {`"name": "instance"`, `"name": "replica"`},
		"is not refreshed":        {`"refresh": 2`, `"refresh": 1`},
		"leaves out series":       {`"allValue": ".*"`, `"allValue": ".+"`},
		"no annotation Elections": {`"name": "Elections"`, `"name": "Choices"`},
		"is not its own":          {`"id": 3,`, `"id": 2,`},
		"lies on": {`"w": 4,
        "x": 4,`, `"w": 4,
        "x": 3,`},
		"is not on the grid":            {`"w": 24`, `"w": 25`},
		"type graph":                    {`"type": "stat"`, `"type": "graph"`},
		"what no data means":            {`"noValue": "`, `"noText": "`},
		"no unit":                       {`"unit": "percentunit"`, `"unit": ""`},
		"no thresholds":                 {`"title": "Voters serving"`, `"title": "Voters that serve"`},
		"out of order":                  {`"value": 0.95`, `"value": 0.5`},
		"no runbook is at":              {"${runbooks}/ZooKeeperQuorumLost.md", "${runbooks}/wiki.md"},
		"no runbook is at ${runbooks}":  {"zkwarden/blob/main/docs/runbooks", "zkwarden/wiki"},
		"leads to no dashboard":         {"/d/zkwarden-server?", "/d/zkwarden-servers?"},
		"drops ${__url_time_range}":     {"?${__url_time_range}&", "?"},
		"the datasource is no variable": {"${datasource}\"\n      },\n      \"gridPos\"", "P1809F7CD\"\n      },\n      \"gridPos\""},
		"other streams":                 {`{${stream:raw}} |=`, `{job=\"zk\"} |=`},
		"fixed interval [5m]":           {`[$__rate_interval]`, `[5m]`},
		"is not that of the chosen":     {`zookeeper_znodes{namespace=~\"$namespace\",ensemble=~\"$ensemble\"}`, `zookeeper_znodes`},
		"is shown as it is":             {`increase(zookeeper_looking_total{`, `abs(zookeeper_looking_total{`},
		"names its series after":        {`"legendFormat": "member {{member}}"`, `"legendFormat": ""`},
		"unknown variable $pod":         {`$instance`, `$pod`},
		"two queries are A":             {`"refId": "B"`, `"refId": "A"`},
		"two panels are called":         {`"title": "Leader"`, `"title": "Quorum"`},
		"asks nothing":                  {`"targets": [`, `"goals": [`},
	} {
		t.Run(finding, func(t *testing.T) {
			text := boards(t)["ensemble.json"]
			changed := bytes.Replace(text, []byte(change[0]), []byte(change[1]), 1)
			if bytes.Equal(text, changed) {
				t.Fatalf("nothing to change: %s", change[0])
			}
			findings := strings.Join(lint("ensemble.json", changed, runbookOf(t)), "\n")
			if !strings.Contains(findings, finding) {
				t.Errorf("not found; findings: %s", findings)
			}
		})
	}
}

// Every metric of a query is one that there is.
func TestMetricsExist(t *testing.T) {
	known := documented(t)
	names := regexp.MustCompile(`\b(zookeeper|zkwarden)_\w+`)
	seen := 0
	for file, text := range boards(t) {
		b, err := parseBoard(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, expr := range b.expressions() {
			for _, name := range names.FindAllString(expr, -1) {
				seen++
				if !known(name) {
					t.Errorf("%s: no metric %s", file, name)
				}
			}
		}
	}
	if seen < 200 {
		t.Errorf("only %d names were looked at", seen)
	}
	if known("zookeeper_no_such_metric") || known("zkwarden_no_such_metric") {
		t.Error("any name is accepted")
	}
}

func (b board) expressions() []string {
	var all []string
	for _, p := range b.Panels {
		for _, target := range p.Targets {
			if target.Datasource.Type == "prometheus" {
				all = append(all, target.Expr)
			}
		}
	}
	for _, a := range b.Annotations.List {
		if a.Datasource.Type == "prometheus" {
			all = append(all, a.Expr)
		}
	}
	for _, v := range b.Templating.List {
		if v.Type == "query" {
			all = append(all, string(v.Query))
		}
	}
	return all
}

// documented tells whether the reference, which is held to the code, has a metric.
func documented(t testing.TB) func(name string) bool {
	t.Helper()
	var reference strings.Builder
	for _, page := range []string{"metrics", "own-metrics"} {
		text, err := os.ReadFile("../docs/" + page + ".md")
		if err != nil {
			t.Fatal(err)
		}
		reference.Write(text)
	}
	return func(name string) bool {
		for _, suffix := range []string{"", "_sum", "_count", "_bucket"} {
			if base, ok := strings.CutSuffix(name, suffix); ok && strings.Contains(reference.String(), "| `"+base+"` |") {
				return true
			}
		}
		return false
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "dir")
	for range 2 { // The second time replaces the files.
		paths, err := Write(dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(paths) != len(boards(t)) {
			t.Errorf("wrote %v", paths)
		}
	}
	for name, want := range boards(t) {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s differs", name)
		}
	}
	if _, err := Write(filepath.Join(dir, "self.json")); err == nil {
		t.Error("no error about a directory that is a file")
	}
}
