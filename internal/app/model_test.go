package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/guarantee"
	"zkwarden/audit/policy"
	"zkwarden/internal/zktest"
)

const (
	// modelEnv is how long TestModel goes on, two minutes by default.
	modelEnv = "ZKWARDEN_MODEL"
	// seedEnv repeats the choices of a run that failed.
	seedEnv = "ZKWARDEN_SEED"

	modelRound = 10 * time.Second
	// modelRounds is how many rounds share an ensemble. The oracle of each reads
	// all of its logs.
	modelRounds = 6
)

// Random histories with faults against a real ensemble: what its members' logs
// say happened is held against what the journal says. Every second seed has a
// policy of globs and hidden znodes; two minutes are for the others.
func TestModel(t *testing.T) {
	duration, seed := modelSettings(t)
	step := uint64(1)
	if os.Getenv(modelEnv) == "" && os.Getenv(seedEnv) == "" {
		seed, step = seed&^1, 2
	}
	t.Logf("%s=%d repeats this run's choices", seedEnv, seed)
	end := time.Now().Add(duration)
	for ; !t.Failed(); seed += step * modelRounds {
		t.Run("ensemble", func(t *testing.T) {
			ensemble := zktest.Start(t, zktest.Options{Servers: 3, Config: modelConfig()})
			for round := range uint64(modelRounds) {
				if t.Failed() || round > 0 && time.Now().After(end) {
					return
				}
				seed := seed + step*round
				t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
					modelRoundOf(t, ensemble, fmt.Sprintf("/model-%d", round), seed)
				})
			}
		})
		if time.Now().After(end) {
			return
		}
	}
}

func modelSettings(t *testing.T) (time.Duration, uint64) {
	t.Helper()
	duration, seed := 2*time.Minute, uint64(time.Now().UnixNano())
	if text := os.Getenv(modelEnv); text != "" {
		var err error
		if duration, err = time.ParseDuration(text); err != nil {
			t.Fatalf("%s: %v", modelEnv, err)
		}
	}
	if text := os.Getenv(seedEnv); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedEnv, err)
		}
	}
	return duration, seed
}

// modelAuditor is an auditor in a process of its own, which can be killed.
type modelAuditor struct {
	t      *testing.T
	spec   childSpec
	cmd    *exec.Cmd
	stdout *records
	seen   []string // Lines that were on stdout before the last kill.
}

func (a *modelAuditor) start() {
	spec, err := json.Marshal(a.spec)
	if err != nil {
		a.t.Fatal(err)
	}
	a.stdout = newRecords()
	a.cmd = exec.CommandContext(a.t.Context(), os.Args[0])
	a.cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	a.cmd.Stdout, a.cmd.Stderr = a.stdout, &lineLog{t: a.t}
	if err := a.cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
}

func (a *modelAuditor) kill() {
	_ = a.cmd.Process.Kill()
	_ = a.cmd.Wait() // It was killed.
	a.seen = append(a.seen, a.stdout.lines...)
}

func (a *modelAuditor) stop() {
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		a.t.Error(err)
	}
	if err := a.cmd.Wait(); err != nil {
		a.t.Errorf("stop: %v", err)
	}
	a.seen = append(a.seen, a.stdout.lines...)
}

// modelRoundOf makes one history below root and judges its journal. An odd seed
// records it under a policy of globs, and hides znodes from the auditor.
func modelRoundOf(t *testing.T, ensemble *zktest.Ensemble, root string, seed uint64) {
	admin := client(t, ensemble.Addrs()...)
	// The round before may have left an election behind.
	for end := time.Now().Add(patience); ; {
		_, err := admin.Create(root, nil, 0, zk.WorldACL(zk.PermAll))
		if err == nil || errors.Is(err, zk.ErrNodeExists) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("create %s: %v", root, err)
		}
	}
	var rules string
	if seed%2 == 1 {
		rules = modelPolicy(t, root)
	}
	f := modelFaults(t, ensemble, root, seed, rules)
	runModel(f, root, seed, modelRound, f.next)
	settleModel(t, f, admin, root)
	f.auditor.stop()
	judgeModel(t, f, root, 1)
}

