package policy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLoadRefuses: every file of testdata/broken has mistakes, and all of them
// are told, each as "file" and one of these.
func TestLoadRefuses(t *testing.T) {
	mistakes := map[string][]string{
		"bad-glob": {
			`:4: rules[0].paths[0]: glob "kafka/**" does not begin with /`,
			`:5: rules[0].paths[1]: znode path "/a/" ends with /`,
			`:6: rules[0].paths[2]: znode path "/a//b" has the component ""`,
			`:7: rules[0].paths[3]: glob "/a/../*" has the component ".."`,
			`:8: rules[0].paths[4]: glob "/a[" is malformed`,
			`:9: rules[0].paths[5]: glob "/{a,b" is malformed`,
			`:10: rules[0].paths[6]: glob "/a[b/c]d" has a / between brackets`,
			`:11: rules[0].paths[7]: znode path "/a\x01" has a character that ZooKeeper refuses at byte 2`,
			`:12: rules[0].paths[8]: glob "/{a,b\x01}" stands for an impossible name: znode path "/b\x01" has a character that ZooKeeper refuses at byte 2`,
			`:13: rules[0].paths[9]: glob "*/a" does not begin with /`,
		},
		"bad-level": {
			`:4: rules[0].level: unknown level "all", want none, metadata or data`,
			`:7: rules[1].level: unknown level "", want none, metadata or data`,
			`:10: rules[2].level: unknown level "Data", want none, metadata or data`,
		},
		"bad-name": {
			`:2: rules[0].name: want at most 100 bytes, all printable`,
			`:4: rules[1].name: want at most 100 bytes, all printable`,
		},
		"bad-pattern": {
			":6: rules[0].redact.patterns[0]: error parsing regexp: missing closing ): `(`",
			":6: rules[0].redact.patterns[1]: error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
			`:6: rules[0].redact.patterns[2]: pattern "a*" matches the empty text, so it would match everywhere`,
			`:6: rules[0].redact.patterns[3]: want a text`,
			`:6: rules[0].redact.patterns[4]: want a text`,
		},
		"bad-redact": {
			`:5: rules[0].redact: nothing to redact is named`,
			`:10: rules[1].redact.json_keys: the list is empty`,
			`:11: rules[1].redact.yaml_keys: want a list`,
			`:12: rules[1].redact.properties_keys[0]: want a text`,
			`:12: rules[1].redact.properties_keys[1]: want the name of a key, of at most 200 bytes`,
			`:12: rules[1].redact.properties_keys[2]: want a text`,
			`:16: rules[2].redact: want a mapping`,
		},
		"both-paths": {
			`:4: rules[0]: path and paths are both given`,
		},
		"comment": {
			`:1: want rules, have nothing`,
		},
		"empty": {
			`:1: want rules, have nothing`,
		},
		"everything": {
			`:3: rules[0].path: znode path "a" does not begin with /`,
			`:4: rules[0].level: unknown level "al", want none, metadata or data`,
			`:5: rules[0].max_data: want 1 to 1048576 bytes, as a number or as in 16KiB, have "-1"`,
			`:6: rules[1].name: "a" is the name of rules[0] already`,
			`:6: rules[1]: the rule has neither path nor paths`,
			`:7: rules[1]: unknown field "lvel"`,
		},
		"huge-glob": {
			`:4: rules[0].paths[0]: glob "/{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}" stands for more than 64 globs`,
			`:5: rules[0].paths[1]: the glob has more than 1024 bytes`,
		},
		"huge-redact": {
			`:6: rules[0].redact.json_keys[0]: want the name of a key, of at most 200 bytes`,
			`:7: rules[0].redact.patterns[0]: the pattern has more than 1000 bytes`,
		},
		"list": {
			`:1: want a mapping`,
		},
		"malformed": {
			`:1: did not find expected '-' indicator`,
		},
		"max-data": {
			`:2: rules[0].max_data: want 1 to 1048576 bytes, as a number or as in 16KiB, have "0"`,
			`:3: rules[1].max_data: want 1 to 1048576 bytes, as a number or as in 16KiB, have "-1"`,
			`:4: rules[2].max_data: want 1 to 1048576 bytes, as a number or as in 16KiB, have "1.5"`,
			`:5: rules[3].max_data: want 1 to 1048576 bytes, as a number or as in 16KiB, have "4k"`,
			`:6: rules[4].max_data: want 1 to 1048576 bytes, as a number or as in 16KiB, have "2MiB"`,
			`:7: rules[5].max_data: want 1 to 1048576 bytes, as a number or as in 16KiB, have "1048577"`,
			`:8: rules[6].max_data: want 1 to 1048576 bytes, as a number or as in 16KiB, have ""`,
			`:9: rules[7].max_data: want 1 to 1048576 bytes, as a number or as in 16KiB, have "99999999999999999999KiB"`,
			`:10: rules[8].max_data: want 1 to 1048576 bytes, as a number or as in 16KiB, have "4294967295MiB"`,
			`:11: rules[9].max_data: want 1 to 1048576 bytes, as a number or as in 16KiB, have ""`,
		},
		"none": {
			`:2: rules: every rule has level none, so nothing would be recorded`,
		},
		"never": {
			`:4: rules[1]: it never matches: rules[0], "all", comes first and matches everything that it is for`,
		},
		"no-name": {
			`:2: rules[0]: the rule has no name`,
			`:3: rules[1].name: want a text`,
			`:5: rules[2].name: want a text`,
		},
		"no-path": {
			`:2: rules[0]: the rule has neither path nor paths`,
			`:4: rules[1].paths: the list is empty`,
		},
		"no-rules": {
			`:1: rules: the list is empty`,
		},
		"same-name": {
			`:6: rules[2].name: "a" is the name of rules[0] already`,
		},
		"twice": {
			`:3: rules[0]: name is given twice`,
		},
		"two-documents": {
			`:4: want one document, have several`,
		},
		"unknown-field-in-redact": {
			`:6: rules[0].redact: unknown field "xml_keys"`,
			`:6: rules[0].redact: nothing to redact is named`,
		},
		"unknown-field-in-rule": {
			`:4: rules[0]: unknown field "pathz"`,
			`:5: rules[0].redact: nothing to redact is named`,
			`:5: rules[0].redact: it is for level data, and the level is metadata`,
		},
		"unknown-field": {
			`:1: unknown field "rulez"`,
		},
		"wrong-kind": {
			`:2: rules[0]: want a mapping`,
			`:4: rules[1].path: want a text`,
			`:5: rules[2]: want a mapping`,
		},
		"wrong-level": {
			`:4: rules[0].max_data: it is for level data, and the level is metadata`,
			`:9: rules[1].redact: it is for level data, and the level is none`,
		},
	}
	files, err := filepath.Glob("testdata/broken/*.yaml")
	if err != nil || len(files) != len(mistakes) {
		t.Fatalf("%d files for %d tests, %v", len(files), len(mistakes), err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".yaml")
		t.Run(name, func(t *testing.T) {
			p, err := Load(file, testKey)
			if err == nil || p != nil {
				t.Fatalf("Load() = %v", p)
			}
			if diff := cmp.Diff(mistakes[name], strings.Split(strings.ReplaceAll(err.Error(), file, ""), "\n")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadWithoutAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if _, err := Load(file, testKey); err == nil || err.Error() != "read policy: open "+file+": no such file or directory" {
		t.Errorf("Load() = %v", err)
	}
	if err := os.WriteFile(file, make([]byte, maxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(file, testKey); err == nil || err.Error() != "read policy: "+file+" has more than 1048576 bytes" {
		t.Errorf("Load() = %v", err)
	}
}

// mustParse makes a policy of the text of a file.
func mustParse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := parse("policy.yaml", []byte(text), testKey)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMistakesAreBounded(t *testing.T) {
	_, err := parse("policy.yaml", []byte("rules: ["+strings.Repeat("{a: b}, ", maxRules)+"]"), testKey)
	lines := strings.Split(err.Error(), "\n")
	if last := lines[len(lines)-1]; len(lines) != maxMistakes+1 || last != "policy.yaml: and more mistakes" {
		t.Errorf("%d lines, ending with %s", len(lines), last)
	}
	if _, err = parse("policy.yaml", []byte("rules: ["+strings.Repeat("a, ", maxRules+1)+"]"), testKey); err == nil || err.Error() != "policy.yaml:1: rules: 1001 entries, at most 1000 are possible" {
		t.Errorf("parse() = %.200v", err)
	}
}

func TestLoadDefaults(t *testing.T) {
	p := mustParse(t, `
rules:
  - {name: plain, path: /a}
  - &shared {name: full, path: /b/**, level: data}
  - {name: limited, paths: [/c/*, "/{d,e}/**"], level: data, max_data: 16KiB}
  - {name: most, path: /f, level: data, max_data: 1MiB}
  - {name: least, path: /g, level: data, max_data: 1}
`)
	type rule struct {
		Name    string
		Level   Level
		MaxData int
		Globs   string
	}
	var got []rule
	for _, r := range p.rules {
		var globs []string
		for _, g := range r.globs {
			globs = append(globs, g.text)
		}
		got = append(got, rule{r.Name, r.Level, r.maxData, strings.Join(globs, " ")})
	}
	want := []rule{
		{"plain", LevelMetadata, DefaultMaxData, "/a"},
		{"full", LevelData, DefaultMaxData, "/b/**"},
		{"limited", LevelData, 16 << 10, "/c/* /d/** /e/**"},
		{"most", LevelData, 1 << 20, "/f"},
		{"least", LevelData, 1, "/g"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzParse: whatever a file says, it is a policy or a list of mistakes.
func FuzzParse(f *testing.F) {
	for _, glob := range []string{"testdata/broken/*.yaml", "testdata/*.yaml"} {
		files, err := filepath.Glob(glob)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := parse("policy.yaml", text, testKey)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "policy.yaml:") {
					t.Errorf("no place in %q", line)
				}
			}
			return
		}
		for _, root := range p.Roots() {
			if !strings.HasPrefix(root, "/") {
				t.Errorf("root %q", root)
			}
		}
		p.Match("/zookeeper/a")
		if rule, ok := p.Match("/a/b"); ok {
			p.Describe(rule, []byte(`{"a": "b"}`))
		}
	})
}
