package collector

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"zkwarden/internal/fourletter"
)

// recordings returns the directories testdata/VERSION/ROLE.
func recordings(t testing.TB) []string {
	t.Helper()
	dirs, err := filepath.Glob("testdata/*/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no recordings in testdata: %v", err)
	}
	return dirs
}

// recorded returns the replies of one server. 22.7.2.15 is ClickHouse Keeper,
// whose words beside mntr and srvr are written after its source, not recorded.
func recorded(t testing.TB, dir string) script {
	t.Helper()
	replies := script{}
	for _, word := range recordedWords() {
		reply, err := os.ReadFile(filepath.Join(dir, word.String()+".txt"))
		switch {
		case errors.Is(err, fs.ErrNotExist) && word != fourletter.Mntr:
		case err != nil:
			t.Fatal(err)
		default:
			replies[word] = string(reply)
		}
	}
	return replies
}

// The page of every recorded server is compared whole.
func TestGoldens(t *testing.T) {
	if *recording {
		record(t)
	}
	for _, dir := range recordings(t) {
		t.Run(dir, func(t *testing.T) {
			page, golden := get(t, start(t, Options{Client: recorded(t, dir), Cons: true}), ""), filepath.Join(dir, "metrics.prom")
			if *update || *recording {
				if err := os.WriteFile(golden, []byte(page), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), page); diff != "" {
				t.Errorf("page (-want +got):\n%s", diff)
			}
		})
	}
}

// What real servers print is in the table, is read, and is fit for promtool.
func TestRecordingsAreKnown(t *testing.T) {
	for _, dir := range recordings(t) {
		t.Run(dir, func(t *testing.T) {
			c := start(t, Options{Client: recorded(t, dir), Cons: true})
			lint(t, c)
			page := get(t, c, "")
			wants(t, page,
				"zookeeper_up 1", "zookeeper_serving 1",
				`zookeeper_server_state{state="`+filepath.Base(dir)+`"} 1`,
				`zookeeper_server_info{version="`+strings.TrimSuffix(filepath.Base(filepath.Dir(dir)), prometheusSuffix)+`"} 1`,
				`zookeeper_word_success{word="mntr"} 1`, `zookeeper_word_success{word="srvr"} 1`,
				"zkwarden_mntr_unknown_keys 0", "zkwarden_reply_unparsable_values 0",
				"zkwarden_mntr_dropped_entries 0")
			if strings.Count(page, "zookeeper_server_state{") != len(States()) {
				t.Error("page lacks a state")
			}
		})
	}
}

// Every series that srvr gives alone is one that mntr gives, with the same value.
func TestSrvrReplacesMntr(t *testing.T) {
	for _, dir := range recordings(t) {
		t.Run(dir, func(t *testing.T) {
			replies := recorded(t, dir)
			table := newTable()
			full, alone := newSamples(table, testLimits()), newSamples(table, testLimits())
			if _, err := readMntr(strings.NewReader(replies[fourletter.Mntr]), full); err != nil {
				t.Fatal(err)
			}
			if _, err := readSrvr(strings.NewReader(replies[fourletter.Srvr]), alone); err != nil {
				t.Fatal(err)
			}
			if len(shown(alone)) < 5 || !alone.hasZxid {
				t.Errorf("only %d values in srvr", len(shown(alone)))
			}
			for id := range shown(alone) {
				if _, ok := shown(full)[id]; !ok && !strings.Contains(id.name, "proposal") {
					t.Errorf("srvr gives %s, mntr doesn't", id.name)
				}
			}
			if stateOf(full.state) != stateOf(alone.state) || versionOf(full.version) != versionOf(alone.version) {
				t.Errorf("srvr says %s %s, mntr %s %s", alone.state, alone.version, full.state, full.version)
			}
		})
	}
}

func lint(t testing.TB, c *Collector) {
	t.Helper()
	problems, err := testutil.GatherAndLint(gatherer(t, c))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	promtool(t, raw(t, c, ""), "check", "metrics")
}

