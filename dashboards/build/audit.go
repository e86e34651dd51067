package main

import "strings"

const noAuditor = "no auditor is scraped"

func audit() dashboard {
	return newDashboard(auditUID, "Audit trail", "What changed, when and by whom, and whether anything is missing. Records come from Loki; what is counted, from Prometheus.",
		[]variable{
			datasourceVariable(), lokiVariable(), namespaceVariable(), ensembleVariable(false), instanceVariable("zkwarden_audit_synced"), streamVariable(),
			textVariable("recorder", "Recorder", "Part of the name of the auditor's host; empty for all.", ""),
			textVariable("path", "Path", "How the path begins; empty for all.", ""),
			operationVariable(),
			textVariable("actor", "Actor", "Part of the client address or of the session; empty for all.", ""),
			runbooksVariable(),
		},
		marks(changeMarks()),
		section("Can it be trusted", cells(4, trustStats()...), cells(8, trustSeries()...), cells(6, howFar())),
		section("How much changed (from metrics)", cells(8, changeSeries()...)),
		section("What changed (from Loki)", cells(8, recordSeries()...), cells(10, whoChangedWhat()), cells(10, beforeAfter())),
		section("What is missing", cells(8, gapSeries(), gapRecords()), cells(7, witnesses())),
	)
}

func operationVariable() variable {
	v := variable{
		Name: "op", Label: "Operation", Type: "custom", Description: "What was done to the znode.",
		Query: "created,data_changed,acl_changed,deleted,children_changed", Multi: true, IncludeAll: true, AllValue: ".*",
		Current: &option{"All", "$__all"},
	}
	return v
}

func trustStats() []*panel {
	return []*panel{
		stat(about{
			title: "Auditor", description: "Whether the auditor is connected and its watches are confirmed, and whether its first sync is done.",
			unit: "none", noValue: noAuditor, runbook: "ZkwardenAuditDown",
		}, query{`max by (instance) (zkwarden_audit_connected{` + ofInstance + `} + zkwarden_audit_synced{` + ofInstance + `} * zkwarden_audit_connected{` + ofInstance + `})`, "{{instance}}"}).
			maps(shown{Text: "not connected", Color: red}, shown{Text: "syncing", Color: orange}, shown{Text: "recording", Color: green}),
		stat(about{
			title: "Complete until", description: "How long ago it was last confirmed that everything until then is recorded.",
			unit: "s", noValue: noAuditor, runbook: "ZkwardenAuditStalled",
		}, query{`time() - max by (instance) (zkwarden_audit_watermark_timestamp_seconds{` + ofInstance + `} > 0)`, "{{instance}}"}).
			limits(green, from(60, orange), from(300, red)),
		stat(about{
			title: "Gaps", description: "Stretches in the chosen time in which changes may have gone unseen. Each has a gap record that says from where to where.",
			unit: "none", noValue: noAuditor, runbook: "ZkwardenAuditGap",
		}, query{`sum by (instance) (round(increase(zkwarden_audit_gaps_total{` + ofInstance + `}[$__range])))`, "{{instance}}"}).limits(green, from(1, red)),
		stat(about{
			title: "Times the chain went back", description: "Times in the chosen time that the sequence of the journal became smaller: it was cut, restored or begun anew.",
			unit: "none", noValue: noAuditor, runbook: "ZkwardenJournalRewound",
		}, query{`max by (instance) (resets(zkwarden_journal_head_seq{` + ofInstance + `}[$__range]))`, "{{instance}}"}).limits(green, from(1, red)),
		stat(about{
			title: "Unreadable znodes", description: "Watched znodes that the auditor may not read, and whose changes may go unseen.",
			unit: "none", noValue: noAuditor, runbook: "ZkwardenUnreadableZnodes",
		}, query{`max by (instance) (zkwarden_audit_unreadable_znodes{` + ofInstance + `})`, "{{instance}}"}).limits(green, from(1, orange)),
		stat(about{
			title: "Journal", description: "Whether the disk accepts records. While it refuses them, nothing is read either.",
			unit: "none", noValue: noAuditor, runbook: "ZkwardenJournalNotWritable",
		}, query{`min by (instance) (zkwarden_journal_writable{` + ofInstance + `})`, "{{instance}}"}).
			maps(shown{Text: "refused", Color: red}, shown{Text: "writable", Color: green}),
	}
}

