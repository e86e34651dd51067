package policy

import (
	"strings"
	"testing"
	"time"
)

// TestHostileData: what takes a moment for its size is not made to take minutes
// by its shape.
func TestHostileData(t *testing.T) {
	fill := func(head, body, tail string, size int) string {
		return head + strings.Repeat(body, (size-len(head)-len(tail))/len(body)) + tail
	}
	bomb := "a0: &a0 [x, x]\n"
	for i := range 9 {
		last, this := string(rune('0'+i)), string(rune('1'+i))
		bomb += "a" + this + ": &a" + this + " [" + strings.Repeat("*a"+last+", ", 9) + "*a" + last + "]\n"
	}
	var steps strings.Builder
	for i := 0; steps.Len() < maxYAML-1000; i++ {
		steps.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	const mib = 1 << 20
	json, properties, yaml := redaction{JSON: secrets}, redaction{Properties: keys{"*password*", "a*a*a*a*b"}}, redaction{YAML: secrets}
	for name, test := range map[string]struct {
		redact  redaction
		text    string
		refused bool
	}{
		"too long a YAML":        {yaml, fill("a: ", "b", "", maxYAML+1), true},
		"a bomb":                 {yaml, bomb, true},
		"deep in flow style":     {yaml, fill("", "[", "", maxYAML), true},
		"deep in sequences":      {yaml, fill("", "- ", "", maxYAML), true},
		"deep by indentation":    {yaml, steps.String(), false},
		"deep keys":              {yaml, fill("", "? ", "", maxYAML), true},
		"marks of comments":      {yaml, fill("a: b\n", " #", "\n", maxYAML), false},
		"comments with colons":   {yaml, fill("a: b\n", "#a:", "\n", maxYAML), false},
		"mappings in flow style": {yaml, fill("a: [", "{a: b},", "]", maxYAML), false},
		"secrets in flow style":  {yaml, fill("a: [", "{password: b},", "]", maxYAML), false},
		"secrets":                {yaml, fill("", "password: b\n", "", maxYAML), false},
		"anchors":                {yaml, fill("", "- &a b\n", "", maxYAML), false},
		"documents":              {yaml, fill("a: b\n", "---\na: b\n", "", maxYAML), false},
		"JSON keys":              {json, fill("{", `"password":1,`, `"a":1}`, mib), false},
		"JSON too deep":          {json, fill("", `{"a":`, "", mib), true},
		"an escaped key":         {json, fill(`{"`, `\u0061`, `":1}`, mib), false},
		"one property":           {properties, fill("password=", "x", "", mib), false},
		"properties":             {properties, fill("", "password=x\n", "", mib), false},
		"a line that continues":  {properties, fill("", "\\\n", "", mib), false},
		"comments":               {properties, fill("", "#\n", "", mib), false},
		"a key for many stars":   {properties, fill("", "a", "=1", mib), false},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Now()
			got, err := test.redact.mask([]byte(test.text))
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %s", took)
			}
			if (err != nil) != test.refused {
				t.Errorf("mask() = %d bytes, %v", len(got), err)
			}
		})
	}
}
