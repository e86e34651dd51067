package app

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"zkwarden/internal/zktest"
)

// faults breaks what the auditor depends on, and heals it.
type faults struct {
	t        *testing.T
	rng      *rand.Rand
	ensemble *zktest.Ensemble
	proxies  []*zktest.Proxy // Between the auditor and each server.
	auditor  *modelAuditor
	hook     *hook

	smallDisk bool // Whether the audit directory's disk can be filled.
}

// next breaks one thing for a while.
func (f *faults) next() {
	server := f.ensemble.Servers()[f.rng.IntN(len(f.ensemble.Servers()))]
	proxy := f.proxies[f.rng.IntN(len(f.proxies))]
	switch f.rng.IntN(10) {
	case 0:
		f.t.Log("fault: kill the leader")
		f.killLeader()
	case 1:
		f.t.Log("fault: kill server", server.ID())
		f.kill(server)
	case 2:
		f.t.Log("fault: pause server", server.ID())
		f.pause(server)
	case 3:
		f.t.Log("fault: cut the auditor's connection")
		for _, p := range f.proxies {
			p.Cut()
		}
	case 4, 5:
		n := f.rng.Int64N(30_000)
		f.t.Logf("fault: cut the auditor's connection within %d bytes", n)
		for _, p := range f.proxies {
			p.CutAfter(n)
		}
	case 6:
		f.t.Log("fault: refuse the auditor at one server")
		proxy.Refuse(true)
		proxy.Cut()
		f.wait(time.Second)
		proxy.Refuse(false)
	case 7:
		f.t.Log("fault: kill -9 the auditor")
		f.auditor.kill()
		f.wait(f.some(time.Second))
		f.auditor.start()
	case 8:
		f.t.Log("fault: hang the webhook")
		f.hook.set(false)
		f.wait(f.some(2 * time.Second))
		f.hook.set(true)
	case 9:
		f.t.Log("fault: fill the disk")
		f.fillDisk()
	}
}

// modelDisk is an audit directory whose disk can be filled: a small one of its
// own where the test may mount it.
func modelDisk(t *testing.T) (dir string, small bool) {
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256m"); err != nil {
		t.Logf("no disk is filled, since none can be mounted: %v", err)
		return dir, false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir, true
}

// fillDisk leaves no byte free for a while.
func (f *faults) fillDisk() {
	if !f.smallDisk {
		return
	}
	ballast := filepath.Join(f.auditor.spec.Dir, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		f.t.Fatal(err)
	}
	for block := make([]byte, 1<<20); len(block) > 0; {
		if _, err := file.Write(block); err != nil {
			block = block[:len(block)/2] // The last bytes, too.
		}
	}
	f.wait(f.some(2 * time.Second))
	if err := errors.Join(file.Close(), os.Remove(ballast)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *faults) some(most time.Duration) time.Duration {
	return time.Duration(f.rng.Int64N(int64(most)))
}

// wait lets a fault last: how long is part of the history.
func (f *faults) wait(d time.Duration) { time.Sleep(d) }

func (f *faults) killLeader() {
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	leader, err := f.ensemble.Leader(ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	f.kill(leader)
}

func (f *faults) kill(server *zktest.Server) {
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	server.Kill()
	f.wait(f.some(2 * time.Second))
	if err := server.Restart(ctx); err != nil {
		f.t.Fatal(err)
	}
	f.settle()
}

func (f *faults) pause(server *zktest.Server) {
	if err := server.Pause(); err != nil {
		f.t.Fatal(err)
	}
	f.wait(f.some(4 * time.Second))
	if err := server.Resume(); err != nil {
		f.t.Fatal(err)
	}
	f.settle()
}

func (f *faults) settle() {
	ctx, cancel := context.WithTimeout(f.t.Context(), patience)
	defer cancel()
	if err := f.ensemble.WaitServing(ctx); err != nil {
		f.t.Fatal(err)
	}
}
