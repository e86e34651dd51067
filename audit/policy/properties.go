package policy

import (
	"bytes"
	"strconv"
	"strings"
)

const (
	lineEnds = "\n\r"
	blanks   = " \t\f"
)

// maskProperties masks the values of keys in the format of java.util.Properties,
// with its escapes and continued lines. The rest stays as it is, byte for byte.
// A comment that would be such a line without its mark is masked as well.
func maskProperties(data []byte, keys keys) ([]byte, error) {
	if beginsLike(data, "{[<") {
		return nil, errNotProperties
	}
	text := bytes.TrimPrefix(data, []byte(byteOrderMark))
	bom := len(data) - len(text)
	var spans []span
	for i := 0; i < len(text); {
		if strings.IndexByte(lineEnds+blanks, text[i]) >= 0 {
			i++
			continue
		}
		comment := text[i] == '#' || text[i] == '!'
		line := logicalLine(text, i, comment)
		i = line.end
		key, value, err := line.split()
		if err != nil && !comment {
			return nil, err
		}
		if err == nil && value < line.end && keys.match(key) {
			spans = append(spans, span{bom + value, bom + line.end})
		}
	}
	return replace(data, spans, mask), nil
}

// propertiesLine is a line with those that continue it.
type propertiesLine struct {
	chars []byte // Without what continues the line.
	at    []int  // Where each of them stands in the text.
	end   int    // Where the line end stands.
}

// logicalLine reads the line whose first character stands at i. A comment is
// read without its mark, and never continued.
func logicalLine(text []byte, i int, comment bool) propertiesLine {
	var l propertiesLine
	for comment && i < len(text) && strings.IndexByte("#!"+blanks, text[i]) >= 0 {
		i++
	}
	for ; i < len(text) && strings.IndexByte(lineEnds, text[i]) < 0; i++ {
		if text[i] == '\\' && !comment {
			if next := continued(text, i+1); next > 0 {
				i = next - 1
				continue
			}
			if i+1 < len(text) {
				l.chars, l.at = append(l.chars, '\\'), append(l.at, i)
				i++
			}
		}
		l.chars, l.at = append(l.chars, text[i]), append(l.at, i)
	}
	l.end = i
	return l
}

// continued returns where the next line goes on when one ends at i, else zero.
func continued(text []byte, i int) int {
	switch {
	case i >= len(text) || strings.IndexByte(lineEnds, text[i]) < 0:
		return 0
	case text[i] == '\r' && i+1 < len(text) && text[i+1] == '\n':
		i++
	}
	for i++; i < len(text) && strings.IndexByte(blanks, text[i]) >= 0; {
		i++
	}
	return i
}

// split returns the key, and where in the text its value begins.
func (l *propertiesLine) split() (key string, value int, err error) {
	var name strings.Builder
	i := 0
	for ; i < len(l.chars) && strings.IndexByte("=:"+blanks, l.chars[i]) < 0; i++ {
		if l.chars[i] != '\\' || i+1 == len(l.chars) {
			name.WriteByte(l.chars[i])
			continue
		}
		i++
		switch c := l.chars[i]; c {
		case 'u':
			code, err := strconv.ParseUint(string(l.chars[i+1:min(i+5, len(l.chars))]), 16, 16)
			if err != nil || i+5 > len(l.chars) {
				return "", 0, errNotProperties
			}
			name.WriteRune(rune(code))
			i += 4
		case 't', 'n', 'r', 'f':
			name.WriteByte("\t\n\r\f"[strings.IndexByte("tnrf", c)])
		default:
			name.WriteByte(c)
		}
	}
	i += l.skip(i, blanks)
	if i < len(l.chars) && (l.chars[i] == '=' || l.chars[i] == ':') {
		i++
		i += l.skip(i, blanks)
	}
	if i == len(l.chars) {
		return name.String(), l.end, nil
	}
	return name.String(), l.at[i], nil
}

func (l *propertiesLine) skip(from int, those string) int {
	n := 0
	for from+n < len(l.chars) && strings.IndexByte(those, l.chars[from+n]) >= 0 {
		n++
	}
	return n
}
