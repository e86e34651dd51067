package collector

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"zkwarden/internal/fourletter"
)

// ownNames returns the name of every family that a page can have, and of every
// series of a summary.
func ownNames(t *testing.T) []string {
	t.Helper()
	var names []string
	add := func(f family) {
		names = append(names, f.name)
		if f.kind == basic || f.kind == advanced {
			names = append(names, f.name+"_sum", f.name+"_count")
		}
	}
	for _, f := range append(ownFamilies(), aroundFamilies()...) {
		add(f)
	}
	for _, m := range allMetrics() {
		m.render()
		add(m.family)
		for _, f := range m.extremes {
			add(f)
		}
	}
	if len(names) < 200 {
		t.Fatalf("only %d names", len(names))
	}
	return names
}

// A server that prints keys with the names of our own families repeats none of
// them, nor does it stand in for one that is absent.
func TestNoKeyTakesAnOwnName(t *testing.T) {
	var mntr strings.Builder
	mntr.WriteString(mntrText)
	fmt.Fprint(&mntr, "zk_build_info\t5\nzk_honest_newcomer\t5\n")
	for _, name := range ownNames(t) {
		key := strings.TrimPrefix(strings.TrimPrefix(name, prefix), "zkwarden_")
		for _, key := range []string{key, strings.ToUpper(key), strings.ReplaceAll(key, "_", "-")} {
			fmt.Fprintf(&mntr, "zk_%s\t424242\n", key)
		}
	}
	h := NewHandshakes(nil)
	h.ends = time.Unix(1, 0)
	all := servers{"127.0.0.1:2181": says("leader", "0x1")}
	maps.Copy(all["127.0.0.1:2181"], recorded(t, "testdata/3.9.5/leader"))
	all["127.0.0.1:2181"][fourletter.Mntr] += mntr.String()
	c := start(t, Options{Client: all, Handshakes: h, Cons: true, Lifetime: true, Compat: CompatZK, Witness: &witness{}})
	e := startEnsemble(t, EnsembleOptions{Addr: "127.0.0.1:2181", Client: all, Members: []Member{{ID: 1, Addr: "127.0.0.1:2181", Weight: 1}}})
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "zookeeper_build_info", Help: "Of another part of the process."})
	own := prometheus.NewRegistry()
	own.MustRegister(build)
	w := httptest.NewRecorder()
	Handler(c, own, e).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))

	parser := expfmt.NewTextParser(model.LegacyValidation)
	page := w.Body.String()
	if _, err := parser.TextToMetricFamilies(strings.NewReader(page)); err != nil {
		t.Fatalf("page can't be read: %v", err)
	}
	begun := map[string]int{}
	for line := range strings.Lines(page) {
		if rest, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ := strings.Cut(rest, " ")
			begun[name]++
		}
	}
	for name, times := range begun {
		if times > 1 {
			t.Errorf("%s begins %d times", name, times)
		}
	}
	wants(t, page, "zookeeper_honest_newcomer 5", "zookeeper_build_info 0")
	lacks(t, page, "zookeeper_leader_not_serving") // It serves, so that this is absent.
	for _, name := range ownNames(t) {
		if kind := "# TYPE " + name + " untyped\n"; strings.Contains(page, kind) {
			t.Errorf("a key of mntr stands for %s", name)
		}
	}
}
