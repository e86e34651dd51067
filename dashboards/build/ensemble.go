package main

import (
	"fmt"
	"strings"
)

// roles are the states of zookeeper_server_state, as roleExpr counts them.
func roles() []shown {
	return []shown{
		{Text: "no answer", Color: red},
		{Text: "leader", Color: blue},
		{Text: "follower", Color: green},
		{Text: "observer", Color: purple},
		{Text: "standalone", Color: green},
		{Text: "read only", Color: yellow},
		{Text: "not serving", Color: orange},
	}
}

// roleExpr makes one number of the states of an instance. Exactly one state is
// 1, so the greatest product is that of the state.
func roleExpr() string {
	var products []string
	for i, state := range []string{"leader", "follower", "observer", "standalone", "read_only", "not_serving"} {
		products = append(products, fmt.Sprintf(`zookeeper_server_state{%s,state="%s"} * %d`, ofInstance, state, i+1))
	}
	return "max without (state) (" + strings.Join(products, " or ") + ")"
}

const (
	before36 = "nothing happened, or ZooKeeper before 3.6"
	noLeader = "no leader is scraped"
)

// rate is the increase of a counter per second.
func rate(metric, selector string) string {
	return `rate(` + metric + `{` + selector + `}[$__rate_interval])`
}

// mean is that of a summary over the interval, for each set of the labels.
func mean(metric, by string) string {
	return `sum by (` + by + `) (` + rate(metric+"_sum", ofInstance) + `) / sum by (` + by + `) (` + rate(metric+"_count", ofInstance) + `)`
}

func view(metric string) string {
	return `max by (` + group + `) (zookeeper_ensemble_` + metric + `{` + ofEnsemble + `})`
}

func ensemble() dashboard {
	return newDashboard(ensembleUID, "Ensemble", "One ensemble: who leads, how much it can lose, who lags, and what the clients feel.",
		[]variable{datasourceVariable(), namespaceVariable(), ensembleVariable(false), instanceVariable("zookeeper_up"), lokiVariable(), streamVariable(), runbooksVariable()},
		marks(changeMarks()),
		section("Now", cells(4, ensembleStats()...), cells(8, memberTable())),
		section("Quorum", cells(8, roleTimeline()), cells(8, quorumSeries()...)),
		section("Latency", cells(8, latencySeries()...)),
		section("Clients", cells(8, requestSeries()...), cells(8, connectionSeries()...)),
		section("Data", cells(8, dataSeries()...), cells(8, diskSeries()...)),
	)
}

func ensembleStats() []*panel {
	return []*panel{
		stat(about{
			title: "Quorum", description: "Whether enough voters take part, and how many more can fail; the best view of all sidecars.",
			unit: "none", noValue: noView, runbook: "ZooKeeperQuorumLost",
		}, query{marginExpr, "{{ensemble}}"}).maps(margins()...),
		stat(about{
			title: "Voters serving", description: "Voters that serve clients as leader or follower, by the best view of all sidecars.",
			unit: "none", noValue: noView, runbook: "ZooKeeperQuorumAtRisk",
		}, query{view("voters_serving"), "serving"}, query{view("voters"), "of"}),
		stat(about{
			title: "Leader", description: "The instance that leads and serves clients. More than one for longer than a few ticks is a split brain.",
			unit: "none", noValue: "no leader serves, or its zkwarden is not scraped", runbook: "ZooKeeperNoLeader",
		}, query{`zookeeper_server_state{` + ofEnsemble + `,state="leader"} == 1`, "{{instance}}"}).names(),
		stat(about{
			title: "Since the last election", description: "How long the leader has led.", unit: "s", noValue: noLeader,
			runbook: "ZooKeeperElectionsFlapping",
		}, query{`max by (` + group + `) (zookeeper_leader_uptime_seconds{` + ofEnsemble + `})`, "{{ensemble}}"}).
			limits(orange, from(300, green)),
		stat(about{
			title: "Learners not in sync", description: "Followers and observers that are connected to the leader and not yet in sync with it.",
			unit: "none", noValue: noLeader, runbook: "ZooKeeperFollowersNotSynced",
		}, query{`max by (` + group + `) (zookeeper_learners{` + ofEnsemble + `} - zookeeper_synced_followers{` + ofEnsemble + `} - zookeeper_synced_observers{` + ofEnsemble + `})`, "{{ensemble}}"}).
			limits(green, from(1, orange)),
		stat(about{
			title: "Digest mismatches", description: "Times since the start of the servers that a tree was not the one that the leader's transactions made.",
			unit: "none", noValue: "ZooKeeper before 3.6, or no zkwarden is scraped", runbook: "ZooKeeperDigestMismatch",
		}, query{`sum by (` + group + `) (zookeeper_digest_mismatches_total{` + ofEnsemble + `})`, "{{ensemble}}"}).
			limits(green, from(1, red)),
	}
}

