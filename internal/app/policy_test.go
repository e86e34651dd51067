package app

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit/policy"
	"zkwarden/internal/fourletter/fourlettertest"
)

// fakeLeader is a server that nothing audits.
func fakeLeader(t *testing.T) string {
	t.Helper()
	return fourlettertest.Serve(t, fourlettertest.Answer(func(word string) string { return leaderAnswers()[word] }))
}

// adopting notes what is asked of a recorder and a source, and in which order.
type adopting struct {
	scope   *inForce
	failure error
	calls   []string
}

func (a *adopting) Adopt(ctx context.Context, p *policy.Policy) error {
	if _, bounded := ctx.Deadline(); !bounded {
		a.calls = append(a.calls, "without end")
	}
	a.calls = append(a.calls, "adopt "+strings.Join(p.Roots(), " ")+" beside "+strings.Join(a.scope.Roots(), " "))
	return a.failure
}

func (a *adopting) Rescope() {
	a.calls = append(a.calls, "rescope to "+strings.Join(a.scope.Roots(), " "))
}

func mustPolicy(t *testing.T, key string, paths ...string) *policy.Policy {
	t.Helper()
	p, err := policy.ForPaths(paths, policy.LevelData, []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The recorder takes a policy over first, and what it refuses is in force
// nowhere.
func TestAdoptPolicy(t *testing.T) {
	a := &adopting{scope: &inForce{}}
	a.scope.current.Store(mustPolicy(t, "key", "/a"))
	adopt := func(want string, p *policy.Policy) {
		t.Helper()
		if err := a.scope.adopt(a, a, p); want != "" && (err == nil || err.Error() != want) || want == "" && err != nil {
			t.Errorf("adopt() = %v, want %s", err, want)
		}
	}
	adopt("", mustPolicy(t, "key", "/a"))
	adopt("", mustPolicy(t, "key", "/b"))
	adopt("", mustPolicy(t, "other", "/b"))
	a.failure = errors.New("no room")
	adopt("adopt policy: no room", mustPolicy(t, "other", "/c"))
	want := []string{
		"adopt /b beside /a", "rescope to /b",
		"adopt /b beside /b", "rescope to /b",
		"adopt /c beside /b",
	}
	if diff := cmp.Diff(want, a.calls); diff != "" || a.scope.Wants("/c") {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A source looks at what leads to others, and nowhere else.
func TestScopeLeads(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	overwrite(t, file, "rules:\n- {name: no, level: none, path: /a/no/**}\n- {name: a, path: /a/*/conf}\n")
	p, err := policy.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	scope := &inForce{}
	scope.current.Store(p)
	for path, want := range map[string]bool{"/a": true, "/a/x": true, "/a/x/conf": true, "/a/x/state": false, "/a/no": false, "/a/no/conf": false, "/b": false} {
		if got := scope.Wants(path) || scope.Leads(path); got != want {
			t.Errorf("looks at %s: %v", path, got)
		}
	}
	if scope.Wants("/a") || scope.Wants("/a/x") {
		t.Error("what only leads to others is recorded")
	}
}

func TestInstance(t *testing.T) {
	for name, test := range map[string]struct {
		instance, recorder string
		want               bool
	}{
		"everywhere":          {"", "zk-1", true},
		"this one":            {"zk-0", "zk-0", true},
		"another":             {"zk-0", "zk-1", false},
		"not a part":          {"zk-0", "zk-01", false},
		"alternatives":        {"zk-0|zk-2", "zk-01", false},
		"an expression":       {"zk-[02](\\..*)?", "zk-2.zk.svc", true},
		"a host with no name": {"zk-.*", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			a := Audit{Paths: []string{"/a"}, Instance: test.instance, Recorder: test.recorder}
			if a.enabled() != test.want {
				t.Errorf("enabled() = %v", a.enabled())
			}
			if a.Paths = nil; a.enabled() {
				t.Error("something is audited, but nothing is asked for")
			}
		})
	}
}

// On the other hosts the process is an exporter, needs no name of the ensemble
// and makes no files.
func TestOtherInstance(t *testing.T) {
	own := fakeLeader(t)
	dir := t.TempDir()
	o := exporterOptions(own)
	o.Audit = Audit{Paths: []string{"/a"}, Recorder: "zk-1", Instance: "zk-0", Dir: filepath.Join(dir, "audit")}
	url := run(t, o)
	if page := bodyOf(t, url+"/"); !strings.Contains(page, "<code>--audit.instance=zk-0</code> is for other hosts") {
		t.Errorf("the page does not tell why nothing is audited:\n%s", page)
	}
	if code, body := post(t, url+"/-/reload"); code != 200 {
		t.Errorf("reload: %d %s", code, body)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
}

func TestValidatePolicy(t *testing.T) {
	dir := t.TempDir()
	good, bad := filepath.Join(dir, "good.yaml"), filepath.Join(dir, "bad.yaml")
	overwrite(t, good, "rules:\n- {name: a, path: /a}\n")
	overwrite(t, bad, "rules: []\n")
	for name, test := range map[string]struct {
		audit Audit
		want  string
	}{
		"a file":          {Audit{PolicyFile: good}, ""},
		"paths":           {Audit{Paths: []string{"/a"}, Level: policy.LevelMetadata}, ""},
		"both":            {Audit{PolicyFile: good, Paths: []string{"/a"}}, "exclude each other"},
		"a level":         {Audit{PolicyFile: good, Level: policy.LevelData}, "--audit.level is for --audit.path"},
		"a bad file":      {Audit{PolicyFile: bad}, bad + ":1: rules: the list is empty"},
		"a bad instance":  {Audit{PolicyFile: good, Instance: ")("}, "--audit.instance: "},
		"config alone":    {Audit{PolicyFile: good, Webhook: Webhook{HTTPConfigFile: good}}, "--sink.webhook.http-config-file needs --sink.webhook.url"},
		"webhook, others": {Audit{PolicyFile: good, Instance: "elsewhere", Webhook: Webhook{URL: "http://127.0.0.1:1/"}}, ""},
		"webhook alone":   {Audit{Webhook: Webhook{URL: "http://127.0.0.1:1/"}}, "--sink.webhook.url has no records to post"},
		"both, elsewhere": {Audit{PolicyFile: good, Paths: []string{"/a"}, Instance: "elsewhere"}, "exclude each other"},
	} {
		t.Run(name, func(t *testing.T) {
			o := exporterOptions("127.0.0.1:1")
			o.Audit = test.audit
			o.Audit.Ensemble, o.Audit.Dir, o.Audit.Recorder, o.Audit.CheckpointInterval = "test", dir, "here", time.Minute
			err := o.Validate()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("Validate() = %v, want %s", err, test.want)
			}
		})
	}
}

// TestDefaultLevels: paths given by hand are recorded with contents, a rule of
// a file without.
func TestDefaultLevels(t *testing.T) {
	file := filepath.Join(t.TempDir(), "policy.yaml")
	if err := os.WriteFile(file, []byte("rules: [{name: a, path: /a/**}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, options := range map[policy.Level]Audit{
		policy.LevelData:     {Paths: []string{"/a"}},
		policy.LevelMetadata: {PolicyFile: file},
	} {
		rules, err := options.Rules()
		if err != nil {
			t.Fatal(err)
		}
		if rule, _ := rules.Match("/a"); rule.Level != want {
			t.Errorf("%+v records at level %s, want %s", options, rule.Level, want)
		}
	}
}

// While the journal is opened there is no recorder to take a policy over.
func TestReloadWhileOpening(t *testing.T) {
	o := exporterOptions(fakeLeader(t))
	o.Audit = Audit{Paths: []string{"/a"}, Ensemble: "test", Recorder: "here", Dir: t.TempDir(), CheckpointInterval: time.Minute}
	app, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = errors.Join(app.listener.Close(), app.exporter.close()) }()
	if err := app.reload.reload(); !errors.Is(err, errOpening) {
		t.Errorf("reload() = %v", err)
	}
}

// Modules that are the same keep the targets that were probed with them.
func TestReloadOfTheSameModules(t *testing.T) {
	own := fakeLeader(t)
	o := exporterOptions(own)
	o.Probe.ConfigFile = writeModules(t, "modules:\n  m: {tls: {server_name: a}}\n")
	url := run(t, o)
	bodyOf(t, url+"/probe?target="+own)
	for _, test := range []struct{ modules, want string }{
		{"# The same.\nmodules: {m: {tls: {server_name: a}}}\n", "zkwarden_probe_targets 1"},
		{"modules: {m: {tls: {server_name: b}}}\n", "zkwarden_probe_targets 0"},
	} {
		overwrite(t, o.Probe.ConfigFile, test.modules)
		if code, body := post(t, url+"/-/reload"); code != 200 {
			t.Errorf("reload: %d %s", code, body)
		}
		if lines := strings.Split(bodyOf(t, url+"/metrics"), "\n"); !slices.Contains(lines, test.want) {
			t.Errorf("no %s after %s", test.want, test.modules)
		}
	}
}
