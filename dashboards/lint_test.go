package dashboards

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// linter collects what is wrong with one dashboard.
type linter struct {
	board
	known    map[string]bool // Variables, those of Grafana included.
	base     string          // Of the links to runbooks.
	runbooks func(alert string) (url string)
	findings []string
}

// lint holds a dashboard to the rules of docs/dashboards.md.
func lint(file string, text []byte, runbooks func(alert string) (url string)) []string {
	b, err := parseBoard(text)
	if err != nil {
		return []string{err.Error()}
	}
	l := &linter{board: b, runbooks: runbooks, known: map[string]bool{
		"__rate_interval": true, "__range": true, "__auto": true, "__url_time_range": true, "__value": true, "__field": true, "__all": true, "1": true,
	}}
	for _, v := range b.Templating.List {
		l.known[v.Name] = true
		if v.Name == "runbooks" {
			l.check(json.Unmarshal(v.Query, &l.base) == nil, "the variable runbooks is no text")
		}
	}
	l.check(b.UID == "zkwarden-"+strings.TrimSuffix(file, ".json"), "uid %q is not made of the file's name", b.UID)
	l.frame()
	l.variables()
	l.annotations()
	l.places()
	for _, p := range b.Panels {
		if p.Type != "row" {
			l.panel(p)
		}
	}
	for _, name := range regexp.MustCompile(`\$\{?(\w+)`).FindAllStringSubmatch(string(text), -1) {
		l.check(l.known[name[1]], "unknown variable $%s", name[1])
	}
	return l.findings
}

func (l *linter) check(ok bool, format string, args ...any) {
	if !ok {
		l.findings = append(l.findings, fmt.Sprintf(format, args...))
	}
}

func (l *linter) frame() {
	l.check(l.Title != "" && l.Description != "", "no title or description")
	l.check(l.SchemaVersion == 42, "schemaVersion is %d, not the current one", l.SchemaVersion)
	l.check(!l.Editable, "editable")
	l.check(l.GraphTooltip == 1, "no shared crosshair")
	l.check(slices.Contains(l.Tags, "zkwarden"), "without the tag that the links look for")
	l.check(len(l.Links) == 1 && l.Links[0].Type == "dashboards", "no link to the other dashboards")
	for _, link := range l.Links {
		l.check(link.KeepTime && link.IncludeVars, "link %q drops time or variables", link.Title)
	}
}

func (l *linter) variables() {
	for _, name := range []string{"datasource", "namespace", "ensemble", "instance", "runbooks"} {
		l.check(l.known[name] || name == "instance" && l.UID == "zkwarden-fleet", "no variable %s", name)
	}
	for _, v := range l.Templating.List {
		l.check(v.Label != "" && v.Description != "", "variable %s has no label or description", v.Name)
		if v.Type != "query" {
			continue
		}
		l.check(v.Datasource != nil && v.Datasource.UID == "${datasource}", "variable %s has a fixed datasource", v.Name)
		l.check(v.Refresh == 2, "variable %s is not refreshed with the time", v.Name)
		one := v.Name == "instance" && l.UID == "zkwarden-server" // Several servers on it could not be told apart.
		l.check(one || v.IncludeAll && v.AllValue == ".*", "all of variable %s leaves out series without the label", v.Name)
	}
}

func (l *linter) annotations() {
	var names []string
	for _, a := range l.Annotations.List {
		names = append(names, a.Name)
		l.source("annotation "+a.Name, &a.Datasource, a.Expr)
	}
	for _, name := range []string{"Alerts", "Elections", "Audit gaps"} {
		l.check(slices.Contains(names, name), "no annotation %s", name)
	}
}

// places checks ids and that no panel lies on another.
func (l *linter) places() {
	ids, titles, taken := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
	for _, p := range l.Panels {
		l.check(p.ID > 0 && !ids[p.ID], "panel %q: id %d is not its own", p.Title, p.ID)
		l.check(p.Type == "row" || !titles[p.Title], "two panels are called %q", p.Title)
		ids[p.ID] = true
		titles[p.Title] = titles[p.Title] || p.Type != "row"
		at := p.GridPos
		l.check(at.W > 0 && at.H > 0 && at.X >= 0 && at.X+at.W <= 24, "panel %q is not on the grid", p.Title)
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				l.check(taken[[2]int{x, y}] == "", "panel %q lies on %q", p.Title, taken[[2]int{x, y}])
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

func (l *linter) panel(p boardPanel) {
	name := fmt.Sprintf("panel %q", p.Title)
	kinds := []string{"stat", "timeseries", "state-timeline", "table", "logs"}
	l.check(slices.Contains(kinds, p.Type), "%s: type %s is not one of %v", name, p.Type, kinds)
	l.check(p.Title != "" && len(p.Description) > 10, "%s: no title or description", name)
	l.check(p.FieldConfig.Defaults.NoValue != "", "%s does not say what no data means", name)
	l.check(p.FieldConfig.Defaults.Unit != "" || p.Type == "table", "%s: no unit", name)
	l.check(len(p.Targets) > 0, "%s asks nothing", name)
	l.thresholds(name, p)
	l.links(name, p)
	refs := map[string]bool{}
	for _, t := range p.Targets {
		l.check(!refs[t.RefID], "%s: two queries are %s", name, t.RefID)
		refs[t.RefID] = true
		l.source(name, p.Datasource, "")
		l.source(name, &t.Datasource, t.Expr)
		l.check(t.LegendFormat != "" || p.Type == "table" || p.Type == "logs", "%s: query %s names its series after all labels", name, t.RefID)
	}
}

// withoutThresholds are stats of numbers that are neither good nor bad.
func withoutThresholds() []string {
	return []string{"Ensembles", "Audited", "Voters serving", "Scraped", "Servers that answer", "Auditors"}
}

func (l *linter) thresholds(name string, p boardPanel) {
	d := p.FieldConfig.Defaults
	if p.Type == "stat" && p.Options.TextMode != "name" && len(d.Mappings) == 0 && !slices.Contains(withoutThresholds(), p.Title) {
		l.check(d.Thresholds != nil && len(d.Thresholds.Steps) > 1, "%s: no thresholds", name)
	}
	all := []*boardThresholds{d.Thresholds}
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == "thresholds" {
				var own boardThresholds
				l.check(json.Unmarshal(property.Value, &own) == nil, "%s: thresholds are none", name)
				all = append(all, &own)
			}
		}
	}
	for _, t := range all {
		if t != nil {
			l.steps(name, t)
		}
	}
}

