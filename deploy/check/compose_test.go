package check

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"gopkg.in/yaml.v3"
)

const composeDir = "../compose"

// project loads the quick start as docker compose does, strictly.
func project(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{composeDir + "/compose.yaml"}, cli.WithProfiles([]string{"*"}), cli.WithResolvedPaths(true))
	if err != nil {
		t.Fatal(err)
	}
	p, err := options.LoadProject(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestComposeFlags holds the quick start to flags of the binary, and to open
// ports to this machine alone.
func TestComposeFlags(t *testing.T) {
	flags, looked := knownFlags(t), 0
	for name, service := range project(t).Services {
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s: port %s is open to %q", name, port.Published, port.HostIP)
			}
		}
		if service.Image != "zkwarden:devel" {
			continue
		}
		looked++
		env := []string{}
		for variable := range service.Environment {
			env = append(env, variable)
		}
		for _, fault := range flags.faults(service.Command, env) {
			t.Errorf("%s: %s", name, fault)
		}
		if !service.ReadOnly || !slices.Equal(service.CapDrop, []string{"ALL"}) || service.MemLimit == 0 {
			t.Errorf("%s: its root can be written, or it has capabilities, or no limit of memory", name)
		}
	}
	if looked != 4 {
		t.Errorf("looked at %d services of zkwarden, want three sidecars and an auditor", looked)
	}
}

// TestComposeFiles holds what is mounted to exist, and the rules to be all.
func TestComposeFiles(t *testing.T) {
	mounted := map[string]bool{}
	for name, service := range project(t).Services {
		for _, volume := range service.Volumes {
			if volume.Type != types.VolumeTypeBind {
				continue
			}
			if _, err := os.Stat(volume.Source); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !volume.ReadOnly {
				t.Errorf("%s: %s can be written", name, volume.Source)
			}
			mounted[filepath.Base(volume.Source)] = true
		}
	}
	for _, path := range glob(t, "../prometheus/*.rules.yml") {
		if name := filepath.Base(path); name != "native-names.rules.yml" && !mounted[name] {
			t.Errorf("Prometheus does not read %s", name)
		}
	}
}

// TestComposeTargets holds what is scraped, and alerted to, to be services.
func TestComposeTargets(t *testing.T) {
	type targets []struct {
		Targets []string          `yaml:"targets"`
		Labels  map[string]string `yaml:"labels"`
	}
	var config struct {
		Alerting struct {
			Alertmanagers []struct {
				Static targets `yaml:"static_configs"`
			} `yaml:"alertmanagers"`
		} `yaml:"alerting"`
		Scrapes []struct {
			Static targets `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(read(t, composeDir+"/prometheus/prometheus.yml"), &config); err != nil {
		t.Fatal(err)
	}
	services, found := project(t).Services, map[string]bool{}
	look := func(all targets, labelled bool) {
		for _, group := range all {
			for _, target := range group.Targets {
				host, _, _ := strings.Cut(target, ":")
				if _, exists := services[host]; !exists {
					t.Errorf("there is no service for %s", target)
				}
				found[host] = true
			}
			if labelled && (group.Labels["ensemble"] != "demo" || group.Labels["namespace"] == "" || group.Labels["instance"] == "") {
				t.Errorf("%v has the labels %v, which alerts and dashboards go by", group.Targets, group.Labels)
			}
		}
	}
	for _, scrape := range config.Scrapes {
		look(scrape.Static, true)
	}
	for _, manager := range config.Alerting.Alertmanagers {
		look(manager.Static, false)
	}
	for name, service := range services {
		if service.Image == "zkwarden:devel" && !found[name] {
			t.Errorf("nobody scrapes %s", name)
		}
	}
}