func memberTable() *panel {
	each := func(metric string) string { return `max by (instance) (` + metric + `{` + ofInstance + `})` }
	return table(about{
		title: "Members", description: "A row for each zkwarden and the server beside it. The instance leads to the server's dashboard.",
		noValue: noSidecar,
	},
		column{name: "Instance", label: "instance", expr: each("zookeeper_up"), links: []dataLink{toServer("${__value.raw}")}},
		column{name: "Role", expr: `max by (instance) (` + roleExpr() + `)`, states: roles()},
		column{name: "Version", label: "version", expr: `max by (instance, version) (zookeeper_server_info{` + ofInstance + `})`},
		column{name: "Role since", unit: "s", expr: each("zookeeper_uptime_seconds")},
		column{name: "Epoch", expr: each("zookeeper_zxid_epoch")},
		column{name: "Connections", expr: each("zookeeper_connections")},
		column{name: "Outstanding", expr: each("zookeeper_outstanding_requests")},
		column{
			name: "Descriptors", unit: "percentunit", expr: `max by (instance) (zookeeper_open_file_descriptors{` + ofInstance + `} / zookeeper_max_file_descriptors{` + ofInstance + `})`,
			thresholds: &thresholds{Mode: "absolute", Steps: []step{{Color: green}, from(.8, orange), from(.95, red)}},
		},
		column{name: "Members reached", expr: each("zookeeper_ensemble_members_reached")},
	)
}

func roleTimeline() *panel {
	return timeline(about{
		title: "Role of each member", description: "What each server said it was. A gap is a time in which its zkwarden was not scraped.",
		unit: "none", noValue: noSidecar, runbook: "ZooKeeperMemberDown",
	}, roles(), query{roleExpr(), "{{instance}}"}).links(toServer("${__field.labels.instance}"))
}

func quorumSeries() []*panel {
	return []*panel{
		series(about{
			title: "Voters and failures tolerable", description: "Voters, those of them that serve, and how many of these can fail, the worst ones first.",
			unit: "none", noValue: noView, runbook: "ZooKeeperQuorumAtRisk",
		}, query{view("voters"), "voters"}, query{view("voters_serving"), "serving"}, query{view("failures_tolerable"), "failures tolerable"}).stepped(),
		series(about{
			title: "Transactions behind", description: "How far each member is behind the highest zxid of all, when both are of the same epoch.",
			unit: "short", noValue: noView, runbook: "ZooKeeperMemberLagging",
		}, query{`max by (` + group + `, member) (zookeeper_ensemble_member_zxid_distance{` + ofEnsemble + `})`, "member {{member}}"}),
		series(about{
			title: "In sync with the leader", description: "Followers and observers that are connected to the leader, and those in sync with it.",
			unit: "none", noValue: noLeader, runbook: "ZooKeeperFollowersNotSynced",
		}, query{`max by (` + group + `) (zookeeper_learners{` + ofEnsemble + `})`, "connected"},
			query{`max by (` + group + `) (zookeeper_synced_followers{` + ofEnsemble + `})`, "followers in sync"},
			query{`max by (` + group + `) (zookeeper_synced_observers{` + ofEnsemble + `})`, "observers in sync"}).stepped(),
		series(about{
			title: "Searches for a leader", description: "Times that servers began to look for a leader. One election makes all of them look.",
			unit: "none", noValue: before36, runbook: "ZooKeeperElectionsFlapping",
		}, query{`sum by (instance) (increase(zookeeper_looking_total{` + ofInstance + `}[$__rate_interval]))`, "{{instance}}"}).bars(),
	}
}

