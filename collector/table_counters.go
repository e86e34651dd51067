package collector

import "slices"

// counters returns what only rises. The first three sections are kept by the
// server for the life of its JVM, the last by the server object, which a change
// of role replaces.
func counters() []metric {
	return slices.Concat(clientCounters(), requestCounters(), quorumCounters(), operationCounters(), roleCounters())
}

func clientCounters() []metric {
	return rows(counter, []row{
		{"connection_request_count", "connection_requests_total", each, "3.6.0", "Requests for a session."},
		{"connection_rejected", "connections_rejected_total", each, "3.6.0", "Connections refused because of a limit or the throttle."},
		{"connection_drop_count", "connection_drops_total", each, "3.6.0", "Connections found closed by the client."},
		{"connection_revalidate_count", "connection_revalidates_total", each, "3.6.0", "Clients that came back with a session they had."},
		{"sessionless_connections_expired", "sessionless_connections_expired_total", each, "3.6.0", "Connections expired before they had a session."},
		{"stale_sessions_expired", "stale_sessions_expired_total", each, "3.6.0", "Sessions expired by the tracker."},
		{"ensemble_auth_success", "ensemble_auth_success_total", each, "3.6.0", "Clients that named the right ensemble."},
		{"ensemble_auth_fail", "ensemble_auth_fail_total", each, "3.6.0", "Clients that named another ensemble."},
		{"ensemble_auth_skip", "ensemble_auth_skip_total", each, "3.6.0", "Clients that named no ensemble."},
		{"tls_handshake_exceeded", "tls_handshake_exceeded_total", each, "3.6.0", "TLS connections closed because too many handshakes were in progress."},
		{"unsuccessful_handshake", "unsuccessful_handshakes_total", each, "3.7.0", "TLS handshakes of clients that failed."},
		{"cnxn_closed_without_zk_server_running", "connections_closed_while_not_serving_total", each, "3.7.0", "Connections dropped early because the server was not serving."},
		{"insecure_admin_count", "insecure_admin_connections_total", each, "3.7.0", "Plain connections to an admin server that also speaks TLS."},
		{"bytes_received_count", "received_bytes_total", octets, "3.6.0", "Bytes received from clients."},
		{"response_bytes", "response_bytes_total", octets, "3.7.0", "Bytes of responses written to clients."},
		{"watch_bytes", "watch_bytes_total", octets, "3.7.0", "Bytes of watch events written to clients."},
		{"dead_watchers_queued", "dead_watchers_queued_total", each, "3.6.0", "Watchers without a connection that were queued for removal."},
		{"dead_watchers_cleared", "dead_watchers_cleared_total", each, "3.6.0", "Watchers without a connection that were removed."},
		{"add_dead_watcher_stall_time", "add_dead_watcher_stall_seconds_total", millis, "3.6.0", "Time that threads stalled to queue watchers without a connection."},
		{"snapshot_error_count", "admin_snapshot_errors_total", each, "3.9.0", "Failures of the admin server's snapshot command."},
		{"snapshot_rate_limited_count", "admin_snapshots_rate_limited_total", each, "3.9.0", "Calls of the admin server's snapshot command that the rate limit refused."},
		{"restore_error_count", "admin_restore_errors_total", each, "3.9.0", "Failures of the admin server's restore command."},
		{"restore_rate_limited_count", "admin_restores_rate_limited_total", each, "3.9.0", "Calls of the admin server's restore command that the rate limit refused."},
	})
}

