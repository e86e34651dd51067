package check

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// bitnamiValues are ready values for Bitnami's chart zookeeper.
const bitnamiValues = `# Values for Bitnami's chart zookeeper that add the exporter beside each server:
#
#   helm upgrade --install zookeeper bitnami/zookeeper -f bitnami-values.yaml
#
%s
# What the exporter asks, beside what the chart allows by default.
fourlwCommandsWhitelist: mntr, srvr, ruok, conf, isro, wchs, dirs, envi

automountServiceAccountToken: false

# The chart's policy closes every port that it does not know.
networkPolicy:
  extraIngress:
    - ports:
        - {protocol: TCP, port: 9141}

# A native sidecar, Kubernetes 1.29 or newer. Before that, put it into sidecars
# without restartPolicy.
%s
`

// pravegaCluster is a custom resource of Pravega's operator.
const pravegaCluster = `# A cluster of Pravega's ZooKeeper operator with the exporter beside each server.
# As a container like any other: the operator's resource knows no restartPolicy
# of init containers and drops it, and without it ZooKeeper would never start.
#
%s
apiVersion: zookeeper.pravega.io/v1beta1
kind: ZookeeperCluster
metadata:
  name: zookeeper
spec:
  replicas: 3
  config:
    additionalConfig:
      4lw.commands.whitelist: mntr,srvr,ruok,cons,conf,isro,wchs,dirs,envi
%s
`

// foreign are the servers of other charts with a sidecar, as far as it is
// given by files of ours.
func foreign(t *testing.T) []manifest {
	t.Helper()
	var bitnami struct {
		InitContainers []corev1.Container `json:"initContainers"`
	}
	var pravega struct {
		Spec struct {
			Containers []corev1.Container `json:"containers"`
		} `json:"spec"`
	}
	for path, into := range map[string]any{"bitnami-values.yaml": &bitnami, "pravega-zookeepercluster.yaml": &pravega} {
		if err := yaml.Unmarshal(read(t, "../helm/foreign/"+path), into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	one, other := servers(t), servers(t)
	one.Spec.Template.Spec.InitContainers = bitnami.InitContainers
	other.Spec.Template.Spec.Containers = append(other.Spec.Template.Spec.Containers, pravega.Spec.Containers...)
	return append(manifestOf(t, "bitnami-values.yaml", one), manifestOf(t, "pravega-zookeepercluster.yaml", other)...)
}
