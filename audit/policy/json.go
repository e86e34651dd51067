package policy

import (
	"bytes"
	"encoding/json"
	"strings"
)

// maskJSON masks the values of keys, at any depth, whatever they are. The rest
// stays as it is, byte for byte.
func maskJSON(data []byte, keys keys) ([]byte, error) {
	bom := len(data) - len(bytes.TrimPrefix(data, []byte(byteOrderMark)))
	if !json.Valid(data[bom:]) { // It also bounds the depth.
		return nil, errNotJSON
	}
	s := jsonScanner{text: data, keys: keys}
	s.scan(bom)
	return replace(data, s.spans, quotedMask), nil
}

// jsonScanner finds the values of keys in a valid document.
type jsonScanner struct {
	text    []byte
	keys    keys
	spans   []span
	objects []bool // Of the containers around: whether it is an object.
	key     bool   // Whether the next string is a key.
}

func (s *jsonScanner) scan(i int) {
	for i < len(s.text) {
		switch s.text[i] {
		case '{', '[':
			s.key = s.text[i] == '{'
			s.objects = append(s.objects, s.key)
		case '}', ']':
			s.objects = s.objects[:len(s.objects)-1]
		case ',':
			s.key = s.objects[len(s.objects)-1]
		case '"':
			i = s.str(i)
			continue
		}
		i++
	}
}

// str handles the string at i and returns where to go on.
func (s *jsonScanner) str(i int) int {
	end := s.endOfString(i)
	if !s.key {
		return end
	}
	s.key = false
	value := end
	for strings.IndexByte(" \t\r\n:", s.text[value]) >= 0 {
		value++
	}
	if !s.keys.match(unquote(s.text[i:end])) {
		return value
	}
	end = s.endOfValue(value)
	s.spans = append(s.spans, span{value, end})
	return end
}

func (s *jsonScanner) endOfString(i int) int {
	for i++; s.text[i] != '"'; i++ {
		if s.text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

func (s *jsonScanner) endOfValue(i int) int {
	switch s.text[i] {
	case '"':
		return s.endOfString(i)
	case '{', '[':
		return s.endOfContainer(i)
	}
	for i < len(s.text) && strings.IndexByte(" \t\r\n,]}", s.text[i]) < 0 {
		i++
	}
	return i
}

func (s *jsonScanner) endOfContainer(i int) int {
	depth := 0
	for {
		switch s.text[i] {
		case '"':
			i = s.endOfString(i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
}

// unquote returns what a valid JSON string means.
func unquote(token []byte) string {
	if bytes.IndexByte(token, '\\') < 0 {
		return string(token[1 : len(token)-1])
	}
	var text string
	_ = json.Unmarshal(token, &text) // It is valid.
	return text
}
