package check

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

var update = flag.Bool("update", false, "write the files that are made from others")

const madeHere = "# This file is made by the tests in deploy/check from the chart's template.\n"

// TestGenerated compares each file that is made from another with what it
// should be, and with -update writes it.
func TestGenerated(t *testing.T) {
	want := map[string][]byte{}
	copies(t, want, "../prometheus/*.yml", chartDir+"/files/rules")
	copies(t, want, "../../dashboards/*.json", chartDir+"/files/dashboards")
	settle(t, want) // What is rendered below contains these.

	want[chartDir+"/files/dashboards/kustomization.yaml"] = dashboardKustomization(want)
	want[chartDir+"/README.md"] = readme(t)
	want["../kustomize/monitoring/prometheusrules.yaml"] = ruleManifests(t)
	exporter := sidecar(t, "sidecar: {patches: true}\nauditor: {enabled: false}")
	for _, name := range []string{"native", "container"} {
		dir := map[string]string{"native": "component-native-sidecar", "container": "component-container"}[name]
		want["../kustomize/"+dir+"/sidecar.yaml"] = []byte(madeHere + "apiVersion: apps/v1\nkind: StatefulSet\nmetadata:\n  name: zookeeper\n" + exporter[name])
	}
	want["../helm/foreign/bitnami-values.yaml"] = fmt.Appendf(nil, bitnamiValues, madeHere, containers(t, exporter["native"], "initContainers", 0))
	want["../helm/foreign/pravega-zookeepercluster.yaml"] = fmt.Appendf(nil, pravegaCluster, madeHere, containers(t, exporter["container"], "containers", 2))
	settle(t, want)
	leftovers(t, want)
}

// settle compares what is wanted with what is there.
func settle(t *testing.T, want map[string][]byte) {
	t.Helper()
	for path, text := range want {
		got, err := os.ReadFile(path)
		if err == nil && bytes.Equal(got, text) {
			continue
		}
		if !*update {
			t.Errorf("%s is stale: run go test -run TestGenerated -update in deploy/check", path)
			continue
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// leftovers finds copies whose original is gone.
func leftovers(t *testing.T, want map[string][]byte) {
	t.Helper()
	for _, pattern := range []string{"/files/rules/*", "/files/dashboards/*"} {
		paths, err := filepath.Glob(chartDir + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if want[path] != nil {
				continue
			}
			if !*update {
				t.Errorf("%s is a copy of a file that is gone: remove it", path)
			} else if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// copies wants the files that match, and hold rules if they are YAML, in a
// directory of the chart: Helm reads nothing outside of it.
func copies(t *testing.T, want map[string][]byte, pattern, dir string) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text := read(t, path)
		var rules struct {
			Groups []any `yaml:"groups"`
		}
		if filepath.Ext(path) == ".yml" && (yaml.Unmarshal(text, &rules) != nil || rules.Groups == nil) {
			continue
		}
		want[filepath.Join(dir, filepath.Base(path))] = text
	}
}

// sidecar returns the texts of the ConfigMap with patches, by name.
func sidecar(t *testing.T, values string) map[string]string {
	t.Helper()
	for _, m := range chartManifests(t, "sidecar", parseValues(t, values)) {
		var patches struct {
			Data map[string]string `yaml:"data"`
		}
		if err := yaml.Unmarshal(m.yaml, &patches); err != nil {
			t.Fatal(err)
		}
		if m.name == "zk-zkwarden-sidecar" {
			return map[string]string{"native": patches.Data["native.yaml"], "container": patches.Data["container.yaml"]}
		}
	}
	t.Fatal("the chart makes no patches")
	return nil
}

// containers returns a list of containers of a patch, as text.
func containers(t *testing.T, patch, field string, blanks int) string {
	t.Helper()
	var document struct {
		Spec struct {
			Template struct {
				Spec map[string]yaml.Node
			}
		}
	}
	if err := yaml.Unmarshal([]byte(patch), &document); err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	if err := encoder.Encode(map[string]any{field: new(document.Spec.Template.Spec[field])}); err != nil {
		t.Fatal(err)
	}
	return indent(text.String(), blanks)
}

// dashboardKustomization makes a ConfigMap of each dashboard.
func dashboardKustomization(want map[string][]byte) []byte {
	var text strings.Builder
	text.WriteString(strings.Replace(madeHere, "the chart's template", "the names of the dashboards", 1) +
		"apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n" +
		"generatorOptions:\n  disableNameSuffixHash: true\n  labels: {grafana_dashboard: \"1\"}\n")
	list := ""
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if name, isJSON := strings.CutSuffix(filepath.Base(path), ".json"); isJSON {
			list += fmt.Sprintf("  - name: zkwarden-dashboard-%s\n    files: [%s.json]\n", name, name)
		}
	}
	if list != "" {
		text.WriteString("configMapGenerator:\n" + list)
	}
	return []byte(text.String())
}

// ruleManifests are the PrometheusRules as the chart makes them, without the
// marks of a release.
func ruleManifests(t *testing.T) []byte {
	t.Helper()
	text := []byte(strings.Replace(madeHere, "the chart's template", "the rules in deploy/prometheus", 1))
	values := parseValues(t, "prometheusRule: {enabled: true}\nauditor: {enabled: false}\nfullnameOverride: zkwarden")
	for _, m := range chartManifests(t, "rules", values) {
		if m.kind != "PrometheusRule" {
			continue
		}
		var object map[string]any
		if err := yaml.Unmarshal(m.yaml, &object); err != nil {
			t.Fatal(err)
		}
		object["metadata"] = map[string]any{"name": m.name}
		rule, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		text = append(append(text, "---\n"...), rule...)
	}
	return text
}
