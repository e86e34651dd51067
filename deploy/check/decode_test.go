package check

import (
	"errors"
	"strings"
	"testing"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

var errUnknownType = errors.New("no type is known for this apiVersion and kind")

// decode reads a manifest as the API server would, and refuses a field that
// its type does not have.
func decode(m manifest) (any, error) {
	var apiVersion struct {
		APIVersion string `json:"apiVersion"`
	}
	if err := yaml.Unmarshal(m.yaml, &apiVersion); err != nil {
		return nil, err
	}
	types := map[string]any{
		"v1/ConfigMap":                            &corev1.ConfigMap{},
		"v1/Namespace":                            &corev1.Namespace{},
		"v1/Service":                              &corev1.Service{},
		"v1/ServiceAccount":                       &corev1.ServiceAccount{},
		"apps/v1/Deployment":                      &appsv1.Deployment{},
		"apps/v1/StatefulSet":                     &appsv1.StatefulSet{},
		"networking.k8s.io/v1/NetworkPolicy":      &networkingv1.NetworkPolicy{},
		"policy/v1/PodDisruptionBudget":           &policyv1.PodDisruptionBudget{},
		"monitoring.coreos.com/v1/PodMonitor":     &monitoring.PodMonitor{},
		"monitoring.coreos.com/v1/ServiceMonitor": &monitoring.ServiceMonitor{},
		"monitoring.coreos.com/v1/Probe":          &monitoring.Probe{},
		"monitoring.coreos.com/v1/PrometheusRule": &monitoring.PrometheusRule{},
	}
	object, known := types[apiVersion.APIVersion+"/"+m.kind]
	if !known {
		return nil, errUnknownType
	}
	return object, yaml.UnmarshalStrict(m.yaml, object)
}

// TestStrict holds every manifest to the types of its API.
func TestStrict(t *testing.T) {
	kinds := map[string]int{}
	for _, m := range everything(t) {
		kinds[m.kind]++
		if _, err := decode(m); err != nil {
			t.Errorf("%s: %v", m, err)
		}
		if m.name == "" || len(m.name) > 63 {
			t.Errorf("%s: the name has %d characters", m, len(m.name))
		}
	}
	for _, kind := range []string{"ConfigMap", "StatefulSet", "Deployment", "NetworkPolicy", "PodMonitor", "ServiceMonitor", "Probe", "PrometheusRule", "PodDisruptionBudget"} {
		if kinds[kind] == 0 {
			t.Errorf("there is no %s, which this test is for", kind)
		}
	}
}

// TestStrictRefuses sees a misspelt field and a wrong type refused.
func TestStrictRefuses(t *testing.T) {
	for _, text := range []string{
		"apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: x}\nspec: {replica: 1}",
		"apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: http}]}",
		"apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {name: x}\nspec: {podMetricsEndpoint: []}",
	} {
		all := mustSplit(t, "test", []byte(text))
		if _, err := decode(all[0]); err == nil {
			t.Errorf("this was taken: %s", strings.ReplaceAll(text, "\n", "; "))
		}
	}
}
