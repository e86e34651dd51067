package cli

import (
	"fmt"
	"strings"

	"zkwarden/audit"
)

// maxShown is how many characters of a znode's data fit on a line.
const maxShown = 60

// Colors of the terminal, by what happened.
const (
	colorReset  = "\x1b[0m"
	colorGreen  = "\x1b[32m"
	colorYellow = "\x1b[33m"
	colorRed    = "\x1b[31m"
	colorFaint  = "\x1b[2m"
)

// text prints a record for people:
//
//	12:04:11.301  changed  /app/config v8  "debug" -> "info"
func (s *screen) text(e *audit.Event) {
	clock := e.Observed.Time().Local().Format("15:04:05.000")
	color, text := colorFaint, ""
	switch e.Kind {
	case audit.KindChange:
		color, text = change(e)
	case audit.KindGap:
		color, text = colorRed, fmt.Sprintf("gap      changes after %s and up to %s may be missing (%s)", *e.ZxidAfter, *e.ZxidUntil, e.Reason)
	case audit.KindControl:
		text = control(e)
	}
	if text == "" {
		return
	}
	if s.options.Color {
		text = color + text + colorReset
	}
	fmt.Fprintf(&s.line, "%s  %s\n", clock, text)
}

func control(e *audit.Event) string {
	switch e.Control {
	case audit.ControlBaseline:
		return fmt.Sprintf("watching %s: %d znodes as of %s", printable(strings.Join(e.Roots, " ")), *e.Count, e.Zxid)
	case audit.ControlResync:
		return fmt.Sprintf("watching again: %d znodes compared as of %s", *e.Count, e.Zxid)
	}
	return ""
}

func change(e *audit.Event) (color, text string) {
	var verb, data string
	switch e.Op {
	case audit.OpCreated:
		color, verb, data = colorGreen, "created", shown(e.After)
	case audit.OpDataChanged:
		color, verb, data = colorYellow, "changed", shown(e.Before)+" -> "+shown(e.After)
	case audit.OpDeleted:
		color, verb, data = colorRed, "deleted", shown(e.Before)
	case audit.OpACLChanged:
		color, verb = colorYellow, "acl"
	case audit.OpChildrenChanged:
		color, verb, data = colorYellow, "children", fmt.Sprintf("%d created or deleted unseen", e.Collapsed)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s %s", verb, printable(e.Path))
	if e.Version != nil {
		fmt.Fprintf(&b, " v%d", *e.Version)
	}
	if e.EphemeralOwner != 0 {
		fmt.Fprintf(&b, " ephemeral of %s", e.EphemeralOwner)
	}
	if data != "" {
		b.WriteString("  " + data)
	}
	if e.Op != audit.OpChildrenChanged && e.Collapsed > 0 {
		fmt.Fprintf(&b, "  and %d changes before", e.Collapsed)
	}
	if e.Zxid == 0 {
		b.WriteString("  (found by comparison)")
	}
	return color, b.String()
}

// shown is a znode's data, cut to what fits and safe for a terminal.
func shown(c *audit.Content) string {
	switch {
	case c == nil:
		return "?"
	case c.Encoding == audit.EncodingNull:
		return "null"
	case c.Encoding == audit.EncodingBase64:
		return fmt.Sprintf("%d bytes", *c.Size)
	}
	runes := []rune(c.Data)
	if len(runes) > maxShown {
		return `"` + printable(string(runes[:maxShown])) + `"...`
	}
	return `"` + printable(c.Data) + `"`
}
