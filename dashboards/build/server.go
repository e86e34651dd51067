package main

func server() dashboard {
	return newDashboard(serverUID, "Server", "One server: where its requests spend their time, from the throttle to the answer, and what the JVM and TLS do.",
		[]variable{datasourceVariable(), namespaceVariable(), ensembleVariable(false), oneInstanceVariable(), runbooksVariable()}, marks(),
		section("Now", cells(4, serverStats()...)),
		section("The way of a request", cells(8, pipelineSeries()...), cells(8, queueSeries()...)),
		section("The way of a proposal", cells(8, leaderSeries()...), cells(8, learnerSeries()...)),
		section("Clients", cells(8, sessionSeries()...), cells(8, trafficSeries()...)),
		section("The process", cells(8, jvmSeries()...), cells(8, securitySeries()...)),
	)
}

func serverStats() []*panel {
	return []*panel{
		stat(about{title: "Role", description: "What the server says it is.", unit: "none", noValue: noSidecar, runbook: "ZooKeeperMemberDown"},
			query{roleExpr(), "{{instance}}"}).maps(roles()...),
		stat(about{title: "Version", description: "Release of ZooKeeper.", unit: "none", noValue: "the server does not answer"},
			query{`max by (instance, version) (zookeeper_server_info{` + ofInstance + `})`, "{{version}}"}).names(),
		stat(about{title: "In this role since", description: "Time since the server object started; every change of role starts one.", unit: "s", noValue: "the server does not answer"},
			query{`max by (instance) (zookeeper_uptime_seconds{` + ofInstance + `})`, "{{instance}}"}).limits(orange, from(300, green)),
		stat(about{
			title: "Epoch used up", description: "Share of the zxids of this epoch that are used. At the end the ensemble elects again (ZOOKEEPER-1277).",
			unit: "percentunit", noValue: "the server does not answer", runbook: "ZooKeeperZxidRolloverNear",
		}, query{`max by (instance) (zookeeper_zxid_sequence{` + ofInstance + `} / 4294967295)`, "{{instance}}"}).limits(green, from(.9, orange)),
		stat(about{
			title: "Certificate expires in", description: "Time until the certificate that the server served last is no longer valid.",
			unit: "s", noValue: "zkwarden speaks plain text to it", runbook: "ZooKeeperCertificateExpiring",
		}, query{`min by (instance) (zookeeper_tls_certificate_expiry_timestamp_seconds{` + ofInstance + `}) - time()`, "{{instance}}"}).
			limits(red, from(86400, orange), from(14*86400, green)),
		stat(about{
			title: "Threads that died", description: "Critical threads that died. The server should be restarted.", unit: "none", noValue: "ZooKeeper before 3.6, or no answer",
		}, query{`max by (instance) (zookeeper_unrecoverable_errors_total{` + ofInstance + `})`, "{{instance}}"}).limits(green, from(1, red)),
	}
}

// stage is a summary of the request pipeline and what a reader calls it.
type stage struct{ metric, name string }

func stages(stages ...stage) []query {
	var queries []query
	for _, s := range stages {
		queries = append(queries, query{mean(s.metric, "instance"), s.name})
	}
	return queries
}

func pipelineSeries() []*panel {
	return []*panel{
		series(about{
			title: "Time in each stage, writes", description: "Mean time of a write: waiting for preparation, being prepared, waiting for the transaction log, being written, in the commit processor, and being applied.",
			unit: "s", noValue: before36, runbook: "ZooKeeperFsyncSlow",
		}, stages(
			stage{"zookeeper_prep_processor_queue_seconds", "prepare: wait"},
			stage{"zookeeper_prep_process_seconds", "prepare"},
			stage{"zookeeper_sync_processor_queue_seconds", "log: wait"},
			stage{"zookeeper_fsync_seconds", "log: fsync"},
			stage{"zookeeper_commit_processor_write_seconds", "commit"},
			stage{"zookeeper_final_processor_write_seconds", "apply"},
		)...),
		series(about{
			title: "Time in each stage, reads", description: "Mean time of a read in the commit processor, where it waits for earlier writes of its session, and in the final processor.",
			unit: "s", noValue: before36,
		}, stages(
			stage{"zookeeper_commit_processor_read_seconds", "commit"},
			stage{"zookeeper_final_processor_read_seconds", "answer"},
			stage{"zookeeper_read_latency_seconds", "altogether"},
		)...),
		series(about{
			title: "Latency", description: "Mean time of reads and writes inside the server, from their arrival to the answer.", unit: "s", noValue: before36,
		}, query{mean("zookeeper_read_latency_seconds", "instance"), "read"},
			query{mean("zookeeper_update_latency_seconds", "instance"), "write"}),
	}
}

