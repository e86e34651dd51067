package collector

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"zkwarden/internal/fourletter"
)

// said is what a reply comes to: the name and the label of a series to the value
// or sum, the same for unknown keys, and the number of what can't be read.
type said struct {
	Values     map[string]float64
	Unknown    map[string]float64
	Unparsable int
}

type mntrCase struct {
	mntr string
	want said
}

func (tc mntrCase) check(t *testing.T) {
	t.Helper()
	s := newSamples(newTable(), testLimits())
	if _, err := readMntr(strings.NewReader(tc.mntr), s); err != nil {
		t.Fatal(err)
	}
	got := said{Unknown: s.unknown, Unparsable: s.unparsable, Values: map[string]float64{}}
	for id, v := range shown(s) {
		got.Values[strings.TrimSuffix(id.name+" "+id.label, " ")] = v
	}
	if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}
}

func TestMntrNumbers(t *testing.T) {
	for name, tc := range map[string]mntrCase{
		"gauge":                        {"zk_znode_count\t5\n", said{Values: map[string]float64{"zookeeper_znodes": 5}}},
		"Java double":                  {"zk_znode_count\t1.0E7\n", said{Values: map[string]float64{"zookeeper_znodes": 1e7}}},
		"CRLF":                         {"zk_znode_count\t5\r\n", said{Values: map[string]float64{"zookeeper_znodes": 5}}},
		"beyond int64":                 {"zk_max_file_descriptor_count\t18446744073709551615\n", said{Values: map[string]float64{"zookeeper_max_file_descriptors": 1 << 64}}},
		"milliseconds":                 {"zk_uptime\t9300\n", said{Values: map[string]float64{"zookeeper_uptime_seconds": 9.3}}},
		"counter":                      {"zk_looking_count\t1.0\n", said{Values: map[string]float64{"zookeeper_looking_total": 1}}},
		"old name":                     {"zk_followers\t2\n", said{Values: map[string]float64{"zookeeper_learners": 2}}},
		"summary":                      {"zk_avg_fsynctime\t7.5\nzk_cnt_fsynctime\t2\nzk_sum_fsynctime\t15\n", said{Values: map[string]float64{"zookeeper_fsync_seconds": 0.015}}},
		"summary with percentiles":     {"zk_cnt_readlatency\t1\nzk_sum_readlatency\t2\nzk_p999_readlatency\t2\n", said{Values: map[string]float64{"zookeeper_read_latency_seconds": 0.002}}},
		"negative sum, clocks differ":  {"zk_cnt_propagation_latency\t1\nzk_sum_propagation_latency\t-5\n", said{Values: map[string]float64{"zookeeper_propagation_latency_seconds": -0.005}}},
		"half a summary":               {"zk_sum_fsynctime\t15\n", said{}},
		"lifetime":                     {"zk_avg_latency\t1.5\nzk_max_latency\t9\nzk_min_latency\t0\n", said{}},
		"gauge that looks like a part": {"zk_max_proposal_size\t48\n", said{Values: map[string]float64{"zookeeper_max_proposal_size_bytes": 48}}},
		"size not yet known":           {"zk_last_proposal_size\t-1\nzk_min_client_response_size\t-1\n", said{}},
		"strings":                      {"zk_version\t3.9.5\nzk_server_state\tleader\nzk_peer_state\tleading - broadcast\n", said{}},
	} {
		t.Run(name, tc.check)
	}
}

func TestMntrSets(t *testing.T) {
	for name, tc := range map[string]mntrCase{
		"learner":                   {"zk_cnt_0_ack_latency\t1\nzk_sum_0_ack_latency\t4\n", said{Values: map[string]float64{"zookeeper_ack_latency_seconds 0": 0.004}}},
		"learner that is no number": {"zk_sum_x_ack_latency\t4\n", said{Unknown: map[string]float64{"zookeeper_sum_x_ack_latency": 4}}},
		"namespace": {
			"zk_cnt_my-ns.a_write_per_namespace\t1\nzk_sum_my-ns.a_write_per_namespace\t4\n",
			said{Values: map[string]float64{"zookeeper_namespace_write_bytes my-ns.a": 4}},
		},
		"namespace with blanks": {
			"zk_cnt_ a b_read_per_namespace\t1\nzk_sum_ a b_read_per_namespace\t4\n",
			said{Values: map[string]float64{"zookeeper_namespace_read_bytes  a b": 4}},
		},
		"namespace named like a set": {
			"zk_cnt_x_write_per_namespace_read_per_namespace\t1\nzk_sum_x_write_per_namespace_read_per_namespace\t4\n",
			said{Values: map[string]float64{"zookeeper_namespace_read_bytes x_write_per_namespace": 4}},
		},
		"namespace named like a part": {
			"zk_avg_x_quota_count_limit_per_namespace\t4\n",
			said{Values: map[string]float64{"zookeeper_namespace_quota_znodes_limit avg_x": 4}},
		},
		"namespace with a quote": {
			"zk_a\"{b}_quota_bytes_usage_per_namespace\t4\n",
			said{Values: map[string]float64{"zookeeper_namespace_quota_used_bytes a\"{b}": 4}},
		},
		"namespace of invalid UTF-8": {
			"zk_a\xff_quota_bytes_usage_per_namespace\t4\n",
			said{Values: map[string]float64{"zookeeper_namespace_quota_used_bytes a\uFFFD": 4}},
		},
		"no quota":             {"zk_a_quota_bytes_limit_per_namespace\t-1\nzk_b_quota_count_limit_per_namespace\t-2\n", said{}},
		"operation":            {"zk_op_count_get_data\t4\n", said{Values: map[string]float64{"zookeeper_client_operations_by_type_total get_data": 4}}},
		"set without an entry": {"zk_cnt__write_per_namespace\t1\n", said{Unknown: map[string]float64{"zookeeper_cnt__write_per_namespace": 1}}},
	} {
		t.Run(name, tc.check)
	}
}

