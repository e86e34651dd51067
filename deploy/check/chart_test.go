package check

import (
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/lint/support"
	"sigs.k8s.io/yaml"
)

// TestLint is helm lint with the defaults and with every file of values.
func TestLint(t *testing.T) {
	for _, path := range append(ciValues(t), chartDir+"/values.yaml") {
		result := lint.All(chartDir, readValues(t, path), "kafka", true)
		for _, message := range result.Messages {
			if message.Severity > support.InfoSev {
				t.Errorf("%s: %v", filepath.Base(path), message)
			}
		}
	}
}

const minimal = "ensemble: {name: prod, addresses: [\"zk:2181\"]}\nauditor: {paths: [/]}\n"

// TestRefusals holds the chart to say what is missing, and the schema to find
// what is misspelt.
func TestRefusals(t *testing.T) {
	if _, err := render(parseValues(t, minimal)); err != nil {
		t.Fatalf("the values that all others are made of: %v", err)
	}
	for values, want := range map[string]string{
		"{}": "ensemble.addresses is needed",
		"ensemble: {addresses: [\"zk:2181\"]}\nauditor: {paths: [/]}":                                          "ensemble.name is needed",
		"ensemble: {name: p, addresses: [\"zk:2181\"]}":                                                        "auditor.paths or auditor.policy is needed",
		minimal + "auditors: {}":                                                                               "auditors",
		"ensemble: {name: p, addresses: [zk]}":                                                                 "addresses",
		"ensemble: {name: p, addresses: [\"zk:2181\"], members: [\"zk:2181\"]}":                                "members",
		minimal + "log: {level: loud}":                                                                         "level",
		minimal + "sidecar: {resources: {requests: {cpu: 1, memory: 1Gi}}}\npodMonitor: {interval: often}":     "interval",
		minimal + "networkPolicy: {enabled: true, zookeeper: {enabled: true}}":                                 "networkPolicy.zookeeper.matchLabels is needed",
		"ensemble: {name: p, addresses: [\"zk:2181\"]}\nauditor: {paths: [/], policy: {existingConfigMap: x}}": "alternatives",
		minimal + "prometheusRule: {alerts: {X: {fore: 1m}}}":                                                  "fore",
		minimal + "web: {configSecret: w}\n" + "sidecar: {patches: true, audit: {enabled: true, instance: 7}}": "instance",
	} {
		_, err := render(parseValues(t, values))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("values %q: got %v, want an error with %q", values, err, want)
		}
	}
}

// TestNotes holds NOTES.txt to warn of what goes wrong most.
func TestNotes(t *testing.T) {
	for _, test := range []struct{ values, want, never string }{
		{minimal, "Nothing scrapes yet", "MIND"},
		{minimal + "podMonitor: {enabled: true}", "MIND: podMonitor.additionalLabels is empty", "MIND: prometheusRule"},
		{minimal + "podMonitor: {enabled: true, additionalLabels: {release: p}, sidecar: {matchLabels: {app: zk}}}", "release: NAME-OF-ITS-RELEASE", "MIND"},
		{"ensemble: {name: p, addresses: [\"zk:2181\"]}\nauditor: {paths: [/], persistence: {enabled: false}}", "The journal dies with the pod", "kubectl patch"},
		{"auditor: {enabled: false}\nsidecar: {patches: true}", `-o go-template='{{index .data "native.yaml"}}'`, "auditor-0"},
	} {
		files, err := render(parseValues(t, test.values))
		if err != nil {
			t.Errorf("values %q: %v", test.values, err)
			continue
		}
		notes := files["zkwarden/templates/NOTES.txt"]
		if !strings.Contains(notes, test.want) || strings.Contains(notes, test.never) {
			t.Errorf("values %q: the notes should have %q and not %q:\n%s", test.values, test.want, test.never, notes)
		}
	}
}

// TestSchemaCovers holds the schema to close every map of values, so that a
// misspelt value is found wherever it stands.
func TestSchemaCovers(t *testing.T) {
	var schema map[string]any
	if err := yaml.Unmarshal(read(t, chartDir+"/values.schema.json"), &schema); err != nil {
		t.Fatal(err)
	}
	values := readValues(t, chartDir+"/values.yaml")
	covers(t, "", schema, values)
}

func covers(t *testing.T, path string, schema, values map[string]any) {
	t.Helper()
	properties, _ := schema["properties"].(map[string]any)
	if properties == nil {
		return // A map whose keys are the user's.
	}
	if schema["additionalProperties"] != false && schema["$ref"] == nil {
		t.Errorf("values.schema.json: %q takes any key", path)
	}
	for key := range properties {
		if _, known := values[key]; !known && key != "global" {
			t.Errorf("values.schema.json: values.yaml has no %s.%s", path, key)
		}
	}
	for key, v := range values {
		below, _ := properties[key].(map[string]any)
		if below == nil {
			t.Errorf("values.schema.json lacks %s.%s", path, key)
			continue
		}
		if inner, isMap := v.(map[string]any); isMap {
			covers(t, path+"."+key, below, inner)
		}
	}
}
