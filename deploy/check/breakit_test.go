package check

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stageEngine is a docker that there is: it notes what it is asked, says that zk-1
// is dead and zk-2 leads, and runs the intruder and the auditor's commands as processes here.
const stageEngine = `#!/usr/bin/env bash
set -euo pipefail
echo "$*" >>"$STAGE/asked"
here() { sed "s|/journal/|$STAGE/journal/|; s|/flip.sh|$STAGE/flip.sh|" <<<"$1"; }
case "$*" in
"compose exec -T zk-1 "*) exit 1 ;;
"compose exec -T zk-2 bash"*) echo "Mode: leader" ;;
"compose exec -T zk-"*" bash"*) echo "Mode: follower" ;;
"compose exec -T auditor /zkwarden verify"*) exec "$STAGE/zkwarden" verify "$STAGE/journal" ;;
"compose run --rm -T intruder"*) exec bash -euc "$(here "${*: -1}")" ;;
esac
`

// stage is a quick start whose engine is stageEngine, with a journal of a real
// auditor.
func stage(t *testing.T) (dir string, do func(want int, args ...string) string) {
	t.Helper()
	dir = t.TempDir()
	for _, name := range []string{"break-it.sh", "flip.sh"} {
		put(t, filepath.Join(dir, name), string(read(t, composeDir+"/"+name)))
	}
	put(t, filepath.Join(dir, "docker"), stageEngine)
	build := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(dir, "zkwarden"), ".")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build zkwarden: %v\n%s", err, out)
	}
	record(t, filepath.Join(dir, "zkwarden"), filepath.Join(dir, "journal"))
	return dir, func(want int, args ...string) string {
		t.Helper()
		command := exec.Command(filepath.Join(dir, "break-it.sh"), args...)
		command.Env = append(os.Environ(), "STAGE="+dir, "PATH="+dir+":"+os.Getenv("PATH"))
		out, _ := command.CombinedOutput()
		if got := command.ProcessState.ExitCode(); got != want {
			t.Fatalf("break-it.sh %s: status %d, want %d\n%s", args, got, want, out)
		}
		return string(out)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// record has an auditor write the first record of a journal, without a server.
func record(t *testing.T, binary, dir string) {
	t.Helper()
	var stdout firstLine
	stdout.seen = make(chan struct{})
	auditor := exec.Command(binary, "run", "--web.listen-address=127.0.0.1:0", "--zookeeper.address=127.0.0.1:1", "--ensemble.name=demo", "--audit.path=/", "--audit.dir="+dir)
	auditor.Stdout = &stdout
	if err := auditor.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stdout.seen:
	case <-time.After(time.Minute):
		t.Error("the auditor records nothing")
	}
	if err := auditor.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := auditor.Wait(); err != nil {
		t.Fatal(err)
	}
}

// firstLine tells when a line has been written to it.
type firstLine struct {
	seen chan struct{}
	done bool
}

func (f *firstLine) Write(p []byte) (int, error) {
	if !f.done && bytes.ContainsRune(p, '\n') {
		f.done = true
		close(f.seen)
	}
	return len(p), nil
}

// TestBreakIt plays each way to break the quick start.
func TestBreakIt(t *testing.T) {
	dir, do := stage(t)
	asked := func() string { return string(read(t, filepath.Join(dir, "asked"))) }

	if out := do(2); !strings.Contains(out, "break-it.sh tamper") {
		t.Errorf("without a word it says:\n%s", out)
	}
	do(0, "leader")
	if !strings.Contains(asked(), "compose kill zk-2\n") {
		t.Errorf("the leader was not killed:\n%s", asked())
	}
	do(0, "quorum")
	if !strings.Contains(asked(), "compose kill zk-2 zk-3\n") {
		t.Errorf("two were not killed:\n%s", asked())
	}
	do(0, "change")
	if !strings.Contains(asked(), "exec -T zk-2 zkCli.sh") || !strings.Contains(asked(), "set /demo/limits requests=") || !strings.Contains(asked(), "auditor /zkwarden log ") {
		t.Errorf("no znode was changed, or not shown:\n%s", asked())
	}
	if out := do(0, "tamper"); !strings.Contains(out, "broken") {
		t.Errorf("verify did not find the bit:\n%s", out)
	}
	do(1, "tamper") // One at a time, or the first could not be found again.
	if out := do(0, "repair"); !strings.Contains(out, "intact") {
		t.Errorf("the journal is not as it was:\n%s", out)
	}
	commands(t, asked())
}

// commands holds what is run of zkwarden to exist.
func commands(t *testing.T, asked string) {
	t.Helper()
	flags := knownFlags(t)
	for line := range strings.Lines(asked) {
		if _, command, found := strings.Cut(strings.TrimSpace(line), "/zkwarden "); found {
			for _, fault := range flags.faults(strings.Fields(command), nil) {
				t.Errorf("%s: %s", command, fault)
			}
		}
	}
}
