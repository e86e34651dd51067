package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"
)

var update = flag.Bool("update", false, "write the golden files in testdata instead of comparing with them")

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){"zkwarden": main})
}

// leakChecked is goleak.VerifyTestMain for a TestMain that is another's.
type leakChecked struct{ *testing.M }

// Run runs the tests and then looks for goroutines that outlived them.
func (m leakChecked) Run() int {
	code := m.M.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return code
}

// What --help says is a contract with people who paste it into issues.
func TestHelp(t *testing.T) {
	t.Setenv("COLUMNS", "80")
	for name, args := range map[string][]string{
		"help":        {"--help"},
		"help-run":    {"run", "--help"},
		"help-tree":   {"tree", "--help"},
		"help-watch":  {"watch", "--help"},
		"help-health": {"health", "-h"},
		"help-check":  {"check", "--help"},
		"help-log":    {"log", "--help"},
		"help-verify": {"verify", "--help"},

		"help-dashboards": {"dashboards", "--help"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), args, &stdout, &stderr); code != exitOK || stderr.Len() > 0 {
				t.Fatalf("exit status %d, stderr %q", code, &stderr)
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, stdout.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), stdout.String()); diff != "" {
				t.Errorf("%s differs; if that is meant, run go test . -update (-want +got):\n%s", golden, diff)
			}
		})
	}
	commands := newFlags().app.Model().Commands
	golden, err := filepath.Glob("testdata/help-*.txt")
	if err != nil || len(golden) != len(commands) {
		t.Errorf("%d commands have %d golden files: %v", len(commands), len(golden), err)
	}
}

func TestScripts(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { busy.Close() }) // The scripts run in parallel, after this function.
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("BUSY", busy.Addr().String())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
		},
		RequireExplicitExec: true,
		Deadline:            time.Now().Add(time.Minute),
	})
}

// unlogged is what stands on stderr besides the log.
func unlogged(stderr string) string {
	return regexp.MustCompile(`(?m)^(time|level)=.*\n`).ReplaceAllString(stderr, "")
}

// exits is the script command `exits STATUS TEXT ARGS...`: zkwarden must fail
// with this status and one line on stderr, behind those of its log, that has
// the text in it.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec("zkwarden", args[2:]...)
	var status *exec.ExitError
	if !errors.As(err, &status) || status.ExitCode() != want {
		ts.Fatalf("zkwarden %q: %v, want exit status %d", args[2:], err, want)
	}
	stderr := unlogged(ts.ReadFile("stderr"))
	switch {
	case ts.ReadFile("stdout") != "":
		ts.Fatalf("zkwarden %q: prints to stdout", args[2:])
	case strings.Count(stderr, "\n") != 1 || !strings.HasSuffix(stderr, "\n"):
		ts.Fatalf("zkwarden %q: stderr has other than one line", args[2:])
	case !strings.Contains(stderr, args[1]):
		ts.Fatalf("zkwarden %q: stderr does not say %q", args[2:], args[1])
	}
}

// Progress is for people: what a file or a pipe receives has none.
func TestProgressIsForTerminals(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for name, stderr := range map[string]io.Writer{"a buffer": &bytes.Buffer{}, "a file": file} {
		var stdout bytes.Buffer
		if out, err, show := besideProgress(&stdout, stderr); out != &stdout || err != stderr || show != nil {
			t.Errorf("%s is taken for a terminal", name)
		}
	}
}
