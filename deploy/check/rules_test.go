package check

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

// alerts renders the rules with values and returns the alerts by name.
func alerts(t *testing.T, values string) map[string]monitoring.Rule {
	t.Helper()
	all := map[string]monitoring.Rule{}
	for _, m := range chartManifests(t, values, parseValues(t, "auditor: {enabled: false}\n"+values)) {
		if m.kind != "PrometheusRule" {
			continue
		}
		object, err := decode(m)
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range object.(*monitoring.PrometheusRule).Spec.Groups {
			for _, rule := range group.Rules {
				if rule.Alert != "" {
					all[rule.Alert] = rule
				}
			}
		}
	}
	return all
}

// TestRulesAreThoseThatAreTested holds the rendered rules to the very ones that
// promtool tests.
func TestRulesAreThoseThatAreTested(t *testing.T) {
	rendered := map[string][]monitoring.RuleGroup{}
	for _, m := range chartManifests(t, "rules", parseValues(t, "auditor: {enabled: false}\nfullnameOverride: x\nprometheusRule: {enabled: true, nativeNames: true}")) {
		object, err := decode(m)
		if err != nil {
			t.Fatal(err)
		}
		if rule, isRule := object.(*monitoring.PrometheusRule); isRule {
			rendered[strings.TrimPrefix(m.name, "x-")] = rule.Spec.Groups
		}
	}
	for _, path := range glob(t, "../prometheus/*.rules.yml") {
		var want monitoring.PrometheusRuleSpec
		if err := yaml.UnmarshalStrict(read(t, path), &want); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		name := strings.TrimSuffix(path[strings.LastIndex(path, "/")+1:], ".rules.yml")
		if diff := cmp.Diff(want.Groups, rendered[name]); diff != "" {
			t.Errorf("%s is rendered as another (-want +got):\n%s", path, diff)
		}
	}
}

// TestAlertsCanBeChanged holds the values to do what they say.
func TestAlertsCanBeChanged(t *testing.T) {
	before := alerts(t, "prometheusRule: {enabled: true}")
	after := alerts(t, `prometheusRule:
  enabled: true
  alertLabels: {team: platform}
  runbookUrlBase: https://runbooks.example/zk/
  thresholds: {fsyncSeconds: 0.25, zxidRolloverTransactions: 5000000}
  alerts:
    ZooKeeperOutstandingRequestsHigh: {enabled: false}
    ZooKeeperConnectionsRejected: {expr: vector(1), for: 7m, labels: {severity: info}, annotations: {summary: S}}
`)
	if len(before) < 15 || len(after) != len(before)-1 {
		t.Errorf("%d alerts became %d, want one fewer", len(before), len(after))
	}
	if got := after["ZooKeeperFsyncSlow"].Expr.StrVal; !strings.Contains(got, "> 0.25 # threshold") {
		t.Errorf("the threshold is not in %s", got)
	}
	if got := after["ZooKeeperZxidRolloverNear"].Expr.StrVal; !strings.Contains(got, "< 5e+06 # threshold") {
		t.Errorf("the threshold is not in %s", got)
	}
	rejected := after["ZooKeeperConnectionsRejected"]
	if rejected.Expr.StrVal != "vector(1)" || string(*rejected.For) != "7m" || rejected.Labels["severity"] != "info" || rejected.Annotations["summary"] != "S" {
		t.Errorf("this alert is not as the values say: %+v", rejected)
	}
	for name, rule := range after {
		if rule.Labels["team"] != "platform" || rule.Labels["severity"] == "" {
			t.Errorf("%s has the labels %v", name, rule.Labels)
		}
		if want := "https://runbooks.example/zk/" + name + ".md"; rule.Annotations["runbook_url"] != want {
			t.Errorf("%s has the runbook %s, want %s", name, rule.Annotations["runbook_url"], want)
		}
	}
	for values, want := range map[string]string{
		"thresholds: {fsync: 1}":            "no rule has such a threshold",
		"alerts: {Fsync: {enabled: false}}": "no rule has this name",
	} {
		_, err := render(parseValues(t, "auditor: {enabled: false}\nprometheusRule: {enabled: true, "+values+"}"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", values, err, want)
		}
	}
}
