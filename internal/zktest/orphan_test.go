package zktest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// childVariable makes the test binary run an ensemble instead of tests.
const childVariable = "ZKTEST_CHILD"

// liveUntilKilled starts a server, prints its process id and never returns. In
// between it ends every idle thread of the runtime, which must not end the server.
func liveUntilKilled() {
	// The main thread never ends, so it must not be the one that forks.
	runtime.LockOSThread()
	ensemble, err := Launch(context.Background(), Options{Dir: os.Getenv(childVariable)})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var holding, ended sync.WaitGroup
	release := make(chan struct{})
	for range 100 {
		holding.Add(1)
		ended.Go(func() {
			runtime.LockOSThread() // Not unlocked: the thread ends with the goroutine.
			holding.Done()
			<-release
		})
	}
	holding.Wait()
	close(release)
	ended.Wait()
	if err := ensemble.WaitServing(context.Background()); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("pid", ensemble.Server(1).PID())
	select {}
}

func TestServersDieWithAKilledProcess(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childVariable+"="+t.TempDir())
	stdout, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(stdout).ReadString('\n')
	pid, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "pid ")))
	if err != nil {
		_ = child.Process.Kill()
		t.Fatalf("child says %q: %v", line, err)
	}
	if err := syscall.Kill(pid, 0); err != nil {
		t.Errorf("server does not run before the kill: %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	err = until(soon(t), "the server is gone", func() error {
		// An orphan that nobody reaps yet is dead too.
		if stat, err := os.ReadFile(procDir(pid) + "/stat"); err != nil || strings.Contains(string(stat), ") Z ") {
			return nil
		}
		return errors.New("it runs")
	})
	if err != nil {
		_ = syscall.Kill(pid, syscall.SIGKILL)
		t.Fatal(err)
	}
}

func procDir(pid int) string { return fmt.Sprintf("/proc/%d", pid) }
