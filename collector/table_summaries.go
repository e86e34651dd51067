package collector

import "slices"

// summaries returns the distributions, of which the number of observations and
// their sum are exported: rate(sum)/rate(count) is the recent mean.
func summaries() []metric {
	return slices.Concat(
		storageSummaries(), pipelineSummaries(), pipelineDistributions(),
		quorumSummaries(), quorumDistributions(), clientSummaries(), clientDistributions(),
	)
}

func storageSummaries() []metric {
	return rows(basic, []row{
		{"fsynctime", "fsync_seconds", millis, "3.6.0", "Time to sync the transaction log to disk; none with forceSync=no."},
		{"snapshottime", "snapshot_seconds", millis, "3.6.0", "Time to write a snapshot."},
		{"dbinittime", "db_init_seconds", millis, "3.6.0", "Time to load the database when the server starts."},
		{"startup_txns_loaded", "startup_txns_loaded", each, "3.6.0", "Transactions replayed when the server starts."},
		{"startup_txns_load_time", "startup_txns_load_seconds", millis, "3.6.0", "Time to replay transactions when the server starts."},
		{"startup_snap_load_time", "startup_snap_load_seconds", millis, "3.6.0", "Time to load the snapshot when the server starts."},
		{"restore_time", "admin_restore_seconds", millis, "3.9.0", "Time of the admin server's restore command."},
	})
}

func pipelineSummaries() []metric {
	return rows(basic, []row{
		{"prep_processor_queue_size", "prep_processor_queue_size", each, "3.6.0", "Requests waiting for preparation, sampled."},
		{"prep_process_time", "prep_process_seconds", millis, "3.6.0", "Time to prepare a request."},
		{"proposal_process_time", "proposal_process_seconds", millis, "3.7.0", "Time from the end of preparation to the next processor."},
		{"sync_processor_queue_size", "sync_processor_queue_size", each, "3.6.0", "Requests waiting for the transaction log, sampled."},
		{"sync_processor_batch_size", "sync_processor_batch_size", each, "3.6.0", "Requests in one flush of the transaction log."},
		{"sync_process_time", "sync_process_seconds", millis, "3.6.0", "Time to write a request to the transaction log."},
		{"requests_in_session_queue", "requests_in_session_queue", each, "3.6.0", "Requests waiting in the queue of one session."},
		{"pending_session_queue_size", "pending_session_queue_size", each, "3.6.0", "Sessions with requests waiting."},
		{"reads_after_write_in_session_queue", "reads_after_write_in_session_queue", each, "3.6.0", "Reads right behind a write in the queue of a session."},
		{"reads_issued_from_session_queue", "reads_issued_from_session_queue", each, "3.6.0", "Reads released when a queue of a session is drained."},
		{"session_queues_drained", "session_queues_drained", each, "3.6.0", "Queues of sessions drained for one batch of commits."},
		{"time_waiting_empty_pool_in_commit_processor_read_ms", "commit_processor_empty_pool_wait_seconds", millis, "3.6.0", "Time that the commit processor waits for its workers to finish."},
		{"write_batch_time_in_commit_processor", "commit_processor_write_batch_seconds", millis, "3.6.0", "Time to process a batch of writes."},
		{"concurrent_request_processing_in_commit_processor", "commit_processor_concurrent_requests", each, "3.6.0", "Requests in the works at the same time, sampled."},
		{"read_commit_proc_req_queued", "commit_processor_reads_queued", each, "3.6.0", "Reads waiting in the commit processor, sampled."},
		{"write_commit_proc_req_queued", "commit_processor_writes_queued", each, "3.6.0", "Writes waiting in the commit processor, sampled."},
		{"commit_commit_proc_req_queued", "commit_processor_commits_queued", each, "3.6.0", "Commits waiting in the commit processor, sampled."},
		{"read_commit_proc_issued", "commit_processor_reads_issued", each, "3.6.0", "Reads that the commit processor passes on at once."},
		{"write_commit_proc_issued", "commit_processor_writes_issued", each, "3.6.0", "Writes that the commit processor passes on at once."},
		{"commit_process_time", "commit_process_seconds", millis, "3.6.0", "Time to handle a commit."},
		{"learner_request_processor_queue_size", "learner_request_processor_queue_size", each, "3.7.0", "Requests waiting at a follower or observer, sampled."},
	})
}

