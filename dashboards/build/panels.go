package main

import (
	"fmt"
	"slices"
)

// The datasources are variables, so that a dashboard works wherever it is
// imported.
const (
	prometheusType = "prometheus"
	lokiType       = "loki"
)

func prometheus() datasource { return datasource{prometheusType, "${datasource}"} }
func loki() datasource       { return datasource{lokiType, "${loki}"} }

// The colours of a state, from good to bad.
const (
	green, yellow, orange, red = "green", "yellow", "orange", "red"
	blue, purple, grey         = "blue", "purple", "text"
)

// query is one line of a panel: an expression and the name of its series.
type query struct{ expr, legend string }

// about is what every panel has.
type about struct {
	title, description string
	unit               string
	noValue            string // What it means that there is nothing to show.
	runbook            string // The alert whose runbook says what to do; may be empty.
}

func newPanel(kind string, a about, ds datasource) *panel {
	p := &panel{
		Type: kind, Title: a.title, Description: a.description, Datasource: &ds,
		FieldConfig: &fieldConfig{
			Defaults:  fieldDefaults{Unit: a.unit, NoValue: a.noValue, Color: color{Mode: "palette-classic"}},
			Overrides: []override{},
		},
	}
	if a.runbook != "" {
		p.Links = append(p.Links, link{
			Title: "Runbook: " + a.runbook, Type: "link", URL: "${runbooks}/" + a.runbook + ".md",
			Icon: "doc", Tags: []string{}, TargetBlank: true,
		})
	}
	return p
}

func refID(i int) string { return string(rune('A' + i)) }

// stat shows the last value of each series, coloured by steps or mappings.
func stat(a about, queries ...query) *panel {
	p := newPanel("stat", a, prometheus())
	for i, q := range queries {
		p.Targets = append(p.Targets, target{
			RefID: refID(i), Datasource: prometheus(), Expr: q.expr, LegendFormat: q.legend, Instant: true,
		})
	}
	p.FieldConfig.Defaults.Color.Mode = "thresholds"
	p.FieldConfig.Defaults.Thresholds = absolute(blue)
	p.Options = statOptions{
		ReduceOptions: reduceOptions{Calcs: []string{"lastNotNull"}},
		Orientation:   "auto", ColorMode: "value", GraphMode: "none", JustifyMode: "auto", TextMode: "auto",
		WideLayout: true, PercentChangeColorMode: "standard",
	}
	return p
}

// names makes a stat show the names of its series in the place of their values.
func (p *panel) names() *panel {
	options := p.Options.(statOptions)
	options.TextMode = "name"
	p.Options = options
	return p
}

// series draws lines over time.
func series(a about, queries ...query) *panel {
	p := newPanel("timeseries", a, prometheus())
	for i, q := range queries {
		p.Targets = append(p.Targets, target{
			RefID: refID(i), Datasource: prometheus(), Expr: q.expr, LegendFormat: q.legend, Range: true,
		})
	}
	p.FieldConfig.Defaults.Min = new(0.0)
	p.FieldConfig.Defaults.Custom = &seriesCustom{
		DrawStyle: "line", LineInterpolation: "linear", LineWidth: 1, FillOpacity: 0, ShowPoints: "auto", PointSize: 5, AxisSoftMax: softMax(a.unit),
		Stacking: stacking{"none", "A"}, ThresholdsStyle: thresholdsStyle{"off"},
	}
	p.Options = seriesOptions{
		Legend:  legendOptions{ShowLegend: true, DisplayMode: "list", Placement: "bottom", Calcs: []string{}},
		Tooltip: tooltipOptions{Mode: "multi", Sort: "desc"},
	}
	return p
}

// softMax keeps the scale small where a count is 0 all the time.
func softMax(unit string) float64 {
	if slices.Contains([]string{"none", "short", "ops", "reqps", "pps"}, unit) {
		return 1
	}
	return 0
}

// bars stacks the series of a panel as bars, for counts of events.
func (p *panel) bars() *panel {
	custom := p.FieldConfig.Defaults.Custom.(*seriesCustom)
	custom.DrawStyle, custom.FillOpacity, custom.Stacking.Mode = "bars", 80, "normal"
	return p
}

// stepped draws values that hold until they change.
func (p *panel) stepped() *panel {
	p.FieldConfig.Defaults.Custom.(*seriesCustom).LineInterpolation = "stepAfter"
	return p
}

// timeline shows states over time, a row for each series.
func timeline(a about, states []shown, q query) *panel {
	p := newPanel("state-timeline", a, prometheus())
	p.Targets = []target{{RefID: refID(0), Datasource: prometheus(), Expr: q.expr, LegendFormat: q.legend, Range: true}}
	p.FieldConfig.Defaults.Color.Mode = "thresholds"
	p.FieldConfig.Defaults.Thresholds = absolute(grey)
	p.FieldConfig.Defaults.Custom = timelineCustom{LineWidth: 0, FillOpacity: 75}
	p.Options = timelineOptions{
		ShowValue: "auto", RowHeight: .85, MergeValues: true, AlignValue: "left",
		Legend:  legendOptions{ShowLegend: true, DisplayMode: "list", Placement: "bottom", Calcs: []string{}},
		Tooltip: tooltipOptions{Mode: "single", Sort: "none"},
	}
	return p.maps(states...)
}

// absolute colours values from the first colour on; at adds steps.
func absolute(first string) *thresholds {
	return &thresholds{Mode: "absolute", Steps: []step{{Color: first}}}
}

// limits colours the values of a panel: the first colour below the first
// limit. Lines over time get a dashed line at each limit.
func (p *panel) limits(first string, steps ...step) *panel {
	p.FieldConfig.Defaults.Thresholds = absolute(first)
	p.FieldConfig.Defaults.Thresholds.Steps = append(p.FieldConfig.Defaults.Thresholds.Steps, steps...)
	if custom, ok := p.FieldConfig.Defaults.Custom.(*seriesCustom); ok {
		custom.ThresholdsStyle.Mode = "dashed"
	}
	return p
}

func from(value float64, color string) step { return step{Color: color, Value: &value} }

// maps shows texts in the place of the values 0, 1, 2 and so on.
func (p *panel) maps(states ...shown) *panel {
	m := mapping{Type: "value", Options: map[string]shown{}}
	for i, s := range states {
		s.Index = i
		m.Options[fmt.Sprint(i)] = s
	}
	p.FieldConfig.Defaults.Mappings = []mapping{m}
	return p
}

// links adds links to the values of a panel.
func (p *panel) links(links ...dataLink) *panel {
	p.FieldConfig.Defaults.Links = append(p.FieldConfig.Defaults.Links, links...)
	return p
}

// share ends the scale where the whole is.
func (p *panel) share() *panel {
	p.FieldConfig.Defaults.Max = new(1.0)
	return p
}
