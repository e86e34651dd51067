package cli

import (
	"path/filepath"
	"strings"
	"testing"

	"zkwarden/audit/policy"
	"zkwarden/internal/zktest"
)

// TestLiveCheckPolicyFile: a check of the server looks at what the policy file
// watches, and tells every mistake in the file.
func TestLiveCheckPolicyFile(t *testing.T) {
	addr := zktest.Start(t, zktest.Options{}).Server(1).Addr()
	o := auditing(addr, t.TempDir())
	o.Audit.Policy = func() (*policy.Policy, error) {
		return policy.Load(filepath.Join("testdata", "policy.yaml"), nil)
	}
	report, failure := checked(t, o)
	expect(t, report, "Auditing by a policy file\n  ok     fingerprint ", "Auditing /zookeeper/config, /a", "/zookeeper/config can be read", "/a doesn't exist", "the server takes persistent recursive watches")
	if failure != "" {
		t.Error(failure)
	}
	o.Audit.Policy = func() (*policy.Policy, error) {
		return policy.Load(filepath.Join("..", "..", "audit", "policy", "testdata", "broken", "bad-level.yaml"), nil)
	}
	report, failure = checked(t, o)
	if strings.Count(report, "WRONG") != 3 || !strings.Contains(report, "rules[2].level") || !strings.Contains(failure, "3 things would not work") {
		t.Errorf("%s\n%s", failure, report)
	}
}
