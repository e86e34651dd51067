package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

// rulesFor makes a policy of rules such as "none /a/b/**", in order.
func rulesFor(t testing.TB, rules ...string) *Policy {
	t.Helper()
	var text strings.Builder
	text.WriteString("rules:\n")
	for _, rule := range rules {
		level, paths, _ := strings.Cut(rule, " ")
		text.WriteString("  - {name: '" + rule + "', level: " + level + ", paths: ['" + strings.ReplaceAll(paths, " ", "', '") + "']}\n")
	}
	return mustParse(t, text.String())
}

func TestGlobs(t *testing.T) {
	for glob, test := range map[string]struct{ wanted, unwanted string }{
		"/a/b":              {"/a/b", "/ /a /a/b/c /a/bc"},
		"/a/**":             {"/a /a/b /a/b/c", "/ /ab /b"},
		"/**":               {"/ /a /a/b /zookeeperx", "/zookeeper /zookeeper/config"},
		"/*":                {"/a /b", "/ /a/b /zookeeper"},
		"/a/*":              {"/a/b /a/*", "/a /a/b/c"},
		"/a/*/c":            {"/a/b/c", "/a/c /a/b /a/b/c/d"},
		"/a/**/c":           {"/a/c /a/b/c /a/b/b/c", "/a /a/b /c"},
		"/{a,b/c}/d":        {"/a/d /b/c/d", "/a /b/d /c/d"},
		"/{a,{b,c}}{,/**}":  {"/a /a/x /b /c/y", "/d"},
		"/a[bc]?":           {"/abx /acy", "/ab /adx /abxy"},
		`/a\*`:              {"/a*", "/ab"},
		`/\{a,b\}`:          {"/{a,b}", "/a /b"},
		"/zookeeper/config": {"/zookeeper/config", "/zookeeper /zookeeper/quota"},
		"/zookeeper/**":     {"/zookeeper /zookeeper/quota/a", "/ /a"},
		"/{zookeeper,a}/**": {"/zookeeper/config /a", "/ /b"},
		"/zoo*/**":          {"/zoo /zookeeperx/a", "/zookeeper /zookeeper/config"},
		"/**/config":        {"/config /a/config", "/zookeeper/config"},
		"/ключ/*":           {"/ключ/ключ", "/ключ"},
	} {
		t.Run(glob, func(t *testing.T) {
			p := rulesFor(t, "data "+glob)
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

func TestRootsOfGlobs(t *testing.T) {
	for name, test := range map[string]struct {
		rules []string
		roots string
	}{
		"a plain path":            {[]string{"data /a/b"}, "/a/b"},
		"everything below":        {[]string{"data /a/b/**"}, "/a/b"},
		"the literal part":        {[]string{"data /a/b*/c"}, "/a"},
		"each alternative":        {[]string{"data /{a,b/c}/**"}, "/a /b/c"},
		"nothing for none":        {[]string{"none /a/**", "data /b"}, "/b"},
		"the outermost":           {[]string{"data /a/b/c", "metadata /a/b/*"}, "/a/b"},
		"the server's own":        {[]string{"data /**", "data /zookeeper/config"}, "/ /zookeeper/config"},
		"a plain path and below":  {[]string{"data /a", "data /a/*"}, "/a"},
		"a plain path as a whole": {[]string{"data /", "data /a"}, "/"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(strings.Fields(test.roots), append([]string{}, rulesFor(t, test.rules...).Roots()...)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFirstMatchWins(t *testing.T) {
	p := rulesFor(t, "none /a/secret/**", "data /a/*", "metadata /a/**", "data /a/b/c /x")
	for path, want := range map[string]string{
		"/a/secret": "", "/a/secret/x": "", "/a/b": "data /a/*", "/a/b/c": "metadata /a/**", "/a": "metadata /a/**", "/x": "data /a/b/c /x", "/y": "",
	} {
		rule, ok := p.Match(path)
		if rule.Name != want || ok != (want != "") || p.Wants(path) != ok {
			t.Errorf("Match(%s) = %q, %v; want %q", path, rule.Name, ok, want)
		}
	}
}

func TestLeads(t *testing.T) {
	for name, test := range map[string]struct {
		rules       []string
		leads, ends string
	}{
		"a plain path":        {[]string{"data /a/b"}, "/ /a", "/a/b /a/b/c /c"},
		"everything below":    {[]string{"data /a/**"}, "/ /a /a/b/c", "/b /ab"},
		"all":                 {[]string{"data /**"}, "/ /a", "/zookeeper /zookeeper/a"},
		"a star":              {[]string{"data /a/*/c"}, "/ /a /a/x", "/a/x/c /a/x/y /b"},
		"two in the middle":   {[]string{"data /a/*/**/c"}, "/ /a /a/x /a/x/y /a/x/c", "/b"},
		"a name that differs": {[]string{"data /a/b*/c/d"}, "/a /a/bx /a/bx/c", "/a/x /a/bx/d /a/bx/c/d"},
		"not into none":       {[]string{"none /a/s/**", "data /a/**"}, "/a /a/b", "/a/s /a/s/x"},
		"beside none":         {[]string{"none /a/s", "data /a/**"}, "/a/s /a/s/x", ""},
		"none behind":         {[]string{"data /a/s/x", "none /a/s/**"}, "/a/s", "/a/s/x /a/s/y"},
		"the server's own":    {[]string{"data /**", "data /zookeeper/config"}, "/ /zookeeper", "/zookeeper/config /zookeeper/quota"},
	} {
		t.Run(name, func(t *testing.T) {
			p := rulesFor(t, test.rules...)
			for path := range strings.FieldsSeq(test.leads) {
				if !p.Leads(path) {
					t.Errorf("%s leads nowhere", path)
				}
			}
			for path := range strings.FieldsSeq(test.ends) {
				if p.Leads(path) {
					t.Errorf("%s leads on", path)
				}
			}
		})
	}
}

// FuzzGlob: what is compiled matches what doublestar matches as a whole, lies
// below a root, and is found by a walk that follows Leads. Doublestar does not
// know that a star before the last "/**" may stand for nothing, and takes the
// root znode for one with an empty name.
func FuzzGlob(f *testing.F) {
	for _, glob := range []string{"/a/**", "/{a,b/c}/*", `/a\{[b,]{c,\,}`, "/a/**/b*/{c,**}", "/[^a]?", "/**", "/a", "/a/{**,b}", "/{[}],a}"} {
		f.Add(glob, "/a/b/c")
		f.Add(glob, "/")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		globs, err := compileGlob(text)
		if err != nil || audit.ValidatePath(path) != nil {
			return
		}
		p := newPolicy([]Rule{{Level: LevelData, globs: globs}}, testKey)
		wanted := p.Wants(path)
		if path != "/" && !inServerTree(path) && doublestar.MatchUnvalidated(text, path) && !wanted {
			t.Errorf("%q does not match %q", text, path)
		}
		if wanted && !naive(globs, path) {
			t.Errorf("%q matches %q", text, path)
		}
		if path != "/" && path != "/zookeeper" && p.Whole(audit.Parent(path)) && !wanted {
			t.Errorf("%q leaves out %q of all children", text, path)
		}
		if !wanted {
			return
		}
		below := false
		for _, root := range p.Roots() {
			below = below || audit.Within(path, root)
			for up := path; audit.Within(up, root) && up != root; {
				if up = audit.Parent(up); !p.Leads(up) {
					t.Errorf("%q does not lead to %q for %q", up, path, text)
				}
			}
		}
		if !below {
			t.Errorf("%q lies below none of %q", path, p.Roots())
		}
	})
}

// naive is what globs match, written down once more.
func naive(globs []glob, path string) bool {
	var match func(parts, names []string) bool
	match = func(parts, names []string) bool {
		switch {
		case len(parts) == 0:
			return len(names) == 0
		case parts[0] == "**":
			return match(parts[1:], names) || len(names) > 0 && match(parts, names[1:])
		case len(names) == 0:
			return false
		}
		return doublestar.MatchUnvalidated(parts[0], names[0]) && match(parts[1:], names[1:])
	}
	split := func(path string) []string { return strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) }
	return slices.ContainsFunc(globs, func(g glob) bool { return match(split(g.text), split(path)) })
}

// typical is a policy of twenty rules.
func typical(t testing.TB) *Policy {
	t.Helper()
	rules := []string{"none /kafka/config/users/**", "data /kafka/config/**", "metadata /kafka/brokers/{ids,topics}/**", "data /solr/configs/*/*.json", "data /solr/**/clusterstate.json"}
	for name := range strings.FieldsSeq("a b c d e f g h i j k l m n o") {
		rules = append(rules, "data /service/"+name+"/*/config/**")
	}
	return rulesFor(t, rules...)
}

func BenchmarkMatch(b *testing.B) {
	p := typical(b)
	for name, path := range map[string]string{
		"first":   "/kafka/config/topics/orders",
		"last":    "/service/o/prod/config/limits",
		"none":    "/service/o/prod/state",
		"outside": "/hbase/meta-region-server",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p.Match(path)
			}
		})
	}
}

func TestWhole(t *testing.T) {
	for name, test := range map[string]struct {
		rules       []string
		whole, some string
	}{
		"everything below":   {[]string{"data /a/**"}, "/a /a/b /a/b/c", "/ /b"},
		"one":                {[]string{"data /a"}, "", "/ /a"},
		"a star":             {[]string{"data /a/*"}, "/a", "/ /a/b"},
		"part of a name":     {[]string{"data /a/b*"}, "", "/a"},
		"not as deep":        {[]string{"data /a/*/conf"}, "", "/ /a /a/x /a/x/conf"},
		"stars":              {[]string{"data /a/*/**"}, "/a /a/b", "/"},
		"the end of a name":  {[]string{"data /**/conf"}, "", "/ /a /a/conf"},
		"stars behind":       {[]string{"data /**/conf/*"}, "/conf /a/conf", "/ /a /a/conf/b"},
		"all":                {[]string{"data /**"}, "/ /a", "/zookeeper /zookeeper/quota"},
		"the server's own":   {[]string{"data /**", "none /zookeeper/**"}, "/ /a", "/zookeeper"},
		"one is left out":    {[]string{"none /a/s", "data /a/**"}, "/a/b /a/s", "/a"},
		"some are left out":  {[]string{"none /a/*/s*", "data /a/**"}, "/a /a/b/c", "/a/b"},
		"a tree is left out": {[]string{"none /a/s/**", "data /a/**"}, "/a/b", "/a /a/s /a/s/x"},
		"any of one letter":  {[]string{"data /a/?*"}, "", "/a"},
	} {
		t.Run(name, func(t *testing.T) {
			p := rulesFor(t, test.rules...)
			for path := range strings.FieldsSeq(test.whole) {
				if !p.Whole(path) {
					t.Errorf("not every child of %s", path)
				}
			}
			for path := range strings.FieldsSeq(test.some) {
				if p.Whole(path) {
					t.Errorf("every child of %s", path)
				}
			}
		})
	}
}
