package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestForPathsRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		paths []string
		level Level
		want  string
	}{
		"nothing":           {nil, LevelMetadata, "no path to audit is given"},
		"an unknown level":  {[]string{"/"}, "all", `unknown audit level "all", want "metadata" or "data"`},
		"every bad path":    {[]string{"a", "/ok", "/b/"}, LevelData, "znode path \"a\" does not begin with /\nznode path \"/b/\" ends with /"},
		"an empty level":    {[]string{"/"}, "", `unknown audit level "", want "metadata" or "data"`},
		"a path left empty": {[]string{""}, LevelData, `znode path "" does not begin with /`},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := ForPaths(test.paths, test.level, testKey)
			if p != nil || err == nil || err.Error() != test.want {
				t.Errorf("ForPaths() = %v, %v; want %s", p, err, test.want)
			}
		})
	}
}

func TestRoots(t *testing.T) {
	for name, test := range map[string]struct{ paths, roots string }{
		"one":                               {"/a", "/a"},
		"siblings in the order given":       {"/b /a", "/b /a"},
		"twice the same":                    {"/a /a", "/a"},
		"the outermost":                     {"/a/b/c /a /a/b", "/a"},
		"a name is no subtree":              {"/a /ab", "/a /ab"},
		"all of it":                         {"/a / /b", "/"},
		"the server's tree beside the root": {"/ /zookeeper/config", "/ /zookeeper/config"},
		"the outermost of the server's":     {"/zookeeper/config / /zookeeper", "/ /zookeeper"},
		"a namesake of the server's tree":   {"/ /zookeeperx", "/"},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustPolicy(t, LevelMetadata, testKey, strings.Fields(test.paths)...)
			if diff := cmp.Diff(strings.Fields(test.roots), p.Roots()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRootsAreACopy(t *testing.T) {
	p := mustPolicy(t, LevelMetadata, testKey, "/a")
	p.Roots()[0] = "/changed"
	if got := p.Roots()[0]; got != "/a" {
		t.Errorf("a caller changed the policy: %s", got)
	}
}

func TestWants(t *testing.T) {
	for name, test := range map[string]struct{ paths, wanted, unwanted string }{
		"a subtree":                   {"/a/b", "/a/b /a/b/c /a/b/c/d", "/ /a /a/bc /a/b0 /b"},
		"everything but the server's": {"/", "/ /a /zookeeperx /zookeeper-1/a", "/zookeeper /zookeeper/config"},
		"the server's where named":    {"/ /zookeeper/config", "/ /a /zookeeper/config /zookeeper/config/x", "/zookeeper /zookeeper/quota /zookeeper/configs"},
		"the server's alone":          {"/zookeeper", "/zookeeper /zookeeper/quota/a", "/ /a"},
	} {
		t.Run(name, func(t *testing.T) {
			p := mustPolicy(t, LevelMetadata, testKey, strings.Fields(test.paths)...)
			for path := range strings.FieldsSeq(test.wanted) {
				if !p.Wants(path) {
					t.Errorf("%s is not wanted", path)
				}
			}
			for path := range strings.FieldsSeq(test.unwanted) {
				if p.Wants(path) {
					t.Errorf("%s is wanted", path)
				}
			}
		})
	}
}

func TestFirstRuleWins(t *testing.T) {
	for path, want := range map[string]string{"/a/b": "/a/b", "/a/b/c": "/a/b", "/a": "/a", "/a/c": "/a"} {
		t.Run(path, func(t *testing.T) {
			if rule, ok := mustPolicy(t, LevelData, testKey, "/a/b", "/a", "/a/c").Match(path); !ok || rule.Name != want {
				t.Errorf("Match() = %+v, %v; want %s", rule, ok, want)
			}
		})
	}
}