func TestMntrUnknown(t *testing.T) {
	for name, tc := range map[string]mntrCase{
		"unknown": {"zk_Brand.new-key\t5\n", said{Unknown: map[string]float64{"zookeeper_brand_new_key": 5}}},
		"unknown that is no number": {
			"zk_mood\tgood\n", said{},
		},
		"unknown under a name of the table":   {"zk_znodes\t5\nzk_fsync_seconds_sum\t1\nzk_up\t0\n", said{}},
		"unknown twice":                       {"zk_new-key\t5\nzk_new.key\t6\n", said{Unknown: map[string]float64{"zookeeper_new_key": 5}}},
		"keys that are hardly there":          {"zk_\t1\nzk__\t2\n", said{Unknown: map[string]float64{"zookeeper__": 2}}},
		"a percentile that a basic one lacks": {"zk_p50_fsynctime\t1\n", said{Unknown: map[string]float64{"zookeeper_p50_fsynctime": 1}}},
		"a part of what is no summary":        {"zk_sum_znode_count\t1\n", said{Unknown: map[string]float64{"zookeeper_sum_znode_count": 1}}},
	} {
		t.Run(name, tc.check)
	}
}

func TestMntrUnreadable(t *testing.T) {
	for name, tc := range map[string]mntrCase{
		"value that is no number":                {"zk_znode_count\tmany\n", said{Unparsable: 1}},
		"value that is empty":                    {"zk_znode_count\t\n", said{Unparsable: 1}},
		"value that is NaN":                      {"zk_znode_count\tNaN\n", said{Unparsable: 1}},
		"value that is infinite":                 {"zk_znode_count\tInfinity\n", said{Unparsable: 1}},
		"counter below zero":                     {"zk_looking_count\t-4\n", said{Unparsable: 1}},
		"second TAB":                             {"zk_znode_count\t5\t6\n", said{Unparsable: 1}},
		"no TAB":                                 {"zk_znode_count 5\nzk_uptime\t0\n", said{Values: map[string]float64{"zookeeper_uptime_seconds": 0}, Unparsable: 1}},
		"other prefix":                           {"znode_count\t5\nzk_uptime\t0\n", said{Values: map[string]float64{"zookeeper_uptime_seconds": 0}, Unparsable: 1}},
		"long line":                              {"zk_uptime\t0\nzk_" + strings.Repeat("x", 3*maxLine) + "\t1\nzk_znode_count\t5\n", said{Values: map[string]float64{"zookeeper_uptime_seconds": 0, "zookeeper_znodes": 5}, Unparsable: 1}},
		"number of observations that is missing": {"zk_cnt_fsynctime\t-1\nzk_sum_fsynctime\t1\n", said{Unparsable: 1}},
	} {
		t.Run(name, tc.check)
	}
}

// testLimits are those of a collector without options.
func testLimits() *limits { return &limits{namespaces: DefaultNamespacesMax, consTop: DefaultConsTop} }

// shown returns the value of a gauge or counter, or the sum of a summary.
func (s *sample) shown() float64 {
	if s.metric.kind.has(whole) {
		return s.value(whole)
	}
	return s.value(sum)
}

// shown returns the series that would be on the page, with their value or sum.
func shown(s *samples) map[series]float64 {
	out := map[series]float64{}
	for i := range s.single {
		v := &s.single[i]
		if v.complete() {
			out[series{v.metric.name, v.metric.value}] = v.shown()
		}
	}
	for id, v := range s.sets {
		if v.complete() {
			out[id] = v.shown()
		}
	}
	return out
}

