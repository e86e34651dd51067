package collector

import "slices"

// gauges returns what goes up and down, and the gauges that are left out.
func gauges() []metric {
	return slices.Concat(serverGauges(), quorumGauges(), sizeGauges(), rows(lifetime, []row{
		{"avg_latency", "avg_latency_seconds", millis, "3.4.0", "Mean latency of requests over the life of the server object."},
		{"max_latency", "max_latency_seconds", millis, "3.4.0", "Longest latency of a request over the life of the server object."},
		{"min_latency", "min_latency_seconds", millis, "3.4.0", "Shortest latency of a request over the life of the server object."},
	}), rows(text, []row{
		{"version", "server_info", each, "3.4.0", "Version of the server."},
		{"server_state", "server_state", each, "3.4.0", "Role of the server."},
		{"peer_state", "peer_info", each, "3.6.0", "Phase of the atomic broadcast and of the sync with the leader."},
	}))
}

// serverGauges are registered by every server.
func serverGauges() []metric {
	return rows(gauge, []row{
		{"num_alive_connections", "connections", each, "3.4.0", "Open client connections, those of this exporter included."},
		{"outstanding_requests", "outstanding_requests", each, "3.4.0", "Requests that the server has taken and not yet answered."},
		{"znode_count", "znodes", each, "3.4.0", "Znodes in the tree."},
		{"watch_count", "watches", each, "3.4.0", "Watches that clients hold at this server."},
		{"ephemerals_count", "ephemerals", each, "3.4.0", "Ephemeral znodes in the tree."},
		{"approximate_data_size", "approximate_data_size_bytes", octets, "3.4.0", "Size of all paths and data in the tree, roughly."},
		{"uptime", "uptime_seconds", millis, "3.6.0", "Time since this server object started; starts again with every change of role."},
		{"global_sessions", "global_sessions", each, "3.6.0", "Sessions of the whole ensemble that this server knows."},
		{"local_sessions", "local_sessions", each, "3.6.0", "Sessions that only this server knows."},
		{"connection_drop_probability", "connection_drop_probability", each, "3.6.0", "Chance, 0 to 1, that the connection throttle drops a new connection."},
		{"outstanding_tls_handshake", "outstanding_tls_handshakes", each, "3.6.0", "TLS handshakes of clients in progress."},
		{"observer_master_id", "observer_master_id", each, "3.6.0", "Server id of the member that this observer follows."},
	})
}

// quorumGauges are registered by members of an ensemble, most by the leader only.
func quorumGauges() []metric {
	return rows(gauge, []row{
		{"quorum_size", "quorum_size", each, "3.6.0", "Voters in the configuration, whether up or not."},
		{"followers", "learners", each, "3.4.0", learnersHelp},
		{"learners", "learners", each, "3.6.0", learnersHelp},
		{"synced_followers", "synced_followers", each, "3.4.0", "Followers in sync with this leader, those without a vote included."},
		{"synced_non_voting_followers", "synced_non_voting_followers", each, "3.6.0", "Followers in sync with this leader that have no vote."},
		{"synced_observers", "synced_observers", each, "3.6.0", "Observers in sync with this server."},
		{"pending_syncs", "pending_syncs", each, "3.4.0", "Sync requests of clients that wait at this leader."},
		{"leader_uptime", "leader_uptime_seconds", millis, "3.6.0", "Time since this server became the leader."},
	})
}

// learnersHelp is shared: the key was renamed from followers in 3.6.0
// (ZOOKEEPER-3117) and counted observers from the start.
const learnersHelp = "Followers and observers connected to this leader, in sync or not."

// sizeGauges print -1 while there is nothing to tell.
func sizeGauges() []metric {
	return unsettable(rows(gauge, []row{
		{"open_file_descriptor_count", "open_file_descriptors", each, "3.4.0", "File descriptors that the server holds."},
		{"max_file_descriptor_count", "max_file_descriptors", each, "3.4.0", "File descriptors that the server may hold."},
		{"last_proposal_size", "last_proposal_size_bytes", octets, "3.4.0", "Size of the last proposal of this leader."},
		{"max_proposal_size", "max_proposal_size_bytes", octets, "3.4.0", "Size of the largest proposal of this leader."},
		{"min_proposal_size", "min_proposal_size_bytes", octets, "3.4.0", "Size of the smallest proposal of this leader."},
		{"last_client_response_size", "last_client_response_size_bytes", octets, "3.6.0", "Size of the last response to a client."},
		{"max_client_response_size", "max_client_response_size_bytes", octets, "3.6.0", "Size of the largest response to a client."},
		{"min_client_response_size", "min_client_response_size_bytes", octets, "3.6.0", "Size of the smallest response to a client."},
	}))
}