func trustSeries() []*panel {
	return []*panel{
		series(about{
			title: "Age of the watermark", description: "Time since it was last confirmed that everything is recorded. It stays low in an idle ensemble, too.",
			unit: "s", noValue: noAuditor, runbook: "ZkwardenAuditStalled",
		}, query{`time() - max by (instance) (zkwarden_audit_watermark_timestamp_seconds{` + ofInstance + `} > 0)`, "{{instance}}"}).limits(green, from(60, orange)),
		series(about{
			title: "Behind, by sink", description: "Durable records that each sink has not accepted. They wait in the journal.",
			unit: "short", noValue: noAuditor, runbook: "ZkwardenSinkFailing",
		}, query{`max by (instance, sink) (zkwarden_sink_lag_records{` + ofInstance + `})`, "{{sink}} {{instance}}"}),
		series(about{
			title: "Less than exact", description: "Records that could not be told completely, and changes that are only counted in another record.",
			unit: "none", noValue: noAuditor,
		}, query{`sum by (instance) (increase(zkwarden_audit_inexact_events_total{` + ofInstance + `}[$__rate_interval]))`, "inexact {{instance}}"},
			query{`sum by (instance) (increase(zkwarden_audit_collapsed_changes_total{` + ofInstance + `}[$__rate_interval]))`, "collapsed {{instance}}"},
			query{`sum by (instance) (increase(zkwarden_audit_sweep_finds_total{` + ofInstance + `}[$__rate_interval]))`, "found by a sweep {{instance}}"}).bars(),
	}
}

// howFar takes the numbers of zxids apart, as ZooKeeper prints them.
func howFar() *panel {
	each := func(metric string) string {
		return `max by (instance) (zkwarden_audit_` + metric + `{` + ofInstance + `})`
	}
	none := " or 0 * " + each("connected")
	return table(about{
		title:       "Recorded and verified through",
		description: "Everything up to the first zxid is recorded. Up to the second one, what the transaction log says adds up to the digests of the server's tree; there is none without --audit.txnlog-dir or before ZooKeeper 3.6.",
		noValue:     noAuditor, runbook: "ZooKeeperDigestMismatch",
	},
		column{name: "Instance", label: "instance", expr: each("connected")},
		column{name: "Follows", expr: each("txnlog_leading") + none, states: []shown{{Text: "watches", Color: grey}, {Text: "transaction log", Color: green}}},
		column{name: "Digests", expr: each("txnlog_verifying") + none, states: []shown{{Text: "not compared", Color: grey}, {Text: "compared", Color: green}}},
		column{name: "Recorded: epoch", expr: `floor(` + each("watermark_zxid") + ` / 2^32)`},
		column{name: "Recorded: counter", expr: each("watermark_zxid") + ` % 2^32`},
		column{name: "Verified: epoch", expr: `floor((` + each("verified_zxid") + ` > 0) / 2^32)`},
		column{name: "Verified: counter", expr: `(` + each("verified_zxid") + ` > 0) % 2^32`},
	)
}

func changeSeries() []*panel {
	return []*panel{
		series(about{
			title: "Changes by operation", description: "Change records appended to the journal.", unit: "none", noValue: noAuditor,
		}, query{`sum by (op) (increase(zkwarden_audit_events_total{` + ofInstance + `}[$__rate_interval]))`, "{{op}}"}).bars(),
		series(about{
			title: "Changes by how they were found", description: "By a watch, by comparing after a gap, or by a sweep.", unit: "none", noValue: noAuditor,
		}, query{`sum by (source) (increase(zkwarden_audit_events_total{` + ofInstance + `}[$__rate_interval]))`, "{{source}}"}).bars(),
		series(about{
			title: "Watched znodes", description: "Znodes whose last known state is kept.", unit: "short", noValue: noAuditor,
		}, query{`max by (instance) (zkwarden_audit_mirror_znodes{` + ofInstance + `})`, "{{instance}}"}),
	}
}

func recordSeries() []*panel {
	return []*panel{
		counted(about{
			title: "Records by operation", description: "Change records that the variables choose.", unit: "none", noValue: noRecords,
		}, query{`sum by (op) (count_over_time(` + changes + ` [$__auto]))`, "{{op}}"}),
		counted(about{
			title: "Records by subtree", description: "Change records by the top-level znode; the ten with the most.", unit: "none", noValue: noRecords,
		}, query{`topk(10, sum by (subtree) (count_over_time(` + changes + " | label_format subtree=`{{ regexReplaceAll \"^(/[^/]*).*$\" .path \"$1\" }}` [$__auto])))", "{{subtree}}"}).
			links(toAudit("${__field.labels.subtree}")),
		counted(about{
			title: "Records by actor", description: "Change records by the client's address, or by its session where that is all that is known; the ten with the most.", unit: "none", noValue: noRecords,
		}, query{`topk(10, sum by (actor) (count_over_time(` + changes + " | label_format actor=`{{ or .actor_client .actor_session \"not known\" }}` [$__auto])))", "{{actor}}"}),
	}
}