func gatherer(t testing.TB, c *Collector) prometheus.Gatherer {
	t.Helper()
	return prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		parser := expfmt.NewTextParser(model.LegacyValidation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(get(t, c, "")))
		return slices.SortedFunc(maps.Values(families), func(a, b *dto.MetricFamily) int {
			return strings.Compare(a.GetName(), b.GetName())
		}), err
	})
}

// The table has no two metrics of one name that differ in type, unit, label or help.
func TestTableIsConsistent(t *testing.T) {
	type shape struct {
		kind  kind
		label string
		help  string
	}
	shapes, keys := map[string]shape{}, map[string]bool{}
	for _, m := range allMetrics() {
		got := shape{m.kind, m.label, m.help}
		if want, ok := shapes[m.name]; ok && m.kind != text && want != got {
			t.Errorf("%s is both %v and %v", m.name, want, got)
		}
		shapes[m.name] = got
		if key := m.word.String() + " " + m.key; keys[key] {
			t.Errorf("key %s is there twice", key)
		} else {
			keys[key] = true
		}
		if m.since == "" || !strings.HasSuffix(m.help, ".") {
			t.Errorf("%s: since %q, help %q", m.key, m.since, m.help)
		}
		if seconds := strings.Contains(m.name, "_seconds"); seconds != (m.unit == millis) {
			t.Errorf("%s: unit %d", m.name, m.unit)
		}
		if bytes := strings.Contains(m.name, "_bytes"); bytes != (m.unit == octets) {
			t.Errorf("%s: unit %d", m.name, m.unit)
		}
	}
	for _, m := range allMetrics() {
		if base, p := cutPart([]byte(m.key)); p != whole && keys[m.word.String()+" "+string(base)] {
			t.Errorf("%s looks like a part of %s", m.key, base)
		}
	}
}

// No name holds the name of a type, to which promtool objects whatever the type
// is, and no help what the format would have to escape.
func TestNamesAndHelp(t *testing.T) {
	names := ownFamilies()
	for _, m := range allMetrics() {
		names = append(names, m.family)
	}
	for _, f := range names {
		if strings.ContainsAny(f.help, "\\\n") {
			t.Errorf("help of %s would have to be escaped", f.name)
		}
		for part := range strings.SplitSeq(f.name, "_") {
			if slices.Contains([]string{"counter", "gauge", "summary", "histogram", "untyped"}, part) {
				t.Errorf("%s names a type", f.name)
			}
		}
	}
}

// A server that prints every key of the table yields a page that lints clean.
func TestWholeTable(t *testing.T) {
	var mntr strings.Builder
	series := 0
	for _, m := range allMetrics() {
		if m.word != fourletter.Mntr {
			continue
		}
		key := m.key
		if m.isSet() {
			key = "7_" + m.key
		}
		switch m.kind {
		case text:
			continue
		case basic, advanced:
			for _, part := range []string{"avg", "min", "max", "cnt", "sum"} {
				io.WriteString(&mntr, "zk_"+part+"_"+key+"\t1\n")
			}
		default:
			io.WriteString(&mntr, "zk_"+key+"\t1\n")
		}
		if m.kind != lifetime && m.key != "followers" {
			series++
		}
	}
	c := start(t, Options{Client: script{fourletter.Mntr: mntr.String()}})
	lint(t, c)
	page := get(t, c, "")
	wants(t, page, "zkwarden_mntr_unknown_keys 0", "zkwarden_reply_unparsable_values 0")
	all := newSamples(c.table, c.limits)
	if _, err := readMntr(strings.NewReader(mntr.String()), all); err != nil {
		t.Fatal(err)
	}
	if len(shown(all)) != series {
		t.Errorf("%d series of %d keys", len(shown(all)), series)
	}
}

// gathererOnce gathers as the handler does, and returns what it would leave out.
func gathererOnce(t testing.TB, c *Collector) ([]*dto.MetricFamily, error) {
	t.Helper()
	return prometheus.Gatherers{gatherer(t, c)}.Gather()
}
