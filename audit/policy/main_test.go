package policy

import (
	"testing"

	"go.uber.org/goleak"

	"zkwarden/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testKey = []byte("0123456789abcdef")

// mustPolicy makes a policy, and fails the test where it cannot be made.
func mustPolicy(t *testing.T, level Level, key []byte, paths ...string) *Policy {
	t.Helper()
	p, err := ForPaths(paths, level, key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// describe is Describe by the first rule.
func describe(p *Policy, data []byte) *audit.Content { return p.Describe(p.rules[0], data) }
