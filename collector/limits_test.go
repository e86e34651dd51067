package collector

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/fourletter"
)

// namespacesOf returns the namespaces that a page shows, sorted.
func namespacesOf(page string) []string {
	var names []string
	for _, match := range regexp.MustCompile(`zookeeper_namespace_write_bytes_count\{namespace="(.*)"\}`).FindAllStringSubmatch(page, -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return names
}

func writesOf(namespaces ...string) string {
	var b strings.Builder
	b.WriteString(mntrText)
	for _, n := range namespaces {
		fmt.Fprintf(&b, "zk_avg_%[1]s_write_per_namespace\t1\nzk_cnt_%[1]s_write_per_namespace\t1\nzk_sum_%[1]s_write_per_namespace\t1\n", n)
	}
	return b.String()
}

func TestNamespaces(t *testing.T) {
	for name, tc := range map[string]struct {
		options Options
		want    []string
		dropped int
	}{
		"all":              {Options{}, []string{"app", "kafka", "kafka-old", "tmp"}, 0},
		"two":              {Options{NamespacesMax: 2}, []string{"app", "kafka"}, 2},
		"allowed":          {Options{NamespacesAllow: []string{"kafka*", "app"}}, []string{"app", "kafka", "kafka-old"}, 0},
		"denied":           {Options{NamespacesDeny: []string{"*-old", "tmp"}}, []string{"app", "kafka"}, 0},
		"denied wins":      {Options{NamespacesAllow: []string{"kafka*"}, NamespacesDeny: []string{"kafka-old"}}, []string{"kafka"}, 0},
		"allowed and full": {Options{NamespacesAllow: []string{"kafka*"}, NamespacesMax: 1}, []string{"kafka"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			tc.options.Client = script{fourletter.Mntr: writesOf("app", "kafka", "kafka-old", "tmp")}
			page := get(t, start(t, tc.options), "")
			if diff := cmp.Diff(tc.want, namespacesOf(page)); diff != "" {
				t.Errorf("namespaces (-want +got):\n%s", diff)
			}
			wants(t, page, fmt.Sprintf("zkwarden_mntr_dropped_entries %d", tc.dropped))
		})
	}
}

// The server prints namespaces in any order. Which of them are shown must not
// depend on it from page to page, and one that goes makes room.
func TestNamespacesKeepTheirSeats(t *testing.T) {
	server := &slow{replies: script{fourletter.Mntr: writesOf("a", "b", "c")}}
	c := start(t, Options{Client: server, NamespacesMax: 2})
	for _, step := range []struct {
		printed []string
		want    []string
	}{
		{[]string{"a", "b", "c"}, []string{"a", "b"}},
		{[]string{"c", "b", "a"}, []string{"a", "b"}},
		{[]string{"c", "b"}, []string{"b"}},
		{[]string{"c", "b"}, []string{"b", "c"}},
	} {
		server.set(fourletter.Mntr, writesOf(step.printed...))
		if diff := cmp.Diff(step.want, namespacesOf(get(t, c, ""))); diff != "" {
			t.Errorf("printed %v: namespaces (-want +got):\n%s", step.printed, diff)
		}
	}
}

const summaries3 = "zk_version\t3.9.5-x, built\nzk_server_state\tfollower\nzk_avg_latency\t1.5\nzk_uptime\t9300\n" +
	"zk_avg_readlatency\t4.5\nzk_min_readlatency\t1\nzk_max_readlatency\t8\nzk_cnt_readlatency\t2\nzk_sum_readlatency\t9\n" +
	"zk_p50_readlatency\t4\nzk_p95_readlatency\t8\nzk_p99_readlatency\t8\nzk_p999_readlatency\t8\n" +
	"zk_avg_fsynctime\t0.0\nzk_min_fsynctime\t0\nzk_max_fsynctime\t0\nzk_cnt_fsynctime\t0\nzk_sum_fsynctime\t0\n" +
	"zk_avg_app_write_per_namespace\t4.0\nzk_cnt_app_write_per_namespace\t1\nzk_sum_app_write_per_namespace\t4\nzk_learners\t2\n"

func TestLifetime(t *testing.T) {
	names := []string{
		"zookeeper_avg_latency_seconds", "zookeeper_read_latency_seconds", "zookeeper_read_latency_lifetime_avg_seconds",
		"zookeeper_namespace_write_lifetime_avg_bytes", "zookeeper_fsync_lifetime_avg_seconds",
	}
	replies := script{fourletter.Mntr: summaries3}
	lacks(t, pageOf(t, replies), names...)
	c := start(t, Options{Client: replies, Lifetime: true})
	lint(t, c)
	page := get(t, c, "")
	wants(t, page, "zookeeper_avg_latency_seconds 0.0015", "zookeeper_read_latency_lifetime_avg_seconds 0.0045",
		"zookeeper_read_latency_lifetime_min_seconds 0.001", "zookeeper_read_latency_lifetime_max_seconds 0.008",
		`zookeeper_read_latency_seconds{quantile="0.5"} 0.004`, `zookeeper_read_latency_seconds{quantile="0.999"} 0.008`,
		"zookeeper_read_latency_seconds_sum 0.009", `zookeeper_namespace_write_lifetime_avg_bytes{namespace="app"} 4`)
	// Of nothing there is no mean.
	lacks(t, page, "zookeeper_fsync_lifetime_avg_seconds")
	if strings.Contains(page, "zk_readlatency") {
		t.Error("page has names of mntr")
	}
}

func TestCompat(t *testing.T) {
	for name, tc := range map[string]struct {
		replies script
		wants   []string
		lacks   []string
	}{
		"follower": {
			script{fourletter.Mntr: summaries3},
			[]string{
				"zk_up 1", "zk_ruok 1", "zk_server_leader 0", `zk_version{version="3.9.5"} 1`, `zk_server_state{state="follower"} 1`,
				"zk_followers 2", "zk_learners 2", "zk_avg_latency 1.5", "zk_uptime 9300", "zk_sum_readlatency 9", "zk_cnt_readlatency 2",
				"zk_p999_readlatency 8", "zk_min_fsynctime 0", "zookeeper_uptime_seconds 9.3",
			},
			[]string{"zookeeper_avg_latency_seconds", "zookeeper_read_latency_lifetime_avg_seconds", "zk_fsynctime"},
		},
		"leader": {script{fourletter.Mntr: mntrText}, []string{"zk_up 1", "zk_server_leader 1", "zk_znode_count 5"}, []string{"zk_followers"}},
		// Here the exporters that came before report a leader.
		"not serving":  {script{fourletter.Mntr: notServing, fourletter.Srvr: notServing}, []string{"zk_up 1", "zk_ruok 1", "zk_server_leader 0"}, []string{"zk_version"}},
		"nobody there": {script{}, []string{"zk_up 0", "zk_ruok 0", "zk_server_leader 0"}, nil},
		"old name":     {script{fourletter.Mntr: "zk_followers\t3\n"}, []string{"zk_followers 3", "zk_learners 3"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			lacks(t, pageOf(t, tc.replies), "zk_up", "zk_server_leader", "zk_uptime")
			page := valid(t, Options{Client: tc.replies, Compat: CompatZK})
			wants(t, page, tc.wants...)
			lacks(t, page, tc.lacks...)
		})
	}
}