// An ensemble that is wiped begins another history: what is recorded of it is
// judged like the first, under ids of its own.
func TestModelOfAWipe(t *testing.T) {
	_, seed := modelSettings(t)
	t.Logf("%s=%d repeats this run's choices", seedEnv, seed)
	ensemble := zktest.Start(t, zktest.Options{Servers: 3, Config: modelConfig()})
	const root = "/wiped"
	f := modelFaults(t, ensemble, root, seed, "")
	calm := func() { f.wait(time.Second) }
	first := client(t, ensemble.Addrs()...)
	mustCreate(t, first, root, "", 0)
	runModel(f, root, seed, 3*time.Second, calm)
	settleModel(t, f, first, root)

	for _, server := range ensemble.Servers() {
		server.Kill()
		if err := server.Wipe(); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, server := range ensemble.Servers() {
		if err := server.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	f.settle()
	second := client(t, ensemble.Addrs()...)
	mustCreate(t, second, root, "", 0)
	f.auditor.stdout.await(t, "gap of the wipe", func(e audit.Event) bool {
		return e.Kind == audit.KindGap && e.Reason == audit.GapHistoryRewritten
	})
	runModel(f, root, seed+1, 3*time.Second, calm)
	settleModel(t, f, second, root)
	f.auditor.stop()
	judgeModel(t, f, root, 2)
}

func modelConfig() map[string]string {
	return map[string]string{"extendedTypesEnabled": "true", "znode.container.checkIntervalMs": "500"}
}

// modelFaults starts an auditor of root, or under the policy in a file if there
// is one, with a proxy before each server, a webhook and a disk that can fail.
func modelFaults(t *testing.T, ensemble *zktest.Ensemble, root string, seed uint64, rules string) *faults {
	rng := rand.New(rand.NewPCG(seed, 0))
	far := &hook{up: true}
	endpoint := httptest.NewServer(far)
	t.Cleanup(endpoint.Close)
	f := &faults{t: t, rng: rng, ensemble: ensemble, hook: far}
	var addrs []string
	for _, n := range rng.Perm(len(ensemble.Servers())) {
		proxy, err := zktest.NewProxy(ensemble.Addrs()[n])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = proxy.Close() })
		f.proxies = append(f.proxies, proxy)
		addrs = append(addrs, proxy.Addr())
	}
	spec := childSpec{Addrs: addrs, Path: root, Webhook: endpoint.URL, Policy: rules}
	spec.Dir, f.smallDisk = modelDisk(t)
	f.auditor = &modelAuditor{t: t, spec: spec}
	f.auditor.start()
	t.Cleanup(func() { _ = f.auditor.cmd.Process.Kill(); _ = f.auditor.cmd.Wait() })
	f.auditor.stdout.await(t, "first sync", isControl(audit.ControlBaseline))
	return f
}

// runModel lets writers write for a while, and next happen all the time.
func runModel(f *faults, root string, seed uint64, duration time.Duration, next func()) {
	addrs := f.ensemble.Addrs()
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for n := range 4 {
		w := &modelWriter{rng: rand.New(rand.NewPCG(seed, uint64(n+1))), conn: client(f.t, addrs...), root: root}
		writers.Go(func() { w.run(stop) })
	}
	writers.Go(func() {
		rng := rand.New(rand.NewPCG(seed, 99))
		for {
			select {
			case <-stop:
				return
			default:
				modelSession(rng, root, addrs)
			}
		}
	})
	if f.auditor.spec.Policy != "" {
		k := newModelKeeper(f.t, seed, root, addrs)
		writers.Go(func() { k.run(stop) })
	}
	for end := time.Now().Add(duration); time.Now().Before(end); {
		f.wait(f.some(time.Second))
		next()
	}
	close(stop)
	writers.Wait()
}

