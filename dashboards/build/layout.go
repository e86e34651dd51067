package main

// columns is the width of Grafana's grid.
const gridColumns = 24

// row is a heading with panels below it, line by line. The panels of a line
// share its width.
type row struct {
	title string
	lines []line
}

type line struct {
	height int
	panels []*panel
}

func section(title string, lines ...line) row { return row{title, lines} }

func cells(height int, panels ...*panel) line { return line{height, panels} }

// arrange gives each panel its place and its id. Ids follow the order, so that
// the same dashboard always gets the same ones.
func arrange(rows ...row) []*panel {
	var all []*panel
	id, y := 0, 0
	place := func(p *panel, at gridPos) {
		id++
		p.ID, p.GridPos = id, at
		all = append(all, p)
	}
	for _, r := range rows {
		open := false
		place(&panel{Type: "row", Title: r.title, Collapsed: &open, Panels: []*panel{}}, gridPos{H: 1, W: gridColumns, Y: y})
		y++
		for _, l := range r.lines {
			for i, p := range l.panels {
				x, next := gridColumns*i/len(l.panels), gridColumns*(i+1)/len(l.panels)
				place(p, gridPos{H: l.height, W: next - x, X: x, Y: y})
			}
			y += l.height
		}
	}
	return all
}
