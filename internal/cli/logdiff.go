package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"zkwarden/audit"
)

const (
	colorCyan = "\x1b[36m"

	// maxDepth is how deep JSON may be nested to be shown with indents, which
	// grow with the square of it.
	maxDepth = 64
)

// diffLine is a line of a diff and its color.
type diffLine struct{ color, text string }

// contentDiff shows what a change record says of the content before and after
// the change, as a unified diff of the text and of the ACL. What is not there
// to be compared is said, and the other side shown as it is.
func contentDiff(e *audit.Event) []diffLine {
	switch {
	case e.Kind != audit.KindChange || e.Op == audit.OpChildrenChanged:
		return nil
	case e.Op == audit.OpACLChanged:
		return append([]diffLine{
			{colorRed, "    --- before  " + aclLabel(e.Before)},
			{colorGreen, "    +++ after   " + aclLabel(e.After)},
		}, unified(aclLines(e.Before), aclLines(e.After))...)
	}
	was := diffLine{colorRed, "    --- before  " + contentLabel(e.Before, e.Op == audit.OpCreated)}
	is := diffLine{colorGreen, "    +++ after   " + contentLabel(e.After, e.Op == audit.OpDeleted)}
	before, after := contentText(e.Before, e.Op == audit.OpCreated), contentText(e.After, e.Op == audit.OpDeleted)
	lines := []diffLine{was, is}
	switch {
	case before == nil || after == nil:
		lines = slices.Concat([]diffLine{was}, alone(before), []diffLine{is}, alone(after))
		if note := digestNote(e); note != "" {
			lines = append(lines, diffLine{colorFaint, "    " + note})
		}
	case len(before) == 0 && len(after) == 0: // One of them is no znode, or null.
	case bytes.Equal(before, after):
		lines = append(lines, diffLine{colorFaint, "    " + sameNote(e)})
	default:
		changed := unified(textLines(before, after))
		if len(changed) == 0 {
			changed = []diffLine{{colorFaint, "    only white space differs"}}
		}
		lines = append(lines, changed...)
	}
	return append(lines, unified(aclLines(e.Before), aclLines(e.After))...)
}

// alone returns the lines of a content that there is none to compare with: of
// no line is it said that it is new or gone.
func alone(text []byte) []diffLine {
	lines, _ := textLines(text, nil)
	return appendLines(nil, "", "      ", lines)
}

// contentLabel says what a content is, and how much of it is known.
func contentLabel(c *audit.Content, none bool) string {
	switch {
	case none:
		return "no znode"
	case c == nil:
		return "content is not known"
	case c.Encoding == audit.EncodingNull:
		return "null"
	}
	label := "size is not known"
	if c.Size != nil {
		label = fmt.Sprintf("%d bytes", *c.Size)
	}
	switch {
	case c.Redaction == audit.RedactionWithheld:
		label += ", content was withheld: it could not be read to be masked"
	case c.Encoding == "":
		label += ", content was not recorded"
	case c.Encoding == audit.EncodingBase64:
		label += ", binary"
	case c.Encoding != audit.EncodingUTF8:
		label += ", in the encoding " + name(c.Encoding)
	}
	if c.Truncated {
		label += fmt.Sprintf(", only the first %d are recorded", recorded(c))
	}
	if c.Redaction == audit.RedactionMasked {
		label += ", with parts masked"
	}
	if c.ACLMasked {
		label += ", not all of the ACL is known"
	}
	return label
}

// aclLabel says how much of an ACL is known.
func aclLabel(c *audit.Content) string {
	switch {
	case c == nil || len(c.ACL) == 0:
		return "ACL is not known"
	case c.ACLMasked:
		return "ACL, not all of which is known"
	}
	return "ACL"
}

// recorded is how many bytes of the content are in the record.
func recorded(c *audit.Content) int {
	if c.Encoding == audit.EncodingBase64 {
		return len(strings.TrimRight(c.Data, "=")) * 3 / 4
	}
	return len(c.Data)
}

// contentText is what can be shown as text, or nil.
func contentText(c *audit.Content, none bool) []byte {
	switch {
	case none, c != nil && c.Encoding == audit.EncodingNull:
		return []byte{}
	case c == nil || c.Encoding != audit.EncodingUTF8:
		return nil
	}
	return []byte(c.Data)
}

// digestNote compares contents that cannot be shown.
func digestNote(e *audit.Event) string {
	if e.Before == nil || e.After == nil || e.Before.Digest == "" || e.After.Digest == "" {
		return ""
	}
	if e.Before.Digest == e.After.Digest {
		return "the digests say that the content is the same"
	}
	return "the digests say that the content is another"
}

// sameNote says what equal records of two contents mean: what differs may be
// masked, or lie behind what was recorded.
func sameNote(e *audit.Event) string {
	switch note := digestNote(e); {
	case note == "":
		return "what is recorded is the same"
	case e.Before.Digest != e.After.Digest:
		return note + ": what differs is masked or cut"
	}
	return "the content is the same"
}

// textLines splits both texts into lines, JSON with an indent. One that is
// JSON is shown so if the other one is too, or is empty.
func textLines(before, after []byte) (a, b []string) {
	prettyBefore, okBefore := indented(before)
	prettyAfter, okAfter := indented(after)
	if okBefore && okAfter {
		before, after = prettyBefore, prettyAfter
	}
	return splitLines(before), splitLines(after)
}

func indented(text []byte) ([]byte, bool) {
	if len(text) == 0 {
		return nil, true
	}
	var b bytes.Buffer
	if depth(text) > maxDepth || json.Indent(&b, bytes.TrimSpace(text), "", "  ") != nil {
		return nil, false
	}
	b.WriteByte('\n')
	return b.Bytes(), true
}

// depth returns how deep brackets are nested, those in strings too.
func depth(text []byte) (deepest int) {
	at := 0
	for _, c := range text {
		switch c {
		case '{', '[':
			at++
			deepest = max(deepest, at)
		case '}', ']':
			at--
		}
	}
	return deepest
}

// splitLines returns printable lines. A text that does not end its last line
// differs from one that does.
func splitLines(text []byte) []string {
	var lines []string
	for line := range bytes.Lines(text) {
		whole, ended := bytes.CutSuffix(line, []byte("\n"))
		shown := printable(string(whole))
		if !ended && len(lines) > 0 {
			shown += " (no newline at the end)"
		}
		lines = append(lines, shown)
	}
	return lines
}

func aclLines(c *audit.Content) []string {
	if c == nil {
		return nil
	}
	var lines []string
	for _, a := range c.ACL {
		lines = append(lines, "acl "+printable(a.Scheme+":"+a.ID+":"+a.Perms))
	}
	return lines
}