func whoChangedWhat() *panel {
	return records(about{
		title: "Who changed what", description: "The change records that the variables choose. A path leads to its own changes.", unit: "string", noValue: noRecords,
	}, changes+" | keep op, path, cause, version, zxid, exact, actor_client, actor_session, actor_confidence, recorder",
		field{key: "op", name: "Operation"},
		field{key: "path", name: "Path", links: []dataLink{toAudit("${__value.raw}")}},
		field{key: "actor_client", name: "Client"},
		field{key: "actor_session", name: "Session"},
		field{key: "actor_confidence", name: "Confidence"},
		field{key: "version", name: "Version"},
		field{key: "cause", name: "Cause"},
		field{key: "zxid", name: "Zxid"},
		field{key: "exact", name: "Exact"},
		field{key: "recorder", name: "Recorder"},
	)
}

func beforeAfter() *panel {
	return logs(about{
		title: "Before and after", description: "What the policy lets be recorded of the contents: data at level data, sizes and digests at level metadata. The whole record is in the details of a line.",
		unit: "none", noValue: noRecords,
	}, changes+" | json before_acl=\"before.acl\", after_acl=\"after.acl\" | line_format `{{.op}} {{.path}}\n  before: "+content("before")+"\n  after:  "+content("after")+"`")
}

// content is the template of what is known of a content: its data, its size and
// digest, its ACL.
func content(side string) string {
	return strings.ReplaceAll("{{ if .X_data }}{{.X_data}}{{ else if .X_size }}{{.X_size}} bytes {{.X_digest}}{{ end }}"+
		"{{ if .X_acl }} acl {{.X_acl}}{{ end }}{{ if not (or .X_size .X_acl) }}nothing known{{ end }}", "X", side)
}

func gapSeries() *panel {
	return series(about{
		title: "Gaps by reason", description: "Stretches in which changes may have gone unseen.", unit: "none", noValue: noAuditor, runbook: "ZkwardenAuditGap",
	}, query{`sum by (reason) (increase(zkwarden_audit_gaps_total{` + ofInstance + `}[$__rate_interval]))`, "{{reason}}"}).bars()
}

func gapRecords() *panel {
	return records(about{
		title: "Gap records", description: "From where to where nobody can say what changed, and why.", unit: "string", noValue: noRecords, runbook: "ZkwardenAuditGap",
	}, gaps+" | keep reason, zxid_after, zxid_until, count, recorder",
		field{key: "reason", name: "Reason"},
		field{key: "zxid_after", name: "After"},
		field{key: "zxid_until", name: "Until"},
		field{key: "count", name: "Count"},
		field{key: "recorder", name: "Recorder"},
	)
}

// witnesses shows what Prometheus can testify. Both numbers of a row are of one
// scrape.
func witnesses() *panel {
	each := func(metric string) string { return `max by (instance) (` + metric + `{` + ofInstance + `})` }
	return table(about{
		title:       "Heads that Prometheus has seen",
		description: "zkwarden verify --head SEQUENCE:CHECK proves that the journal still holds the record that this Prometheus saw, --chain=CHAIN that it is no journal begun anew. Choose an earlier time to prove more.",
		noValue:     noAuditor, runbook: "ZkwardenJournalRewound",
	},
		column{name: "Instance", label: "instance", expr: each("zkwarden_journal_head_seq") + " * 0 + 1"},
		column{name: "Chain", label: "chain", width: 300, expr: `max by (instance, chain) (zkwarden_journal_chain_info{` + ofInstance + `})`},
		column{name: "Sequence", expr: each("zkwarden_journal_head_seq")},
		column{name: "Check", expr: each("zkwarden_journal_head_check")},
		column{name: "Oldest record", expr: each("zkwarden_journal_first_seq")},
		column{name: "Files", expr: each("zkwarden_journal_segments")},
		column{name: "Size", unit: "bytes", expr: each("zkwarden_journal_bytes")},
	)
}
