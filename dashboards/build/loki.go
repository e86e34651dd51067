package main

// auditRecords finds the audit records among the lines of the streams. The
// first filter spares Loki the parsing of other lines.
const auditRecords = `{${stream:raw}} |= "zkwarden/v1" | json`

// chosen filters the records by what the variables say. Path is a beginning,
// recorder and actor are parts of a name; all that is empty matches everything.
const chosen = " | ensemble=~`$ensemble` | recorder=~`.*${recorder:regex}.*`" +
	" | path=~`${path:regex}.*` | op=~`${op:pipe}`" +
	" | actor_client=~`.*${actor:regex}.*` or actor_session=~`.*${actor:regex}.*`"

const (
	changes = auditRecords + ` | kind="change"` + chosen
	gaps    = auditRecords + ` | kind="gap"` + " | ensemble=~`$ensemble` | recorder=~`.*${recorder:regex}.*`"

	noRecords = "no such record in this time, or Streams names other logs"
)

func ofLoki(kind string, a about) *panel {
	return newPanel(kind, a, loki())
}

// counted draws how many records there are over time.
func counted(a about, queries ...query) *panel {
	p := series(a)
	ds := loki()
	p.Datasource = &ds
	for i, q := range queries {
		p.Targets = append(p.Targets, target{RefID: refID(i), Datasource: loki(), Expr: q.expr, LegendFormat: q.legend, QueryType: "range"})
	}
	return p.bars()
}

// logs shows the records themselves.
func logs(a about, expr string) *panel {
	p := ofLoki("logs", a)
	p.Targets = []target{{RefID: refID(0), Datasource: loki(), Expr: expr, QueryType: "range", MaxLines: 200}}
	p.Options = logsOptions{
		ShowTime: true, WrapLogMessage: true, EnableLogDetails: true, DedupStrategy: "none", SortOrder: "Descending",
	}
	return p
}

// field is a member of the records that a table shows.
type field struct {
	key, name string
	links     []dataLink
}

// records is a table with a row for each record.
func records(a about, expr string, fields ...field) *panel {
	p := ofLoki("table", a)
	p.Targets = []target{{RefID: refID(0), Datasource: loki(), Expr: expr, QueryType: "range", MaxLines: 500}}
	organize := organizeOptions{
		ExcludeByName: map[string]bool{"Line": true, "tsNs": true, "id": true, "labels": true, "labelTypes": true},
		IndexByName:   map[string]int{"Time": 0}, RenameByName: map[string]string{},
	}
	p.emptyCells()
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{matcher{"byName", "Time"}, []property{{"custom.width", 190}}})
	for i, f := range fields {
		organize.IndexByName[f.key], organize.RenameByName[f.key] = i+1, f.name
		if len(f.links) > 0 {
			p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
				matcher{"byName", f.name}, []property{{"links", f.links}, {"custom.width", 320}},
			})
		}
	}
	p.Transformations = []transformation{
		{ID: "extractFields", Options: extractOptions{Source: "labels", Format: "auto"}},
		{ID: "organize", Options: organize},
	}
	p.FieldConfig.Defaults.Custom = tableCustom{Align: "auto", CellOptions: cellOptions{Type: "auto"}, Inspect: true}
	p.Options = tableOptions{ShowHeader: true, CellHeight: "sm"}
	return p
}
