package policy

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var secrets = keys{"password", "*.secret"}

func TestMaskJSON(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing to mask":       {`{"user": "a", "n": [1, 2.5e3, null]}`, ""},
		"a text":                {`{ "user":"a" , "password" : "hunter2" }`, `{ "user":"a" , "password" : "***" }`},
		"blanks stay":           {"{\r\n\t\"password\":\n\n1 ,\"a\": 2}\n", "{\r\n\t\"password\":\n\n\"***\" ,\"a\": 2}\n"},
		"a number":              {`{"password":12.5e-3}`, `{"password":"***"}`},
		"null, true and a list": {`[{"password":null},{"password":true},{"password":[1,"]",{"a":"}"}]}]`, `[{"password":"***"},{"password":"***"},{"password":"***"}]`},
		"an object":             {`{"password":{"a":{"b":"}\""}},"c":1}`, `{"password":"***","c":1}`},
		"any depth":             {`{"a":[[{"b":{"password":"x"}}]]}`, `{"a":[[{"b":{"password":"***"}}]]}`},
		"twice":                 {`{"password":"x","password":"y"}`, `{"password":"***","password":"***"}`},
		"another case":          {`{"PassWord":"x"}`, `{"PassWord":"***"}`},
		"escapes in the key":    {`{"pass\u0077ord":"x","\u0050assword":"y"}`, `{"pass\u0077ord":"***","\u0050assword":"***"}`},
		"blanks around the key": {`{" password ":"x"}`, `{" password ":"***"}`},
		"a star":                {`{"db.secret":"x","secret":"y","a.b.SECRET":"z"}`, `{"db.secret":"***","secret":"y","a.b.SECRET":"***"}`},
		"a value like a key":    {`{"a":"password","b":["x","password","x"],"c":[{},"password","x"]}`, ""},
		"a key like a value":    {`{"x":"\"password\":","password":"\\"}`, `{"x":"\"password\":","password":"***"}`},
		"an empty key":          {`{"":"password"}`, ""},
		"a byte order mark":     {"\ufeff" + `{"password":"x"}`, "\ufeff" + `{"password":"***"}`},
		"no object":             {`"password"`, ""},
		"invalid UTF-8":         {"{\"password\":\"\xff\",\"a\":\"\xfe\"}", "{\"password\":\"***\",\"a\":\"\xfe\"}"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.want == "" {
				test.want = test.text
			}
			got, err := maskJSON([]byte(test.text), secrets)
			if diff := cmp.Diff(test.want, string(got)); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestMaskJSONRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"half":        `{"password":"x"`,
		"two":         `{"password":"x"}{"password":"x"}`,
		"comments":    `{"password":"x" /* y */}`,
		"single":      `{'password':'x'}`,
		"properties":  `password=x`,
		"two marks":   "\ufeff\ufeff{}",
		"UTF-16":      "\xff\xfe{\x00}\x00",
		"deep":        strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000),
		"a raw break": "{\"password\":\"x\n\"}",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := maskJSON([]byte(text), secrets); !errors.Is(err, errNotJSON) {
				t.Errorf("maskJSON() = %.50q, %v", got, err)
			}
		})
	}
}

