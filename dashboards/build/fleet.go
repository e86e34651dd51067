package main

// The states of an ensemble, as marginExpr counts them.
func margins() []shown {
	return []shown{
		{Text: "quorum lost", Color: red},
		{Text: "no failure tolerated", Color: orange},
		{Text: "one failure tolerated", Color: green},
		{Text: "two or more tolerated", Color: blue},
	}
}

// marginExpr is 0 without a quorum, else 1 and as many failures as can be
// tolerated. The best view counts: a sidecar that is cut off sees its own cut.
const marginExpr = `max by (` + group + `) (zookeeper_ensemble_quorum{` + ofEnsemble + `})` +
	` * (1 + clamp_max(max by (` + group + `) (zookeeper_ensemble_failures_tolerable{` + ofEnsemble + `}), 2))`

const (
	noSidecar = "no zkwarden is scraped"
	noView    = "no view of an ensemble: standalone, or no zkwarden is scraped"
)

func fleet() dashboard {
	return newDashboard(fleetUID, "Fleet", "All ensembles at a glance: which one is not well, and how much more it can lose.",
		[]variable{datasourceVariable(), namespaceVariable(), ensembleVariable(true), runbooksVariable()}, marks(),
		section("Now", cells(4, fleetStats()...)),
		section("Ensembles", cells(9, fleetTable()), cells(7, fleetMargins()), cells(8, firingAlerts())),
		section("Load", cells(8, fleetLoad()...)),
	)
}

func fleetStats() []*panel {
	const some = `count(zookeeper_up{` + ofEnsemble + `})`
	return []*panel{
		stat(about{
			title: "Ensembles", description: "Ensembles with at least one zkwarden that is scraped.", unit: "none", noValue: noSidecar,
		}, query{`count(count by (` + group + `) (zookeeper_up{` + ofEnsemble + `}))`, "ensembles"}),
		stat(about{
			title: "Without quorum", description: "Ensembles in which no zkwarden sees a quorum.", unit: "none", noValue: noView,
			runbook: "ZooKeeperQuorumLost",
		}, query{`sum(max by (` + group + `) (zookeeper_ensemble_quorum{` + ofEnsemble + `}) == bool 0)`, "ensembles"}).
			limits(green, from(1, red)),
		stat(about{
			title: "One failure from it", description: "Ensembles of three voters or more that have a quorum and would lose it with one more voter.",
			unit: "none", noValue: noView, runbook: "ZooKeeperQuorumAtRisk",
		}, query{`sum((max by (` + group + `) (zookeeper_ensemble_failures_tolerable{` + ofEnsemble + `}) == bool 0)` +
			` * (max by (` + group + `) (zookeeper_ensemble_quorum{` + ofEnsemble + `}))` +
			` * (max by (` + group + `) (zookeeper_ensemble_voters{` + ofEnsemble + `}) >= bool 3))`, "ensembles"}).
			limits(green, from(1, orange)),
		stat(about{
			title: "Members that don't answer", description: "Members, observers included, that no zkwarden reaches.",
			unit: "none", noValue: noView, runbook: "ZooKeeperMemberDown",
		}, query{`sum(max by (` + group + `) (zookeeper_ensemble_members{` + ofEnsemble + `}) - max by (` + group + `) (zookeeper_ensemble_members_reached{` + ofEnsemble + `}))`, "members"}).
			limits(green, from(1, orange)),
		stat(about{
			title: "Alerts", description: "Alerts of zkwarden that are firing. They need its rules to be loaded.", unit: "none", noValue: noSidecar,
		}, query{`count(ALERTS{alertstate="firing",` + ours + `,` + ofEnsemble + `}) or 0 * ` + some, "alerts"}).
			limits(green, from(1, orange)),
		stat(about{
			title: "Audited", description: "Ensembles with an auditor that has finished its first sync.", unit: "none", noValue: noSidecar,
		}, query{`count(max by (` + group + `) (zkwarden_audit_synced{` + ofEnsemble + `}) == 1) or 0 * ` + some, "ensembles"}),
	}
}

