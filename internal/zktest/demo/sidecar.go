package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"zkwarden/internal/zktest"
)

// stopTimeout is how long a sidecar may take to end before it is killed.
const stopTimeout = 15 * time.Second

// sidecar is one running zkwarden.
type sidecar struct {
	command *exec.Cmd
	name    string
	ended   chan error
	stopped chan struct{} // Closed by stop.
}

// startSidecars starts one zkwarden beside each server and prints where their
// metrics are. The first one audits.
func startSidecars(ctx context.Context, binary string, ensemble *zktest.Ensemble, auditDir string, stdout, stderr io.Writer) ([]*sidecar, error) {
	var sidecars []*sidecar
	var members []string // On one host, the servers cannot tell each other's client ports.
	for _, server := range ensemble.Servers() {
		members = append(members, fmt.Sprintf("--ensemble.member=%d=%s", server.ID(), server.Addr()))
	}
	for i, server := range ensemble.Servers() {
		args := []string{
			"--zookeeper.address=" + server.Addr(), "--ensemble.name=demo",
			"--web.listen-address=127.0.0.1:0", "--log.format=json",
		}
		args = append(args, members...)
		role := "metrics"
		if i == 0 {
			role = "metrics and audit"
			args = append(args, "--audit.path=/demo", "--audit.dir="+auditDir)
		}
		s, address, err := startSidecar(ctx, binary, args, stdout, stderr)
		if err != nil {
			for _, started := range sidecars {
				started.stop()
				_ = started.end() // What failed first is the news.
			}
			return nil, fmt.Errorf("start sidecar of server %d: %w", server.ID(), err)
		}
		s.name = fmt.Sprintf("sidecar of server %d", server.ID())
		sidecars = append(sidecars, s)
		fmt.Fprintf(stdout, "server %d (%s): http://%s/metrics (%s)\n", server.ID(), server.Addr(), address, role)
	}
	return sidecars, nil
}

// startSidecar returns when the process listens, and the address.
func startSidecar(ctx context.Context, binary string, args []string, stdout, stderr io.Writer) (*sidecar, string, error) {
	command := exec.Command(binary, args...)
	command.Stdout = stdout
	command.SysProcAttr = attributes()
	logs, err := command.StderrPipe()
	if err != nil {
		return nil, "", err
	}
	if err := command.Start(); err != nil {
		return nil, "", err
	}
	s := &sidecar{command: command, ended: make(chan error, 1), stopped: make(chan struct{})}
	listening := make(chan string, 1)
	go func() {
		readLog(logs, listening, stderr)
		s.ended <- command.Wait()
	}()
	select {
	case address := <-listening:
		return s, address, nil
	case err := <-s.ended:
		return nil, "", fmt.Errorf("it ended before it listened: %w", err)
	case <-ctx.Done():
		s.stop()
		return nil, "", errors.Join(ctx.Err(), s.end())
	}
}

// readLog finds the address in the log and shows what is worse than news. It
// reads to the end, however long a line is: nobody else drains the pipe.
func readLog(logs io.Reader, listening chan<- string, stderr io.Writer) {
	for lines := bufio.NewReader(logs); ; {
		text, err := lines.ReadBytes('\n')
		if len(text) == 0 && err != nil {
			return
		}
		var line struct{ Msg, Address, Level string }
		if err := json.Unmarshal(text, &line); err != nil || line.Level == "warn" || line.Level == "error" {
			_, _ = stderr.Write(text) // A terminal that is gone is no reason to stop reading.
			continue
		}
		if line.Msg == "Listening on" {
			listening <- line.Address
		}
	}
}

// wait returns when the process has ended; too early is an error.
func (s *sidecar) wait(ctx context.Context) error {
	select {
	case err := <-s.ended:
		return fmt.Errorf("%s ended early: %w", s.name, err)
	case <-ctx.Done():
	}
	<-s.stopped
	return s.end()
}

// end waits for a process that was stopped, and kills it when it takes long.
func (s *sidecar) end() error {
	timer := time.AfterFunc(stopTimeout, func() { _ = s.command.Process.Kill() })
	defer timer.Stop()
	if err := <-s.ended; err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// stop asks the process to end in order.
func (s *sidecar) stop() {
	_ = s.command.Process.Signal(syscall.SIGTERM) // It may have ended already.
	close(s.stopped)
}
