package check

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

const readmeHead = `# zkwarden's Helm chart

Prometheus metrics and a tamper-evident audit trail for Apache ZooKeeper. [docs/deploy.md](../../../docs/deploy.md) tells which of its parts you need, and how to get the image.

| part | value | what it makes |
|---|---|---|
| auditor | ` + "`auditor.enabled`" + ` | a StatefulSet of one with a volume for the journal |
| sidecars | ` + "`sidecar.patches`" + ` | patches that add the exporter to the pods of your StatefulSet; a chart can't change another chart's pods. [../foreign](../foreign) has ready values for others' charts |
| central exporter | ` + "`central.enabled`" + ` | a Deployment that asks the members from outside, for ensembles whose pods nobody may touch |
| monitoring | ` + "`podMonitor`, `serviceMonitor`, `prometheusRule`, `dashboards`" + ` | what the Prometheus operator and Grafana's sidecar read |
| network | ` + "`networkPolicy`" + ` | who may speak to whom |

Charts that have this one as a dependency can include the sidecar: ` + "`zkwarden.sidecar.native`, `zkwarden.sidecar.container` and `zkwarden.sidecar.volumes`" + `, each called with ` + "`.Subcharts.zkwarden`" + `.

The files in [ci](ci) are examples of values, and are rendered by the tests.

## Values

`

// readme makes the chart's README.md of the comments in values.yaml.
func readme(t *testing.T) []byte {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal(read(t, chartDir+"/values.yaml"), &document); err != nil {
		t.Fatal(err)
	}
	text := strings.Builder{}
	text.WriteString("<!-- This file is made by the tests in deploy/check from values.yaml. -->\n" + readmeHead + "| value | default | meaning |\n|---|---|---|\n")
	for _, v := range leaves(t, "", document.Content[0]) {
		fmt.Fprintf(&text, "| `%s` | `%s` | %s |\n", v.path, strings.ReplaceAll(v.standard, "|", "\\|"), v.meaning)
	}
	text.WriteString("\n## Thresholds\n\n| name | default | alert |\n|---|---|---|\n")
	for _, path := range glob(t, "../prometheus/*.rules.yml") {
		for _, alert := range alertWithExpr.FindAllStringSubmatch(string(read(t, path)), -1) {
			for _, found := range threshold.FindAllStringSubmatch(alert[2], -1) {
				fmt.Fprintf(&text, "| `%s` | `%s` | %s |\n", found[2], found[1], alert[1])
			}
		}
	}
	return []byte(text.String())
}

var (
	// alertWithExpr finds the names and expressions of alerts.
	alertWithExpr = regexp.MustCompile(`(?s)- alert: (\w+)\n\s+expr:(.*?)\n\s+(?:for|keep_firing_for|labels):`)
	threshold     = regexp.MustCompile(`([0-9.]+) # threshold (\w+)`)
)

// value is one line of the table.
type value struct{ path, standard, meaning string }

// leaves are the values that have a comment with two dashes, which must be all
// but those that only hold others.
func leaves(t *testing.T, above string, mapping *yaml.Node) []value {
	t.Helper()
	var all []value
	for i := 0; i < len(mapping.Content); i += 2 {
		key, node := mapping.Content[i], mapping.Content[i+1]
		path := strings.TrimPrefix(above+"."+key.Value, ".")
		_, meaning, described := strings.Cut(key.HeadComment, "# -- ")
		switch {
		case described:
			all = append(all, value{path, compact(t, node), strings.ReplaceAll(meaning, "\n# ", " ")})
		case node.Kind == yaml.MappingNode && len(node.Content) > 0:
			all = append(all, leaves(t, path, node)...)
		default:
			t.Errorf("values.yaml: %s has no comment with two dashes", path)
		}
	}
	return all
}

func compact(t *testing.T, node *yaml.Node) string {
	t.Helper()
	var plain any
	if err := node.Decode(&plain); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(plain)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
