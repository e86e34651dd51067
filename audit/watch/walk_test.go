package watch

import (
	"os"
	"path/filepath"
	"testing"

	"zkwarden/audit/policy"
)

// TestWalkThroughUnwanted: a walk lists the znodes on the way to those that a
// glob matches, and reads only these.
func TestWalkThroughUnwanted(t *testing.T) {
	s := newScene(t, 0, "/r")
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte("rules:\n- {name: none, level: none, path: /r/secret/**}\n- {name: some, path: /r/*/*/conf}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := policy.Load(file, []byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	s.tr.scope = p
	s.known.children = map[string][]string{"/r": {"a/x/conf", "gone/x/conf"}, "/r/a": {"x/conf", "gone/conf"}, "/r/a/y": {"conf"}}
	s.link(9)
	s.expect("handed over", s.handed())
	s.expect("asked", s.asked(), "list /r")
	s.server(list(9, "/r", "a", "secret"))
	s.expect("asked", s.asked(), "get /r/gone/x/conf", "list /r/a")
	s.server(list(9, "/r/a", "x", "y"), refusedRead(9, "/r/gone/x/conf", errNoNode))
	s.expect("asked", s.asked(), "get /r/a/gone/conf", "list /r/a/y", "list /r/a/x")
	refused := list(9, "/r/a/y")
	refused.code = errNoAuth
	s.server(list(9, "/r/a/x", "conf", "state"), refused, refusedRead(9, "/r/a/gone/conf", errNoNode))
	s.expect("asked", s.asked(), "get /r/a/y/conf", "get /r/a/x/conf")
	s.server(got(9, "/r/a/x/conf", 3, 2), got(9, "/r/a/y/conf", 1, 0))
	s.expect("asked", s.asked(), "list /r/a/x/conf")
	s.server(list(9, "/r/a/x/conf", "below"))
	s.expect("handed over", s.handed(),
		"resync /r/gone/x/conf absent", "resync /r/a/gone/conf absent", "resync /r/a/x/conf found v3", "resync /r/a/y/conf found v1", "walked 4 at 9")
}
