package zktest

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
)

func TestLaunchCleansUp(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ensemble, err := Launch(soon(t), Options{})
	if err != nil {
		t.Fatal(err)
	}
	pid := ensemble.Server(1).PID()
	for range 2 {
		if err := ensemble.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(procDir(pid)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("process %d after Close: %v", pid, err)
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left after Close: %v, %v", left, err)
	}
	if err := ensemble.Server(1).Restart(soon(t)); !errors.Is(err, errClosed) && !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Restart after Close: %v", err)
	}
}

func TestLaunchTakesOtherPortsWhenOneIsLost(t *testing.T) {
	for name, lost := range map[string]func(*ports) *int{
		"client":   func(p *ports) *int { return &p.client },
		"quorum":   func(p *ports) *int { return &p.quorum },
		"election": func(p *ports) *int { return &p.election },
		"admin":    func(p *ports) *int { return &p.admin },
	} {
		t.Run(name, func(t *testing.T) {
			squatter, err := net.Listen("tcp", hostPort(0))
			if err != nil {
				t.Fatal(err)
			}
			defer squatter.Close()
			installed, err := bring(soon(t), Default)
			if err != nil {
				t.Fatal(err)
			}
			picked, picker := 0, portPicker{}
			opts := Options{Version: Default, Servers: 1, Replicated: true, Admin: true, Dir: t.TempDir()}
			ensemble, err := launch(soon(t), opts, installed, func() (ports, error) {
				chosen, err := picker.pick()
				if picked++; picked == 1 {
					*lost(&chosen) = squatter.Addr().(*net.TCPAddr).Port
				}
				return chosen, err
			})
			if err != nil {
				t.Fatal(err)
			}
			defer ensemble.Close()
			if picked != 2 {
				t.Errorf("served after %d attempts, want 2", picked)
			}
		})
	}
}

func TestLaunchErrorShowsTheLog(t *testing.T) {
	_, err := Launch(soon(t), Options{Dir: t.TempDir(), Config: map[string]string{"dataLogDir": "/proc/nowhere"}})
	if !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), "Unable to create data directory") {
		t.Errorf("Launch() = %v; want the server's own words", err)
	}
}

// failingTest looks like a test that failed, and keeps what it logs.
type failingTest struct {
	testing.TB
	logged   []any
	cleanups []func()
}

func (f *failingTest) Failed() bool         { return true }
func (f *failingTest) Log(args ...any)      { f.logged = append(f.logged, args...) }
func (f *failingTest) Cleanup(clean func()) { f.cleanups = append(f.cleanups, clean) }

func TestStartShowsTheLogOfAFailedTest(t *testing.T) {
	failing := &failingTest{TB: t}
	Start(failing, Options{})
	for _, clean := range failing.cleanups {
		clean()
	}
	if len(failing.logged) != 1 || !strings.Contains(failing.logged[0].(string), "binding to port") {
		t.Errorf("logged %q; want the server's log", failing.logged)
	}
}
