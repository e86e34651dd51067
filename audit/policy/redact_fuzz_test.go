package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// planted is a value that must not be seen.
const planted = "hunter2-s3cr3t"

// masking is what a decoded document should be once it is masked.
func masking(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, value := range v {
			if secrets.match(key) {
				out[key] = mask
			} else {
				out[key] = masking(value)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = masking(v[i])
		}
		return out
	}
	return v
}

// FuzzMaskJSON: another reader of JSON finds the masked values, and finds
// everything else as it was.
func FuzzMaskJSON(f *testing.F) {
	for _, text := range []string{`{"password":{"a":["}"]},"b":[{"x.secret":1}]}`, `{"pass\u0077ord":"\\\""}`, "\ufeff[1,{\"password\" : -1e5 }]", `"password"`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := maskJSON(text, secrets)
		if err != nil {
			return
		}
		bom := []byte(byteOrderMark)
		var before, after any
		if json.Unmarshal(bytes.TrimPrefix(text, bom), &before) != nil {
			return // Numbers that are too large for it.
		}
		if err := json.Unmarshal(bytes.TrimPrefix(got, bom), &after); err != nil {
			t.Fatalf("%q became %q: %v", text, got, err)
		}
		if !reflect.DeepEqual(masking(before), after) {
			t.Errorf("%q became %q", text, got)
		}
		if again, err := maskJSON(got, secrets); err != nil || !bytes.Equal(again, got) {
			t.Errorf("%q became %q the second time, %v", got, again, err)
		}
	})
}

// FuzzMaskYAML: whatever is under a key is gone, and everything else is as it
// was, but for collections in flow style, which may be masked whole.
func FuzzMaskYAML(f *testing.F) {
	for _, text := range []string{
		"a: b\npassword: |\n  x\n", "? password\n: - x\n  - y\n", "- {password: x}\n- [a]\n", "password: &a !!str x\r\n--- \r\nb: c", "a:\n  password:\n  - b\nc: ''\n",
		"password: \"a\\\n  b\"\n'x.secret': >-\n\n a\n\nz: ~", "a: *b", "%YAML 1.1\n---\na: b\n...\n# c\n---\npassword: d",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := maskYAML(text, secrets)
		if err != nil || json.Valid(bytes.TrimPrefix(text, []byte(byteOrderMark))) {
			return
		}
		decoder := yaml.NewDecoder(bytes.NewReader(got))
		for {
			var document yaml.Node
			if decoder.Decode(&document) != nil {
				break
			}
			if shows(&document) {
				t.Errorf("%q became %q", text, got)
			}
		}
	})
}

// shows reports whether a value under a key is not masked.
func shows(n *yaml.Node) bool {
	for i, inner := range n.Content {
		key := n.Kind == yaml.MappingNode && i%2 == 1 && secrets.match(n.Content[i-1].Value)
		if key && !isNull(inner) && inner.Value != mask || shows(inner) {
			return true
		}
	}
	return false
}

// FuzzPlanted: a secret under a key is never in what is shown, however the
// document around it is written.
func FuzzPlanted(f *testing.F) {
	for seed := range uint64(64) {
		f.Add(seed)
	}
	redacts := map[string]redaction{
		"json": {JSON: secrets}, "yaml": {YAML: secrets}, "properties": {Properties: secrets},
		"all": {JSON: secrets, YAML: secrets, Properties: secrets},
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, 0))}
		for format, text := range map[string]string{"json": w.json(3), "yaml": w.yaml(0), "properties": w.properties()} {
			for _, name := range []string{format, "all"} {
				r := redacts[name]
				got, err := r.mask([]byte(text))
				if bytes.Contains(got, []byte("hunter2")) || bytes.Contains(got, []byte("s3cr3t")) {
					t.Errorf("%s keys left %q of %q", name, got, text)
				}
				if name == "all" && format == "properties" {
					continue // Many are broken YAML, and refused for it.
				}
				if err != nil {
					t.Errorf("%s keys refused %q: %v", name, text, err)
				}
				if strings.Contains(text, "kept") && !bytes.Contains(got, []byte("kept")) {
					t.Errorf("%s keys left nothing else, %q, of %q", name, got, text)
				}
			}
		}
	})
}

