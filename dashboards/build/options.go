package main

// The options of the kinds of panel, with Grafana's names.

type reduceOptions struct {
	Calcs  []string `json:"calcs"`
	Fields string   `json:"fields"`
	Values bool     `json:"values"`
}

type statOptions struct {
	ReduceOptions          reduceOptions `json:"reduceOptions"`
	Orientation            string        `json:"orientation"`
	ColorMode              string        `json:"colorMode"`
	GraphMode              string        `json:"graphMode"`
	JustifyMode            string        `json:"justifyMode"`
	TextMode               string        `json:"textMode"`
	WideLayout             bool          `json:"wideLayout"`
	ShowPercentChange      bool          `json:"showPercentChange"`
	PercentChangeColorMode string        `json:"percentChangeColorMode"`
}

type legendOptions struct {
	ShowLegend  bool     `json:"showLegend"`
	DisplayMode string   `json:"displayMode"`
	Placement   string   `json:"placement"`
	Calcs       []string `json:"calcs"`
}

type tooltipOptions struct {
	Mode string `json:"mode"`
	Sort string `json:"sort"`
}

type seriesOptions struct {
	Legend  legendOptions  `json:"legend"`
	Tooltip tooltipOptions `json:"tooltip"`
}

// seriesCustom is how lines are drawn.
type seriesCustom struct {
	DrawStyle         string          `json:"drawStyle"`
	LineInterpolation string          `json:"lineInterpolation"`
	LineWidth         int             `json:"lineWidth"`
	FillOpacity       int             `json:"fillOpacity"`
	ShowPoints        string          `json:"showPoints"`
	PointSize         int             `json:"pointSize"`
	AxisSoftMax       float64         `json:"axisSoftMax,omitempty"`
	Stacking          stacking        `json:"stacking"`
	ThresholdsStyle   thresholdsStyle `json:"thresholdsStyle"`
}

type stacking struct {
	Mode  string `json:"mode"`
	Group string `json:"group"`
}

type thresholdsStyle struct {
	Mode string `json:"mode"`
}

type timelineOptions struct {
	ShowValue   string         `json:"showValue"`
	RowHeight   float64        `json:"rowHeight"`
	MergeValues bool           `json:"mergeValues"`
	AlignValue  string         `json:"alignValue"`
	Legend      legendOptions  `json:"legend"`
	Tooltip     tooltipOptions `json:"tooltip"`
}

type timelineCustom struct {
	LineWidth   int `json:"lineWidth"`
	FillOpacity int `json:"fillOpacity"`
}

type tableOptions struct {
	ShowHeader bool     `json:"showHeader"`
	CellHeight string   `json:"cellHeight"`
	FrameIndex int      `json:"frameIndex"`
	SortBy     []sortBy `json:"sortBy,omitempty"`
}

type sortBy struct {
	DisplayName string `json:"displayName"`
	Desc        bool   `json:"desc"`
}

type tableCustom struct {
	Align       string      `json:"align"`
	CellOptions cellOptions `json:"cellOptions"`
	Inspect     bool        `json:"inspect"`
}

type cellOptions struct {
	Type string `json:"type"`
	Mode string `json:"mode,omitempty"`
}

type logsOptions struct {
	ShowTime           bool   `json:"showTime"`
	ShowLabels         bool   `json:"showLabels"`
	ShowCommonLabels   bool   `json:"showCommonLabels"`
	ShowLogContext     bool   `json:"showLogContextToggle"`
	WrapLogMessage     bool   `json:"wrapLogMessage"`
	PrettifyLogMessage bool   `json:"prettifyLogMessage"`
	EnableLogDetails   bool   `json:"enableLogDetails"`
	DedupStrategy      string `json:"dedupStrategy"`
	SortOrder          string `json:"sortOrder"`
}

type organizeOptions struct {
	ExcludeByName map[string]bool   `json:"excludeByName"`
	IndexByName   map[string]int    `json:"indexByName"`
	RenameByName  map[string]string `json:"renameByName"`
}

type extractOptions struct {
	Source  string `json:"source"`
	Format  string `json:"format"`
	Replace bool   `json:"replace"`
}
