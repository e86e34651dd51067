package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-kit/log"

	"zkwarden/audit"
	"zkwarden/audit/sink/webhook"
	"zkwarden/internal/zktest"
)

// childEnv makes the test binary an auditor, by a childSpec as JSON.
const childEnv = "ZKWARDEN_TEST_CHILD"

type childSpec struct {
	Dir     string
	Addrs   []string
	Path    string
	Webhook string // URL; none if empty.
	Policy  string // File, in the place of Path; none if empty.
	Txnlog  string // Directory of the transaction logs; none are followed if empty.
}

// childMain is the process that is killed.
func childMain() int {
	var spec childSpec
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &spec); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o := auditOptions(spec.Dir, os.Stdout, spec.Addrs, spec.Path)
	o.Audit.SweepInterval, o.Audit.CheckpointInterval = time.Second, 500*time.Millisecond
	if spec.Policy != "" {
		o.Audit.Paths, o.Audit.Level, o.Audit.PolicyFile = nil, "", spec.Policy
	}
	o.Audit.TxnlogDir = spec.Txnlog
	if spec.Webhook != "" {
		o.Audit.Webhook = Webhook{URL: spec.Webhook, Format: webhook.FormatLines, Timeout: 5 * time.Second}
	}
	o.Logger = log.NewLogfmtLogger(os.Stderr)
	o.WebLogger = slog.New(slog.DiscardHandler)
	a, err := New(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := a.Run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// kill -9 at any moment loses nothing that was on stdout, breaks no chain, and
// the next run finds what the killed one had not recorded.
func TestKillAuditor(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 1})
	addr := ensemble.Addrs()[0]
	admin := client(t, addr)
	mustCreate(t, admin, "/watched", "", 0)
	mustCreate(t, admin, "/watched/hot", "", 0)

	stop := make(chan struct{})
	var writers sync.WaitGroup
	startWriters := sync.OnceFunc(func() {
		for n := range 2 {
			conn := client(t, addr)
			writers.Go(func() { hammer(conn, n, stop) })
		}
	})
	stopWriters := sync.OnceFunc(func() { close(stop); writers.Wait() })
	defer stopWriters()

	dir := t.TempDir()
	spec := fmt.Sprintf(`{"Dir":%q,"Addrs":[%q],"Path":"/watched"}`, dir, addr)
	var printed []string
	for round := range 10 {
		stdout := newRecords()
		child := exec.CommandContext(t.Context(), os.Args[0])
		child.Env = append(os.Environ(), childEnv+"="+spec)
		child.Stdout, child.Stderr = stdout, os.Stderr
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		if round == 0 {
			stdout.await(t, "first sync", isControl(audit.ControlBaseline))
			startWriters()
		}
		stdout.await(t, "change recorded by the child", func(e audit.Event) bool { return e.Kind == audit.KindChange && e.Source == audit.OriginWatch })
		// The moment is what the test varies.
		time.Sleep(rand.N(400 * time.Millisecond))
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // It was killed.
		printed = append(printed, stdout.lines...)
		t.Logf("round %d: %d lines printed so far", round, len(printed))
	}
	stopWriters()

	p := startAuditor(t, dir, []string{addr}, "/watched")
	awaitPage(t, "http://"+p.app.Addr().String()+"/-/ready", http.StatusOK, "ready")
	mustCreate(t, admin, "/watched/end", "", 0)
	p.stdout.await(t, "last change", isCreated("/watched/end"))
	if err := p.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	lines := journalLines(t, dir)
	for _, line := range printed {
		if !slices.Contains(lines, line) {
			t.Fatalf("this line was printed, but is not in the journal: %s", line)
		}
	}
	checkRestarts(t, decodeAll(t, lines), liveTree(t, admin, "/watched"))
}

// checkRestarts is checkHistory for a history whose beginning is a baseline.
func checkRestarts(t *testing.T, events []audit.Event, tree map[string]state) {
	t.Helper()
	lives := map[string]*life{}
	for path, znode := range tree {
		if path == "/watched" || path == "/watched/hot" {
			lives[fmt.Sprint(path, " ", znode.Czxid)] = &life{created: true, certain: true, known: true}
		}
	}
	for _, e := range changesOf(events) {
		account(t, lives, e)
	}
	for path, znode := range tree {
		l := lives[fmt.Sprint(path, " ", znode.Czxid)]
		switch {
		case l == nil:
			t.Errorf("%s lives, but no record tells of it", path)
		case l.deleted || l.version != znode.Version || l.data != znode.Data:
			t.Errorf("%s is %+v, the records end with %+v", path, znode, *l)
		}
	}
}
