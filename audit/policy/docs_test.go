package policy

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// documented returns the policies in the documentation.
func documented(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, block := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		found = append(found, block[1])
	}
	return found
}

// policyWith returns the documented policy that has a rule of this name.
func policyWith(t *testing.T, rule string) *Policy {
	t.Helper()
	for _, text := range documented(t) {
		if p := mustParse(t, text); slices.ContainsFunc(p.rules, func(r Rule) bool { return r.Name == rule }) {
			return p
		}
	}
	t.Fatalf("no documented policy has the rule %s", rule)
	return nil
}

func TestDocumentedPolicies(t *testing.T) {
	texts := documented(t)
	if len(texts) != 6 {
		t.Errorf("%d policies are documented", len(texts))
	}
	for _, text := range texts {
		mustParse(t, text)
	}
	for path, test := range map[string]struct{ rule, data, want string }{
		"/kafka/config/users/alice":                  {"credentials", `{"config":{"SCRAM-SHA-256":"salt"}}`, ""},
		"/kafka/config/brokers/1":                    {"configuration", `{"version":1,"config":{"ssl.keystore.password":"x"}}`, `{"version":1,"config":{"ssl.keystore.password":"***"}}`},
		"/kafka/brokers/topics/t/partitions/0/state": {"partitions", "", ""},
		"/kafka/brokers/topics/t":                    {"topics and brokers", "{}", "{}"},
		"/kafka/kafka-acl/Topic/t":                   {"acls", "{}", "{}"},
		"/solr/security.json":                        {"security", `{"authentication":{"credentials":{"solr":"hash salt"}}}`, `{"authentication":{"credentials":"***"}}`},
		"/solr/configs/c/lang/x.json":                {"json in configsets", "{", ""},
		"/solr/configs/c/core.properties":            {"properties in configsets", "db.password=x", "db.password=***"},
		"/solr/configs/c/schema.xml":                 {"configsets", "<a/>", ""},
		"/solr/collections/c/state.json":             {"collections", "{}", "{}"},
		"/hbase/table/t":                             {"tables and masters", "\xff", ""},
		"/hbase/tokenauth/keys/1":                    {"tokens", "", ""},
		"/clickhouse/task_queue/ddl/query-1":         {"distributed ddl", "CREATE USER a IDENTIFIED WITH sha256_password BY 'x'", "CREATE USER a IDENTIFIED WITH sha256_password BY '***'"},
		"/clickhouse/tables/01/t/metadata":           {"schemas", "a", "a"},
		"/config/a/b.properties":                     {"properties", "url=jdbc://u:pw@h\ntoken = x", "url=jdbc://u:***@h\ntoken = ***"},
		"/config/a.yml":                              {"yaml", "a:\n  token: x\n", "a:\n  token: \"***\"\n"},
		"/config":                                    {"everything else", "a", ""},
		"/zookeeper/config":                          {"ensemble", "a", "a"},
	} {
		t.Run(path, func(t *testing.T) {
			p := policyWith(t, test.rule)
			rule := p.rules[p.match(path)]
			if got := p.Describe(rule, []byte(test.data)); rule.Name != test.rule || got.Data != test.want {
				t.Errorf("rule %q shows %q, want %q to show %q", rule.Name, got.Data, test.rule, test.want)
			}
		})
	}
}
