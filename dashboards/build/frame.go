package main

// What the dashboards have in common: how they begin, their variables, their
// links to each other and what they mark on the time axis.

// schemaVersion is that of Grafana 12 and later.
const schemaVersion = 42

// The ids of the dashboards, which links are made of. They never change.
const (
	fleetUID    = "zkwarden-fleet"
	ensembleUID = "zkwarden-ensemble"
	serverUID   = "zkwarden-server"
	auditUID    = "zkwarden-audit"
	selfUID     = "zkwarden-self"
)

// Matchers of the series of the chosen ensembles and instances. All of them
// are chosen by ".*", which series without such a label match, too. The labels
// of group tell ensembles apart; the job does not, for auditors and sidecars may
// have jobs of their own.
const (
	group      = `cluster, namespace, ensemble`
	ofEnsemble = `namespace=~"$namespace",ensemble=~"$ensemble"`
	ofInstance = ofEnsemble + `,instance=~"$instance"`
	ours       = `alertname=~"(ZooKeeper|Zkwarden).+"`
)

func newDashboard(uid, title, description string, variables []variable, marks []annotation, rows ...row) dashboard {
	return dashboard{
		UID: uid, Title: "ZooKeeper / " + title, Description: description,
		Tags: []string{"zookeeper", "zkwarden"}, SchemaVersion: schemaVersion, Version: 1,
		GraphTooltip: 1, Timezone: "browser", Refresh: "30s", Time: timeRange{"now-1h", "now"},
		Links: []link{{
			Title: "ZooKeeper", Type: "dashboards", Icon: "external link", Tooltip: "The other dashboards, for the same time and ensemble",
			Tags: []string{"zkwarden"}, IncludeVars: true, KeepTime: true,
		}},
		Templating:  templating{variables},
		Annotations: annotations{marks},
		Panels:      arrange(rows...),
	}
}

func datasourceVariable() variable {
	return variable{
		Name: "datasource", Label: "Prometheus", Type: "datasource", Query: prometheusType,
		Description: "The Prometheus that scrapes zkwarden.",
	}
}

func lokiVariable() variable {
	return variable{
		Name: "loki", Label: "Loki", Type: "datasource", Query: lokiType,
		Description: "The Loki that has the audit records. Without one, the panels of metrics work all the same.",
	}
}

// streamVariable says which log streams hold the audit records.
func streamVariable() variable {
	stream := `job="zkwarden-audit"`
	return textVariable("stream", "Streams", "Matchers of the Loki streams that hold the audit records.", stream)
}

func textVariable(name, label, description, value string) variable {
	return variable{
		Name: name, Label: label, Type: "textbox", Description: description, Query: value,
		Current: &option{value, value}, Options: []option{{value, value}},
	}
}

// runbooksVariable is hidden: whoever keeps the runbooks elsewhere changes it in
// the settings of the dashboard.
func runbooksVariable() variable {
	v := textVariable("runbooks", "Runbooks", "Where the runbooks are: docs/runbooks of zkwarden, or a copy of your own.", runbooks)
	v.Hide = 2
	return v
}

func listVariable(name, label, description, query string) variable {
	ds := prometheus()
	return variable{
		Name: name, Label: label, Type: "query", Description: description, Datasource: &ds,
		Query: labelValues{query, "Variable-" + name}, Refresh: 2, Sort: 1, IncludeAll: true, AllValue: ".*",
	}
}

// ensembleVariable lists the ensembles; an unlabelled one is among All.
func ensembleVariable(multi bool) variable {
	v := listVariable("ensemble", "Ensemble", "The ensemble label, which the scrape configuration sets. Series without it are shown by All.",
		`label_values({__name__=~"zookeeper_up|zkwarden_build_info",namespace=~"$namespace"}, ensemble)`)
	v.Multi = multi
	return v
}

// namespaceVariable lists the Kubernetes namespaces; elsewhere there is All alone.
func namespaceVariable() variable {
	v := listVariable("namespace", "Namespace", "The namespace label of Kubernetes' targets. Series without it are shown by All.",
		`label_values({__name__=~"zookeeper_up|zkwarden_build_info"}, namespace)`)
	v.Multi = true
	return v
}

// instanceVariable lists the instances that have a metric.
func instanceVariable(metric string) variable {
	v := listVariable("instance", "Instance", "The instances that Prometheus scrapes: one zkwarden each.",
		`label_values(`+metric+`{`+ofEnsemble+`}, instance)`)
	v.Multi = true
	return v
}

// oneInstanceVariable lists the instances to choose one of.
func oneInstanceVariable() variable {
	v := instanceVariable("zookeeper_up")
	v.Multi, v.IncludeAll, v.AllValue = false, false, ""
	return v
}

// marks are the annotations of every dashboard.
func marks(more ...annotation) []annotation {
	return append([]annotation{
		{
			Name: "Alerts", Datasource: prometheus(), Enable: true, IconColor: red, Step: "30s",
			Expr:        `ALERTS{alertstate="firing",` + ours + `,` + ofEnsemble + `}`,
			TitleFormat: "{{alertname}}", TextFormat: "{{severity}} {{ensemble}} {{instance}}", TagKeys: "severity",
		},
		{
			Name: "Elections", Datasource: prometheus(), Enable: true, IconColor: purple, Step: "30s",
			Expr:        `max by (` + group + `) (changes(zookeeper_zxid_epoch{` + ofEnsemble + `}[$__rate_interval])) > 0`,
			TitleFormat: "New leader", TextFormat: "{{ensemble}}",
		},
		{
			Name: "Audit gaps", Datasource: prometheus(), Enable: true, IconColor: orange, Step: "30s",
			Expr:        `sum by (` + group + `, reason) (increase(zkwarden_audit_gaps_total{` + ofEnsemble + `}[$__rate_interval])) > 0`,
			TitleFormat: "Gap in the audit trail", TextFormat: "{{ensemble}} {{reason}}", TagKeys: "reason",
		},
	}, more...)
}

// changeMarks puts the audited changes themselves on the time axis. They are
// off at first, for there may be thousands.
func changeMarks() annotation {
	return annotation{
		Name: "Audited changes", Datasource: loki(), IconColor: blue,
		Expr:        auditRecords + ` | kind="change" | ensemble=~"$ensemble"`,
		TitleFormat: "{{op}}", TextFormat: "{{path}}", TagKeys: "op",
	}
}

// variables and time of this dashboard, for links to another.
const carried = "?${__url_time_range}&${datasource:queryparam}&${namespace:queryparam}"

func toEnsemble(value string) dataLink {
	return dataLink{Title: "The ensemble", URL: "/d/" + ensembleUID + carried + "&var-ensemble=" + value}
}

func toServer(value string) dataLink {
	return dataLink{Title: "The server", URL: "/d/" + serverUID + carried + "&${ensemble:queryparam}&var-instance=" + value}
}

func toAudit(path string) dataLink {
	return dataLink{Title: "Changes of it", URL: "/d/" + auditUID + carried + "&${ensemble:queryparam}&var-path=" + path}
}
