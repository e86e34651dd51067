// Package eventtest holds the records that tests produce to docs/event.schema.json.
package eventtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// Schema is a JSON Schema of draft 2020-12 of which the published one needs a
// part. A keyword beyond that part is an error, so that none is ignored. It is
// not safe for concurrent use.
type Schema struct {
	root     map[string]any
	patterns map[string]*regexp.Regexp
}

// Published reads docs/event.schema.json.
func Published() (*Schema, error) {
	_, self, _, ok := runtime.Caller(0)
	if !ok {
		return nil, errors.New("the source of this package is unknown")
	}
	text, err := os.ReadFile(filepath.Join(filepath.Dir(self), "..", "..", "docs", "event.schema.json"))
	if err != nil {
		return nil, err
	}
	var root map[string]any
	if err := json.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("parse event schema: %w", err)
	}
	return &Schema{root, map[string]*regexp.Regexp{}}, nil
}

// Members returns the names that an object of the schema may have: of a record,
// or of one of its definitions.
func (s *Schema) Members(definition string) []string {
	at := s.root
	if definition != "" {
		at = object(object(s.root["$defs"])[definition])
	}
	var names []string
	for name := range object(at["properties"]) {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Validate reports everything about a line that the schema does not allow.
func (s *Schema) Validate(line []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return fmt.Errorf("parse record: %w", err)
	}
	var errs []error
	s.check("record", s.root, value, func(err error) { errs = append(errs, err) })
	return errors.Join(errs...)
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// check reports what is wrong with value.
func (s *Schema) check(where string, schema map[string]any, value any, report func(error)) {
	wrong := func(format string, args ...any) { report(fmt.Errorf(where+": "+format, args...)) }
	for keyword, rule := range schema {
		switch keyword {
		case "$schema", "title", "description", "$defs", "then", "additionalProperties":
			// Comments, or looked at beside others.
		case "$ref":
			name, _ := strings.CutPrefix(rule.(string), "#/$defs/")
			s.check(where, object(object(s.root["$defs"])[name]), value, report)
		case "type":
			if !isType(rule.(string), value) {
				wrong("%v is no %s", value, rule)
			}
		case "const":
			if !reflect.DeepEqual(rule, value) {
				wrong("%v is not %v", value, rule)
			}
		case "enum":
			if !slices.Contains(list(rule), value) {
				wrong("%v is none of %v", value, rule)
			}
		case "pattern":
			if text, ok := value.(string); ok && !s.pattern(rule.(string)).MatchString(text) {
				wrong("%q does not match %s", text, rule)
			}
		case "minimum", "maximum":
			number, ok := value.(json.Number)
			if n, err := number.Float64(); ok && (err != nil || keyword == "minimum" && n < rule.(float64) || keyword == "maximum" && n > rule.(float64)) {
				wrong("%v is beyond the %s %v", value, keyword, rule)
			}
		case "items":
			for i, item := range list(value) {
				s.check(fmt.Sprintf("%s[%d]", where, i), object(rule), item, report)
			}
		case "required":
			for _, name := range list(rule) {
				if _, there := object(value)[name.(string)]; !there {
					wrong("%s is missing", name)
				}
			}
		case "properties":
			s.properties(where, schema, object(value), report)
		case "allOf":
			for _, part := range list(rule) {
				s.check(where, object(part), value, report)
			}
		case "anyOf":
			if !slices.ContainsFunc(list(rule), func(part any) bool { return s.valid(object(part), value) }) {
				wrong("none of %v holds", rule)
			}
		case "if":
			if s.valid(object(rule), value) {
				s.check(where, object(schema["then"]), value, report)
			}
		default:
			wrong("the schema's keyword %s is not understood", keyword)
		}
	}
}

func (s *Schema) pattern(text string) *regexp.Regexp {
	if s.patterns[text] == nil {
		s.patterns[text] = regexp.MustCompile(text)
	}
	return s.patterns[text]
}

func (s *Schema) properties(where string, schema, value map[string]any, report func(error)) {
	for name, member := range value {
		rule, known := object(schema["properties"])[name]
		switch {
		case known:
			s.check(where+"."+name, object(rule), member, report)
		case schema["additionalProperties"] == false:
			report(fmt.Errorf("%s: the member %s is not in the schema", where, name))
		}
	}
}

func (s *Schema) valid(schema map[string]any, value any) bool {
	valid := true
	s.check("", schema, value, func(error) { valid = false })
	return valid
}

func isType(name string, value any) bool {
	switch v := value.(type) {
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	case json.Number:
		return name == "integer" && !strings.ContainsAny(v.String(), ".eE")
	}
	return false
}
