package zktest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// fakeMaven writes one jar slowly enough for a second fetch to meet it, notes
// that it ran, and fails when it is told to.
const fakeMaven = `#!/bin/sh
echo run >>"$FAKE_LOG"
for arg in "$@"; do
	case $arg in -DoutputDirectory=*) dir=${arg#*=} ;; esac
done
mkdir -p "$dir"
echo jar >"$dir/zookeeper.jar"
[ -z "${FAKE_FAILS:-}" ] || { echo "cannot reach anything" >&2; exit 1; }
echo more >"$dir/zookeeper-jute.jar"
`

// sandbox is a cache and a PATH that holds only what it is given.
type sandbox struct {
	t    *testing.T
	dir  string
	vars []string
}

func newSandbox(t *testing.T, tools ...string) *sandbox {
	t.Helper()
	box := &sandbox{t: t, dir: t.TempDir()}
	box.vars = []string{
		"PATH=" + filepath.Join(box.dir, "bin"),
		"ZKWARDEN_CACHE=" + filepath.Join(box.dir, "cache"),
		"FAKE_LOG=" + filepath.Join(box.dir, "maven.log"),
	}
	if err := os.Mkdir(filepath.Join(box.dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tool := range append(tools, "sh", "dirname", "mkdir", "mktemp", "rm", "mv", "chmod", "flock") {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(box.dir, "bin", tool)); err != nil {
			t.Fatal(err)
		}
	}
	return box
}

func (b *sandbox) command(name, script string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, "bin", name), []byte(script), 0o755); err != nil {
		b.t.Fatal(err)
	}
}

func (b *sandbox) store(version string) string {
	return filepath.Join(b.dir, "cache", "zookeeper", version)
}

// fetch runs the script and returns what it prints and whether it succeeded.
func (b *sandbox) fetch(args ...string) (stdout, stderr string, ok bool) {
	script := exec.Command("./fetch.sh", args...)
	script.Env = b.vars
	var out, errs bytes.Buffer
	script.Stdout, script.Stderr = &out, &errs
	err := script.Run()
	return out.String(), errs.String(), err == nil
}

func TestFetchTwiceAtOnceBringsOnce(t *testing.T) {
	box := newSandbox(t, "java")
	box.command("mvn", fakeMaven)
	var fetches sync.WaitGroup
	for range 4 {
		fetches.Go(func() {
			if out, errs, ok := box.fetch("3.9.1"); !ok || out != box.store("3.9.1")+"\n" {
				t.Errorf("fetch = %q, %v\n%s", out, ok, errs)
			}
		})
	}
	fetches.Wait()
	runs, err := os.ReadFile(filepath.Join(box.dir, "maven.log"))
	if err != nil || string(runs) != "run\n" {
		t.Errorf("Maven ran %d times, %v", strings.Count(string(runs), "run"), err)
	}
	if _, err := os.Stat(filepath.Join(box.store("3.9.1"), "zookeeper-jute.jar")); err != nil {
		t.Error(err)
	}
}

func TestFetchFromTheCacheNeedsNothing(t *testing.T) {
	box := newSandbox(t, "java") // neither mvn nor apt
	for _, version := range []string{"3.8.1", "3.9.1"} {
		if err := os.MkdirAll(box.store(version), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	want := box.store("3.8.1") + "\n" + box.store("3.9.1") + "\n"
	if out, errs, ok := box.fetch("3.8.1", "3.9.1"); !ok || out != want || errs != "" {
		t.Errorf("fetch = %q, %v, want %q\n%s", out, ok, want, errs)
	}
}

func TestFetchThatFailsLeavesNothing(t *testing.T) {
	box := newSandbox(t, "java")
	box.command("mvn", fakeMaven)
	box.vars = append(box.vars, "FAKE_FAILS=1")
	out, errs, ok := box.fetch("3.8.1")
	if ok || out != "" || !strings.Contains(errs, "cannot reach anything") || !strings.Contains(errs, "Maven cannot bring ZooKeeper 3.8.1") {
		t.Errorf("fetch = %q, %v\n%s", out, ok, errs)
	}
	left, err := os.ReadDir(box.store(""))
	if err != nil || len(left) != 1 || left[0].Name() != ".lock" {
		t.Errorf("left in the cache: %v, %v; want the lock only", left, err)
	}
}

func TestFetchSaysWhatIsMissing(t *testing.T) {
	for name, test := range map[string]struct {
		tools []string
		args  []string
		want  string
	}{
		"java":    {nil, nil, "apt-get install -y --no-install-recommends default-jre-headless"},
		"maven":   {[]string{"java"}, nil, "apt-get install -y --no-install-recommends maven"},
		"version": {[]string{"java"}, []string{"../../etc"}, "not a version: ../../etc"},
	} {
		t.Run(name, func(t *testing.T) {
			box := newSandbox(t, test.tools...)
			box.command("id", "#!/bin/sh\necho 1000\n") // Not root, so that nothing is installed.
			if out, errs, ok := box.fetch(test.args...); ok || out != "" || !strings.Contains(errs, test.want) {
				t.Errorf("fetch = %q, %v; want %q in\n%s", out, ok, test.want, errs)
			}
		})
	}
}
