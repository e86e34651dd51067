package check

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// pod is a pod template with what its containers are for.
type pod struct {
	spec   *corev1.PodSpec
	ours   []container
	others []corev1.Container // ZooKeeper's own.
}

// container is one of zkwarden, or of what helps it.
type container struct {
	*corev1.Container
	initial bool
}

// podOf finds the pod template of an object.
func podOf(object any) *pod {
	var spec *corev1.PodSpec
	switch o := object.(type) {
	case *appsv1.StatefulSet:
		spec = &o.Spec.Template.Spec
	case *appsv1.Deployment:
		spec = &o.Spec.Template.Spec
	default:
		return nil
	}
	p := &pod{spec: spec}
	sort := func(list []corev1.Container, initial bool) {
		for i := range list {
			if name := list[i].Name; name == "zkwarden" || name == "reloader" {
				p.ours = append(p.ours, container{&list[i], initial})
			} else {
				p.others = append(p.others, list[i])
			}
		}
	}
	sort(spec.InitContainers, true)
	sort(spec.Containers, false)
	return p
}

// beside reports whether the pod is one of ZooKeeper's.
func (p *pod) beside() bool { return len(p.others) > 0 }

// dangers lists what in a pod could cost an ensemble its quorum, or an
// attacker's zkwarden be worth having.
func (p *pod) dangers() (found []string) {
	add := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if p.spec.AutomountServiceAccountToken == nil || *p.spec.AutomountServiceAccountToken {
		add("the service account's token is mounted")
	}
	if p.spec.HostNetwork || p.spec.HostPID || p.spec.HostIPC {
		add("the pod shares namespaces of the host")
	}
	for _, v := range p.spec.Volumes {
		if v.HostPath != nil {
			add("volume %s is a path of the host", v.Name)
		}
	}
	for _, c := range p.ours {
		if p.beside() {
			found = append(found, c.besideDangers()...)
		}
		found = append(found, c.dangers()...)
		found = append(found, p.volumeDangers(c)...)
	}
	return found
}

// besideDangers are those that only a sidecar of ZooKeeper brings.
func (c container) besideDangers() (found []string) {
	if c.ReadinessProbe != nil {
		found = append(found, "a readiness probe can take the server out of DNS")
	}
	if c.StartupProbe != nil || c.Lifecycle != nil {
		found = append(found, "a startup probe or a hook delays the server's start")
	}
	if c.initial && (c.RestartPolicy == nil || *c.RestartPolicy != corev1.ContainerRestartPolicyAlways) {
		found = append(found, "an init container without restartPolicy never ends, so the server never starts")
	}
	return found
}

func (c container) dangers() (found []string) {
	add := func(format string, args ...any) { found = append(found, c.Name+": "+fmt.Sprintf(format, args...)) }
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		request, limit := c.Resources.Requests[name], c.Resources.Limits[name]
		if request.IsZero() || request.Cmp(limit) != 0 {
			add("%s: requests %s, limit %s: the pod is not of class Guaranteed", name, request.String(), limit.String())
		}
	}
	for _, port := range c.Ports {
		if port.HostPort != 0 {
			add("port %d of the host", port.HostPort)
		}
	}
	s := c.SecurityContext
	if s == nil {
		add("there is no security context")
		return found
	}
	for what, good := range map[string]bool{
		"may be root":            s.RunAsNonRoot != nil && *s.RunAsNonRoot && s.RunAsUser != nil && *s.RunAsUser > 0 && s.RunAsGroup != nil && *s.RunAsGroup > 0,
		"can write its root":     s.ReadOnlyRootFilesystem != nil && *s.ReadOnlyRootFilesystem,
		"can gain privileges":    s.AllowPrivilegeEscalation != nil && !*s.AllowPrivilegeEscalation && (s.Privileged == nil || !*s.Privileged),
		"has capabilities":       s.Capabilities != nil && slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) && len(s.Capabilities.Add) == 0,
		"has no seccomp profile": s.SeccompProfile != nil && s.SeccompProfile.Type == corev1.SeccompProfileTypeRuntimeDefault,
	} {
		if !good {
			add("%s", what)
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom != nil && e.ValueFrom.SecretKeyRef != nil {
			add("a secret is in the environment, which is not read again and shows in dumps")
		}
	}
	if c.Name == "zkwarden" {
		found = append(found, c.processDangers()...)
	}
	return found
}