func queueSeries() []*panel {
	return []*panel{
		series(about{
			title: "Queues", description: "Mean length of the queues of the pipeline, as sampled whenever something was put into them.", unit: "short", noValue: before36,
		}, stages(
			stage{"zookeeper_prep_processor_queue_size", "prepare"},
			stage{"zookeeper_sync_processor_queue_size", "log"},
			stage{"zookeeper_commit_processor_writes_queued", "commit, writes"},
			stage{"zookeeper_commit_processor_reads_queued", "commit, reads"},
		)...),
		series(about{
			title: "Requests in the works", description: "Requests that the server has taken and not yet answered, and those that the throttle made wait, a second.",
			unit: "short", noValue: noSidecar, runbook: "ZooKeeperOutstandingRequestsHigh",
		}, query{`max by (instance) (zookeeper_outstanding_requests{` + ofInstance + `})`, "outstanding"},
			query{`sum by (instance) (` + rate("zookeeper_request_throttle_waits_total", ofInstance) + `)`, "throttled"}).
			limits(green, from(800, orange)),
		series(about{
			title: "Requests by stage", description: "Requests that enter preparation and the transaction log.", unit: "reqps", noValue: before36,
		}, query{`sum by (instance) (` + rate("zookeeper_prep_processor_requests_queued_total", ofInstance) + `)`, "prepare"},
			query{`sum by (instance) (` + rate("zookeeper_sync_processor_requests_queued_total", ofInstance) + `)`, "log"}),
	}
}

func leaderSeries() []*panel {
	const onlyLeader = "not the leader, nothing was written, or ZooKeeper before 3.6"
	return []*panel{
		series(about{
			title: "Proposals and commits", description: "What the leader proposes and commits. They part when a majority does not acknowledge.", unit: "reqps", noValue: onlyLeader,
		}, query{`sum by (instance) (` + rate("zookeeper_proposals_total", ofInstance) + `)`, "proposals"},
			query{`sum by (instance) (` + rate("zookeeper_commits_total", ofInstance) + `)`, "commits"}),
		series(about{
			title: "Time to the acknowledgement", description: "Mean time from a request to its acknowledgement by a quorum, seen by the leader.", unit: "s", noValue: onlyLeader,
		}, query{mean("zookeeper_quorum_ack_latency_seconds", "instance"), "{{instance}}"}),
		series(about{
			title: "Packets to learners", description: "Mean number of packets that wait at the leader to be sent to each learner.", unit: "short", noValue: onlyLeader,
			runbook: "ZooKeeperMemberLagging",
		}, query{mean("zookeeper_learner_handler_queue_size", "learner"), "to {{learner}}"}),
	}
}

func learnerSeries() []*panel {
	return []*panel{
		series(about{
			title: "Received from the leader", description: "Proposals and commits that a learner receives.", unit: "reqps", noValue: "not a learner, or ZooKeeper before 3.6",
		}, query{`sum by (instance) (` + rate("zookeeper_learner_proposals_received_total", ofInstance) + `)`, "proposals"},
			query{`sum by (instance) (` + rate("zookeeper_learner_commits_received_total", ofInstance) + `)`, "commits"}),
		series(about{
			title: "Propagation", description: "Mean time from the leader's seeing a request to its being applied here. Clocks must agree for it.", unit: "s", noValue: before36,
		}, query{mean("zookeeper_propagation_latency_seconds", "instance"), "{{instance}}"}),
		series(about{
			title: "Without a leader", description: "Mean length of the times from leaving the broadcast phase to being back in it.",
			unit: "s", noValue: "no such time, or ZooKeeper before 3.7", runbook: "ZooKeeperElectionsFlapping",
		}, query{mean("zookeeper_unavailable_seconds", "instance"), "{{instance}}"}),
	}
}

func sessionSeries() []*panel {
	return []*panel{
		series(about{
			title: "Connections and sessions", description: "Open connections here, and the sessions of the whole ensemble that the server knows.", unit: "short", noValue: noSidecar,
		}, query{`max by (instance) (zookeeper_connections{` + ofInstance + `})`, "connections"},
			query{`max by (instance) (zookeeper_global_sessions{` + ofInstance + `})`, "sessions"}),
		series(about{
			title: "Ends of connections and sessions", description: "Connections that clients closed, connections that were refused, and sessions that expired.", unit: "none", noValue: before36,
			runbook: "ZooKeeperConnectionsRejected",
		}, query{`sum by (instance) (increase(zookeeper_connection_drops_total{` + ofInstance + `}[$__rate_interval]))`, "closed"},
			query{`sum by (instance) (increase(zookeeper_connections_rejected_total{` + ofInstance + `}[$__rate_interval]))`, "refused"},
			query{`sum by (instance) (increase(zookeeper_stale_sessions_expired_total{` + ofInstance + `}[$__rate_interval]))`, "expired"}).bars(),
		series(about{
			title: "Watches fired", description: "Watches that changes of znodes fired, a second, by kind.", unit: "ops", noValue: before36,
		}, query{`sum by (instance) (` + rate("zookeeper_node_changed_watches_sum", ofInstance) + `)`, "data"},
			query{`sum by (instance) (` + rate("zookeeper_node_children_watches_sum", ofInstance) + `)`, "children"},
			query{`sum by (instance) (` + rate("zookeeper_node_created_watches_sum", ofInstance) + ` + ` + rate("zookeeper_node_deleted_watches_sum", ofInstance) + `)`, "created, deleted"}),
	}
}

