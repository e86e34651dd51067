package collector

import "slices"

// sets returns the metrics that the server keeps by namespace or by learner.
// ZooKeeper never forgets a namespace before it restarts.
func sets() []metric {
	return slices.Concat(
		keyed(namespaceLabel, rows(basic, []row{
			{"write_per_namespace", "namespace_write_bytes", octets, "3.6.0", "Bytes of path and data of each write, by top-level znode."},
			{"read_per_namespace", "namespace_read_bytes", octets, "3.6.0", "Bytes of path and data of each read, by top-level znode."},
		})),
		keyed(namespaceLabel, rows(counter, []row{
			{"quota_exceeded_error_per_namespace", "namespace_quota_exceeded_errors_total", each, "3.8.0", "Writes refused for a quota, by top-level znode."},
		})),
		keyed(namespaceLabel, unsettable(rows(gauge, []row{
			// With several quotas below one znode the server adds up their limits,
			// with -1 for each that has none (ZOOKEEPER-4211).
			{"quota_count_limit_per_namespace", "namespace_quota_znodes_limit", each, "3.8.0", "Znodes that the quotas allow, by top-level znode."},
			{"quota_bytes_limit_per_namespace", "namespace_quota_limit_bytes", octets, "3.8.0", "Bytes that the quotas allow, by top-level znode."},
			{"quota_count_usage_per_namespace", "namespace_quota_znodes_used", each, "3.8.0", "Znodes that count towards quotas, by top-level znode."},
			{"quota_bytes_usage_per_namespace", "namespace_quota_used_bytes", octets, "3.8.0", "Bytes that count towards quotas, by top-level znode."},
		}))),
		keyed(learnerLabel, rows(basic, []row{
			{"learner_handler_qp_size", "learner_handler_queue_size", each, "3.6.0", "Packets waiting to be sent to a learner, sampled by the leader."},
		})),
		keyed(learnerLabel, rows(advanced, []row{
			{"learner_handler_qp_time_ms", "learner_handler_queue_seconds", millis, "3.6.0", "Time that a packet to a learner waits at the leader."},
			{"ack_latency", "ack_latency_seconds", millis, "3.6.0", "Time from a request to the acknowledgement by one server, seen by the leader."},
		})),
	)
}
