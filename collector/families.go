package collector

import dto "github.com/prometheus/client_model/go"

// family is one metric of the page, without its series.
type family struct {
	name string
	kind dto.MetricType
	help string
}

// The metrics that don't come from the table: how the server is, how the words
// went, and how the replies could be read.
const (
	upName         = "zookeeper_up"
	servingName    = "zookeeper_serving"
	stateName      = "zookeeper_server_state"
	infoName       = "zookeeper_server_info"
	peerName       = "zookeeper_peer_info"
	epochName      = "zookeeper_zxid_epoch"
	zxidName       = "zookeeper_zxid_counter"
	successName    = "zookeeper_word_success"
	durationName   = "zookeeper_word_duration_seconds"
	failureName    = "zookeeper_word_failure"
	failuresName   = "zookeeper_word_failures_total"
	unknownName    = "zkwarden_mntr_unknown_keys"
	unparsableName = "zkwarden_reply_unparsable_values"
	droppedName    = "zkwarden_mntr_dropped_entries"
)

func families() []family {
	gauge := dto.MetricType_GAUGE
	return []family{
		{upName, gauge, "Whether the server answered any four-letter word with a text of its own, not serving included."},
		{servingName, gauge, "Whether the server serves clients, in read-only mode included."},
		{stateName, gauge, "Role of the server; exactly one state is 1."},
		{infoName, gauge, "Version of the server; always 1."},
		{peerName, gauge, "State, broadcast phase and kind of sync of a member of an ensemble; always 1."},
		{epochName, gauge, "Epoch of the last zxid that the server has applied; rises with every election."},
		{zxidName, gauge, "Counter of that zxid within its epoch; at 4294967295 the ensemble elects again."},
		{successName, gauge, "Whether the four-letter word was answered in this scrape; absent when it wasn't asked."},
		{durationName, gauge, "Time that the four-letter word took in this scrape; absent when it wasn't asked, or not to its end."},
		{failureName, gauge, "Whether the four-letter word failed in this scrape, and why."},
		{failuresName, dto.MetricType_COUNTER, "Failures of four-letter words, by reason."},
		{unknownName, gauge, "Keys of the last mntr that this exporter doesn't know; at most 200 of them are shown, untyped."},
		{unparsableName, gauge, "Lines and values of the last mntr and srvr that could not be read, and are left out."},
		{droppedName, gauge, "Entries of sets in the last mntr that were left out, because a page shows at most 100 namespaces and 100 learners."},
	}
}
