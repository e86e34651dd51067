package collector

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/zktest"
)

// The forms of the Prometheus metrics provider, of 3.6 to 3.9 and of 3.10.
func TestMntrOfPrometheusProvider(t *testing.T) {
	for name, tc := range map[string]mntrCase{
		"counter":                {"zk_looking_count\t1.0\n", said{Values: map[string]float64{"zookeeper_looking_total": 1}}},
		"gauge in millions":      {"zk_znode_count\t1.0E7\n", said{Values: map[string]float64{"zookeeper_znodes": 1e7}}},
		"summary":                {"zk_fsynctime{quantile=\"0.5\"}\tNaN\nzk_fsynctime_count\t2.0\nzk_fsynctime_sum\t15.0\n", said{Values: map[string]float64{"zookeeper_fsync_seconds": 0.015}}},
		"summary of 3.10":        {"zk_fsynctime_avg\t7.5\nzk_fsynctime_count\t2\nzk_fsynctime_sum\t15.0\n", said{Values: map[string]float64{"zookeeper_fsync_seconds": 0.015}}},
		"quantile of 3.10":       {"zk_readlatency{quantile=\"0.95\"}\t4.0\n", said{}},
		"summary called a count": {"zk_node_created_watch_count_count\t2\nzk_node_created_watch_count_sum\t4\n", said{Values: map[string]float64{"zookeeper_node_created_watches": 4}}},
		"learner":                {"zk_ack_latency{key=\"1\",quantile=\"0.99\"}\tNaN\nzk_ack_latency_count{key=\"1\"}\t1.0\nzk_ack_latency_sum{key=\"1\"}\t4.0\n", said{Values: map[string]float64{"zookeeper_ack_latency_seconds 1": 0.004}}},
		"namespace with blanks":  {"zk_read_per_namespace_count{key=\" a b\"}\t1.0\nzk_read_per_namespace_sum{key=\" a b\"}\t4.0\n", said{Values: map[string]float64{"zookeeper_namespace_read_bytes  a b": 4}}},
		"gauge of a namespace":   {"zk_quota_count_limit_per_namespace{key=\"my-ns.a\"}\t2.0\n", said{Values: map[string]float64{"zookeeper_namespace_quota_znodes_limit my-ns.a": 2}}},
		"quote in a label":       {"zk_quota_count_limit_per_namespace{key=\"a\"b\"}\t1.0\n", said{Values: map[string]float64{"zookeeper_namespace_quota_znodes_limit a\"b": 1}}},
		"braces in a label":      {"zk_quota_count_limit_per_namespace{key=\"a{key=\"}\"}\t1.0\n", said{Values: map[string]float64{"zookeeper_namespace_quota_znodes_limit a{key=\"}": 1}}},
		"namespace that looks like a quantile": {
			"zk_write_per_namespace_sum{key=\"a\",quantile=\"x\"}\t1.0\nzk_write_per_namespace_count{key=\"a\",quantile=\"x\"}\t1.0\n",
			said{Values: map[string]float64{"zookeeper_namespace_write_bytes a\",quantile=\"x": 1}},
		},
		"no quota":           {"zk_quota_bytes_limit_per_namespace{key=\"a\"}\t-1.0\n", said{}},
		"JVM":                {"zk_jvm_memory_pool_bytes_max{pool=\"Compressed Class Space\"}\t1.0\nzk_process_cpu_seconds_total\t1.5\nzk_jvm_threads_current\t9.0\n", said{}},
		"a pause of the JVM": {"zk_jvm_pause_time_ms_count\t1.0\nzk_jvm_pause_time_ms_sum\t4.0\n", said{Values: map[string]float64{"zookeeper_jvm_pause_seconds": 0.004}}},
		"namespace jvm_x":    {"zk_jvm_x_quota_count_limit_per_namespace\t2\n", said{Values: map[string]float64{"zookeeper_namespace_quota_znodes_limit jvm_x": 2}}},
		"labels that nobody knows": {
			"zk_new{colour=\"red\"}\t1.0\nzk_{key=\"\"}\t1\nzk_ack_latency_sum{key=\"x\"}\t1.0\nzk_new{quantile=\"0.5\"}\t1.0\n", said{},
		},
		"observers that a follower has not": {"zk_server_state\tfollower\nzk_synced_observers\t0.0\n", said{}},
		"observers that a follower has":     {"zk_server_state\tfollower\nzk_synced_observers\t1.0\n", said{Values: map[string]float64{"zookeeper_synced_observers": 1}}},
		"observers that a leader has not":   {"zk_server_state\tleader\nzk_synced_observers\t0.0\n", said{Values: map[string]float64{"zookeeper_synced_observers": 0}}},
	} {
		t.Run(name, tc.check)
	}
}

// namesOf returns the series and types of a page, without their values and
// without the ids of learners, which an election gives.
func namesOf(page string) []string {
	value, learner := regexp.MustCompile(` [^ ]+$`), regexp.MustCompile(`learner="\d+"`)
	var names []string
	for line := range strings.Lines(page) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "#") {
			line = learner.ReplaceAllString(value.ReplaceAllString(line, ""), "learner")
		}
		names = append(names, line)
	}
	slices.Sort(names)
	return names
}

// In every release a server gives the same series with either metrics provider.
func TestProvidersAgree(t *testing.T) {
	for _, dir := range recordings(t) {
		version := filepath.Base(filepath.Dir(dir))
		plain, ok := strings.CutSuffix(version, prometheusSuffix)
		if !ok {
			continue
		}
		t.Run(dir, func(t *testing.T) {
			before := pageOf(t, recorded(t, filepath.Join("testdata", plain, filepath.Base(dir))))
			after := pageOf(t, recorded(t, dir))
			if diff := cmp.Diff(namesOf(before), namesOf(after)); diff != "" {
				t.Errorf("series (-default provider +Prometheus provider):\n%s", diff)
			}
		})
	}
}

// One live server is switched from one provider to the other.
func TestLiveProvidersAgree(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 1, Replicated: true})
	server := ensemble.Server(1)
	write(t, ensemble.Addrs()).Close()
	used := func() string {
		session := visit(t, server.Addr())
		defer session.Close()
		if _, err := session.Set("/app", []byte("x"), -1); err != nil {
			t.Fatal(err)
		}
		if _, err := session.Set("/my-ns.a \"é\"", []byte("x"), -1); err != nil {
			t.Fatal(err)
		}
		return await(t, live(t, server), Leader)
	}
	before := used()
	if err := server.Reconfigure(t.Context(), func(o *zktest.Options) { o.Prometheus = true }); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ensemble.WaitServing(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := used()
	wants(t, after, "zkwarden_mntr_unknown_keys 0", "zkwarden_reply_unparsable_values 0")
	if diff := cmp.Diff(namesOf(before), namesOf(after)); diff != "" {
		t.Errorf("series (-default provider +Prometheus provider):\n%s", diff)
	}
}
