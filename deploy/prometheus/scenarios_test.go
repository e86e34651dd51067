package prometheus

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write tests/ensemble.yml instead of comparing with it")

const scenariosHead = `# What the alerts on ensembles do in the ways that an ensemble can fail, and in those
# that look like it. Each scenario says which alerts fire at a time, and so that no
# other one does.
#   promtool test rules deploy/prometheus/tests/ensemble.yml
#
# This file is made from scenarios_test.go and what it simulates by
#   go test ./deploy/prometheus -run TestScenarios -update
`

const (
	lost     = "ZooKeeperQuorumLost"
	risk     = "ZooKeeperQuorumAtRisk"
	noLeader = "ZooKeeperNoLeader"
	missing  = "ZooKeeperMemberDown"
	unsynced = "ZooKeeperFollowersNotSynced"
	lagging  = "ZooKeeperMemberLagging"
	two      = "ZooKeeperMultipleLeaders"
	epochs   = "ZooKeeperEpochsDisagree"
	flapping = "ZooKeeperElectionsFlapping"
	voters   = "ZooKeeperVotersDisagree"
	versions = "ZooKeeperVersionsDisagree"
)

// told is a scenario as it is written down here.
type told struct {
	name      string
	ensembles []*simulated
	checks    []exprTest
	change    func(*input) // Of any series, for what no simulation does; nil: none.
}

// at says which alerts fire at a time: "NAME", with "*3" for so many series of it,
// and with "@test" for another ensemble than prod.
func at(time string, firing ...string) exprTest {
	check := exprTest{Expr: `count by (alertname, ensemble) (ALERTS{alertstate="firing"})`, EvalTime: time, Samples: []sample{}}
	for _, f := range firing {
		name, times, many := strings.Cut(f, "*")
		n := 1.0
		if many {
			n, _ = strconv.ParseFloat(times, 64)
		}
		name, ensemble, named := strings.Cut(name, "@")
		if !named {
			ensemble = "prod"
		}
		labels := fmt.Sprintf("{alertname=%q, ensemble=%q}", name, ensemble)
		if ensemble == "" {
			labels = fmt.Sprintf("{alertname=%q}", name)
		}
		check.Samples = append(check.Samples, sample{labels, n})
	}
	return check
}

// quiet says that nothing fires at these times.
func quiet(times ...string) []exprTest {
	var all []exprTest
	for _, time := range times {
		all = append(all, at(time))
	}
	return all
}

func labelled(ensemble string) map[string]string {
	return map[string]string{"job": "zookeeper", "namespace": "kafka", "ensemble": ensemble}
}

// prod is an ensemble of three that is well.
func prod(steps int) *simulated { return simulate(labelled("prod"), 3, 0, steps) }

func (s *simulated) cutAt(id, from int, sees ...int) *simulated {
	s.cutFrom[id] = cut{from, sees}
	return s
}

func (s *simulated) withoutViews() *simulated {
	s.blind = true
	return s
}

func (s *simulated) scrapedAt(id int) *simulated {
	for other := 1; other <= s.members(); other++ {
		if other != id {
			s.unscraped = append(s.unscraped, other)
		}
	}
	return s
}

func TestScenarios(t *testing.T) {
	file := scenarios{RuleFiles: []string{"../ensemble.rules.yml"}, EvaluationInterval: "30s"}
	for _, s := range slices.Concat(losing(), surviving(), leading(), disagreeing()) {
		written := scenario{Name: s.name, Interval: fmt.Sprintf("%ds", step), Exprs: s.checks}
		for _, e := range s.ensembles {
			written.InputSeries = append(written.InputSeries, e.inputs()...)
		}
		for i := range written.InputSeries {
			if s.change != nil {
				s.change(&written.InputSeries[i])
			}
		}
		file.Tests = append(file.Tests, written)
	}
	text := bytes.NewBufferString(scenariosHead)
	encoder := yaml.NewEncoder(text)
	encoder.SetIndent(2)
	if err := encoder.Encode(file); err != nil {
		t.Fatal(err)
	}
	const name = "tests/ensemble.yml"
	if *update {
		if err := os.WriteFile(name, text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), text.String()); diff != "" {
		t.Errorf("scenarios (-file +code); -update writes them:\n%s", diff)
	}
}
