package collector

import (
	"path/filepath"
	"strings"
	"testing"

	"zkwarden/internal/zktest"
)

// promtool runs it on what is given to it, and fails the test if it finds fault.
func promtool(t testing.TB, stdin string, args ...string) {
	t.Helper()
	command, err := zktest.Promtool(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	command.Stdin = strings.NewReader(stdin)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// Prometheus takes every file of rules, and computes of them what their tests say.
func TestRules(t *testing.T) {
	const dir = "../deploy/prometheus"
	for pattern, command := range map[string]string{"*.yml": "check", "tests/*.yml": "test"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no %s in %s: %v", pattern, dir, err)
		}
		promtool(t, "", append([]string{command, "rules"}, files...)...)
	}
}