// settleModel returns when the auditor has told of everything.
func settleModel(t *testing.T, f *faults, admin *zk.Conn, root string) {
	f.settle()
	var last audit.Zxid
	for try := 0; last == 0; try++ {
		path := fmt.Sprintf("%s/final-%d", root, try)
		if _, err := admin.Create(path, nil, 0, zk.WorldACL(zk.PermAll)); err != nil {
			continue
		}
		_, stat, err := admin.Exists(path)
		if err != nil {
			t.Fatal(err)
		}
		last = audit.Zxid(stat.Czxid)
	}
	now := audit.AtTime(time.Now()).Time() // Checkpoints of an older history do not count.
	f.auditor.stdout.await(t, "checkpoint behind the last change", func(e audit.Event) bool {
		return e.Kind == audit.KindCheckpoint && e.Zxid >= last && e.ACLZxid >= last && !e.Observed.Time().Before(now)
	})
}

// judgeModel judges the records of the last generation, which is that.
func judgeModel(t *testing.T, f *faults, root string, generation uint64) {
	lines := journalLines(t, f.auditor.spec.Dir)
	holdToSchema(t, lines)
	events := sinceRewrite(decodeAll(t, lines))
	truth := truth(t, f.ensemble, root).Through(lastCheckpoint(t, events))
	truth.Generation = generation
	if rules := f.auditor.spec.Policy; rules != "" {
		p, err := policy.Load(rules, nil)
		if err != nil {
			t.Fatal(err)
		}
		truth.Scope = p
	}
	foul := guarantee.Check(events, truth)
	foul = append(foul, guarantee.Resumable(f.auditor.seen, lines)...)
	if f.hook != nil {
		if missing := missingFrom(f.hook.received(), lines); missing != "" {
			t.Errorf("the webhook never had %s", missing)
		}
	}
	inexact := 0
	for _, e := range events {
		if e.Kind == audit.KindChange && !*e.Exact {
			inexact++
		}
	}
	hidden := 0
	for _, c := range truth.Changes {
		if c.Hidden {
			hidden++
		}
	}
	t.Logf("%d changes, %d of them hidden, %d records of them, %d inexact", len(truth.Changes), hidden, len(changesOf(events)), inexact)
	for _, err := range foul[:min(len(foul), 20)] {
		t.Error(err)
	}
	if len(foul) > 0 {
		keepModel(t, f, truth)
	}
}

// sinceRewrite returns the records of the last generation.
func sinceRewrite(events []audit.Event) []audit.Event {
	for i, e := range slices.Backward(events) {
		if e.Kind == audit.KindGap && e.Reason == audit.GapHistoryRewritten {
			return events[i+1:]
		}
	}
	return events
}

// lastCheckpoint is where the auditor ended: znodes expire behind it, too.
func lastCheckpoint(t *testing.T, events []audit.Event) audit.Zxid {
	t.Helper()
	for _, e := range slices.Backward(events) {
		if e.Kind == audit.KindCheckpoint {
			return e.Zxid
		}
	}
	t.Fatal("there is no checkpoint")
	return 0
}

// missingFrom returns the first line that was not received.
func missingFrom(received, lines []string) string {
	have := map[string]bool{}
	for _, line := range received {
		have[line] = true
	}
	i := slices.IndexFunc(lines, func(line string) bool { return !have[line] })
	if i < 0 {
		return ""
	}
	return lines[i]
}

// keepModel leaves what a look at the failure needs.
func keepModel(t *testing.T, f *faults, truth guarantee.Truth) {
	dir, err := os.MkdirTemp("", "zkwarden-model-") //nolint:usetesting // It is to outlive the test.
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "audit"), os.DirFS(f.auditor.spec.Dir)); err != nil {
		t.Error(err)
	}
	var b strings.Builder
	for _, c := range truth.Changes {
		fmt.Fprintf(&b, "%s size %d owner %s\n", c, len(c.Data), c.Owner)
	}
	if err := os.WriteFile(filepath.Join(dir, "truth"), []byte(b.String()), 0o600); err != nil {
		t.Error(err)
	}
	t.Logf("journal and truth are kept in %s", dir)
}

// lineLog shows what a child logs when the test fails.
type lineLog struct{ t *testing.T }

func (l *lineLog) Write(p []byte) (int, error) {
	l.t.Logf("auditor: %s", strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

func (h *hook) set(up bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.up = up
}

func (h *hook) received() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.lines)
}

var _ http.Handler = (*hook)(nil)
