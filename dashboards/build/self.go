package main

// of returns a metric that every target of Prometheus has, of the targets that
// are zkwarden: those of a job in which there is one.
func of(metric string) string {
	return metric + `{` + ofInstance + `} and on (job) last_over_time(zkwarden_build_info[1h])`
}

func self() dashboard {
	return newDashboard(selfUID, "zkwarden itself", "Whether zkwarden can do its work: what it scrapes, what fails, what it costs, and how the auditor's parts are.",
		[]variable{datasourceVariable(), namespaceVariable(), ensembleVariable(true), instanceVariable("zkwarden_build_info"), runbooksVariable()}, marks(),
		section("Now", cells(4, selfStats()...), cells(8, processTable())),
		section("Exporter", cells(8, scrapeSeries()...), cells(8, readingSeries()...)),
		section("Auditor", cells(8, sourceSeries()...), cells(8, journalSeries()...), cells(8, sinkSeries()...), cells(8, actorSeries()...)),
		section("Process", cells(8, costSeries()...)),
	)
}

func selfStats() []*panel {
	return []*panel{
		stat(about{
			title: "Scraped", description: "Targets that Prometheus could scrape, of the jobs with a zkwarden.", unit: "none", noValue: noSidecar, runbook: "ZooKeeperMemberDown",
		}, query{`sum(` + of("up") + `)`, "up"}, query{`count(` + of("up") + `)`, "of"}),
		stat(about{
			title: "Servers that answer", description: "ZooKeeper servers that answered with a text of their own, not serving included.", unit: "none", noValue: noSidecar,
		}, query{`sum(zookeeper_up{` + ofInstance + `})`, "up"}, query{`count(zookeeper_up{` + ofInstance + `})`, "of"}),
		stat(about{
			title: "Words that fail", description: "Four-letter words whose last answer was a failure, at all servers.", unit: "none", noValue: noSidecar,
		}, query{`sum(zookeeper_word_success{` + ofInstance + `} == bool 0)`, "words"}).limits(green, from(1, orange)),
		stat(about{
			title: "Configuration", description: "Whether the last attempt to read the configuration files was a success.", unit: "none", noValue: noSidecar,
		}, query{`min(zkwarden_config_last_reload_successful{` + ofInstance + `})`, "reload"}).
			maps(shown{Text: "refused", Color: red}, shown{Text: "read", Color: green}),
		stat(about{
			title: "Auditors", description: "Auditors that are connected, of those that are scraped.", unit: "none", noValue: noAuditor, runbook: "ZkwardenAuditDown",
		}, query{`sum(zkwarden_audit_connected{` + ofInstance + `})`, "connected"}, query{`count(zkwarden_audit_connected{` + ofInstance + `})`, "of"}),
		stat(about{
			title: "Versions", description: "Versions of zkwarden that run.", unit: "none", noValue: noSidecar,
		}, query{`count by (version) (zkwarden_build_info{` + ofInstance + `})`, "{{version}}"}).names(),
	}
}

func processTable() *panel {
	each := func(metric string) string { return `max by (instance) (` + metric + `{` + ofInstance + `})` }
	return table(about{
		title: "Instances", description: "A row for each zkwarden.", noValue: noSidecar,
	},
		column{name: "Instance", label: "instance", expr: `max by (instance) (zkwarden_build_info{` + ofInstance + `})`},
		column{name: "Version", label: "version", expr: `max by (instance, version) (zkwarden_build_info{` + ofInstance + `})`},
		column{name: "Running since", unit: "s", expr: `time() - ` + each("process_start_time_seconds")},
		column{name: "Memory", unit: "bytes", expr: each("process_resident_memory_bytes")},
		column{name: "Scrape", unit: "s", expr: `max by (instance) (` + of("scrape_duration_seconds") + `)`},
		column{name: "Server", expr: each("zookeeper_up"), states: []shown{{Text: "no answer", Color: red}, {Text: "answers", Color: green}}},
		column{name: "Unknown keys", expr: each("zkwarden_mntr_unknown_keys")},
		column{
			name: "Dropped entries", expr: each("zkwarden_mntr_dropped_entries"),
			thresholds: &thresholds{Mode: "absolute", Steps: []step{{Color: green}, from(1, orange)}},
		},
		column{
			name: "Auditor", expr: each("zkwarden_audit_connected") + " or 2 + 0 * " + each("zkwarden_build_info"),
			states: []shown{{Text: "not connected", Color: red}, {Text: "connected", Color: green}, {Text: "none", Color: grey}},
		},
	)
}

