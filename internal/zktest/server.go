package zktest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// pollInterval is the time between two looks at a condition.
const pollInterval = 50 * time.Millisecond

// ErrNotRunning is returned when something is asked of a server that was
// killed, or that ended by itself.
var ErrNotRunning = errors.New("server is not running")

// Server is one ZooKeeper server of an ensemble. Its addresses and directories
// stay the same over restarts. Methods may be called from several goroutines.
type Server struct {
	id       int
	observer bool
	dir      string
	ports    ports
	members  []*Server // the whole ensemble, this one included
	spawner  *spawner

	mu      sync.Mutex
	opts    Options
	install install
	process *process // nil when it was killed
	paused  bool
}

// process is one life of a server.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it was reaped
}

// ID is the server's id in the ensemble: 1 and up, observers last.
func (s *Server) ID() int { return s.id }

// Observer tells whether the server has no vote.
func (s *Server) Observer() bool { return s.observer }

// Addr is host:port of the plain client port.
func (s *Server) Addr() string { return hostPort(s.ports.client) }

// SecureAddr is host:port of the TLS client port, which is open with Options.TLS.
func (s *Server) SecureAddr() string { return hostPort(s.ports.secure) }

// AdminAddr is host:port of the AdminServer, which is open with Options.Admin.
func (s *Server) AdminAddr() string { return hostPort(s.ports.admin) }

// MetricsAddr is host:port of the Prometheus provider, which is open with Options.Prometheus.
func (s *Server) MetricsAddr() string { return hostPort(s.ports.metrics) }

// QuorumAddr is where this server takes followers while it leads.
func (s *Server) QuorumAddr() string { return hostPort(s.ports.quorum) }

// ElectionAddr is where this server takes the votes of others.
func (s *Server) ElectionAddr() string { return hostPort(s.ports.election) }

// DataDir is the configured dataDir; snapshots are in version-2 below it.
func (s *Server) DataDir() string { return filepath.Join(s.dir, "data") }

// TxnLogDir is the configured dataLogDir; transaction logs are in version-2 below it.
func (s *Server) TxnLogDir() string { return filepath.Join(s.dir, "txnlog") }

func (s *Server) configFile() string { return filepath.Join(s.dir, "zoo.cfg") }

func (s *Server) logFile() string { return filepath.Join(s.dir, "server.log") }

// PID is the server's process id, 0 when it does not run.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.cmd.Process.Pid
}

// Mode asks srvr for the server's mode: leader, follower, observer, standalone
// or read-only. It is "" when the server answers that it does not serve.
func (s *Server) Mode(ctx context.Context) (string, error) {
	answer, err := ask(ctx, s.Addr(), "srvr")
	if err != nil {
		return "", err
	}
	return modeOf(answer), nil
}

// Kill ends the server with SIGKILL, whether it runs or is paused, and reaps
// it. A server that does not run stays so.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return
	}
	// The only error is that it has ended already, which is what is wanted.
	_ = s.process.cmd.Process.Kill()
	<-s.process.done
	s.process, s.paused = nil, false
}

// Pause stops the server with SIGSTOP: its ports still accept, nothing answers.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP, true) }

// Resume lets a paused server go on.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT, false) }

func (s *Server) signal(sig syscall.Signal, paused bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return fmt.Errorf("send %v to server %d: %w", sig, s.id, ErrNotRunning)
	}
	if err := s.process.cmd.Process.Signal(sig); err != nil {
		return fmt.Errorf("send %v to server %d: %w", sig, s.id, err)
	}
	s.paused = paused
	return nil
}

// Restart kills the server if it runs and starts it again with its data, ports
// and options. It returns when the server listens, which it does before it
// has a quorum; wait for that with [Ensemble.WaitServing].
func (s *Server) Restart(ctx context.Context) error {
	s.Kill()
	if err := s.start(); err != nil {
		return err
	}
	return s.waitOpen(ctx)
}

