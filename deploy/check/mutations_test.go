package check

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// TestDangersAreFound breaks a safe pod in each way that the list names, and
// sees it found.
func TestDangersAreFound(t *testing.T) {
	text := sidecar(t, "ensemble: {name: p}\nauditor: {enabled: false, paths: [/]}\nsidecar: {patches: true, dataVolume: data, runAsGroup: 1000, audit: {enabled: true}}")["native"]
	yes, root := true, int64(0)
	for name, test := range map[string]struct {
		breaks func(*corev1.PodSpec, *corev1.Container)
		want   string
	}{
		"nothing":       {func(*corev1.PodSpec, *corev1.Container) {}, ""},
		"readiness":     {func(_ *corev1.PodSpec, c *corev1.Container) { c.ReadinessProbe = c.LivenessProbe }, "out of DNS"},
		"startup":       {func(_ *corev1.PodSpec, c *corev1.Container) { c.StartupProbe = c.LivenessProbe }, "delays"},
		"hook":          {func(_ *corev1.PodSpec, c *corev1.Container) { c.Lifecycle = &corev1.Lifecycle{} }, "delays"},
		"restartPolicy": {func(_ *corev1.PodSpec, c *corev1.Container) { c.RestartPolicy = nil }, "never starts"},
		"no liveness":   {func(_ *corev1.PodSpec, c *corev1.Container) { c.LivenessProbe = nil }, "no liveness"},
		"ready":         {func(_ *corev1.PodSpec, c *corev1.Container) { c.LivenessProbe.HTTPGet.Path = "/-/ready" }, "more than the process"},
		"named port": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.LivenessProbe.HTTPGet.Port = intstr.FromString("zkwarden")
		}, "named port"},
		"exec ready": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.LivenessProbe.ProbeHandler = corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/zkwarden", "health", "--ready"}}}
		}, "not about the process alone"},
		"limit":         {func(_ *corev1.PodSpec, c *corev1.Container) { c.Resources.Limits["cpu"] = resource.MustParse("1") }, "Guaranteed"},
		"request":       {func(_ *corev1.PodSpec, c *corev1.Container) { delete(c.Resources.Requests, "memory") }, "Guaranteed"},
		"GOMEMLIMIT":    {func(_ *corev1.PodSpec, c *corev1.Container) { c.Env = nil }, "GOMEMLIMIT"},
		"root":          {func(_ *corev1.PodSpec, c *corev1.Container) { c.SecurityContext.RunAsUser = &root }, "root"},
		"writable root": {func(_ *corev1.PodSpec, c *corev1.Container) { c.SecurityContext.ReadOnlyRootFilesystem = nil }, "write its root"},
		"escalation":    {func(_ *corev1.PodSpec, c *corev1.Container) { c.SecurityContext.AllowPrivilegeEscalation = &yes }, "privileges"},
		"privileged":    {func(_ *corev1.PodSpec, c *corev1.Container) { c.SecurityContext.Privileged = &yes }, "privileges"},
		"capability": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.SecurityContext.Capabilities.Add = []corev1.Capability{"SYS_PTRACE"}
		}, "capabilities"},
		"seccomp":      {func(_ *corev1.PodSpec, c *corev1.Container) { c.SecurityContext.SeccompProfile = nil }, "seccomp"},
		"no context":   {func(_ *corev1.PodSpec, c *corev1.Container) { c.SecurityContext = nil }, "no security context"},
		"token":        {func(s *corev1.PodSpec, _ *corev1.Container) { s.AutomountServiceAccountToken = nil }, "token"},
		"host network": {func(s *corev1.PodSpec, _ *corev1.Container) { s.HostNetwork = true }, "host"},
		"host path": {func(s *corev1.PodSpec, _ *corev1.Container) {
			s.Volumes[0].HostPath = &corev1.HostPathVolumeSource{Path: "/"}
		}, "path of the host"},
		"host port":     {func(_ *corev1.PodSpec, c *corev1.Container) { c.Ports[0].HostPort = 9141 }, "port 9141 of the host"},
		"writable data": {func(_ *corev1.PodSpec, c *corev1.Container) { c.VolumeMounts[0].ReadOnly = false }, "can be written"},
		"another group": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.SecurityContext.RunAsGroup = c.SecurityContext.RunAsUser
		}, "another group"},
		"secret in env": {func(_ *corev1.PodSpec, c *corev1.Container) {
			c.Env = append(c.Env, corev1.EnvVar{Name: "X", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{}}})
		}, "environment"},
	} {
		set := patch(t, servers(t), text)
		p := podOf(set)
		test.breaks(p.spec, p.ours[0].Container)
		found := strings.Join(podOf(set).dangers(), "; ")
		if test.want == "" && found != "" || !strings.Contains(found, test.want) {
			t.Errorf("%s: found %q, want %q", name, found, test.want)
		}
	}
}

// TestNetworkDangersAreFound does the same for services and policies.
func TestNetworkDangersAreFound(t *testing.T) {
	policy := func(text string) any {
		var p networkingv1.NetworkPolicy
		if err := yaml.UnmarshalStrict([]byte(text), &p); err != nil {
			t.Fatal(err)
		}
		return &p
	}
	const servers = "spec: {podSelector: {matchLabels: {app: zookeeper}}, ingress: [{from: [{podSelector: {matchLabels: {app: %s}}}], ports: [{port: 2181}, {port: 3888}, {port: %s}]}]}"
	for name, test := range map[string]struct {
		object any
		want   string
	}{
		"open":           {policy(strings.NewReplacer("app: %s", "app: zookeeper", "%s", "2888").Replace(servers)), ""},
		"peer port":      {policy(strings.NewReplacer("app: %s", "app: zookeeper", "%s", "9141").Replace(servers)), "closes port 2888"},
		"others":         {policy(strings.NewReplacer("app: %s", "app: kafka", "%s", "2888").Replace(servers)), "closes port 2181"},
		"named":          {policy(strings.NewReplacer("app: %s", "app: zookeeper", "%s", "peer").Replace(servers)), "in words"},
		"service":        {&corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{{TargetPort: intstr.FromString("zkwarden")}}}}, "name for a target"},
		"not its matter": {&appsv1.Deployment{}, ""},
	} {
		found := strings.Join(networkDangers(test.object), "; ")
		if test.want == "" && found != "" || !strings.Contains(found, test.want) {
			t.Errorf("%s: found %q, want %q", name, found, test.want)
		}
	}
}
