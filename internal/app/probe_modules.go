package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"go.yaml.in/yaml/v3"

	"zkwarden/collector"
	"zkwarden/internal/fourletter"
)

// maxModulesFile is the longest file of modules, in bytes.
const maxModulesFile = 1 << 20

// readModules reads a file such as
//
//	modules:
//	  secure:
//	    timeout: 5s                # --zookeeper.timeout by default
//	    words: [conf, wchs]        # beside mntr and srvr; those of a sidecar by default
//	    lifetime: true             # as --collector.lifetime
//	    tls:
//	      ca_file: /etc/zk/ca.pem
//	      cert_file: /etc/zk/client.pem
//	      key_file: /etc/zk/client.key
//	      server_name: zk.example
//	      min_version: "1.3"
//	      insecure_skip_verify: false
//
// It reports every mistake, each with file and line.
func readModules(name string, timeout time.Duration) (map[string]module, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // It is only read.
	text, err := io.ReadAll(io.LimitReader(file, maxModulesFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxModulesFile {
		return nil, fmt.Errorf("%s has more than %d bytes", name, maxModulesFile)
	}
	l := &moduleLoader{file: name, modules: map[string]module{}}
	var document, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := decoder.Decode(&second); err == nil {
		l.wrong(&second, "want one document, this is another")
	} else if !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(document.Content) == 0 {
		l.wrong(&document, "want modules, have nothing")
	} else {
		l.mapping(document.Content[0], map[string]func(*yaml.Node){"modules": func(n *yaml.Node) { l.all(n, timeout) }})
		if len(l.modules) == 0 && len(l.errs) == 0 {
			l.wrong(document.Content[0], "want at least one module below modules")
		}
	}
	return l.modules, errors.Join(l.errs...)
}

// moduleLoader walks the nodes of the file and collects what is wrong with them.
type moduleLoader struct {
	file    string
	modules map[string]module
	errs    []error
}

func (l *moduleLoader) wrong(n *yaml.Node, format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf("%s:%d: %s", l.file, max(1, n.Line), fmt.Sprintf(format, args...)))
}

// entries calls each for every entry of a mapping. A key that comes twice is a mistake.
func (l *moduleLoader) entries(n *yaml.Node, each func(key, value *yaml.Node)) {
	if n.Kind != yaml.MappingNode {
		l.wrong(n, "want a mapping")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Kind != yaml.ScalarNode:
			l.wrong(key, "want a name as key")
		case seen[key.Value]:
			l.wrong(key, "%s is given twice", key.Value)
		default:
			seen[key.Value] = true
			each(key, value)
		}
	}
}

// mapping reads a mapping whose keys are those of fields.
func (l *moduleLoader) mapping(n *yaml.Node, fields map[string]func(*yaml.Node)) {
	l.entries(n, func(key, value *yaml.Node) {
		read, ok := fields[key.Value]
		if !ok {
			l.wrong(key, "unknown field %s", key.Value)
			return
		}
		read(value)
	})
}

func (l *moduleLoader) all(n *yaml.Node, timeout time.Duration) {
	l.entries(n, func(key, value *yaml.Node) {
		if key.Value == "" {
			l.wrong(key, "want a module with a name")
		}
		m := module{timeout: timeout}
		l.mapping(value, map[string]func(*yaml.Node){
			"timeout":  func(n *yaml.Node) { l.duration(n, &m.timeout) },
			"lifetime": func(n *yaml.Node) { l.scalar(n, &m.lifetime, "true or false") },
			"words":    func(n *yaml.Node) { l.words(n, &m) },
			"tls":      func(n *yaml.Node) { l.tls(n, &m) },
		})
		l.modules[key.Value] = m
	})
}

// scalar reads one value into what to points to.
func (l *moduleLoader) scalar(n *yaml.Node, to any, want string) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" || n.Decode(to) != nil {
		l.wrong(n, "want %s", want)
	}
}

func (l *moduleLoader) duration(n *yaml.Node, to *time.Duration) {
	d, err := time.ParseDuration(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || d <= 0 {
		l.wrong(n, "want a positive duration such as 5s, have %q", n.Value)
		return
	}
	*to = d
}

func (l *moduleLoader) words(n *yaml.Node, m *module) {
	if n.Kind != yaml.SequenceNode {
		l.wrong(n, "want a list of four-letter words")
		return
	}
	always := []fourletter.Word{fourletter.Mntr, fourletter.Srvr, fourletter.Ruok}
	known := map[string]fourletter.Word{}
	for _, word := range slices.Concat(always, collector.DefaultWords(), []fourletter.Word{fourletter.Cons}) {
		known[word.String()] = word
	}
	m.words = []fourletter.Word{}
	for _, item := range n.Content {
		word, ok := known[item.Value]
		switch {
		case item.Kind != yaml.ScalarNode || !ok:
			l.wrong(item, "%q is no four-letter word that may be asked", item.Value)
		case slices.Contains(m.words, word):
			l.wrong(item, "%s is given twice", word)
		case word == fourletter.Cons:
			m.cons = true
		case !slices.Contains(always, word):
			m.words = append(m.words, word)
		}
	}
}

func (l *moduleLoader) tls(n *yaml.Node, m *module) {
	files := &fourletter.TLSFiles{}
	m.tls = files
	text := func(to *string) func(*yaml.Node) {
		return func(n *yaml.Node) { l.scalar(n, to, "a text") }
	}
	l.mapping(n, map[string]func(*yaml.Node){
		"ca_file": text(&files.CAFile), "cert_file": text(&files.CertFile), "key_file": text(&files.KeyFile),
		"server_name":          text(&files.ServerName),
		"insecure_skip_verify": func(n *yaml.Node) { l.scalar(n, &files.InsecureSkipVerify, "true or false") },
		"min_version": func(n *yaml.Node) {
			version, err := fourletter.ParseTLSVersion(n.Value)
			if err != nil {
				l.wrong(n, "%v", err)
			}
			files.MinVersion = version
		},
	})
	if (files.CertFile == "") != (files.KeyFile == "") {
		l.wrong(n, "cert_file and key_file belong together")
	}
}
