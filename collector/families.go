package collector

import (
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

func label(name, value string) *dto.LabelPair { return &dto.LabelPair{Name: &name, Value: &value} }