func latencySeries() []*panel {
	return []*panel{
		series(about{
			title: "Mean latency of reads", description: "Inside each server, over the reads of the interval.", unit: "s", noValue: before36,
		}, query{mean("zookeeper_read_latency_seconds", "instance"), "{{instance}}"}).links(toServer("${__field.labels.instance}")),
		series(about{
			title: "Mean latency of writes", description: "Inside the server that the client is connected to, over the writes of the interval.", unit: "s", noValue: before36,
		}, query{mean("zookeeper_update_latency_seconds", "instance"), "{{instance}}"}).links(toServer("${__field.labels.instance}")),
		series(about{
			title: "Mean time of an fsync", description: "Time to sync the transaction log to disk. Every write waits for it on a majority of the voters.",
			unit: "s", noValue: "nothing was written, forceSync=no, or ZooKeeper before 3.6", runbook: "ZooKeeperFsyncSlow",
		}, query{mean("zookeeper_fsync_seconds", "instance"), "{{instance}}"}).limits(green, from(.1, orange)),
	}
}

// bySubtree gives the label of the top-level znode a name of its own. Where the
// target has a namespace, as in Kubernetes, Prometheus renames the metric's.
func bySubtree(expr string) string {
	return `label_replace(label_replace(` + expr + `, "subtree", "$1", "namespace", "(.+)"), "subtree", "$1", "exported_namespace", "(.+)")`
}

func requestSeries() []*panel {
	return []*panel{
		series(about{
			title: "Packets from clients", description: "Requests and pings that arrive at each server.", unit: "pps", noValue: noSidecar,
		}, query{`sum by (instance) (` + rate("zookeeper_packets_received_total", ofInstance) + `)`, "{{instance}}"}).links(toServer("${__field.labels.instance}")),
		series(about{
			title: "Outstanding requests", description: "Requests that a server has taken and not yet answered. At globalOutstandingLimit, 1000 by default, it stops reading.",
			unit: "short", noValue: noSidecar, runbook: "ZooKeeperOutstandingRequestsHigh",
		}, query{`max by (instance) (zookeeper_outstanding_requests{` + ofInstance + `})`, "{{instance}}"}).limits(green, from(800, orange)),
		series(about{
			title: "Writes by subtree", description: "Bytes written below each top-level znode. A subtree leads to the changes of it.",
			unit: "Bps", noValue: before36,
		}, query{`topk(10, sum by (subtree) (` + bySubtree(rate("zookeeper_namespace_write_bytes_sum", ofEnsemble)) + `))`, "/{{subtree}}"}).
			links(toAudit("/${__field.labels.subtree}")),
	}
}

