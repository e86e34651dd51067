package check

import (
	"encoding/json"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"sigs.k8s.io/yaml"
)

// servers returns the StatefulSet of the example.
func servers(t *testing.T) *appsv1.StatefulSet {
	t.Helper()
	for _, m := range mustSplit(t, "zookeeper.yaml", read(t, "../examples/zookeeper.yaml")) {
		if m.kind == "StatefulSet" {
			object, err := decode(m)
			if err != nil {
				t.Fatal(err)
			}
			return object.(*appsv1.StatefulSet)
		}
	}
	t.Fatal("the example has no StatefulSet")
	return nil
}

func manifestOf(t *testing.T, source string, set *appsv1.StatefulSet) []manifest {
	t.Helper()
	text, err := yaml.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return mustSplit(t, source, text)
}

// patched applies what a ConfigMap holds of patches to the servers of the
// example, as kubectl patch would.
func patched(t *testing.T, m manifest) []manifest {
	t.Helper()
	if m.kind != "ConfigMap" || !strings.HasSuffix(m.name, "-sidecar") {
		return nil
	}
	var patches corev1.ConfigMap
	if err := yaml.UnmarshalStrict(m.yaml, &patches); err != nil {
		t.Fatal(err)
	}
	var all []manifest
	for name, text := range patches.Data {
		all = append(all, manifestOf(t, m.source+" "+name, patch(t, servers(t), text))...)
	}
	return all
}

func patch(t *testing.T, set *appsv1.StatefulSet, text string) *appsv1.StatefulSet {
	t.Helper()
	if err := yaml.UnmarshalStrict([]byte(text), &appsv1.StatefulSet{}); err != nil {
		t.Fatalf("%v in the patch\n%s", err, text)
	}
	old, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	change, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	merged, err := strategicpatch.StrategicMergePatch(old, change, appsv1.StatefulSet{})
	if err != nil {
		t.Fatal(err)
	}
	var result appsv1.StatefulSet
	if err := json.Unmarshal(merged, &result); err != nil {
		t.Fatal(err)
	}
	return &result
}
