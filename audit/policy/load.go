package policy

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	// maxFile is the longest policy file, in bytes.
	maxFile = 1 << 20
	// maxMistakes is how many mistakes are told at once.
	maxMistakes = 1000
)

// Load reads a policy file. It reports every mistake, each with file, line and
// place.
func Load(name string, key []byte) (*Policy, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	defer func() { _ = file.Close() }() // It is only read.
	text, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read policy: %w", err)
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("read policy: %s has more than %d bytes", name, maxFile)
	}
	return parse(name, text, key)
}

// parse reads the text of the policy file called name.
func parse(name string, text, key []byte) (*Policy, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document, another yaml.Node
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, malformed(name, err)
	}
	l := &loader{file: name, names: map[string]int{}}
	switch err := decoder.Decode(&another); {
	case err == nil:
		l.wrong(&another, "", "want one document, have several")
	case !errors.Is(err, io.EOF):
		return nil, malformed(name, err)
	}
	if len(document.Content) == 0 {
		l.wrong(&document, "", "want rules, have nothing")
	} else {
		l.policy(document.Content[0])
	}
	if len(l.mistakes) > 0 {
		return nil, l.err()
	}
	return newPolicy(l.rules, key), nil
}

// malformed puts the line where those of other mistakes stand.
func malformed(name string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if rest, ok := strings.CutPrefix(text, "line "); ok {
		return fmt.Errorf("%s:%s", name, rest)
	}
	return fmt.Errorf("%s: %s", name, text)
}

// loader walks the nodes of a file and collects what is wrong with them.
type loader struct {
	file  string
	rules []Rule
	names map[string]int // Of the rules so far, and their index.

	mistakes []mistake
}

// mistake is what is wrong at a line.
type mistake struct {
	line int
	text string
}

// err returns all mistakes in the order of their lines.
func (l *loader) err() error {
	slices.SortStableFunc(l.mistakes, func(a, b mistake) int { return cmp.Compare(a.line, b.line) })
	var errs []error
	for _, m := range l.mistakes {
		errs = append(errs, fmt.Errorf("%s:%d: %s", l.file, m.line, m.text))
	}
	if len(l.mistakes) > maxMistakes {
		errs[maxMistakes] = fmt.Errorf("%s: and more mistakes", l.file)
	}
	return errors.Join(errs...)
}

// wrong notes a mistake at a place such as rules[3].level.
func (l *loader) wrong(n *yaml.Node, at, format string, args ...any) {
	if len(l.mistakes) > maxMistakes {
		return
	}
	text := fmt.Sprintf(format, args...)
	if at != "" {
		text = at + ": " + text
	}
	l.mistakes = append(l.mistakes, mistake{max(1, n.Line), text})
}

// field reads the value of a key.
type field func(value *yaml.Node, at string)

// mapping reads a mapping whose keys are those of fields, and returns which
// are there. A key that comes twice is a mistake.
func (l *loader) mapping(n *yaml.Node, at string, fields map[string]field) map[string]*yaml.Node {
	n = resolve(n)
	seen := map[string]*yaml.Node{}
	if n.Kind != yaml.MappingNode {
		l.wrong(n, at, "want a mapping")
		return seen
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, known := fields[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !known:
			l.wrong(key, at, "unknown field %q", key.Value)
		case seen[key.Value] != nil:
			l.wrong(key, at, "%s is given twice", key.Value)
		default:
			seen[key.Value] = value
			read(value, inside(at, key.Value))
		}
	}
	return seen
}

func inside(at, key string) string {
	if at == "" {
		return key
	}
	return at + "." + key
}

// list calls each for every entry of a list of one to most entries.
func (l *loader) list(n *yaml.Node, at string, most int, each field) {
	n = resolve(n)
	switch {
	case n.Kind != yaml.SequenceNode:
		l.wrong(n, at, "want a list")
	case len(n.Content) == 0:
		l.wrong(n, at, "the list is empty")
	case len(n.Content) > most:
		l.wrong(n, at, "%d entries, at most %d are possible", len(n.Content), most)
	default:
		for i, entry := range n.Content {
			each(entry, fmt.Sprintf("%s[%d]", at, i))
		}
	}
}

// text returns a text that is not empty; else it is a mistake.
func (l *loader) text(n *yaml.Node, at string) (string, bool) {
	n = resolve(n)
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || n.Value == "" {
		l.wrong(n, at, "want a text")
		return "", false
	}
	return n.Value, true
}

// resolve returns what an alias stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}
