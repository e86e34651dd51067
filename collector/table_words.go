package collector

import (
	"slices"

	"zkwarden/internal/fourletter"
)

// wordMetrics returns what the words other than mntr and srvr say. Where two of
// them say the same, they share a series.
func wordMetrics() []metric {
	return slices.Concat(
		unsettable(rowsOf(fourletter.Conf, gauge, []row{
			{"tickTime", "config_tick_seconds", millis, "3.4.0", "Length of a tick, the unit of the other times (tickTime)."},
			{"minSessionTimeout", "config_min_session_timeout_seconds", millis, "3.4.0", "Shortest session timeout that a client can get (minSessionTimeout)."},
			{"maxSessionTimeout", "config_max_session_timeout_seconds", millis, "3.4.0", "Longest session timeout that a client can get (maxSessionTimeout)."},
			{"maxClientCnxns", "config_max_client_connections", each, "3.4.0", "Connections that one client address may have; 0: no limit (maxClientCnxns)."},
			{"clientPortListenBacklog", "config_client_port_listen_backlog", each, "3.6.0", "Connections that may wait to be accepted (clientPortListenBacklog)."},
			{"serverId", "config_server_id", each, "3.4.0", "Id of the server, 0 when it stands alone (myid)."},
			{"initLimit", "config_init_limit_ticks", each, "3.4.0", "Ticks that a follower may take to connect to the leader and sync (initLimit)."},
			{"syncLimit", "config_sync_limit_ticks", each, "3.4.0", "Ticks that a follower may lag behind the leader (syncLimit)."},
			{"dataDirSize", "data_dir_size_bytes", octets, "3.5.0", dataSizeHelp},
			{"dataLogSize", "data_log_dir_size_bytes", octets, "3.5.0", logSizeHelp},
		})),
		rowsOf(fourletter.Dirs, gauge, []row{
			{"datadir_size", "data_dir_size_bytes", octets, "3.5.1", dataSizeHelp},
			{"logdir_size", "data_log_dir_size_bytes", octets, "3.5.1", logSizeHelp},
		}),
		rowsOf(fourletter.Isro, gauge, []row{
			{"read_only", "read_only", each, "3.4.0", "Whether the server only serves reads, because it has no quorum."},
		}),
		rowsOf(fourletter.Wchs, gauge, []row{
			{"connections", "watching_connections", each, "3.4.0", "Connections that hold data watches at this server."},
			{"paths", "watched_paths", each, "3.4.0", "Paths with data watches at this server."},
			{"watches", "data_watches", each, "3.4.0", "Data watches at this server; those for children are not among them."},
		}),
		connectionMetrics(),
	)
}

const (
	dataSizeHelp = "Size of the snapshots (dataDir)."
	logSizeHelp  = "Size of the transaction logs, with the room that is allocated ahead (dataLogDir)."
)

// connectionMetrics come from cons, which is asked only on request.
func connectionMetrics() []metric {
	return slices.Concat(
		rowsOf(fourletter.Cons, gauge, []row{
			{"clients", "client_addresses", each, "3.4.0", "Client addresses with a connection."},
			{"largest", "client_connections_max", each, "3.4.0", "Most connections that one client address has; zookeeper_config_max_client_connections is the limit."},
			{"sessionless", "client_connections_sessionless", each, "3.4.0", "Connections without a session, such as those of this exporter."},
			{"oldest", "client_connection_oldest_seconds", millis, "3.4.0", "Age of the oldest session's connection, by the clocks of the server and this exporter."},
			{"queued", "client_queued_requests", each, "3.4.0", "Responses and requests queued on the connections, all together."},
			{"latency", "client_latency_max_seconds", millis, "3.4.0", "Longest latency of a request over the life of its connection, of all connections."},
		}),
		keyed(clientLabel, rowsOf(fourletter.Cons, gauge, []row{
			{"connections", "client_connections", each, "3.4.0", "Connections by client address, those with the most; the rest together as other."},
		})),
	)
}

// keeperMetrics returns what ClickHouse Keeper alone has in mntr.
func keeperMetrics() []metric {
	return rows(gauge, []row{
		{"key_arena_size", "key_arena_size_bytes", octets, "ClickHouse Keeper", "Memory for the paths of znodes."},
		{"latest_snapshot_size", "latest_snapshot_size_bytes", octets, "ClickHouse Keeper", "Size of the last snapshot."},
	})
}