func (l *linter) steps(name string, t *boardThresholds) {
	for i, s := range t.Steps {
		switch i {
		case 0:
			l.check(s.Value == nil, "%s: the first threshold begins somewhere", name)
		case 1:
			l.check(s.Value != nil, "%s: a threshold begins nowhere", name)
		default:
			l.check(s.Value != nil && *s.Value > *t.Steps[i-1].Value, "%s: thresholds are out of order", name)
		}
	}
}

func (l *linter) links(name string, p boardPanel) {
	for _, link := range p.Links {
		alert := strings.TrimSuffix(strings.TrimPrefix(link.URL, "${runbooks}/"), ".md")
		at := strings.Replace(link.URL, "${runbooks}", l.base, 1)
		l.check(at == l.runbooks(alert), "%s: no runbook is at %s, that is %s", name, link.URL, at)
	}
	all := p.FieldConfig.Defaults.Links
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			if property.ID == "links" {
				var links []boardLink
				l.check(json.Unmarshal(property.Value, &links) == nil, "%s: links are none", name)
				all = append(all, links...)
			}
		}
	}
	for _, link := range all {
		if strings.HasPrefix(link.URL, "${runbooks}/") {
			continue
		}
		l.check(regexp.MustCompile(`^/d/zkwarden-(fleet|ensemble|server|audit|self)\?`).MatchString(link.URL), "%s: %s leads to no dashboard", name, link.URL)
		for _, kept := range []string{"${__url_time_range}", "${datasource:queryparam}", "${namespace:queryparam}", "ensemble"} {
			l.check(strings.Contains(link.URL, kept), "%s: the link %q drops %s", name, link.Title, kept)
		}
	}
}

func (l *linter) source(name string, s *boardSource, expr string) {
	switch {
	case s != nil && *s == (boardSource{"prometheus", "${datasource}"}):
		if expr != "" {
			l.promQL(name, expr)
		}
	case s != nil && *s == (boardSource{"loki", "${loki}"}):
		if expr != "" {
			l.check(strings.Contains(expr, "{${stream:raw}}") && strings.Contains(expr, "$ensemble"), "%s: asks for other streams or ensembles: %s", name, expr)
			l.check(!strings.Contains(expr, "[") || strings.Contains(expr, "[$__auto]"), "%s: fixed interval: %s", name, expr)
		}
	default:
		l.check(false, "%s: the datasource is no variable", name)
	}
}

// sinceStart are panels that show counters as they are.
func sinceStart() []string { return []string{`panel "Digest mismatches"`, `panel "Threads that died"`} }

func (l *linter) promQL(name, expr string) {
	for _, window := range regexp.MustCompile(`(\w+)\([^()]*\[([^\]]+)\]`).FindAllStringSubmatch(expr, -1) {
		l.check(window[1] == "last_over_time" || window[2] == "$__rate_interval" || window[2] == "$__range", "%s: fixed interval [%s]", name, window[2])
	}
	if strings.Contains(expr, "offset") || strings.Count(expr, "[") != len(regexp.MustCompile(`\[[^\]]+\]`).FindAllString(expr, -1)) {
		l.check(false, "%s: not understood: %s", name, expr)
	}
	joined := regexp.MustCompile(`and on \([\w, ]+\) (last_over_time\()?zkwarden_build_info`).ReplaceAllString(expr, "and on () (")
	for _, m := range regexp.MustCompile(`\b((?:zookeeper|zkwarden|process|go|scrape)_\w+|up|ALERTS)\b(\{[^}]*\})?`).FindAllStringSubmatch(joined, -1) {
		l.check(strings.Contains(m[2], `ensemble=~"$ensemble"`) && strings.Contains(m[2], `namespace=~"$namespace"`), "%s: %s is not that of the chosen ensembles", name, m[1])
	}
	counter := regexp.MustCompile(`(\w+)\(((?:zookeeper|zkwarden|process)_\w+_(?:total|sum|count|bucket))\{`)
	for _, m := range counter.FindAllStringSubmatch(expr, -1) {
		l.check(m[1] == "rate" || m[1] == "increase" || slices.Contains(sinceStart(), name), "%s: %s is shown as it is", name, m[2])
	}
}