func trafficSeries() []*panel {
	return []*panel{
		series(about{
			title: "Bytes", description: "Bytes that arrive from clients, and those of the responses.", unit: "Bps", noValue: "ZooKeeper before 3.7, or no answer",
		}, query{`sum by (instance) (` + rate("zookeeper_received_bytes_total", ofInstance) + `)`, "received"},
			query{`sum by (instance) (` + rate("zookeeper_response_bytes_total", ofInstance) + `)`, "sent"}),
		series(about{
			title: "Packets", description: "Packets from and to clients.", unit: "pps", noValue: noSidecar,
		}, query{`sum by (instance) (` + rate("zookeeper_packets_received_total", ofInstance) + `)`, "received"},
			query{`sum by (instance) (` + rate("zookeeper_packets_sent_total", ofInstance) + `)`, "sent"}),
		series(about{
			title: "Reads answered from the cache", description: "Share of the reads of data that the response cache answered.", unit: "percentunit", noValue: "no reads, or ZooKeeper before 3.6",
		}, query{`sum by (instance) (` + rate("zookeeper_response_packet_cache_hits_total", ofInstance) + `)` +
			` / (sum by (instance) (` + rate("zookeeper_response_packet_cache_hits_total", ofInstance) + `)` +
			` + sum by (instance) (` + rate("zookeeper_response_packet_cache_misses_total", ofInstance) + `))`, "{{instance}}"}).share(),
	}
}

func jvmSeries() []*panel {
	return []*panel{
		series(about{
			title: "Pauses of the JVM", description: "Share of the time that the JVM stood still, garbage collection included.", unit: "percentunit",
			noValue: "the server runs without jvm.pause.monitor=true",
		}, query{`sum by (instance) (` + rate("zookeeper_jvm_pause_seconds_sum", ofInstance) + `)`, "{{instance}}"}).limits(green, from(.05, orange)),
		series(about{
			title: "Snapshots", description: "Mean time to write a snapshot of the tree.", unit: "s", noValue: "no snapshot was written, or ZooKeeper before 3.6",
		}, query{mean("zookeeper_snapshot_seconds", "instance"), "{{instance}}"}),
		series(about{
			title: "File descriptors", description: "File descriptors that the server holds. The dashboard of the ensemble has the share of its limit.", unit: "short",
			noValue: "the server runs where it can't be told", runbook: "ZooKeeperFileDescriptorsNearLimit",
		}, query{`max by (instance) (zookeeper_open_file_descriptors{` + ofInstance + `})`, "open"}),
	}
}

func securitySeries() []*panel {
	return []*panel{
		series(about{
			title: "Handshakes of clients", description: "TLS handshakes of clients that failed, and connections closed because too many were in progress.", unit: "none",
			noValue: "ZooKeeper before 3.7, or no answer",
		}, query{`sum by (instance) (increase(zookeeper_unsuccessful_handshakes_total{` + ofInstance + `}[$__rate_interval]))`, "failed"},
			query{`sum by (instance) (increase(zookeeper_tls_handshake_exceeded_total{` + ofInstance + `}[$__rate_interval]))`, "too many"}).bars(),
		series(about{
			title: "Handshakes of zkwarden", description: "Connections of zkwarden to the server that failed for TLS, by cause.", unit: "none",
			noValue: "zkwarden speaks plain text to it",
		}, query{`sum by (instance, cause) (increase(zookeeper_tls_handshake_failures_total{` + ofInstance + `}[$__rate_interval]))`, "{{cause}}"}).bars(),
		series(about{
			title: "Refused credentials", description: "Authentications that failed, clients that named another ensemble included.", unit: "none", noValue: before36,
		}, query{`sum by (instance) (increase(zookeeper_auth_failures_total{` + ofInstance + `}[$__rate_interval]))`, "failed"},
			query{`sum by (instance) (increase(zookeeper_ensemble_auth_fail_total{` + ofInstance + `}[$__rate_interval]))`, "other ensemble"}).bars(),
	}
}
