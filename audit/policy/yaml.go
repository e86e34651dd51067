package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxYAML is the longest text, in bytes, that is read as YAML: its tree takes
// a hundred times as much memory.
const maxYAML = 256 << 10

// maxComment is how far a comment is looked at, in bytes, for a key in it.
const maxComment = 2 * maxKey

// maskYAML masks the values of keys, at any depth, whatever they are. The rest
// stays as it is, byte for byte, but for what stands between a masked value and
// the next line. A collection in flow style, {a: b}, is masked whole when a key
// stands anywhere inside of it. Documents with aliases are refused, as a value
// could then show up elsewhere, and so are keys that are not plain texts.
//
// The library tells where a node begins, but not where it ends. So the result
// is read again, and has to be the very tree with the values replaced.
func maskYAML(data []byte, keys keys) ([]byte, error) {
	bom := len(data) - len(bytes.TrimPrefix(data, []byte(byteOrderMark)))
	text := data[bom:]
	switch {
	case json.Valid(text):
		return maskJSON(data, keys)
	case len(text) > maxYAML || !utf8.Valid(text):
		return nil, errNotYAML
	}
	documents, err := parseYAML(text)
	if err != nil {
		return nil, err
	}
	y := &yamlMasker{text: text, lines: yamlLines(text), keys: keys, masked: map[*yaml.Node]*yaml.Node{}}
	collections := false
	for _, document := range documents {
		y.list(document)
		collections = collections || slices.ContainsFunc(document.Content, isCollection)
	}
	if slices.ContainsFunc(y.nodes, func(n *yaml.Node) bool { return n.Kind == yaml.AliasNode }) {
		return nil, errNotYAML
	}
	if !collections {
		return nil, errNoCollection
	}
	for _, document := range documents {
		if err := y.find(document); err != nil {
			return nil, err
		}
	}
	masked, err := y.replace()
	if err != nil || y.commented(masked) {
		return nil, errNotYAML
	}
	if err := y.verify(documents, masked); err != nil {
		return nil, err
	}
	return slices.Concat(data[:bom], masked), nil
}

func isCollection(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode || n.Kind == yaml.SequenceNode
}