func TestMntrEnds(t *testing.T) {
	for name, tc := range map[string]struct {
		mntr  string
		want  error
		lines int
	}{
		"whole":                     {"zk_uptime\t1\nzk_znode_count\t12\n", nil, 2},
		"cut in a key":              {"zk_uptime\t1\nzk_znode_c", errTruncated, 1},
		"cut in a value":            {"zk_uptime\t1\nzk_znode_count\t1", errTruncated, 1},
		"cut in the first line":     {"zk_vers", errTruncated, 0},
		"cut in a long line":        {"zk_uptime\t1\nzk_" + strings.Repeat("x", 2*maxLine), errTruncated, 1},
		"nothing of mntr in it":     {"<html>\n</html>\n", errGarbage, 0},
		"garbage without a newline": {strings.Repeat("\x00", 100), errTruncated, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSamples(newTable(), testLimits())
			lines, err := readMntr(strings.NewReader(tc.mntr), s)
			if !errors.Is(err, tc.want) || lines != tc.lines {
				t.Errorf("%d lines and %v, want %d and %v", lines, err, tc.lines, tc.want)
			}
			if v, ok := shown(s)[series{name: "zookeeper_znodes"}]; ok && v != 12 {
				t.Errorf("a cut line counted as %v", v)
			}
		})
	}
}

func TestMntrCaps(t *testing.T) {
	reply := func(yield func(i int) string) io.Reader {
		var b strings.Builder
		for i := range 1000 {
			b.WriteString(yield(i))
		}
		return strings.NewReader(b.String())
	}
	t.Run("namespaces", func(t *testing.T) {
		s := newSamples(newTable(), testLimits())
		_, err := readMntr(reply(func(i int) string {
			return fmt.Sprintf("zk_avg_n%d_write_per_namespace\t1\nzk_cnt_n%d_write_per_namespace\t1\nzk_sum_n%d_write_per_namespace\t1\n", i, i, i)
		}), s)
		if err != nil || len(shown(s)) != DefaultNamespacesMax || s.dropped != 1000-DefaultNamespacesMax {
			t.Errorf("%d shown and %d dropped with %v, want %d and %d", len(shown(s)), s.dropped, err, DefaultNamespacesMax, 1000-DefaultNamespacesMax)
		}
	})
	t.Run("a long name", func(t *testing.T) {
		s := newSamples(newTable(), testLimits())
		long := strings.Repeat("x", maxEntry+1)
		if _, err := readMntr(strings.NewReader("zk_"+long+"_quota_bytes_usage_per_namespace\t1\n"), s); err != nil || len(shown(s)) != 0 || s.dropped != 1 {
			t.Errorf("%d shown and %d dropped with %v, want 0 and 1", len(shown(s)), s.dropped, err)
		}
	})
	t.Run("unknown keys", func(t *testing.T) {
		s := newSamples(newTable(), testLimits())
		_, err := readMntr(reply(func(i int) string { return fmt.Sprintf("zk_new_%d\t1\n", i) }), s)
		if err != nil || len(s.unknown) != maxUnknown || s.unknownKeys != 1000 {
			t.Errorf("%d shown of %d with %v, want %d of 1000", len(s.unknown), s.unknownKeys, err, maxUnknown)
		}
	})
}

// FuzzMntr: whatever a server says, the page can be read by Prometheus.
func FuzzMntr(f *testing.F) {
	seed(f, fourletter.Mntr)
	f.Add("zk_a\xff\"\\_quota_bytes_usage_per_namespace\t4\nzk_{}\t1\nzk_up\t1\nzk_fsync_seconds\t1\n")
	f.Add("zk_version\t\xff\nzk_server_state\tleader\nzk_peer_state\t - \n")
	f.Fuzz(func(t *testing.T, reply string) {
		valid(t, Options{Lifetime: true, Compat: CompatZK, Client: script{fourletter.Mntr: reply}})
	})
}

func seed(f *testing.F, word fourletter.Word) {
	f.Helper()
	for _, dir := range recordings(f) {
		reply, err := os.ReadFile(filepath.Join(dir, word.String()+".txt"))
		if errors.Is(err, fs.ErrNotExist) {
			continue // ZooKeeper 3.4 has no dirs, and not every word is recorded of others.
		}
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(reply))
	}
}

// valid fails the test when the page isn't one that a Prometheus would take, or
// doesn't name exactly one state.
func valid(t *testing.T, o Options) string {
	t.Helper()
	c := start(t, o)
	if _, err := gathererOnce(t, c); err != nil {
		t.Fatalf("page is inconsistent: %v", err)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	page := get(t, c, "")
	families, err := parser.TextToMetricFamilies(strings.NewReader(page))
	if err != nil {
		t.Fatalf("page can't be read: %v", err)
	}
	states := 0.0
	for _, m := range families["zookeeper_server_state"].GetMetric() {
		states += m.GetGauge().GetValue()
	}
	if states != 1 {
		t.Errorf("%v states are 1", states)
	}
	return page
}