func scrapeSeries() []*panel {
	return []*panel{
		series(about{
			title: "Time of a scrape", description: "What Prometheus measures for a whole page of metrics.", unit: "s", noValue: noSidecar,
		}, query{`max by (instance) (` + of("scrape_duration_seconds") + `)`, "{{instance}}"}).limits(green, from(5, orange)),
		series(about{
			title: "Time of each word", description: "Time that the four-letter words took when they were last asked; the slowest server counts.", unit: "s", noValue: "no word was answered",
		}, query{`max by (word) (zookeeper_word_duration_seconds{` + ofInstance + `})`, "{{word}}"}),
		series(about{
			title: "Failures of words", description: "Four-letter words that failed, by word and reason. Words that are not whitelisted fail once a slow interval.", unit: "none", noValue: "no word failed, or no zkwarden is scraped",
		}, query{`sum by (word, reason) (increase(zookeeper_word_failures_total{` + ofInstance + `}[$__rate_interval])) > 0`, "{{word}} {{reason}}"}).bars(),
	}
}

func readingSeries() []*panel {
	return []*panel{
		series(about{
			title: "Not read", description: "Keys that zkwarden does not know, values that it could not read, and entries of sets that it left out, in the last answers.", unit: "none", noValue: noSidecar,
		}, query{`sum(zkwarden_mntr_unknown_keys{` + ofInstance + `})`, "unknown keys"},
			query{`sum(zkwarden_reply_unparsable_values{` + ofInstance + `})`, "unparsable values"},
			query{`sum(zkwarden_mntr_dropped_entries{` + ofInstance + `})`, "dropped entries"}).stepped(),
		series(about{
			title: "Samples on a page", description: "Samples that Prometheus takes from each scrape.", unit: "short", noValue: noSidecar,
		}, query{`max by (instance) (` + of("scrape_samples_scraped") + `)`, "{{instance}}"}),
		series(about{
			title: "Probes", description: "Targets that /probe remembers, those that it forgot, and probes that it turned away.", unit: "none", noValue: noSidecar,
		}, query{`sum(zkwarden_probe_targets{` + ofInstance + `})`, "remembered"},
			query{`sum by (cause) (increase(zkwarden_probe_targets_dropped_total{` + ofInstance + `}[$__rate_interval]))`, "forgotten: {{cause}}"},
			query{`sum(increase(zkwarden_probes_refused_total{` + ofInstance + `}[$__rate_interval]))`, "turned away"}),
	}
}

func sourceSeries() []*panel {
	return []*panel{
		timeline(about{
			title: "Session", description: "Whether the auditor's session is connected and its watches are confirmed.", unit: "none", noValue: noAuditor, runbook: "ZkwardenAuditDown",
		}, []shown{{Text: "not connected", Color: red}, {Text: "connected", Color: green}}, query{`max by (instance) (zkwarden_audit_connected{` + ofInstance + `})`, "{{instance}}"}),
		series(about{
			title: "Connections lost", description: "Connections of the auditor's session that were lost, by reason, and resyncs that had to read every znode.", unit: "none", noValue: noAuditor,
			runbook: "ZkwardenAuditInterrupted",
		}, query{`sum by (reason) (increase(zkwarden_audit_connections_lost_total{` + ofInstance + `}[$__rate_interval]))`, "{{reason}}"},
			query{`sum(increase(zkwarden_audit_resync_fallbacks_total{` + ofInstance + `}[$__rate_interval]))`, "whole resync"}).bars(),
		series(about{
			title: "Sweeps and refused reads", description: "Completed comparisons of every watched znode with the server, and reads that an ACL refused.", unit: "none", noValue: noAuditor,
			runbook: "ZkwardenUnreadableZnodes",
		}, query{`sum(increase(zkwarden_audit_sweeps_total{` + ofInstance + `}[$__rate_interval]))`, "sweeps"},
			query{`sum(increase(zkwarden_audit_unreadable_reads_total{` + ofInstance + `}[$__rate_interval]))`, "refused reads"}).bars(),
	}
}

func journalSeries() []*panel {
	return []*panel{
		series(about{
			title: "Records", description: "Records that become durable, a second.", unit: "ops", noValue: noAuditor,
		}, query{`sum by (instance) (deriv(zkwarden_journal_head_seq{` + ofInstance + `}[$__rate_interval]))`, "{{instance}}"}),
		series(about{
			title: "Time of an fsync", description: "Time that the disk took to make a group of records durable: mean, and what 99 of 100 stay below.", unit: "s", noValue: "nothing was written, or no auditor is scraped",
		}, query{`sum by (instance) (` + rate("zkwarden_journal_fsync_duration_seconds_sum", ofInstance) + `) / sum by (instance) (` + rate("zkwarden_journal_fsync_duration_seconds_count", ofInstance) + `)`, "mean {{instance}}"},
			query{`histogram_quantile(0.99, sum by (instance, le) (` + rate("zkwarden_journal_fsync_duration_seconds_bucket", ofInstance) + `))`, "99% {{instance}}"}).
			limits(green, from(.2, orange)),
		series(about{
			title: "Disk", description: "Size of the durable records, and of the file with the last known state.", unit: "bytes", noValue: noAuditor,
		}, query{`max by (instance) (zkwarden_journal_bytes{` + ofInstance + `})`, "journal {{instance}}"},
			query{`max by (instance) (zkwarden_audit_mirror_bytes{` + ofInstance + `})`, "last known state {{instance}}"}),
		freeDisk("no auditor is scraped, and zkwarden runs without --collector.disk"),
	}
}

