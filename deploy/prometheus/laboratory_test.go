package prometheus

import (
	"context"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"zkwarden/internal/zktest"
)

// laboratory is a real ensemble, a sidecar beside each server, and a Prometheus
// that scrapes them every five seconds and has the shipped rules.
type laboratory struct {
	ensemble       *zktest.Ensemble
	clients, peers []*zktest.Proxy // Between a sidecar and other servers, and between servers.
	prometheus     string          // host:port.
}

// electSoon makes servers that could not reach each other for a while talk again
// within two seconds, instead of a minute.
var electSoon = map[string]string{"fastleader.maxNotificationInterval": "2000"}

func newLaboratory(ctx context.Context, t *testing.T) *laboratory {
	t.Helper()
	l := &laboratory{ensemble: zktest.Start(t, zktest.Options{Servers: 3, Dir: t.TempDir(), Config: electSoon})}
	l.joinByProxies(ctx, t)
	binary := buildBinary(ctx, t)
	var sidecars []string
	for _, s := range l.ensemble.Servers() {
		sidecars = append(sidecars, l.startSidecar(t, binary, s))
	}
	l.startPrometheus(ctx, t, sidecars)
	l.await(ctx, t, "every server serves", `sum(zookeeper_serving) == 3 and max(zookeeper_ensemble_quorum) == 1 and max(zkwarden_audit_synced) == 1`)
	return l
}

// joinByProxies puts a proxy into each connection that one server makes to
// another, and starts them anew with it.
func (l *laboratory) joinByProxies(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, from := range l.ensemble.Servers() {
		lines := map[string]string{}
		for _, to := range l.ensemble.Servers() {
			if to == from {
				continue
			}
			quorum, election := newProxy(t, to.QuorumAddr()), newProxy(t, to.ElectionAddr())
			l.peers = append(l.peers, quorum, election)
			_, port, err := net.SplitHostPort(election.Addr())
			if err != nil {
				t.Fatal(err)
			}
			lines[fmt.Sprintf("server.%d", to.ID())] = quorum.Addr() + ":" + port
		}
		if err := from.Reconfigure(ctx, func(o *zktest.Options) { maps.Copy(o.Config, lines) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range l.ensemble.Servers() {
		if err := s.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.ensemble.WaitServing(ctx); err != nil {
		t.Fatal(err)
	}
}

func newProxy(t *testing.T, target string) *zktest.Proxy {
	t.Helper()
	p, err := zktest.NewProxy(target)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// cut lets nothing through, and ends what is under way.
func (l *laboratory) cut(of ...[]*zktest.Proxy) {
	for _, proxies := range of {
		for _, p := range proxies {
			p.Refuse(true)
			p.Cut()
		}
	}
}

func (l *laboratory) mend(of ...[]*zktest.Proxy) {
	for _, proxies := range of {
		for _, p := range proxies {
			p.Refuse(false)
		}
	}
}

// startSidecar starts the binary beside a server and returns where it listens. It
// sees the other servers through proxies. The first one audits.
func (l *laboratory) startSidecar(t *testing.T, binary string, beside *zktest.Server) string {
	t.Helper()
	args := []string{
		"--zookeeper.address=" + beside.Addr(), "--ensemble.name=live", "--web.listen-address=" + freeAddr(t),
		"--collector.cons", "--collector.disk=" + beside.DataDir(), "--log.level=warn",
	}
	for _, s := range l.ensemble.Servers() {
		addr := s.Addr()
		if s != beside {
			p := newProxy(t, s.Addr())
			l.clients = append(l.clients, p)
			addr = p.Addr()
		}
		args = append(args, fmt.Sprintf("--ensemble.member=%d=%s", s.ID(), addr))
	}
	if beside.ID() == 1 {
		args = append(args, "--audit.path=/live", "--audit.dir="+t.TempDir())
	}
	addr := strings.TrimPrefix(args[2], "--web.listen-address=")
	run(t, exec.Command(binary, args...), "http://"+addr+"/-/healthy")
	return addr
}

// soon matches how long alerts go on firing. A test has no time for that; how long
// it is, is for promtool.
var soon = regexp.MustCompile(`keep_firing_for: \w+`)

const prometheusConfig = `global: {scrape_interval: 5s, scrape_timeout: 4s, evaluation_interval: 5s}
rule_files: ["*.rules.yml"]
scrape_configs:
  - job_name: anything
    static_configs:
      - targets: ["%s"]
        labels: {namespace: kafka, ensemble: live}
`

func (l *laboratory) startPrometheus(ctx context.Context, t *testing.T, targets []string) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range shipped {
		text, err := os.ReadFile(name + ".rules.yml")
		if err != nil {
			t.Fatal(err)
		}
		write(name+".rules.yml", soon.ReplaceAllString(string(text), "keep_firing_for: 10s"))
	}
	write("prometheus.yml", fmt.Sprintf(prometheusConfig, strings.Join(targets, `", "`)))
	l.prometheus = freeAddr(t)
	command, err := zktest.PrometheusTool(ctx, "prometheus", "--config.file="+filepath.Join(dir, "prometheus.yml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+l.prometheus, "--log.level=warn")
	if err != nil {
		t.Fatal(err)
	}
	run(t, command, "http://"+l.prometheus+"/-/ready")
}

// freeAddr is a port of loopback that nobody has for now.
func freeAddr(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// run starts a process that ends with the test, and waits until it answers.
func run(t *testing.T, command *exec.Cmd, ready string) {
	t.Helper()
	var log strings.Builder
	command.Stdout, command.Stderr = &log, &log
	command.WaitDelay = 5 * time.Second
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	var failure error
	go func() {
		runtime.LockOSThread() // The kernel ends the process with the thread that started it.
		err := command.Start()
		started <- err
		if err == nil {
			failure = command.Wait()
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM) // It may have ended.
		<-ended
		if t.Failed() {
			t.Logf("%s:\n%.5000s", filepath.Base(command.Path), log.String())
		}
	})
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for deadline := time.After(time.Minute); ; {
		if response, err := http.Get(ready); err == nil {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case <-ended:
			t.Fatalf("%s ended: %v\n%s", command.Path, failure, log.String())
		case <-deadline:
			t.Fatalf("%s does not answer at %s", command.Path, ready)
		case <-ticker.C:
		}
	}
}
