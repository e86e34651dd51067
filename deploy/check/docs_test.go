package check

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"
	"helm.sh/helm/v3/pkg/strvals"
	corev1 "k8s.io/api/core/v1"
)

var (
	// flagInText finds flags of zkwarden in prose: their names have a room and a dot.
	flagInText     = regexp.MustCompile(`--((?:zookeeper|ensemble|collector|metrics|probe|audit|sink|web|log)\.[a-z0-9.-]*[a-z0-9])`)
	variableInText = regexp.MustCompile(`ZKWARDEN_[A-Z_]+[A-Z]`)
)

// TestDocsFlagsExist holds all pages to flags and variables of the binary.
func TestDocsFlagsExist(t *testing.T) {
	flags, found := knownFlags(t), 0
	for _, path := range append(glob(t, "../../docs/*.md"), glob(t, "../../docs/runbooks/*.md")...) {
		text := string(read(t, path))
		for _, flag := range flagInText.FindAllStringSubmatch(text, -1) {
			found++
			if !flags[""][flag[1]] {
				t.Errorf("%s: there is no flag --%s", path, flag[1])
			}
		}
		for _, fault := range flags.faults(nil, variableInText.FindAllString(text, -1)) {
			if !strings.Contains(fault, "ZKWARDEN_CACHE") && !strings.Contains(fault, "ZKWARDEN_SEED") { // Those of make.
				t.Errorf("%s: %s", path, fault)
			}
		}
	}
	if found < 100 {
		t.Errorf("found %d flags, fewer than there are", found)
	}
}

// TestDocsInstall renders the chart with the values of the command in the docs.
func TestDocsInstall(t *testing.T) {
	_, command, found := strings.Cut(string(read(t, "../../docs/deploy.md")), "helm upgrade --install")
	if !found {
		t.Fatal("the page has no helm upgrade --install")
	}
	command, _, _ = strings.Cut(command, "```")
	values := map[string]any{}
	for _, set := range regexp.MustCompile(`--set '?([^'\s]+)'?`).FindAllStringSubmatch(command, -1) {
		if err := strvals.ParseInto(set[1], values); err != nil {
			t.Errorf("%s: %v", set[1], err)
		}
	}
	if len(values) < 6 {
		t.Errorf("the command sets %v, less than it should", values)
	}
	if _, err := render(values); err != nil {
		t.Error(err)
	}
}

// TestDocsValues renders the chart with the values that the docs show.
func TestDocsValues(t *testing.T) {
	shown := regexp.MustCompile("(?s)```yaml\n(sidecar:.*?)```").FindAllStringSubmatch(string(read(t, "../../docs/deploy.md")), -1)
	if len(shown) == 0 {
		t.Error("the page shows no values")
	}
	for _, values := range shown {
		text := sidecar(t, minimal+values[1])["native"]
		if !strings.Contains(text, "--audit.txnlog-dir=/zookeeper-log/") || !strings.Contains(text, "--audit.instance=zookeeper-0") {
			t.Errorf("these values make no sidecar that follows the log:\n%s\n%s", values[1], text)
		}
	}
}

// TestDashboardsAreWhole holds ConfigMaps of chart and kustomize to the very
// dashboards.
func TestDashboardsAreWhole(t *testing.T) {
	all := append(chartManifests(t, "chart", parseValues(t, minimal+"dashboards: {enabled: true}")), kustomize(t, "../kustomize/monitoring")...)
	seen := map[string]int{}
	for _, m := range all {
		if !strings.Contains(m.name, "-dashboard-") {
			continue
		}
		object, err := decode(m)
		if err != nil {
			t.Fatal(err)
		}
		if object.(*corev1.ConfigMap).Labels["grafana_dashboard"] != "1" {
			t.Errorf("%s: Grafana's sidecar does not look for it", m)
		}
		for name, text := range object.(*corev1.ConfigMap).Data {
			seen[name]++
			var got, want any
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Errorf("%s: %v", m, err)
			}
			if err := json.Unmarshal(read(t, "../../dashboards/"+name), &want); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s is another (-want +got):\n%s", m, diff)
			}
		}
	}
	for _, path := range glob(t, "../../dashboards/*.json") {
		if seen[filepath.Base(path)] != 2 {
			t.Errorf("%s is in %d of chart and kustomization", path, seen[filepath.Base(path)])
		}
	}
}

// TestComposeInhibits holds the quick start to the inhibition that is shipped.
func TestComposeInhibits(t *testing.T) {
	rules := func(path string) (part struct {
		Rules []any `yaml:"inhibit_rules"`
	},
	) {
		if err := yaml.NewDecoder(bytes.NewReader(read(t, path))).Decode(&part); err != nil {
			t.Fatal(err)
		}
		return part
	}
	want, got := rules("../prometheus/alertmanager/inhibit.yml"), rules(composeDir+"/alertmanager/alertmanager.yml")
	if diff := cmp.Diff(want, got); diff != "" || len(want.Rules) == 0 {
		t.Errorf("the quick start inhibits otherwise (-want +got):\n%s", diff)
	}
}
