package cli

import (
	"fmt"
	"strings"

	"zkwarden/audit"
)

// logLine says in one line what a record is, and in which color. Every member
// may be absent, and every string is somebody else's.
//
//	1040  2026-11-20T10:00:00.123Z  changed  /app/config  v8  60 -> 62 bytes  by 0x100001234560000 (10.1.2.3)
func logLine(e *audit.Event) (color, text string) {
	at, _ := e.Observed.MarshalText() // It has no way to fail.
	var b strings.Builder
	fmt.Fprintf(&b, "%d  %s  ", e.Seq, at)
	switch e.Kind {
	case audit.KindChange:
		color = logChange(&b, e)
	case audit.KindGap:
		color = colorRed
		logGap(&b, e)
	case audit.KindCheckpoint:
		color = colorFaint
		fmt.Fprintf(&b, "checkpoint  nothing else changed through %s", e.Zxid)
		if e.ACLZxid != 0 {
			fmt.Fprintf(&b, ", nor any ACL through %s", e.ACLZxid)
		}
		if e.Unreadable != nil && *e.Unreadable > 0 {
			fmt.Fprintf(&b, ", %d znodes cannot be read", *e.Unreadable)
		}
	case audit.KindControl:
		color = colorFaint
		logControl(&b, e)
	default:
		fmt.Fprintf(&b, "%s", name(string(e.Kind)))
	}
	return color, b.String()
}

func logChange(b *strings.Builder, e *audit.Event) (color string) {
	color = colorYellow
	verb := string(e.Op)
	switch e.Op {
	case audit.OpCreated:
		color = colorGreen
	case audit.OpDeleted:
		color = colorRed
	case audit.OpDataChanged:
		verb = "changed"
	case audit.OpACLChanged:
		verb = "acl"
	case audit.OpChildrenChanged:
		verb = "children"
	}
	fmt.Fprintf(b, "%-8s  %s", name(verb), name(e.Path))
	version := e.Version
	if e.Op == audit.OpACLChanged {
		version = e.Aversion
	}
	if version != nil {
		fmt.Fprintf(b, "  v%d", *version)
	}
	if size := sizes(e); size != "" {
		b.WriteString("  " + size)
	}
	if e.EphemeralOwner != 0 {
		fmt.Fprintf(b, "  ephemeral of %s", e.EphemeralOwner)
	}
	if e.Cause != "" && e.Cause != audit.CauseUnknown {
		b.WriteString("  " + name(string(e.Cause)))
	}
	if e.Actor != nil {
		logActor(b, e.Actor)
	}
	if e.Exact != nil && !*e.Exact {
		b.WriteString("  inexact")
	}
	if e.Collapsed > 0 {
		fmt.Fprintf(b, "  %d collapsed", e.Collapsed)
	}
	if e.Source != "" && e.Source != audit.OriginWatch && e.Source != audit.OriginTxnlog {
		b.WriteString("  found by " + name(string(e.Source)))
	}
	if late := e.Observed.Time().Sub(e.Time.Time()); !e.Time.IsZero() && late.Abs().Seconds() >= 1 {
		at, _ := e.Time.MarshalText() // It has no way to fail.
		fmt.Fprintf(b, "  made at %s", at)
	}
	return color
}

// sizes says what became of the data's size, as far as that is known.
func sizes(e *audit.Event) string {
	size := func(c *audit.Content) string {
		switch {
		case c == nil || c.Size == nil:
			return "?"
		case c.Encoding == audit.EncodingNull:
			return "null"
		}
		return fmt.Sprint(*c.Size)
	}
	before, after := size(e.Before), size(e.After)
	switch {
	case before == "?" && after == "?":
		return ""
	case e.Op == audit.OpCreated:
		before = ""
	case e.Op == audit.OpDeleted:
		before, after = "", before
	default:
		before += " -> "
	}
	if after == "null" {
		return before + after
	}
	return before + after + " bytes"
}

func logActor(b *strings.Builder, a *audit.Actor) {
	if a.Session != 0 {
		fmt.Fprintf(b, "  by %s", a.Session)
	} else {
		b.WriteString("  by an unknown session")
	}
	if a.Client != "" {
		fmt.Fprintf(b, " (%s)", printable(a.Client))
	}
	if a.Confidence != "" && a.Confidence != "exact" {
		b.WriteString(" " + name(a.Confidence))
	}
}

func logGap(b *strings.Builder, e *audit.Event) {
	b.WriteString("gap       ")
	switch {
	case e.ZxidAfter == nil || e.ZxidUntil == nil:
	case e.Reason == audit.GapHistoryRewritten:
		fmt.Fprintf(b, "the ensemble was at %s, is at %s and may be another: ", *e.ZxidAfter, *e.ZxidUntil)
	default:
		fmt.Fprintf(b, "changes after %s and up to %s may be missing: ", *e.ZxidAfter, *e.ZxidUntil)
	}
	b.WriteString(printable(e.Reason))
}

// logControl prints whatever members a control record has.
func logControl(b *strings.Builder, e *audit.Event) {
	fmt.Fprintf(b, "%-8s", name(string(e.Control)))
	for _, root := range e.Roots {
		b.WriteString("  " + name(root))
	}
	if e.Count != nil {
		what := "znodes"
		if e.Control == audit.ControlRetention {
			what = "records"
		}
		fmt.Fprintf(b, "  %d %s", *e.Count, what)
	}
	if e.Zxid != 0 {
		fmt.Fprintf(b, "  as of %s", e.Zxid)
	}
	for _, member := range []struct{ label, text string }{
		{"mode ", e.Mode}, {"policy ", e.Policy}, {"digest key ", e.DigestKey}, {"through ", e.Anchor}, {"", e.Reason},
	} {
		if member.text != "" {
			b.WriteString("  " + member.label + printable(member.text))
		}
	}
}
