package policy

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExplain(t *testing.T) {
	p := rulesFor(t, "none /a/secret/**", "data /a/* /b", "metadata /** /{c,d}", "data /zookeeper/config")
	for path, want := range map[string]string{
		"/a/secret/x":      `0 "none /a/secret/**" true /a/secret/** matches`,
		"/b":               "0 \"none /a/secret/**\" false /a/secret/** does not match\n1 \"data /a/* /b\" true /b matches",
		"/zookeeper/quota": "0 \"none /a/secret/**\" false /a/secret/** does not match\n1 \"data /a/* /b\" false none of /a/*, /b matches\n2 \"metadata /** /{c,d}\" false /** would match, but /zookeeper is recorded only where a rule names it\n3 \"data /zookeeper/config\" false /zookeeper/config does not match",
	} {
		var got []string
		for _, trial := range p.Explain(path) {
			got = append(got, fmt.Sprintf("%d %q %v %s", trial.Index, trial.Rule.Name, trial.Matches, trial.Reason))
		}
		if diff := cmp.Diff(want, strings.Join(got, "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	forPaths := mustPolicy(t, LevelData, testKey, "/a[b")
	if got := forPaths.Explain("/a[b/c")[0].Reason; got != "/a[b with everything below it matches" {
		t.Errorf("of --audit.path: %s", got)
	}
}

func TestRecords(t *testing.T) {
	p := mustParse(t, `
rules:
  - {name: n, path: /n, level: none}
  - {name: m, path: /m}
  - {name: d, path: /d, level: data, max_data: 1KiB}
  - {name: r, path: /r, level: data, redact: {json_keys: [A, "*b"], properties_keys: [c], patterns: ['d(e)', f]}}
`)
	var got []string
	for _, rule := range p.rules {
		got = append(got, rule.Records())
	}
	want := []string{
		"nothing; it is not even read",
		"size, keyed digest and ACL, no data",
		"size, keyed digest, ACL and up to 1024 bytes of data",
		"size, keyed digest, ACL and up to 4096 bytes of data, with the JSON keys a, *b, the properties keys c, what d(e) matches, what f matches masked; no data where they can't be read for that",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
