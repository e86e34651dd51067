package app

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// TestReloadPolicy: a reload puts another policy or key into force and records
// that; what is wrong with any file leaves all of them as they were.
func TestReloadPolicy(t *testing.T) {
	addr := zktest.Start(t, zktest.Options{}).Server(1).Addr()
	conn := client(t, addr)
	for _, path := range []string{"/a", "/b", "/b/x", "/b/x/conf", "/c"} {
		mustCreate(t, conn, path, "", 0)
	}
	dir := t.TempDir()
	file, modules := filepath.Join(dir, "policy.yaml"), filepath.Join(dir, "modules.yaml")
	const one = "rules:\n- {name: a, path: /a/**}\n"
	overwrite(t, file, one)
	overwrite(t, modules, "modules:\n  m: {}\n")
	stdout := newRecords()
	o := auditOptions(filepath.Join(dir, "audit"), stdout, []string{addr})
	o.Audit.Level, o.Audit.PolicyFile, o.Probe.ConfigFile = "", file, modules
	app, stop := startApp(t, o)
	url := "http://" + app.Addr().String()
	awaitPage(t, url+"/-/ready", http.StatusOK, "ready")
	reload := func(status int, text string) {
		t.Helper()
		if got, body := post(t, url+"/-/reload"); got != status || !strings.Contains(body, text) {
			t.Errorf("reload: %d %s, want %d %s", got, body, status, text)
		}
	}
	policies := func() (found []audit.Event) {
		for _, e := range decodeAll(t, journalLines(t, o.Audit.Dir)) {
			if e.Control == audit.ControlPolicy {
				found = append(found, e)
			}
		}
		return found
	}

	reload(http.StatusOK, "reloaded") // Nothing has changed.
	overwrite(t, file, one+"- {name: b, path: /b/*/conf, levl: data}\n")
	reload(http.StatusInternalServerError, file+`:3: rules[1]: unknown field "levl"`)
	overwrite(t, file, one+"- {name: b, path: /b/*/conf, level: data}\n")
	overwrite(t, modules, "modules:\n  m: {word: []}\n")
	reload(http.StatusInternalServerError, modules+":2: unknown field word")
	has(t, bodyOf(t, url+"/metrics"), "zkwarden_config_last_reload_successful 0")
	mustCreate(t, conn, "/b/y", "", 0)
	mustCreate(t, conn, "/b/y/conf", "too early", 0)
	mustCreate(t, conn, "/a/1", "", 0)
	stdout.await(t, "change under the old policy", isCreated("/a/1"))
	if changed := policies(); len(changed) > 0 {
		t.Errorf("a policy came into force: %+v", changed)
	}

	overwrite(t, modules, "modules:\n  m: {}\n")
	reload(http.StatusOK, "reloaded")
	stdout.await(t, "baseline of the new root", func(e audit.Event) bool {
		return e.Control == audit.ControlBaseline && len(e.Roots) == 1 && e.Roots[0] == "/b"
	})
	has(t, bodyOf(t, url+"/metrics"), "zkwarden_config_last_reload_successful 1")
	if page := bodyOf(t, url+"/"); !strings.Contains(page, "<code>/b</code>") || !strings.Contains(page, file) {
		t.Errorf("the page does not show the policy:\n%s", page)
	}
	mustCreate(t, conn, "/b/z", "", 0)
	mustCreate(t, conn, "/b/z/conf", "content", 0)
	events := stdout.await(t, "change under the new policy", isCreated("/b/z/conf"))
	if last := events[len(events)-1]; last.After == nil || last.After.Data != "content" || last.Rule != "b" {
		t.Errorf("recorded as %+v", last)
	}
	for _, e := range events {
		if e.Path == "/b/z" || e.Path == "/b/y/conf" {
			t.Errorf("%s of %s is recorded", e.Op, e.Path)
		}
	}
	changed := policies()
	if len(changed) != 1 || changed[0].Policy == "" || changed[0].DigestKey == "" {
		t.Fatalf("policies: %+v", changed)
	}

	overwrite(t, filepath.Join(o.Audit.Dir, digestKeyFile), strings.Repeat("cd", 32))
	reload(http.StatusOK, "reloaded")
	reload(http.StatusOK, "reloaded")
	stdout.await(t, "rotation", func(e audit.Event) bool {
		return e.Control == audit.ControlPolicy && e.DigestKey != changed[0].DigestKey
	})
	rotated := policies()
	if len(rotated) != 2 || rotated[1].Policy != changed[0].Policy || rotated[1].DigestKey == changed[0].DigestKey {
		t.Errorf("policies: %+v", rotated)
	}
	overwrite(t, filepath.Join(o.Audit.Dir, digestKeyFile), "short")
	reload(http.StatusInternalServerError, "digest key file")
	if err := stop(); err != nil {
		t.Error(err)
	}
	for _, e := range changesOf(decodeAll(t, journalLines(t, o.Audit.Dir))) {
		if e.Path == "/a" || e.Path == "/b/x/conf" {
			t.Errorf("made up: %s of %s", e.Op, e.Path)
		}
	}
}
