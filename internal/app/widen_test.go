package app

import (
	"net/http"
	"path/filepath"
	"slices"
	"testing"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// TestReloadWidensWithinARoot: what a reload allows for the first time inside a
// root is known at once, without records of births that are long past, and what
// happens to it from then on is recorded; what a reload forbids is forgotten.
func TestReloadWidensWithinARoot(t *testing.T) {
	for name, options := range map[string]zktest.Options{"recursive": {}, "one-shot": {Version: "3.5.10"}} {
		t.Run(name, func(t *testing.T) {
			addr := zktest.Start(t, options).Server(1).Addr()
			conn := client(t, addr)
			for _, path := range []string{"/r", "/r/x", "/r/x/conf", "/r/x/other", "/r/x/other/deep", "/r/y"} {
				mustCreate(t, conn, path, "old", 0)
			}
			dir := t.TempDir()
			file := filepath.Join(dir, "policy.yaml")
			overwrite(t, file, "rules:\n- {name: conf, path: /r/*/conf, level: data}\n")
			stdout := newRecords()
			o := auditOptions(filepath.Join(dir, "audit"), stdout, []string{addr})
			o.Audit.Level, o.Audit.PolicyFile = "", file
			app, stop := startApp(t, o)
			url := "http://" + app.Addr().String()
			awaitPage(t, url+"/-/ready", http.StatusOK, "ready")
			mustCreate(t, conn, "/r/y/conf", "", 0)
			stdout.await(t, "change under the old policy", isCreated("/r/y/conf"))

			overwrite(t, file, "rules:\n- {name: all, path: /r/**, level: data}\n")
			if status, body := post(t, url+"/-/reload"); status != http.StatusOK {
				t.Fatalf("reload: %d %s", status, body)
			}
			events := stdout.await(t, "end of the reading", func(e audit.Event) bool {
				return e.Control == audit.ControlResync && e.Reason == audit.ResyncPolicy
			})
			if last := events[len(events)-1]; last.Count == nil || *last.Count != 7 {
				t.Errorf("read: %+v", last)
			}
			if _, err := conn.Set("/r/x/other/deep", []byte("new"), -1); err != nil {
				t.Fatal(err)
			}
			events = stdout.await(t, "change of what is known now", func(e audit.Event) bool { return e.Op == audit.OpDataChanged })
			last := events[len(events)-1]
			if last.Path != "/r/x/other/deep" || last.Rule != "all" || last.Before == nil || last.Before.Data != "old" || last.After == nil || last.After.Data != "new" {
				t.Errorf("recorded %+v, from %+v to %+v", last, last.Before, last.After)
			}

			overwrite(t, file, "rules:\n- {name: x, path: '/r/x/**', level: data}\n")
			if status, body := post(t, url+"/-/reload"); status != http.StatusOK {
				t.Fatalf("reload: %d %s", status, body)
			}
			if err := conn.Delete("/r/y/conf", -1); err != nil {
				t.Fatal(err)
			}
			mustCreate(t, conn, "/r/x/end", "", 0)
			stdout.await(t, "change under the narrow policy", isCreated("/r/x/end"))
			if err := stop(); err != nil {
				t.Error(err)
			}
			var changes []string
			for _, e := range changesOf(decodeAll(t, journalLines(t, o.Audit.Dir))) {
				changes = append(changes, string(e.Op)+" "+e.Path)
			}
			if want := []string{"created /r/y/conf", "data_changed /r/x/other/deep", "created /r/x/end"}; !slices.Equal(changes, want) {
				t.Errorf("recorded %q, want %q", changes, want)
			}
		})
	}
}

// TestBirthInAGapBelowAWay: a resync finds what was born below a znode that no
// rule wants.
func TestBirthInAGapBelowAWay(t *testing.T) {
	addr := zktest.Start(t, zktest.Options{}).Server(1).Addr()
	conn := client(t, addr)
	for _, path := range []string{"/r", "/r/x", "/r/x/conf", "/r/y"} {
		mustCreate(t, conn, path, "old", 0)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "policy.yaml")
	overwrite(t, file, "rules:\n- {name: conf, paths: [/r, '/r/*/conf'], level: data}\n")
	stdout := newRecords()
	o := auditOptions(filepath.Join(dir, "audit"), stdout, []string{addr})
	o.Audit.Level, o.Audit.PolicyFile = "", file
	app, stop := startApp(t, o)
	awaitPage(t, "http://"+app.Addr().String()+"/-/ready", http.StatusOK, "ready")
	if err := stop(); err != nil {
		t.Error(err)
	}
	mustCreate(t, conn, "/r/y/conf", "new", 0)
	mustCreate(t, conn, "/r/y/other", "new", 0)
	app, stop = startApp(t, o)
	awaitPage(t, "http://"+app.Addr().String()+"/-/ready", http.StatusOK, "ready")
	stdout.await(t, "what was born meanwhile", isCreated("/r/y/conf"))
	if err := stop(); err != nil {
		t.Error(err)
	}
	if changes := changesOf(decodeAll(t, journalLines(t, o.Audit.Dir))); len(changes) != 1 {
		t.Errorf("recorded %+v", changes)
	}
}
