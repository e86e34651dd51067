package cli

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// printable returns s as it can be shown on a terminal: control, invisible and
// direction-changing characters, invalid UTF-8 and the backslash itself become
// the escapes of Go's string literals, so that two names never look the same.
func printable(s string) string {
	plain := true
	for _, r := range s {
		if !strconv.IsPrint(r) || r == '\\' || r == utf8.RuneError {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			const digits = "0123456789abcdef"
			b.WriteString(`\x`)
			b.WriteByte(digits[s[0]>>4])
			b.WriteByte(digits[s[0]&15])
		case r == '\\':
			b.WriteString(`\\`)
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRune(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	return b.String()
}
