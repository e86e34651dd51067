package collector

import (
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// family is one metric of the page, without its series.
type family struct {
	name   string
	kind   kind
	help   string
	header string // The lines HELP and TYPE; empty until the family is in a table.
}

// render writes the header. No help has what would have to be escaped.
func (f *family) render() {
	f.header = "# HELP " + f.name + " " + f.help + "\n# TYPE " + f.name + " " + f.kind.typeName() + "\n"
}

// own is a metric that no single key of a word stands for: how the server is,
// how the words went, and how the replies could be read.
type own uint8

const (
	upMetric own = iota
	servingMetric
	stateMetric
	silentMetric
	infoMetric
	peerMetric
	environmentMetric
	epochMetric
	zxidMetric
	rolloverMetric
	successMetric
	durationMetric
	ageMetric
	failureMetric
	failuresMetric
	unparsableMetric
	unknownMetric
	droppedMetric
)

func ownFamilies() []family {
	return []family{
		upMetric:          {name: "zookeeper_up", kind: gauge, help: "Whether the server answered any four-letter word with a text of its own, not serving included."},
		servingMetric:     {name: "zookeeper_serving", kind: gauge, help: "Whether the server serves clients, in read-only mode included."},
		stateMetric:       {name: "zookeeper_server_state", kind: gauge, help: "Role of the server; exactly one state is 1."},
		silentMetric:      {name: "zookeeper_leader_not_serving", kind: gauge, help: "Whether the server, which serves no clients, leads all the same (leaderServes=no), as its AdminServer says; absent while it serves or the AdminServer doesn't tell."},
		infoMetric:        {name: "zookeeper_server_info", kind: gauge, help: "Version of the server; always 1."},
		peerMetric:        {name: "zookeeper_peer_info", kind: gauge, help: "State, broadcast phase and kind of sync of a member of an ensemble; always 1."},
		environmentMetric: {name: "zookeeper_environment_info", kind: gauge, help: "Java and operating system of the server; always 1."},
		epochMetric:       {name: "zookeeper_zxid_epoch", kind: gauge, help: "Epoch of the last zxid that the server has applied; rises with every election."},
		zxidMetric:        {name: "zookeeper_zxid_sequence", kind: gauge, help: "Number of that zxid within its epoch; at 4294967295 the ensemble elects again."},
		rolloverMetric:    {name: "zookeeper_zxid_rollover_remaining", kind: gauge, help: "Transactions until the ensemble elects again because an epoch has no zxid left (ZOOKEEPER-1277)."},
		successMetric:     {name: "zookeeper_word_success", kind: gauge, help: "Whether the four-letter word was answered when it was last asked; absent when this scrape has nothing of it."},
		durationMetric:    {name: "zookeeper_word_duration_seconds", kind: gauge, help: "Time that the four-letter word took when it was last asked; absent when it didn't come to an end."},
		ageMetric:         {name: "zookeeper_word_age_seconds", kind: gauge, help: "Time since the four-letter word was asked, for those whose answer is kept over several scrapes."},
		failureMetric:     {name: "zookeeper_word_failure", kind: gauge, help: "Whether the four-letter word failed when it was last asked, and why."},
		failuresMetric:    {name: "zookeeper_word_failures_total", kind: counter, help: "Failures of four-letter words, by reason."},
		unparsableMetric:  {name: "zkwarden_reply_unparsable_values", kind: gauge, help: "Lines and values of the last replies that could not be read, and are left out."},
		unknownMetric:     {name: "zkwarden_mntr_unknown_keys", kind: gauge, help: "Keys of the last mntr that this exporter doesn't know; at most 200 of them are shown, untyped."},
		droppedMetric:     {name: "zkwarden_mntr_dropped_entries", kind: gauge, help: "Entries of sets in the last mntr that were left out, because a page shows a bounded number of namespaces and learners."},
	}
}

// around is a metric of what is asked around the words of the server itself.
type around uint8

const (
	membershipMetric around = iota
	membersMetric
	reachedMetric
	votersMetric
	votersServingMetric
	leadersMetric
	leadersSilentMetric
	quorumMetric
	tolerableMetric
	epochsMetric
	memberUpMetric
	memberDistanceMetric
	expiryMetric
	handshakesMetric
)

func aroundFamilies() []family {
	return []family{
		membershipMetric:     {name: "zookeeper_ensemble_membership", kind: gauge, help: "Where the list of members comes from; exactly one source is 1."},
		membersMetric:        {name: "zookeeper_ensemble_members", kind: gauge, help: "Members of the ensemble, observers included."},
		reachedMetric:        {name: "zookeeper_ensemble_members_reached", kind: gauge, help: "Members that answered from here, not serving included."},
		votersMetric:         {name: "zookeeper_ensemble_voters", kind: gauge, help: "Members whose vote counts: no observers, and none of weight 0."},
		votersServingMetric:  {name: "zookeeper_ensemble_voters_serving", kind: gauge, help: "Voters that serve clients as leader or follower; absent when the address of a voter is not known."},
		leadersMetric:        {name: "zookeeper_ensemble_leaders", kind: gauge, help: "Members that lead. More than 1 for longer than a few ticks is a split brain; absent when nobody is seen to lead and somebody may."},
		leadersSilentMetric:  {name: "zookeeper_ensemble_leaders_not_serving", kind: gauge, help: "Leaders that serve no clients (leaderServes=no), found by the followers that have one or by the AdminServer; counted as leaders too."},
		quorumMetric:         {name: "zookeeper_ensemble_quorum", kind: gauge, help: "Whether enough voters take part, by weights and groups as ZooKeeper counts them; absent when it can't be told."},
		tolerableMetric:      {name: "zookeeper_ensemble_failures_tolerable", kind: gauge, help: "Voters that can fail, the worst ones first, before the quorum is lost; absent when it can't be told."},
		epochsMetric:         {name: "zookeeper_ensemble_epochs", kind: gauge, help: "Epochs that the members' last zxids are of; more than 1 until the first write after an election."},
		memberUpMetric:       {name: "zookeeper_ensemble_member_up", kind: gauge, help: "Whether the member answered from here, not serving included."},
		memberDistanceMetric: {name: "zookeeper_ensemble_member_zxid_distance", kind: gauge, help: "Transactions that the member is behind the highest zxid of all members; absent when that is of another epoch."},
		expiryMetric:         {name: "zookeeper_tls_certificate_expiry_timestamp_seconds", kind: gauge, help: "When the first certificate of the chain that the server served last expires, in seconds since 1970."},
		handshakesMetric:     {name: "zookeeper_tls_handshake_failures_total", kind: counter, help: "Connections to the server that failed for TLS, by cause."},
	}
}

// gathered collects families of such metrics, in the form of the client library.
type gathered struct {
	known []family
	all   []*dto.MetricFamily
}

func newGathered() *gathered { return &gathered{known: aroundFamilies()} }

// put adds the family of a metric, unless it has no series.
func (g *gathered) put(id around, series ...*dto.Metric) {
	if len(series) == 0 {
		return
	}
	f := g.known[id]
	kind := dto.MetricType(dto.MetricType_value[strings.ToUpper(f.kind.typeName())])
	g.all = append(g.all, &dto.MetricFamily{Name: &f.name, Help: &f.help, Type: &kind, Metric: series})
}

func gaugeSeries(value float64, labels ...*dto.LabelPair) *dto.Metric {
	return &dto.Metric{Label: labels, Gauge: &dto.Gauge{Value: &value}}
}

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }
