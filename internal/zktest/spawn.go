package zktest

import (
	"errors"
	"os/exec"
	"runtime"
)

// errClosed is returned to who starts a server of a closed ensemble.
var errClosed = errors.New("the ensemble is closed")

// spawner starts processes that die with this one.
//
// Linux sends a child its parent-death signal when the *thread* that forked it
// ends, and the Go scheduler ends and reuses threads as it likes. So all
// children are forked by one goroutine that is locked to its thread and holds
// it until the spawner is closed.
type spawner struct {
	requests chan spawnRequest
	quit     chan struct{}
	done     chan struct{}
}

type spawnRequest struct {
	cmd    *exec.Cmd
	result chan<- error
}

func newSpawner() *spawner {
	s := &spawner{requests: make(chan spawnRequest), quit: make(chan struct{}), done: make(chan struct{})}
	go s.run()
	return s
}

func (s *spawner) run() {
	defer close(s.done)
	// Never unlocked: the thread ends with the goroutine, and with it whatever
	// it may have left behind.
	runtime.LockOSThread()
	for {
		select {
		case r := <-s.requests:
			r.result <- r.cmd.Start()
		case <-s.quit:
			return
		}
	}
}

// start is cmd.Start on the spawner's thread.
func (s *spawner) start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = dieWithParent()
	result := make(chan error, 1)
	select {
	case s.requests <- spawnRequest{cmd, result}:
		return <-result
	case <-s.done:
		return errClosed
	}
}

// close ends the thread. It is called once, after the children were reaped.
func (s *spawner) close() {
	close(s.quit)
	<-s.done
}
