package cli

import (
	"fmt"
	"strconv"
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

// describe says in one line what a record tells people, and in which color;
// nothing for records that tell them nothing. Names and data are the only
// parts that are in quotes or may be, so that neither can pass for more.
//
//	changed  /app/config v8  "debug" -> "info"
func describe(e *audit.Event) (color, text string) {
	switch e.Kind {
	case audit.KindChange:
		return change(e)
	case audit.KindGap:
		return colorRed, fmt.Sprintf("gap      changes after %s and up to %s may be missing (%s)", *e.ZxidAfter, *e.ZxidUntil, e.Reason)
	case audit.KindControl:
		return colorFaint, control(e)
	}
	return "", ""
}

func control(e *audit.Event) string {
	switch e.Control {
	case audit.ControlBaseline:
		return fmt.Sprintf("watching %s: %d znodes as of %s", name(e.Roots[0]), *e.Count, e.Zxid)
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
	fmt.Fprintf(&b, "%-8s %s", verb, name(e.Path))
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
	if e.Source == audit.OriginResync {
		b.WriteString("  (found by comparison)")
	}
	return color, b.String()
}

// name is a path as it is, or in quotes where it could be taken for more.
func name(path string) string {
	quoted := strconv.Quote(path)
	if strings.Contains(path, " ") || len(quoted) != len(path)+len(`""`) {
		return quoted
	}
	return path
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
		return strconv.Quote(string(runes[:maxShown])) + "..."
	}
	return strconv.Quote(c.Data)
}