func requestCounters() []metric {
	return rows(counter, []row{
		{"prep_processor_request_queued", "prep_processor_requests_queued_total", each, "3.6.0", "Requests queued for preparation."},
		{"sync_processor_request_queued", "sync_processor_requests_queued_total", each, "3.6.0", "Requests queued for the transaction log."},
		{"request_commit_queued", "request_commits_queued_total", each, "3.6.0", "Commits queued for the commit processor."},
		{"outstanding_changes_queued", "outstanding_changes_queued_total", each, "3.6.0", "Uncommitted changes queued."},
		{"outstanding_changes_removed", "outstanding_changes_removed_total", each, "3.6.0", "Uncommitted changes taken off the queue."},
		{"requests_not_forwarded_to_commit_processor", "requests_not_forwarded_to_commit_processor_total", each, "3.7.0", "Forwarded requests that the leader kept from its commit processor."},
		{"stale_requests", "stale_requests_total", each, "3.6.0", "Requests whose connection was gone when the throttle came to them."},
		{"stale_requests_dropped", "stale_requests_dropped_total", each, "3.6.0", "Requests dropped because their connection was gone."},
		{"stale_replies", "stale_replies_total", each, "3.6.0", "Replies whose connection was gone."},
		{"request_throttle_wait_count", "request_throttle_waits_total", each, "3.6.0", "Times that the request throttle made requests wait."},
		{"throttled_ops", "throttled_operations_total", each, "3.7.0", "Requests refused because they had waited too long in the throttle."},
		{"large_requests_rejected", "large_requests_rejected_total", each, "3.6.0", "Requests refused by the throttle of large requests."},
		{"response_packet_cache_hits", "response_packet_cache_hits_total", each, "3.6.0", "Reads of data answered from the response cache."},
		{"response_packet_cache_misses", "response_packet_cache_misses_total", each, "3.6.0", "Reads of data not found in the response cache."},
		{"response_packet_get_children_cache_hits", "response_packet_get_children_cache_hits_total", each, "3.6.0", "Reads of children answered from the response cache."},
		{"response_packet_get_children_cache_misses", "response_packet_get_children_cache_misses_total", each, "3.6.0", "Reads of children not found in the response cache."},
		{"ttl_node_created_count", "ttl_znodes_created_total", each, "3.10.0", "Znodes with a time to live created."},
		{"ttl_node_deleted_count", "ttl_znodes_deleted_total", each, "3.10.0", "Znodes with a time to live deleted."},
		{"fsync_threshold_exceed_count", "fsync_threshold_exceeded_total", each, "3.4.13", "Syncs of the transaction log beyond the warning threshold; 3.4 only."},
		{"unrecoverable_error_count", "unrecoverable_errors_total", each, "3.6.0", "Critical threads that died."},
		{"digest_mismatches_count", "digest_mismatches_total", each, "3.6.0", "Times that the digest of the tree was not the one in the transaction."},
	})
}

func quorumCounters() []metric {
	return rows(counter, []row{
		{"looking_count", "looking_total", each, "3.6.0", "Times that this server began to look for a leader."},
		{"diff_count", "diff_syncs_total", each, "3.6.0", "Learners that this leader brought up to date with a difference."},
		{"snap_count", "snap_syncs_total", each, "3.6.0", "Learners that this leader brought up to date with a snapshot."},
		{"commit_count", "commits_total", each, "3.6.0", "Commits sent by this leader."},
		{"proposal_count", "proposals_total", each, "3.6.0", "Proposals made by this leader."},
		{"learner_proposal_received_count", "learner_proposals_received_total", each, "3.6.0", "Proposals received by this learner."},
		{"learner_commit_received_count", "learner_commits_received_total", each, "3.6.0", "Commits received by this learner."},
		{"revalidate_count", "revalidates_total", each, "3.6.0", "Sessions that this leader validated again for learners."},
		{"quit_leading_due_to_disloyal_voter", "quit_leading_due_to_disloyal_voter_total", each, "3.6.0", "Times that this server gave up leading because a voter went elsewhere."},
		{"skip_learner_request_to_next_processor_count", "learner_requests_skipped_total", each, "3.7.0", "Requests of learners that an observer master did not pass on."},
	})
}

// roleCounters live in the server object. ZooKeeper calls them gauges, but they
// never fall while a role lasts.
func roleCounters() []metric {
	return rows(counter, []row{
		{"packets_received", "packets_received_total", each, "3.4.0", "Packets received from clients since the last change of role."},
		{"packets_sent", "packets_sent_total", each, "3.4.0", "Packets sent to clients since the last change of role."},
		{"auth_failed_count", "auth_failures_total", each, "3.6.0", "Failed authentications and TLS handshakes since the last change of role."},
		{"non_mtls_remote_conn_count", "non_mtls_remote_connections_total", each, "3.6.0", "Connections without mutual TLS from other hosts since the last change of role; Netty only."},
		{"non_mtls_local_conn_count", "non_mtls_local_connections_total", each, "3.6.0", "Connections without mutual TLS from this host since the last change of role; Netty only."},
	})
}

// operationCounters came with ZOOKEEPER-4983: one for all operations, and one each.
func operationCounters() []metric {
	out := rows(counter, []row{
		{"op_count_total", "client_operations_total", each, "3.10.0", "Operations that clients asked for."},
	})
	for _, operation := range []string{
		"add_watch", "check", "check_watches", "close_session", "create", "create_session", "delete", "exists",
		"get_acl", "get_all_children_number", "get_children", "get_data", "get_ephemerals", "multi", "multi_read",
		"ping", "reconfig", "remove_watches", "set_acl", "set_data", "set_watches", "sync", "who_am_i",
	} {
		typed := rows(counter, []row{
			{"op_count_" + operation, "client_operations_by_type_total", each, "3.10.0", "Operations that clients asked for, by type."},
		})
		typed[0].label, typed[0].value = operationLabel, operation
		out = append(out, typed...)
	}
	return out
}