// processDangers are about the process of zkwarden itself.
func (c container) processDangers() (found []string) {
	live := c.LivenessProbe
	switch {
	case live == nil:
		found = append(found, "there is no liveness probe")
	case live.HTTPGet != nil:
		if live.HTTPGet.Path != "/-/healthy" {
			found = append(found, "liveness asks "+live.HTTPGet.Path+", which is about more than the process")
		}
		if live.HTTPGet.Port.Type != intstr.Int {
			found = append(found, "liveness asks a named port")
		}
	case live.Exec == nil || slices.Contains(live.Exec.Command, "--ready") || len(live.Exec.Command) < 2 || live.Exec.Command[1] != "health":
		found = append(found, "liveness is not about the process alone")
	}
	limited := slices.ContainsFunc(c.Env, func(e corev1.EnvVar) bool {
		return e.Name == "GOMEMLIMIT" && e.ValueFrom != nil && e.ValueFrom.ResourceFieldRef != nil && e.ValueFrom.ResourceFieldRef.Resource == "limits.memory"
	})
	if !limited {
		found = append(found, "GOMEMLIMIT is not the memory limit")
	}
	return found
}

// volumeDangers are about volumes that are ZooKeeper's, too.
func (p *pod) volumeDangers(c container) (found []string) {
	for _, mount := range c.VolumeMounts {
		shared := slices.ContainsFunc(p.others, func(o corev1.Container) bool {
			return slices.ContainsFunc(o.VolumeMounts, func(m corev1.VolumeMount) bool { return m.Name == mount.Name })
		})
		if !shared {
			continue
		}
		if !mount.ReadOnly {
			found = append(found, "ZooKeeper's volume "+mount.Name+" can be written")
		}
		group := p.spec.SecurityContext
		if group == nil || group.FSGroup == nil || c.SecurityContext == nil || c.SecurityContext.RunAsGroup == nil || *group.FSGroup != *c.SecurityContext.RunAsGroup {
			found = append(found, "ZooKeeper's volume "+mount.Name+" is mounted for another group than its own")
		}
	}
	return found
}

// networkDangers are named ports, which native sidecars lack in Services and
// policies before Kubernetes 1.32, and policies that cut servers off.
func networkDangers(object any) (found []string) {
	switch o := object.(type) {
	case *corev1.Service:
		for _, port := range o.Spec.Ports {
			if port.TargetPort.Type != intstr.Int || port.TargetPort.IntVal == 0 {
				found = append(found, "port "+port.Name+" of the service has a name for a target")
			}
		}
	case *networkingv1.NetworkPolicy:
		open := map[int32]bool{}
		for _, rule := range o.Spec.Ingress {
			within := len(rule.From) == 0 || slices.ContainsFunc(rule.From, func(peer networkingv1.NetworkPolicyPeer) bool {
				return peer.PodSelector != nil && peer.NamespaceSelector == nil && fmt.Sprint(peer.PodSelector.MatchLabels) == fmt.Sprint(o.Spec.PodSelector.MatchLabels)
			})
			for _, port := range rule.Ports {
				if port.Port == nil || port.Port.Type != intstr.Int {
					found = append(found, "the policy names a port in words")
				} else if within {
					open[port.Port.IntVal] = true
				}
			}
		}
		if o.Spec.PodSelector.MatchLabels["app"] != "zookeeper" {
			break // Not about servers.
		}
		for _, port := range []int32{2181, 2888, 3888} {
			if !open[port] {
				found = append(found, fmt.Sprintf("the policy closes port %d between the servers", port))
			}
		}
	}
	return found
}

// TestSafeForQuorum holds everything that can be applied to the list.
func TestSafeForQuorum(t *testing.T) {
	beside, apart := 0, 0
	for _, m := range everything(t) {
		object, err := decode(m)
		if err != nil {
			t.Errorf("%s: %v", m, err)
			continue
		}
		for _, danger := range networkDangers(object) {
			t.Errorf("%s: %s", m, danger)
		}
		p := podOf(object)
		if p == nil {
			continue
		}
		for _, danger := range p.dangers() {
			t.Errorf("%s: %s", m, danger)
		}
		switch {
		case len(p.ours) > 0 && p.beside():
			beside++
		case len(p.ours) > 0:
			apart++
		case !strings.Contains(m.source, "component"):
			t.Errorf("%s: there is no zkwarden in the pod", m)
		}
	}
	if beside < 7 || apart < 5 {
		t.Errorf("looked at %d pods of ZooKeeper with a sidecar and at %d others, fewer than there are", beside, apart)
	}
}

// TestServersStayAsTheyAre holds a patch to add, and to change nothing.
func TestServersStayAsTheyAre(t *testing.T) {
	want := fmt.Sprint(servers(t).Spec.Template.Spec.Containers)
	for _, name := range []string{"native", "container"} {
		text := sidecar(t, "sidecar: {patches: true}\nauditor: {enabled: false}")[name]
		set := patch(t, servers(t), text)
		p := podOf(set)
		if got := fmt.Sprint(p.others); got != want {
			t.Errorf("%s: ZooKeeper's container is another:\n%s\nwant\n%s", name, got, want)
		}
		if len(p.ours) != 1 {
			t.Errorf("%s: %d containers of zkwarden", name, len(p.ours))
		}
		if got := len(set.Spec.VolumeClaimTemplates); got != 1 {
			t.Errorf("%s: %d volume claims, want the one of the data", name, got)
		}
	}
}