func TestMaskProperties(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing to mask":         {"user=a\n", "user=a\n"},
		"equals":                  {"password=x y \nuser=a", "password=***\nuser=a"},
		"colon and blanks":        {" \tpassword\t: \fx\r\nuser=a\r\n", " \tpassword\t: \f***\r\nuser=a\r\n"},
		"blank":                   {"password x=y\n", "password ***\n"},
		"old line ends":           {"a=b\rpassword=x\rc=d", "a=b\rpassword=***\rc=d"},
		"no value":                {"password=\npassword\npassword: \n", "password=\npassword\npassword: \n"},
		"a value that continues":  {"password=x\\\n  y\\\r\n\tz\nuser=a", "password=***\nuser=a"},
		"it begins on the next":   {"password=\\\n  x\nuser=a", "password=\\\n  ***\nuser=a"},
		"a key that continues":    {"pass\\\n   word=x\n", "pass\\\n   word=***\n"},
		"no continuation":         {"a=b\\\\\npassword=x\n", "a=b\\\\\npassword=***\n"},
		"a blank one continues":   {"password=x\\\n\nuser=a\n", "password=***\nuser=a\n"},
		"a comment in the middle": {"password=x\\\n#y\nuser=a\n", "password=***\nuser=a\n"},
		"escapes in the key":      {"pass\\u0077ord=x\np\\assword=y\n", "pass\\u0077ord=***\np\\assword=***\n"},
		"an escaped separator":    {"a\\=password=x\na\\ password=y\n", "a\\=password=x\na\\ password=y\n"},
		"twice":                   {"password=x\npassword=y", "password=***\npassword=***"},
		"another case":            {"PASSWORD=x", "PASSWORD=***"},
		"a star":                  {"db.secret=x\ndb.secrets=y", "db.secret=***\ndb.secrets=y"},
		"a comment":               {"# the password\n#password=x\n ! # password: y\n#a=b\n", "# the password\n#password=***\n ! # password: ***\n#a=b\n"},
		"a comment ends":          {"# a \\\npassword=x\n", "# a \\\npassword=***\n"},
		"a comment with nonsense": {"# \\u12\npassword=x\n", "# \\u12\npassword=***\n"},
		"a byte order mark":       {"\ufeffpassword=x", "\ufeffpassword=***"},
		"a backslash at the end":  {"password=x\\", "password=***"},
		"half a key":              {"password\\", "password\\"},
		"a later brace":           {"a={\npassword=x}\n", "a={\npassword=***\n"},
		"empty lines":             {"\n\r\n \t\npassword=x\n\n", "\n\r\n \t\npassword=***\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := maskProperties([]byte(test.text), secrets)
			if diff := cmp.Diff(test.want, string(got)); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestMaskPropertiesRefuses(t *testing.T) {
	for _, text := range []string{` {"password":"x"}`, "[a]\npassword=x", "<a>password=x</a>", `pass\u00zzord=x`, `pass\u007`, "\ufeff{}"} {
		if got, err := maskProperties([]byte(text), secrets); !errors.Is(err, errNotProperties) {
			t.Errorf("maskProperties(%q) = %q, %v", text, got, err)
		}
	}
}

func TestMaskYAML(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing to mask":     {"a:   b # c\n\n", "a:   b # c\n\n"},
		"two in one":          {"a: b # c\n- d", "REFUSED"},
		"a plain text":        {"user: a\npassword: hunter2  # old\nb: c", "user: a\npassword: \"***\"\nb: c"},
		"the last":            {"password: hunter2", "password: \"***\""},
		"with a line end":     {"password: hunter2\n\n", "password: \"***\"\n"},
		"quoted":              {"password: 'a: b'\nb: \"c\"\n", "password: \"***\"\nb: \"c\"\n"},
		"a block":             {"a:\n  password: |\n    x\n\n    y\n  b: c\n", "a:\n  password: \"***\"\n  b: c\n"},
		"several lines":       {"password: x\n  y\n  z\nb: c\n", "password: \"***\"\nb: c\n"},
		"on the next line":    {"password:\n  x\nb: c\n", "password:\n  \"***\"\nb: c\n"},
		"a mapping":           {"password:\n  a: x\n  b: y\nc: d\n", "password:\n \"***\"\nc: d\n"},
		"a sequence":          {"a:\n  password:\n  - x\n  - y\n  c: d\n", "a:\n  password:\n   \"***\"\n  c: d\n"},
		"in a sequence":       {"- password: x\n- password: y\n  a: b\n- - password: z\n", "- password: \"***\"\n- password: \"***\"\n  a: b\n- - password: \"***\"\n"},
		"flow style":          {"a: {b: c, password: x,\n  d: e}\nf: [g]\n", "a: \"***\"\nf: [g]\n"},
		"flow style whole":    {"{b: c, password: x}", "\"***\""},
		"flow style in it":    {"a: [{b: {password: x}}]\nc: d\n", "a: \"***\"\nc: d\n"},
		"flow without":        {"a: {b: c}\n", "a: {b: c}\n"},
		"JSON":                {`{"a": {"b": 1, "password": "x"}}`, `{"a": {"b": 1, "password": "***"}}`},
		"null":                {"password:\npassword: ~\na: b\n", "password:\npassword: \"***\"\na: b\n"},
		"escapes in the key":  {"\"pass\\u0077ord\": x\n", "\"pass\\u0077ord\": \"***\"\n"},
		"an explicit key":     {"? password\n: x\n? a\n: b\n", "? password\n: \"***\"\n? a\n: b\n"},
		"another case":        {"PassWord: x\n", "PassWord: \"***\"\n"},
		"a tag":               {"password: !!str x\na: b\n", "password: \"***\"\na: b\n"},
		"an anchor":           {"password: &p x\na: b\n", "password: \"***\"\na: b\n"},
		"twice":               {"password: x\npassword: y\n", "password: \"***\"\npassword: \"***\"\n"},
		"documents":           {"a: b\n---\npassword: x\n---\n- c\n", "a: b\n---\npassword: \"***\"\n---\n- c\n"},
		"a byte order mark":   {"\ufeffpassword: x\n", "\ufeffpassword: \"***\"\n"},
		"other characters":    {"ключ: {a: 漢}\n\"漢漢\": {password: x}\nk: v\n", "ключ: {a: 漢}\n\"漢漢\": \"***\"\nk: v\n"},
		"line ends":           {"a: b\r\npassword: x\r\nc: d\r\n", "a: b\r\npassword: \"***\"\r\nc: d\r\n"},
		"comments stay":       {"# one: two\na: b # password\npassword: x\n# three\nc: d\n", "# one: two\na: b # password\npassword: \"***\"\nc: d\n"},
		"an alias":            {"a: &p x\npassword: *p\n", "REFUSED"},
		"a merge":             {"a: &p\n  b: x\nc:\n  <<: *p\n", "REFUSED"},
		"a mapping as a key":  {"? {password: x}\n: y\n", "REFUSED"},
		"a binary key":        {"!!binary cGFzc3dvcmQ=: x\n", "REFUSED"},
		"a commented setting": {"a: b\n#  password: x\n", "REFUSED"},
		"one at the end":      {"a: b # - 'password' = x\n", "REFUSED"},
		"the end of one":      {"password: x\n...\na: b\n", "REFUSED"},
		"half":                {"a: [\npassword: x\n", "REFUSED"},
		"a text":              {"password=x", "REFUSED"},
		"nothing":             {"# a\n", "REFUSED"},
		"UTF-16":              {"\xff\xfea\x00:\x00 \x00b\x00", "REFUSED"},
		"a tab":               {"a:\n\tpassword: x\n", "REFUSED"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := maskYAML([]byte(test.text), secrets)
			if test.want == "REFUSED" {
				if err == nil || got != nil {
					t.Errorf("maskYAML() = %q", got)
				}
				return
			}
			if diff := cmp.Diff(test.want, string(got)); err != nil || diff != "" {
				t.Errorf("%v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestMaskPatterns(t *testing.T) {
	for name, test := range map[string]struct{ pattern, text, want string }{
		"a match":               {`[0-9]{4}`, "1234 a 5678", "*** a ***"},
		"a group":               {`token=(\w+)`, "token=abc, token=d", "token=***, token=***"},
		"two groups":            {`(a)-(b)`, "a-b", "***-***"},
		"nested groups":         {`x((a)b)`, "xab", "x***"},
		"groups out of order":   {`(?:b(2)|a(1))+`, "a1b2", "a***b***"},
		"no group had a part":   {`a|(b)`, "a b", "*** ***"},
		"the start of a line":   {`(?m)^(?:x=(.*))?$`, "x=1\ny\nx=2", "x=***\ny\nx=***"},
		"binary data":           {`secret`, "\xff\x00secret\xfe", "\xff\x00***\xfe"},
		"no match":              {`z`, "a", "a"},
		"neighbours stay apart": {`[0-9]`, "12", "******"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(maskPattern([]byte(test.text), regexp.MustCompile(test.pattern))); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWildcard(t *testing.T) {
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"a", "a", true},
		{"a", "ab", false},
		{"ab", "a", false},
		{"*", "", true},
		{"*", "/x.y", true},
		{"*a", "ba", true},
		{"*a", "ab", false},
		{"a*", "a", true},
		{"a*c*e", "abcde", true},
		{"a*c*e", "abcdef", false},
		{"*aab", "aaaaab", true},
		{"**a**", "bab", true},
		{"", "", true},
		{"", "a", false},
	} {
		if got := wildcard(test.pattern, test.text); got != test.want {
			t.Errorf("wildcard(%q, %q) = %v", test.pattern, test.text, got)
		}
	}
}

// TestWhichFormat: what begins like one format is never taken for another.
func TestWhichFormat(t *testing.T) {
	all := redaction{JSON: keys{"j"}, YAML: keys{"y"}, Properties: keys{"p"}}
	jsonYAML, yamlProperties, jsonProperties := all, all, all
	jsonYAML.Properties, yamlProperties.JSON, jsonProperties.YAML = nil, nil, nil
	for name, test := range map[string]struct {
		redact     redaction
		text, want string
	}{
		"JSON":                           {all, `{"j":1,"y":2}`, `{"j":"***","y":2}`},
		"broken JSON":                    {all, `{"j":1,"y":2`, ""},
		"broken JSON is no YAML":         {jsonYAML, `{j: 1}`, ""},
		"broken JSON is no properties":   {jsonProperties, ` [p=1`, ""},
		"YAML":                           {all, "y: 1\np: 2\n", "y: \"***\"\np: 2\n"},
		"YAML beside JSON":               {jsonYAML, "y: 1\n", "y: \"***\"\n"},
		"broken YAML":                    {all, "a: [\np: 1\n", ""},
		"broken YAML is no properties":   {yamlProperties, "a: [\np: 1\n", ""},
		"properties":                     {all, "p=1\ny=2\n", "p=***\ny=2\n"},
		"properties beside JSON":         {jsonProperties, "p: 1\n", "p: ***\n"},
		"a number":                       {redaction{JSON: keys{"j"}}, "42", "42"},
		"patterns alone take everything": {redaction{Patterns: []*regexp.Regexp{regexp.MustCompile("x")}}, "{x\xff", "{***\xff"},
		"patterns come behind keys":      {redaction{JSON: keys{"j"}, Patterns: []*regexp.Regexp{regexp.MustCompile("x")}}, `{"j":"x","k":"x"}`, `{"j":"***","k":"***"}`},
		"patterns do not save the rest":  {redaction{JSON: keys{"j"}, Patterns: []*regexp.Regexp{regexp.MustCompile("x")}}, `x`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := test.redact.mask([]byte(test.text))
			if string(got) != test.want || (err == nil) != (test.want != "") {
				t.Errorf("mask() = %q, %v, want %q", got, err, test.want)
			}
		})
	}
}
