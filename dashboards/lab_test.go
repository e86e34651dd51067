package dashboards

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zkwarden/internal/zktest"
)

const (
	scrapeInterval = time.Second
	patience       = time.Minute
)

// lab is a real ensemble, a zkwarden beside each server, of which one follows
// its transaction log, one that audits from outside, and a Prometheus that scrapes them.
type lab struct {
	ensemble   *zktest.Ensemble
	prometheus string        // URL.
	records    string        // File with what both auditors printed.
	audited    *zktest.Proxy // Between the auditor and a follower.
	begin      time.Time
}

// startLab returns when Prometheus has scraped everything once. The last server
// is an observer that its zkwarden asks over TLS.
func startLab(t *testing.T) *lab {
	t.Helper()
	dir := t.TempDir()
	certs := zktest.Certs(t, zktest.CertOptions{ServerNotAfter: time.Now().Add(90 * 24 * time.Hour)})
	l := &lab{
		ensemble: zktest.Start(t, zktest.Options{
			Servers: 3, Observers: 1, TLS: certs,
			Config: map[string]string{"jvm.pause.monitor": "true", "maxClientCnxns": "60"},
		}),
		records: filepath.Join(dir, "records.jsonl"),
	}
	binary := filepath.Join(dir, "zkwarden")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-ldflags=-X github.com/prometheus/common/version.Version=devel", "-o", binary, "..").CombinedOutput(); err != nil {
		t.Fatalf("build zkwarden: %v\n%s", err, out)
	}
	var plain, secure []string
	for _, s := range l.ensemble.Servers() {
		plain = append(plain, fmt.Sprintf("--ensemble.member=%d=%s", s.ID(), s.Addr()))
		secure = append(secure, fmt.Sprintf("--ensemble.member=%d=%s", s.ID(), s.SecureAddr()))
	}
	followers, err := l.ensemble.Followers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(l.records)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	sidecars := map[string]string{}
	for _, s := range l.ensemble.Servers() {
		args := append([]string{"--zookeeper.address=" + s.Addr(), "--collector.cons", "--collector.slow-interval=2s", "--collector.disk=" + s.DataDir()}, plain...)
		var stdout io.Writer
		if s == followers[1] { // Its sidecar audits, too, from its transaction log.
			stdout = out
			args = append(args, "--ensemble.name=orders", "--audit.path=/orders/open", "--audit.path=/orders/config", "--audit.dir="+filepath.Join(dir, "beside"),
				"--audit.txnlog-dir="+s.TxnLogDir(), "--audit.checkpoint-interval=5s")
		}
		if s.Observer() {
			args = append([]string{
				"--zookeeper.address=" + s.SecureAddr(), "--zookeeper.tls", "--zookeeper.tls-ca-file=" + certs.CA,
				"--zookeeper.tls-cert-file=" + certs.ClientCert, "--zookeeper.tls-key-file=" + certs.ClientKey,
			}, secure...)
		}
		sidecars[fmt.Sprintf("zk-%d", s.ID())] = startZkwarden(t, binary, stdout, args...)
	}
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	t.Cleanup(sink.Close)
	if l.audited, err = zktest.NewProxy(followers[0].Addr()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.audited.Close() })
	auditor := startZkwarden(t, binary, out, "--zookeeper.address="+l.audited.Addr(), "--ensemble.name=orders",
		"--audit.path=/orders/workers", "--audit.dir="+filepath.Join(dir, "audit"), "--audit.sweep-interval=2s", "--audit.checkpoint-interval=5s",
		"--sink.webhook.url="+sink.URL)
	l.prometheus = startPrometheus(t, dir, sidecars, auditor)
	l.begin = time.Now()
	return l
}

