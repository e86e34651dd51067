package collector

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// process is an exporter of its own.
type process struct {
	url    string
	client *http.Client
	pid    int
}

// sidecar builds the binary and starts it beside the server at addr.
func sidecar(t testing.TB, addr string) *process {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "zkwarden")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", binary, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the binary: %v\n%s", err, out)
	}
	listen := freeAddr(t)
	return spawn(t, listen, binary, "--zookeeper.address="+addr, "--web.listen-address="+listen)
}

// other starts another exporter; by default with the flags of dabealu's.
func other(t testing.TB, path, addr string) *process {
	t.Helper()
	listen := freeAddr(t)
	args := os.Getenv("ZKWARDEN_BENCH_EXPORTER_ARGS")
	if args == "" {
		args = "-zk-hosts {server} -listen {listen}"
	}
	args = strings.NewReplacer("{server}", addr, "{listen}", listen).Replace(args)
	return spawn(t, listen, path, strings.Fields(args)...)
}

func freeAddr(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// spawn starts a binary that lives as long as the test, and waits for its page.
func spawn(t testing.TB, listen, binary string, args ...string) *process {
	t.Helper()
	// The context of a test ends before its cleanups, which have to wait for the end.
	command := exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...)
	command.Dir = t.TempDir()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	p := &process{url: "http://" + listen + "/metrics", client: &http.Client{Transport: transport}, pid: command.Process.Pid}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	deadline := time.Now().Add(30 * time.Second)
	for err := p.scrape(); err != nil; err = p.scrape() {
		if time.Now().After(deadline) {
			t.Fatalf("%s has no page: %v", binary, err)
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
	return p
}

// scrape asks for the page and throws it away, as whoever measures it does.
func (p *process) scrape() error { return p.fetch(io.Discard) }

func (p *process) fetch(page io.Writer) error {
	response, err := p.client.Get(p.url)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err = io.Copy(page, response.Body); err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %s", response.Status)
	}
	return err
}

// itself is this process, which has no page.
func itself() *process { return &process{pid: os.Getpid()} }

// mallocs returns how many objects the process has allocated, if it tells.
func (p *process) mallocs(t testing.TB) (float64, bool) {
	t.Helper()
	if p.url == "" {
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return float64(stats.Mallocs), true
	}
	var page strings.Builder
	if err := p.fetch(&page); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(page.String()) {
		if text, ok := strings.CutPrefix(line, "go_memstats_mallocs_total "); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
			return v, err == nil
		}
	}
	return 0, false
}

// cpu returns the time that the process has spent computing.
func (p *process) cpu(t testing.TB) time.Duration {
	t.Helper()
	// The name of the process is in parentheses and may hold blanks.
	_, fields, _ := strings.Cut(p.proc(t, "stat"), ") ")
	var ticks int64
	for _, field := range strings.Fields(fields)[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / 100
}

// rss returns the most memory, in bytes, that the process has had resident.
func (p *process) rss(t testing.TB) int64 {
	t.Helper()
	_, after, _ := strings.Cut(p.proc(t, "status"), "VmHWM:")
	n, err := strconv.ParseInt(strings.Fields(after)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

func (p *process) proc(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.pid), file))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
