package collector

import (
	"strconv"

	dto "github.com/prometheus/client_model/go"
)

// families returns what a scrape shows of the ensemble. What can't be told is
// absent: without a list of members all but where it comes from, with a voter
// that can't be asked what depends on its vote.
func (v ensembleView) families() []*dto.MetricFamily {
	g := newGathered()
	var sources []*dto.Metric
	for _, s := range ListSources() {
		sources = append(sources, gaugeSeries(truth(s == v.list.source), label("source", string(s))))
	}
	g.put(membershipMetric, sources...)
	if !v.list.known() {
		return g.all
	}
	h := v.health()
	number := func(id around, n int) { g.put(id, gaugeSeries(float64(n))) }
	number(membersMetric, v.count(memberView.listed))
	number(reachedMetric, v.count(func(m memberView) bool { return m.listed() && m.up }))
	number(votersMetric, h.voters)
	if h.counted {
		number(votersServingMetric, h.serving)
	}
	if h.led() {
		number(leadersMetric, h.leaders)
		number(leadersSilentMetric, h.silentLeaders)
	}
	if h.decided {
		g.put(quorumMetric, gaugeSeries(truth(h.quorum)))
	}
	if h.bounded() {
		number(tolerableMetric, h.tolerable)
	}
	epochs, highest := v.epochs()
	if epochs > 0 {
		number(epochsMetric, epochs)
	}
	v.memberFamilies(g, highest)
	return g.all
}

func (v ensembleView) memberFamilies(g *gathered, highest uint64) {
	var up, behind []*dto.Metric
	for _, m := range v.members {
		id := label("member", strconv.FormatInt(m.ID, 10))
		if m.asked {
			up = append(up, gaugeSeries(truth(m.up), id))
		}
		if d, ok := distance(m.zxid, highest); ok && m.hasZxid && m.listed() {
			behind = append(behind, gaugeSeries(float64(d), id))
		}
	}
	g.put(memberUpMetric, up...)
	g.put(memberDistanceMetric, behind...)
}