// waitOpen waits for every client-facing port that the options ask for. The
// plain one opens first, so the others cannot be taken for granted when it answers.
func (s *Server) waitOpen(ctx context.Context) error {
	s.mu.Lock()
	opts := s.opts
	s.mu.Unlock()
	addrs := []string{s.Addr()}
	if opts.TLS != nil {
		addrs = append(addrs, s.SecureAddr())
	}
	if opts.Admin {
		addrs = append(addrs, s.AdminAddr())
	}
	if opts.Prometheus {
		addrs = append(addrs, s.MetricsAddr())
	}
	for _, addr := range addrs {
		err := until(ctx, fmt.Sprintf("server %d listens on %s", s.id, addr), func() error {
			if err := s.alive(); err != nil {
				return &permanentError{err}
			}
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
			if err != nil {
				return err
			}
			return conn.Close()
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Wipe kills the server and deletes its snapshots and transaction logs, as an
// operator does who replaces a disk. Its id stays.
func (s *Server) Wipe() error {
	s.Kill()
	for _, dir := range []string{s.DataDir(), s.TxnLogDir()} {
		if err := os.RemoveAll(filepath.Join(dir, "version-2")); err != nil {
			return fmt.Errorf("wipe server %d: %w", s.id, err)
		}
	}
	return nil
}

// Reconfigure changes this server's own options, for instance its Version in a
// rolling upgrade; they count from the next Restart. The number of servers
// cannot change.
func (s *Server) Reconfigure(ctx context.Context, change func(*Options)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	opts, err := s.opts.withDefaults()
	if err != nil {
		return fmt.Errorf("reconfigure server %d: %w", s.id, err)
	}
	if opts.Config == nil {
		opts.Config = map[string]string{}
	}
	change(&opts)
	if err := opts.checkVersion(); err != nil {
		return fmt.Errorf("reconfigure server %d: %w", s.id, err)
	}
	installed, err := bring(ctx, opts.Version)
	if err != nil {
		return fmt.Errorf("reconfigure server %d: %w", s.id, err)
	}
	s.opts, s.install = opts, installed
	return s.writeConfig()
}

// start begins a new life. The server must not run.
func (s *Server) start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open log of server %d: %w", s.id, err)
	}
	defer log.Close() //nolint:errcheck // The server has a descriptor of its own.
	cmd := exec.Command(s.install.java, s.arguments()...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	if err := s.spawner.start(cmd); err != nil {
		return fmt.Errorf("start server %d: %w", s.id, err)
	}
	life := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(life.done)
		// How it ended is seen in its log; that it ended is what callers ask.
		_ = cmd.Wait()
	}()
	s.process = life
	return nil
}

// arguments asks for a machine that starts fast and stays small: several of
// them share two cores with the tests.
func (s *Server) arguments() []string {
	args := []string{
		"-Xmx256m", "-Xss512k", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-XX:-UsePerfData",
		"-Djava.awt.headless=true", "-Djava.net.preferIPv4Stack=true",
		// The server's own logging backend is not on the class path.
		"-Dzookeeper.jmx.log4j.disable=true",
		"-Dorg.slf4j.simpleLogger.showDateTime=true",
		"-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
		"-Dorg.slf4j.simpleLogger.showShortLogName=true",
	}
	args = append(args, s.opts.JVM...)
	return append(args, "-cp", filepath.Join(s.install.jars, "*"),
		"org.apache.zookeeper.server.quorum.QuorumPeerMain", s.configFile())
}

// running tells whether the server is expected to answer.
func (s *Server) running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process != nil && !s.paused
}

// alive tells why the server's process cannot answer any more, if so.
func (s *Server) alive() error {
	s.mu.Lock()
	life := s.process
	s.mu.Unlock()
	if life == nil {
		return fmt.Errorf("server %d: %w", s.id, ErrNotRunning)
	}
	select {
	case <-life.done:
		return fmt.Errorf("server %d ended by itself (%s): %w", s.id, life.cmd.ProcessState, ErrNotRunning)
	default:
		return nil
	}
}