func fleetTable() *panel {
	byEnsemble := func(f, metric string) string { return f + ` by (` + group + `) (` + metric + `{` + ofEnsemble + `})` }
	return table(about{
		title: "All ensembles",
		description: "A row for each ensemble, and two where two servers lead. An ensemble leads to its dashboard. " +
			"Verdict, voters and members are the best view of all sidecars.",
		noValue: noSidecar,
	},
		column{name: "Namespace", label: "namespace"},
		column{name: "Ensemble", label: "ensemble", expr: byEnsemble("count", "zookeeper_up"), links: []dataLink{toEnsemble("${__value.raw}")}},
		column{name: "Verdict", width: 190, expr: marginExpr, states: margins()},
		column{name: "Voters serving", expr: byEnsemble("max", "zookeeper_ensemble_voters_serving")},
		column{name: "Voters", expr: byEnsemble("max", "zookeeper_ensemble_voters")},
		column{
			name: "Members down", expr: byEnsemble("max", "zookeeper_ensemble_members") + " - " + byEnsemble("max", "zookeeper_ensemble_members_reached"),
			thresholds: &thresholds{Mode: "absolute", Steps: []step{{Color: green}, from(1, orange)}},
		},
		column{name: "Leader", label: "instance", expr: `max by (` + group + `, instance) (zookeeper_server_state{` + ofEnsemble + `,state="leader"} == 1)`},
		column{name: "Last election", unit: "s", expr: byEnsemble("max", "zookeeper_leader_uptime_seconds")},
		column{
			name: "Alerts", expr: `count by (` + group + `) (ALERTS{alertstate="firing",` + ours + `,` + ofEnsemble + `}) or 0 * ` + byEnsemble("count", "zookeeper_up"),
			thresholds: &thresholds{Mode: "absolute", Steps: []step{{Color: green}, from(1, orange)}},
		},
		column{
			name: "Audit", expr: byEnsemble("max", "zkwarden_audit_synced") + " or 2 + 0 * " + byEnsemble("count", "zookeeper_up"),
			states: []shown{{Text: "syncing", Color: orange}, {Text: "recording", Color: green}, {Text: "none", Color: grey}},
		},
	)
}

func fleetMargins() *panel {
	return timeline(about{
		title: "Margin", description: "How far each ensemble was from losing its quorum, by the best view of its sidecars.",
		unit: "none", noValue: noView, runbook: "ZooKeeperQuorumLost",
	}, margins(), query{marginExpr, "{{ensemble}}"}).links(toEnsemble("${__field.labels.ensemble}"))
}

func firingAlerts() *panel {
	return table(about{
		title: "Firing alerts", description: "Alerts of zkwarden that are firing now. The name leads to the runbook.",
		noValue: "nothing is firing, or the rules of zkwarden are not loaded",
	},
		column{
			name: "Alert", label: "alertname", expr: `max by (alertname, severity, ` + group + `, instance) (ALERTS{alertstate="firing",` + ours + `,` + ofEnsemble + `})`,
			links: []dataLink{{Title: "Runbook", URL: "${runbooks}/${__value.raw}.md", TargetBlank: true}},
		},
		column{name: "Severity", label: "severity"},
		column{name: "Ensemble", label: "ensemble", links: []dataLink{toEnsemble("${__value.raw}")}},
		column{name: "Instance", label: "instance"},
	)
}

func fleetLoad() []*panel {
	const link = "${__field.labels.ensemble}"
	return []*panel{
		series(about{
			title: "Packets from clients", description: "Requests and pings that arrive at all servers together.", unit: "pps", noValue: noSidecar,
		}, query{`sum by (` + group + `) (rate(zookeeper_packets_received_total{` + ofEnsemble + `}[$__rate_interval]))`, "{{ensemble}}"}).links(toEnsemble(link)),
		series(about{
			title: "Mean latency of writes", description: "Mean over the writes of the interval, of all servers together. Servers before 3.6 don't tell.", unit: "s",
			noValue: "no writes, or ZooKeeper before 3.6",
		}, query{`sum by (` + group + `) (rate(zookeeper_update_latency_seconds_sum{` + ofEnsemble + `}[$__rate_interval]))` +
			` / sum by (` + group + `) (rate(zookeeper_update_latency_seconds_count{` + ofEnsemble + `}[$__rate_interval]))`, "{{ensemble}}"}).links(toEnsemble(link)),
		series(about{
			title: "Znodes", description: "Znodes in the tree, as the server with the most of them says.", unit: "short", noValue: noSidecar,
		}, query{`max by (` + group + `) (zookeeper_znodes{` + ofEnsemble + `})`, "{{ensemble}}"}).links(toEnsemble(link)),
	}
}
