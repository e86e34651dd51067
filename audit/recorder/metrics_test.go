package recorder

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"zkwarden/audit/policy"
)

// A series that begins with its first event shows no increase to alert on.
func TestSeriesBeginAtZero(t *testing.T) {
	m := newMetrics(prometheus.NewRegistry(), newStage(t, policy.LevelData, "/r").mirror)
	if at := testutil.ToFloat64(m.marked); at != 0 {
		t.Errorf("the watermark was confirmed at %v before it ever was", at)
	}
	if !m.gaps.DeleteLabelValues("policy") {
		t.Error("there is no series of gaps for the reason policy")
	}
	for _, labels := range [][]string{
		{"acl_changed", "sweep"},
		{"acl_changed", "resync"},
		{"acl_changed", "txnlog"},
		{"children_changed", "resync"},
		{"data_changed", "watch"},
	} {
		if !m.events.DeleteLabelValues(labels...) {
			t.Errorf("there is no series of events for %q", labels)
		}
	}
}
