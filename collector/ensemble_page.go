package collector

import (
	"strconv"

	dto "github.com/prometheus/client_model/go"
)

// gaugeFamily returns a family of gauges.
func gaugeFamily(name, help string, series ...*dto.Metric) *dto.MetricFamily {
	kind := dto.MetricType_GAUGE
	return &dto.MetricFamily{Name: &name, Help: &help, Type: &kind, Metric: series}
}

func gaugeSeries(value float64, labels ...*dto.LabelPair) *dto.Metric {
	return &dto.Metric{Label: labels, Gauge: &dto.Gauge{Value: &value}}
}

// families returns what a scrape shows of the ensemble. What can't be told is
// absent: without a list of members all but where it comes from, with a member
// whose address is not known what depends on its vote.
func (v ensembleView) families() []*dto.MetricFamily {
	var sources []*dto.Metric
	for _, s := range ListSources() {
		sources = append(sources, gaugeSeries(truth(s == v.list.source), label("source", string(s))))
	}
	all := []*dto.MetricFamily{
		gaugeFamily("zookeeper_ensemble_membership", "Where the list of members comes from; exactly one source is 1.", sources...),
	}
	if !v.list.known() {
		return all
	}
	h := v.health()
	epochs, highest := v.epochs()
	number := func(name, help string, n int) {
		all = append(all, gaugeFamily(name, help, gaugeSeries(float64(n))))
	}
	number("zookeeper_ensemble_members", "Members of the ensemble, observers included.", len(v.members))
	number("zookeeper_ensemble_members_reached", "Members that answered from here, not serving included.",
		v.count(func(m memberView) bool { return m.up }))
	number("zookeeper_ensemble_voters", "Members whose vote counts: no observers, and none of weight 0.", h.voters)
	number("zookeeper_ensemble_voters_serving", "Voters that serve clients as leader or follower.", h.serving)
	number("zookeeper_ensemble_leaders",
		"Members that lead. More than 1 for longer than a few ticks is a split brain.", h.leaders)
	number("zookeeper_ensemble_leaders_not_serving",
		"Leaders that serve no clients (leaderServes=no), found by the followers that have one; counted as leaders too.", h.silentLeaders)
	if h.decided {
		all = append(all, gaugeFamily("zookeeper_ensemble_quorum",
			"Whether enough voters take part, by weights and groups as ZooKeeper counts them; absent when it can't be told.",
			gaugeSeries(truth(h.quorum))))
	}
	if h.counted {
		number("zookeeper_ensemble_failures_tolerable", "Voters that can fail, the worst ones first, before the quorum is lost.", h.tolerable)
	}
	if epochs > 0 {
		number("zookeeper_ensemble_epochs", "Epochs that the members' last zxids are of; more than 1 until the first write after an election.", epochs)
	}
	return append(all, v.memberFamilies(highest)...)
}

func (v ensembleView) memberFamilies(highest uint64) []*dto.MetricFamily {
	up := gaugeFamily("zookeeper_ensemble_member_up", "Whether the member answered from here, not serving included.")
	behind := gaugeFamily("zookeeper_ensemble_member_zxid_distance",
		"Transactions that the member is behind the highest zxid of all members; absent when that is of another epoch.")
	for _, m := range v.members {
		id := label("member", strconv.FormatInt(m.ID, 10))
		if m.asked {
			up.Metric = append(up.Metric, gaugeSeries(truth(m.up), id))
		}
		if d, ok := distance(m.zxid, highest); ok && m.hasZxid {
			behind.Metric = append(behind.Metric, gaugeSeries(float64(d), id))
		}
	}
	var some []*dto.MetricFamily
	for _, family := range []*dto.MetricFamily{up, behind} {
		if len(family.Metric) > 0 {
			some = append(some, family)
		}
	}
	return some
}