func pipelineDistributions() []metric {
	return rows(advanced, []row{
		{"prep_processor_queue_time_ms", "prep_processor_queue_seconds", millis, "3.6.0", "Time that a request waits for preparation."},
		{"close_session_prep_time", "close_session_prep_seconds", millis, "3.6.0", "Time to prepare the end of a session."},
		{"sync_processor_queue_time_ms", "sync_processor_queue_seconds", millis, "3.6.0", "Time that a request waits for the transaction log."},
		{"sync_processor_queue_flush_time_ms", "sync_processor_flush_seconds", millis, "3.6.0", "Time to flush the transaction log."},
		{"sync_processor_queue_and_flush_time_ms", "sync_processor_queue_and_flush_seconds", millis, "3.6.0", "Time that a request takes through the transaction log, waiting included."},
		{"read_commitproc_time_ms", "commit_processor_read_seconds", millis, "3.6.0", "Time that a read spends in the commit processor."},
		{"write_commitproc_time_ms", "commit_processor_write_seconds", millis, "3.6.0", "Time that a write spends in the commit processor."},
		{"local_write_committed_time_ms", "local_write_committed_seconds", millis, "3.6.0", "Time that a committed write of an own client spends in the commit processor."},
		{"server_write_committed_time_ms", "server_write_committed_seconds", millis, "3.6.0", "Time that a committed write of another server spends in the commit processor."},
		{"read_final_proc_time_ms", "final_processor_read_seconds", millis, "3.6.0", "Time that a read spends in the final processor."},
		{"write_final_proc_time_ms", "final_processor_write_seconds", millis, "3.6.0", "Time that a write spends in the final processor."},
		{"request_throttle_queue_time_ms", "request_throttle_queue_seconds", millis, "3.7.0", "Time that a request waits in the throttle."},
	})
}

func quorumSummaries() []metric {
	return rows(basic, []row{
		{"election_time", "election_seconds", millis, "3.6.0", "Time of an election that ended in leading or following."},
		{"unavailable_time", "unavailable_seconds", millis, "3.7.0", "Time from leaving the broadcast phase to being back in it."},
		{"leader_unavailable_time", "leader_unavailable_seconds", millis, "3.7.0", "Time from leaving the broadcast phase to being back in it, kept by the server that ends up leading."},
		{"follower_sync_time", "follower_sync_seconds", millis, "3.6.0", "Time that this follower took to sync with the leader."},
		{"observer_sync_time", "observer_sync_seconds", millis, "3.7.1", "Time that this observer took to sync with the leader."},
		{"inflight_snap_count", "inflight_snap_syncs", each, "3.6.2", "Syncs by snapshot in progress, sampled when one starts or ends."},
		{"inflight_diff_count", "inflight_diff_syncs", each, "3.6.2", "Syncs by difference in progress, sampled when one starts or ends."},
		{"socket_closing_time", "socket_closing_seconds", millis, "3.7.0", "Time to close a socket between members."},
	})
}

func quorumDistributions() []metric {
	return rows(advanced, []row{
		{"quorum_ack_latency", "quorum_ack_latency_seconds", millis, "3.6.0", "Time from a request to the acknowledgement by a quorum, seen by the leader."},
		{"proposal_latency", "proposal_latency_seconds", millis, "3.6.0", "Time from the leader's proposal to its arrival here; needs clocks that agree."},
		{"proposal_ack_creation_latency", "proposal_ack_creation_latency_seconds", millis, "3.6.0", "Time from a request to its acknowledgement by this server."},
		{"propagation_latency", "propagation_latency_seconds", millis, "3.6.0", "Time from the leader seeing a request to its being applied here; needs clocks that agree."},
		{"commit_propagation_latency", "commit_propagation_latency_seconds", millis, "3.6.0", "Time from a request to the arrival of its commit here; needs clocks that agree."},
		{"om_proposal_process_time_ms", "observer_master_proposal_process_seconds", millis, "3.6.0", "Time that an observer master takes over a proposal."},
		{"om_commit_process_time_ms", "observer_master_commit_process_seconds", millis, "3.6.0", "Time that an observer master takes over a commit."},
	})
}

func clientSummaries() []metric {
	return rows(basic, []row{
		{"connection_token_deficit", "connection_token_deficit", each, "3.6.0", "Tokens that the connection throttle lacked, at each connect."},
		{"node_created_watch_count", "node_created_watches", each, "3.6.0", "Watches fired by one creation of a znode."},
		{"node_deleted_watch_count", "node_deleted_watches", each, "3.6.0", "Watches fired by one deletion of a znode."},
		{"node_changed_watch_count", "node_changed_watches", each, "3.6.0", "Watches fired by one change of a znode's data."},
		{"node_children_watch_count", "node_children_watches", each, "3.6.0", "Watches fired by one change of a znode's children."},
		{"netty_queued_buffer_capacity", "netty_queued_buffer_capacity_bytes", octets, "3.6.0", "Capacity of a buffer that Netty queued, sampled."},
	})
}

func clientDistributions() []metric {
	return rows(advanced, []row{
		{"readlatency", "read_latency_seconds", millis, "3.6.0", "Latency of a read, inside the server."},
		{"updatelatency", "update_latency_seconds", millis, "3.6.0", "Latency of a write of an own client, inside the server."},
		{"dead_watchers_cleaner_latency", "dead_watchers_cleaner_latency_seconds", millis, "3.6.0", "Time to remove a batch of watchers without a connection."},
		{"jvm_pause_time_ms", "jvm_pause_seconds", millis, "3.6.2", "Pauses of the JVM; none without jvm.pause.monitor=true."},
	})
}