// parseYAML reads all documents of a text.
func parseYAML(text []byte) (documents []*yaml.Node, err error) {
	defer func() {
		// The text is anybody's, and the library has panicked over such before.
		if recover() != nil {
			err = errNotYAML
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	for {
		var document yaml.Node
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			return documents, nil
		case err != nil:
			return nil, fmt.Errorf("%w: %w", errNotYAML, err)
		}
		documents = append(documents, &document)
	}
}

// yamlMasker finds the values of keys, and where they are.
type yamlMasker struct {
	text   []byte
	lines  []int // Where each line begins.
	keys   keys
	nodes  []*yaml.Node              // All of them, in the order of the text.
	values []*yaml.Node              // Those to mask.
	masked map[*yaml.Node]*yaml.Node // Their keys.
}

func (y *yamlMasker) list(n *yaml.Node) {
	y.nodes = append(y.nodes, n)
	for _, inner := range n.Content {
		y.list(inner)
	}
}

// find notes what to mask at and below a node.
func (y *yamlMasker) find(n *yaml.Node) error {
	if isCollection(n) && n.Style&yaml.FlowStyle != 0 {
		inner := yamlMasker{keys: y.keys, masked: map[*yaml.Node]*yaml.Node{}}
		err := inner.each(n)
		if len(inner.values) > 0 {
			y.hide(n, n)
		}
		return err
	}
	return y.each(n)
}

func (y *yamlMasker) each(n *yaml.Node) error {
	for i, inner := range n.Content {
		if n.Kind == yaml.MappingNode && i%2 == 0 {
			if inner.Kind != yaml.ScalarNode || inner.Tag == "!!binary" {
				return errNotYAML
			}
			continue
		}
		if n.Kind == yaml.MappingNode && y.keys.match(n.Content[i-1].Value) && !isNull(inner) {
			y.hide(n.Content[i-1], inner)
			continue
		}
		if err := y.find(inner); err != nil {
			return err
		}
	}
	return nil
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Value == "" && n.Tag == "!!null"
}

func (y *yamlMasker) hide(key, value *yaml.Node) {
	y.values = append(y.values, value)
	y.masked[value] = key
}

// replace masks the values, each up to the line of the node behind it.
func (y *yamlMasker) replace() ([]byte, error) {
	var out []byte
	done, next := 0, 0
	for _, value := range y.values {
		for y.nodes[next] != value {
			next++
		}
		next += count(value)
		begin, end, indent := y.offset(value), len(y.text), ""
		if key := y.masked[value]; isCollection(value) && value.Line > key.Line {
			begin, indent = y.lines[value.Line-1], strings.Repeat(" ", key.Column) // A sequence may stand at the key's own.
		}
		if next < len(y.nodes) {
			after := y.nodes[next]
			end = y.lines[min(after.Line, len(y.lines))-1]
			if after.Line <= value.Line || strings.Trim(string(y.text[end:max(end, y.offset(after))]), " -?:\t") != "" {
				return nil, errNotYAML
			}
		}
		if begin < done || end < begin {
			return nil, errNotYAML
		}
		out = append(append(out, y.text[done:begin]...), indent+quotedMask+lineEnd(y.text[:end])...)
		done = end
	}
	return append(out, y.text[done:]...), nil
}

// count returns how many nodes are at and below n.
func count(n *yaml.Node) int {
	sum := 1
	for _, inner := range n.Content {
		sum += count(inner)
	}
	return sum
}

func lineEnd(text []byte) string {
	switch {
	case bytes.HasSuffix(text, []byte("\r\n")):
		return "\r\n"
	case bytes.HasSuffix(text, []byte("\n")):
		return "\n"
	}
	return ""
}

// offset returns where a node begins. Columns count characters.
func (y *yamlMasker) offset(n *yaml.Node) int {
	at := y.lines[min(n.Line, len(y.lines))-1]
	for range n.Column - 1 {
		_, size := utf8.DecodeRune(y.text[at:])
		at += size
	}
	return at
}

// yamlLines returns where the lines begin, by the line ends of YAML 1.1.
func yamlLines(text []byte) []int {
	begins := []int{0}
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		i += size
		switch r {
		case '\r':
			if i < len(text) && text[i] == '\n' {
				continue
			}
			fallthrough
		case '\n', '\u0085', '\u2028', '\u2029':
			begins = append(begins, i)
		}
	}
	return begins
}

// commented reports whether a comment of the text looks like a key to mask.
func (y *yamlMasker) commented(text []byte) bool {
	for i, c := range text {
		if c != '#' {
			continue
		}
		line := text[i:min(len(text), i+maxComment)]
		if end := bytes.IndexAny(line, lineEnds); end >= 0 {
			line = line[:end]
		}
		line = bytes.TrimLeft(line, "# \t-")
		if end := bytes.IndexAny(line, ":="); end >= 0 && y.keys.match(strings.Trim(string(line[:end]), `"' `)) {
			return true
		}
	}
	return false
}

// verify reports an error unless text is the documents with the values masked.
func (y *yamlMasker) verify(documents []*yaml.Node, text []byte) error {
	if len(y.values) == 0 {
		return nil
	}
	again, err := parseYAML(text)
	if err != nil || len(again) != len(documents) {
		return errNotYAML
	}
	for i := range documents {
		if !y.same(documents[i], again[i]) {
			return errNotYAML
		}
	}
	return nil
}

func (y *yamlMasker) same(before, after *yaml.Node) bool {
	if y.masked[before] != nil {
		return after.Kind == yaml.ScalarNode && after.Value == mask
	}
	if before.Kind != after.Kind || before.Value != after.Value || before.Tag != after.Tag || len(before.Content) != len(after.Content) {
		return false
	}
	for i := range before.Content {
		if !y.same(before.Content[i], after.Content[i]) {
			return false
		}
	}
	return true
}