// startZkwarden returns the address that it listens on.
func startZkwarden(t *testing.T, binary string, stdout io.Writer, args ...string) string {
	t.Helper()
	command, stderr := guarded(t, binary, append(args, "--web.listen-address=127.0.0.1:0", "--log.format=json")...)
	command.Stdout = stdout
	start(t, command)
	listening := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			var line struct{ Msg, Address string }
			if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "Listening on" {
				listening <- line.Address
			}
		}
		_, _ = io.Copy(io.Discard, stderr) // A line that is too long ends the scanner.
		close(listening)
	}()
	address, ok := <-listening
	if !ok {
		t.Fatalf("zkwarden %q ended before it listened", args)
	}
	return address
}

// guarded prepares a process that ends with this one, however that ends: a
// shell waits for the end of its input, and then for the process to stop.
func guarded(t *testing.T, name string, args ...string) (*exec.Cmd, io.Reader) {
	t.Helper()
	const guard = `"$@" </dev/null & child=$!; cat >/dev/null; kill $child; wait $child`
	command := exec.Command("sh", append([]string{"-c", guard, "guard", name}, args...)...)
	stdin, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = writer
	t.Cleanup(func() {
		stdin.Close()
		_ = command.Wait() // It was told to stop: its status is that of the signal.
		writer.Close()
		reader.Close()
	})
	return command, reader
}

func start(t *testing.T, command *exec.Cmd) {
	t.Helper()
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	// The parent's copy would keep the pipe open after the child's end.
	command.Stderr.(*os.File).Close()
}

// startPrometheus returns its URL when it has scraped all targets. It has a rule
// of its own, so that there is an alert.
func startPrometheus(t *testing.T, dir string, sidecars map[string]string, auditor string) string {
	t.Helper()
	prometheus, err := zktest.PrometheusTool(t.Context(), "prometheus")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "prometheus.yml")
	writeFile(t, filepath.Join(dir, "test.rules.yml"), `groups:
  - name: test
    rules:
      - alert: ZooKeeperTest
        expr: zookeeper_server_state{state="leader"} == 1
        labels: {severity: info}
`)
	writeFile(t, config, prometheusConfig(sidecars, auditor))
	address := freeAddress(t)
	command, stderr := guarded(t, prometheus.Path, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "tsdb"),
		"--web.listen-address="+address, "--log.level=warn")
	start(t, command)
	var told strings.Builder
	done := make(chan struct{})
	go func() { defer close(done); _, _ = io.Copy(&told, stderr) }()
	url := "http://" + address
	want := len(sidecars) + 1
	err = await(t.Context(), func(ctx context.Context) bool {
		answer, err := ask(ctx, url+"/api/v1/query?query=sum(up)")
		return err == nil && len(answer.Data.Result) == 1 && string(answer.Data.Result[0].Value[1]) == fmt.Sprintf("%q", fmt.Sprint(want))
	})
	if err != nil {
		t.Fatalf("prometheus does not scrape all targets: %v\n%s", err, &told)
	}
	return url
}

// prometheusConfig names the servers as Kubernetes would. What the auditor says
// of its first server is dropped: the sidecar says it, too.
func prometheusConfig(sidecars map[string]string, auditor string) string {
	var config strings.Builder
	fmt.Fprintf(&config, "global: {scrape_interval: %s, evaluation_interval: %s}\nrule_files: [\"*.rules.yml\"]\nscrape_configs:\n", scrapeInterval, scrapeInterval)
	config.WriteString("  - job_name: zookeeper\n    static_configs:\n")
	for name, address := range sidecars {
		fmt.Fprintf(&config, "      - {targets: [%q], labels: {ensemble: orders, instance: %s}}\n", address, name)
	}
	fmt.Fprintf(&config, `  - job_name: zkwarden-auditor
    static_configs:
      - {targets: [%q], labels: {ensemble: orders, instance: auditor}}
    metric_relabel_configs:
      - {source_labels: [__name__], regex: (zkwarden|process|go)_.*, action: keep}
`, auditor)
	return config.String()
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// await asks until the answer is yes.
func await(ctx context.Context, ok func(context.Context) bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for tick := time.NewTicker(100 * time.Millisecond); ; {
		if ok(ctx) {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