func connectionSeries() []*panel {
	return []*panel{
		series(about{
			title: "Connections", description: "Open client connections of each server, that of zkwarden included.", unit: "short", noValue: noSidecar,
		}, query{`max by (instance) (zookeeper_connections{` + ofInstance + `})`, "{{instance}}"}),
		series(about{
			title: "Connections by client", description: "The client addresses with the most connections, over all servers. maxClientCnxns limits those of one address at one server.",
			unit: "short", noValue: "zkwarden runs without --collector.cons",
		}, query{`topk(10, sum by (client) (zookeeper_client_connections{` + ofInstance + `}))`, "{{client}}"}),
		series(about{
			title: "Share of maxClientCnxns", description: "How much of maxClientCnxns the client address with the most connections uses at each server.",
			unit: "percentunit", noValue: "no limit, or zkwarden runs without --collector.cons", runbook: "ZooKeeperClientNearConnectionLimit",
		}, query{`max by (instance) (zookeeper_client_connections_max{` + ofInstance + `} / (zookeeper_config_max_client_connections{` + ofInstance + `} > 0))`, "{{instance}}"}).
			share().limits(green, from(.8, orange)),
		series(about{
			title: "Connections refused", description: "Connections that each server refused because of a limit or the throttle.",
			unit: "none", noValue: before36, runbook: "ZooKeeperConnectionsRejected",
		}, query{`sum by (instance) (increase(zookeeper_connections_rejected_total{` + ofInstance + `}[$__rate_interval]))`, "{{instance}}"}).bars(),
	}
}

func dataSeries() []*panel {
	return []*panel{
		series(about{
			title: "Znodes", description: "Znodes in the tree, and the ephemeral ones among them.", unit: "short", noValue: noSidecar,
		}, query{`max by (` + group + `) (zookeeper_znodes{` + ofEnsemble + `})`, "znodes"},
			query{`max by (` + group + `) (zookeeper_ephemerals{` + ofEnsemble + `})`, "ephemeral"}),
		series(about{
			title: "Size of the tree", description: "Size of all paths and data, roughly. Every server keeps it in memory.", unit: "bytes", noValue: noSidecar,
		}, query{`max by (` + group + `) (zookeeper_approximate_data_size_bytes{` + ofEnsemble + `})`, "paths and data"}),
		series(about{
			title: "Watches", description: "Watches that clients hold at each server.", unit: "short", noValue: noSidecar,
		}, query{`max by (instance) (zookeeper_watches{` + ofInstance + `})`, "{{instance}}"}),
	}
}

func diskSeries() []*panel {
	return []*panel{
		series(about{
			title: "Transaction logs", description: "Size of the transaction logs, with the room that is allocated ahead. It falls when autopurge works.",
			unit: "bytes", noValue: "conf and dirs are not whitelisted", runbook: "ZooKeeperDiskWillFill",
		}, query{`max by (instance) (zookeeper_data_log_dir_size_bytes{` + ofInstance + `})`, "{{instance}}"}),
		series(about{
			title: "Snapshots", description: "Size of the snapshots of each server.", unit: "bytes",
			noValue: "conf and dirs are not whitelisted", runbook: "ZooKeeperDiskWillFill",
		}, query{`max by (instance) (zookeeper_data_dir_size_bytes{` + ofInstance + `})`, "{{instance}}"}),
		freeDisk("zkwarden runs without --collector.disk"),
		series(about{
			title: "File descriptors", description: "Share of the file descriptors that a server may hold. Connections and files both take them.",
			unit: "percentunit", noValue: "the server runs where it can't be told", runbook: "ZooKeeperFileDescriptorsNearLimit",
		}, query{`max by (instance) (zookeeper_open_file_descriptors{` + ofInstance + `} / zookeeper_max_file_descriptors{` + ofInstance + `})`, "{{instance}}"}).
			share().limits(green, from(.8, orange), from(.95, red)),
	}
}

// freeDisk shows the disks of the servers that are mounted where zkwarden runs,
// and of the journals.
func freeDisk(noValue string) *panel {
	each := func(metric string) string {
		return `min by (instance, directory) (zkwarden_disk_` + metric + `{` + ofInstance + `})`
	}
	return series(about{
		title: "Free disk", description: "Share of the file system of each watched directory that is left. A server without room ends, an auditor without room stops auditing.",
		unit: "percentunit", noValue: noValue, runbook: "ZooKeeperDiskWillFill",
	}, query{each("available_bytes") + ` / ` + each("size_bytes"), "{{instance}} {{directory}}"}).
		share().limits(red, from(.05, orange), from(.3, green))
}