func sinkSeries() []*panel {
	return []*panel{
		series(about{
			title: "Behind, by sink", description: "Durable records that each sink has not accepted.", unit: "short", noValue: noAuditor, runbook: "ZkwardenSinkFailing",
		}, query{`max by (instance, sink) (zkwarden_sink_lag_records{` + ofInstance + `})`, "{{sink}} {{instance}}"}),
		series(about{
			title: "Refused deliveries", description: "Deliveries that a sink did not accept. They are tried again.", unit: "none", noValue: noAuditor, runbook: "ZkwardenSinkFailing",
		}, query{`sum by (instance, sink) (increase(zkwarden_sink_errors_total{` + ofInstance + `}[$__rate_interval]))`, "{{sink}} {{instance}}"}).bars(),
		series(about{
			title: "Records that a sink never got", description: "Records that the hard retention size removed before the sink accepted them, and those that the webhook's endpoint refused even without contents.",
			unit: "none", noValue: noAuditor, runbook: "ZkwardenSinkLostRecords",
		}, query{`sum by (instance, sink) (increase(zkwarden_sink_lost_records_total{` + ofInstance + `}[$__rate_interval]))`, "{{sink}} {{instance}}"},
			query{`sum by (instance) (increase(zkwarden_webhook_passed_over_total{` + ofInstance + `}[$__rate_interval]))`, "passed over {{instance}}"}).bars(),
	}
}

// actorSeries are about who made a change: the connections of the members, and
// the transaction log.
func actorSeries() []*panel {
	return []*panel{
		series(about{
			title: "Clients behind sessions", description: "Answers to which client is behind a session, by how sure they are. Many that are unknown: a member does not tell its clients.",
			unit: "none", noValue: noAuditor,
		}, query{`sum by (confidence) (increase(zkwarden_audit_actors_total{` + ofInstance + `}[$__rate_interval]))`, "{{confidence}}"}).bars(),
		series(about{
			title: "Members asked for their clients", description: "How often the auditors asked members for cons, how often that failed and why. A word that is not whitelisted is asked once a minute.",
			unit: "none", noValue: noAuditor,
		}, query{`sum(increase(zkwarden_audit_attribution_polls_total{` + ofInstance + `}[$__rate_interval]))`, "asked"},
			query{`sum by (reason) (increase(zkwarden_audit_attribution_poll_errors_total{` + ofInstance + `}[$__rate_interval])) > 0`, "failed: {{reason}}"}),
		series(about{
			title: "Transaction log", description: "Transactions that auditors followed in a server's log, and how often one left it to watch the live ensemble, and why.",
			unit: "none", noValue: "no auditor runs with --audit.txnlog-dir", runbook: "ZkwardenAuditGap",
		}, query{`sum by (instance) (increase(zkwarden_audit_txnlog_transactions_total{` + ofInstance + `}[$__rate_interval]))`, "followed {{instance}}"},
			query{`sum by (instance, reason) (increase(zkwarden_audit_txnlog_left_total{` + ofInstance + `}[$__rate_interval]))`, "left {{instance}}: {{reason}}"}),
	}
}

func costSeries() []*panel {
	return []*panel{
		series(about{
			title: "Memory", description: "Resident memory of each zkwarden.", unit: "bytes", noValue: "the operating system doesn't tell",
		}, query{`max by (instance) (process_resident_memory_bytes{` + ofInstance + `} and on (instance, job) zkwarden_build_info)`, "{{instance}}"}),
		series(about{
			title: "CPU", description: "Share of one core that each zkwarden keeps busy.", unit: "percentunit", noValue: "the operating system doesn't tell",
		}, query{`sum by (instance) (` + rate("process_cpu_seconds_total", ofInstance) + ` and on (instance, job) zkwarden_build_info)`, "{{instance}}"}),
		series(about{
			title: "Goroutines and descriptors", description: "What grows for ever when something leaks.", unit: "short", noValue: noSidecar,
		}, query{`max by (instance) (go_goroutines{` + ofInstance + `} and on (instance, job) zkwarden_build_info)`, "goroutines {{instance}}"},
			query{`max by (instance) (process_open_fds{` + ofInstance + `} and on (instance, job) zkwarden_build_info)`, "descriptors {{instance}}"}),
	}
}
