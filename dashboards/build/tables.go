package main

// column is one column of a table: the value of an expression, or a label of
// the first ones if there is none.
type column struct {
	name       string // As shown.
	expr       string
	label      string // The label to show in the place of the value.
	unit       string
	width      int // In pixels; 0 for a share of the rest.
	states     []shown
	thresholds *thresholds
	links      []dataLink
}

// table has a row for each set of the labels that the columns have in common.
func table(a about, columns ...column) *panel {
	p := newPanel("table", a, prometheus())
	p.FieldConfig.Defaults.Color.Mode = "thresholds"
	p.FieldConfig.Defaults.Thresholds = absolute(grey)
	p.FieldConfig.Defaults.Custom = tableCustom{Align: "auto", CellOptions: cellOptions{Type: "auto"}}
	p.Options = tableOptions{ShowHeader: true, CellHeight: "sm"}
	p.emptyCells()
	organize := organizeOptions{
		ExcludeByName: map[string]bool{"Time": true}, IndexByName: map[string]int{}, RenameByName: map[string]string{},
	}
	for i, c := range columns {
		field := c.label
		if c.expr != "" {
			ref := refID(len(p.Targets))
			p.Targets = append(p.Targets, target{RefID: ref, Datasource: prometheus(), Expr: c.expr, Format: "table", Instant: true})
			if field == "" {
				field = "Value #" + ref
			} else {
				organize.ExcludeByName["Value #"+ref] = true
				organize.ExcludeByName["Value"] = true // What Grafana calls it where there is one query.
			}
		}
		organize.IndexByName[field], organize.RenameByName[field] = i, c.name
		if o := c.override(); len(o.Properties) > 0 {
			p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, o)
		}
	}
	p.Transformations = []transformation{{ID: "merge", Options: struct{}{}}, {ID: "organize", Options: organize}}
	return p
}

// emptyCells keeps what it means that there is no row out of the cells.
func (p *panel) emptyCells() {
	p.FieldConfig.Overrides = append(p.FieldConfig.Overrides, override{
		matcher{"byRegexp", ".*"}, []property{{"noValue", "-"}},
	})
}

// override is what differs from the other columns.
func (c column) override() override {
	o := override{Matcher: matcher{"byName", c.name}}
	set := func(id string, value any) { o.Properties = append(o.Properties, property{id, value}) }
	if c.unit != "" {
		set("unit", c.unit)
	}
	if c.width > 0 {
		set("custom.width", c.width)
	}
	if len(c.states) > 0 {
		p := (&panel{FieldConfig: &fieldConfig{}}).maps(c.states...)
		set("mappings", p.FieldConfig.Defaults.Mappings)
	}
	if c.thresholds != nil {
		set("thresholds", c.thresholds)
	}
	if c.thresholds != nil || len(c.states) > 0 {
		set("custom.cellOptions", cellOptions{Type: "color-text"})
	}
	if len(c.states) > 0 { // Words, though Grafana sees numbers.
		set("custom.align", "left")
	}
	if len(c.links) > 0 {
		set("links", c.links)
	}
	return o
}