// writer writes documents with planted secrets.
type writer struct{ *rand.Rand }

func (w *writer) pick(options ...string) string { return options[w.IntN(len(options))] }

func (w *writer) secretKey() string { return w.pick("password", "PASSWORD", "a.secret", "b..secret") }

// escaped writes some letters of a key as \uXXXX.
func (w *writer) escaped(key string) string {
	var out strings.Builder
	for _, r := range key {
		if w.IntN(4) == 0 {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.String()
}

func (w *writer) json(depth int) string {
	var members []string
	for range w.IntN(4) {
		blank := w.pick("", " ", "\n", "\t\r\n")
		value := w.pick(`1`, `"kept"`, `null`, `"\"password\":"`)
		if depth > 0 && w.IntN(2) == 0 {
			value = w.pick(w.json(depth-1), "["+w.json(depth-1)+","+w.json(depth-1)+"]")
		}
		members = append(members, fmt.Sprintf(`%s"k%d"%s:%s`, blank, w.IntN(9), blank, value))
		if w.IntN(2) == 0 {
			secret := w.pick(`"`+planted+`"`, `"\\\"`+planted+`\\"`, `["}",{"a":"`+planted+`"}]`, `{"`+planted+`":{"b":[]}}`)
			members = append(members, fmt.Sprintf(`"%s"%s:%s%s%s`, w.escaped(w.secretKey()), blank, blank, secret, blank))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

func (w *writer) yaml(indent int) string {
	var out strings.Builder
	margin := strings.Repeat(" ", indent)
	end := w.pick("\n", "\r\n")
	fmt.Fprintf(&out, "%sz: 'kept'%s", margin, end)
	for i := range 1 + w.IntN(4) {
		switch w.IntN(4) {
		case 0:
			fmt.Fprintf(&out, "%sk%d: %s%s", margin, i, w.pick("kept", "'a: b'", "[kept, {a: b}]", "kept # password"), end)
		case 1:
			if indent < 6 {
				fmt.Fprintf(&out, "%sk%d:%s%s", margin, i, end, w.yaml(indent+2))
			}
		case 2:
			fmt.Fprintf(&out, "%sk%d: {a: b,%s%s  password: [%s]}%s", margin, i, end, margin, planted, end)
		}
		key := w.pick(w.secretKey(), `"`+w.escaped(w.secretKey())+`"`)
		value := w.pick(
			planted, "'"+planted+"'  # old", end+margin+"  "+planted, planted+end+margin+"  "+planted,
			"|"+end+margin+"  "+planted+end+end+margin+"  # "+planted, ">-"+end+margin+"    "+planted,
			end+margin+"- "+planted+end+margin+"- a: "+planted, end+margin+"  a: "+planted+end+margin+"  b: 1", "{a: ["+planted+","+end+margin+"  b]}", "&a !!str "+planted,
		)
		fmt.Fprintf(&out, "%s%s: %s%s", margin, key, value, end)
	}
	return out.String()
}

func (w *writer) properties() string {
	var out strings.Builder
	for range 1 + w.IntN(6) {
		end, separator := w.pick("\n", "\r", "\r\n"), w.pick("=", ":", " ", " = ", "\t:\f", " \\\n =  ")
		switch w.IntN(3) {
		case 0:
			fmt.Fprintf(&out, "%s%s", w.pick("k=kept", "k kept\\\n  more", "# comment \\", "", " ", "k", "k\\=password=kept"), end)
		case 1:
			fmt.Fprintf(&out, "%s %s%s%s%s", w.pick("#", " !", "##"), w.secretKey(), w.pick("=", ": "), planted, end)
		}
		key := w.escaped(w.secretKey())
		if w.IntN(3) == 0 {
			key = key[:1] + "\\\r\n \t" + key[1:]
			if key[0] == '\\' {
				key = "password"
			}
		}
		value := w.pick(planted, "a \\\n  "+planted, "\\\n"+planted+"\\\r\n\t# "+planted, "\\u0041"+planted+`\\`)
		fmt.Fprintf(&out, "%s%s%s%s%s", w.pick("", " ", "\t\f"), key, separator, value, end)
	}
	return out.String()
}
