package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/eventtest"
	"zkwarden/audit/policy"
)

const patience = time.Minute

// records is a stdout that parses what is written to it.
type records struct {
	mu      sync.Mutex
	partial []byte
	lines   []string
	events  []audit.Event
	changed chan struct{}
}

func newRecords() *records { return &records{changed: make(chan struct{})} }

func (r *records) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.partial = append(r.partial, p...)
	for {
		line, rest, whole := bytes.Cut(r.partial, []byte("\n"))
		if !whole {
			break
		}
		var e audit.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return 0, err
		}
		r.lines = append(r.lines, string(line))
		r.events = append(r.events, e)
		r.partial = append([]byte(nil), rest...)
	}
	close(r.changed)
	r.changed = make(chan struct{})
	return len(p), nil
}

// await returns all events so far as soon as one of them fulfills the condition.
func (r *records) await(t testing.TB, what string, ok func(audit.Event) bool) []audit.Event {
	t.Helper()
	deadline := time.After(patience)
	for {
		r.mu.Lock()
		events, changed := slices.Clip(r.events), r.changed
		r.mu.Unlock()
		if slices.ContainsFunc(events, ok) {
			return events
		}
		select {
		case <-changed:
		case <-deadline:
			r.mu.Lock()
			last := r.lines[max(0, len(r.lines)-10):]
			r.mu.Unlock()
			t.Fatalf("no %s within %s; %d records so far, ending with\n%s", what, patience, len(events), strings.Join(last, "\n"))
		}
	}
}

func isControl(c audit.Control) func(audit.Event) bool {
	return func(e audit.Event) bool { return e.Control == c }
}

func isCreated(path string) func(audit.Event) bool {
	return func(e audit.Event) bool { return e.Op == audit.OpCreated && e.Path == path }
}

// process is an App that runs.
type process struct {
	app    *App
	stdout *records
	dir    string
	stop   func() error
}

func auditOptions(dir string, stdout io.Writer, addrs []string, paths ...string) Options {
	return Options{
		ZooKeeper: ZooKeeper{Addresses: addrs, Timeout: 3 * time.Second},
		Web:       Web{ListenAddress: "127.0.0.1:0"},
		Audit:     Audit{Ensemble: "test", Recorder: "tester", Paths: paths, Level: policy.LevelData, Dir: dir, CheckpointInterval: time.Minute},
		Stdout:    stdout,
		Logger:    log.NewNopLogger(),
		WebLogger: slog.New(slog.DiscardHandler),
	}
}

// startAuditor runs an auditor in dir until the test ends or stop is called.
func startAuditor(t *testing.T, dir string, addrs []string, paths ...string) *process {
	t.Helper()
	p := &process{stdout: newRecords(), dir: dir}
	p.app, p.stop = startApp(t, auditOptions(dir, p.stdout, addrs, paths...))
	return p
}

// startApp runs a process until the test ends or stop is called.
func startApp(t testing.TB, o Options) (app *App, stop func() error) {
	t.Helper()
	app, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return app, stop
}

// journalLines returns the journal's lines after checking the chain the way an
// auditor with nothing but the documentation would.
func journalLines(t *testing.T, dir string) []string {
	t.Helper()
	segments, err := filepath.Glob(filepath.Join(dir, "journal-*.jsonl"))
	if err != nil || len(segments) == 0 {
		t.Fatalf("no journal in %s: %v", dir, err)
	}
	var lines []string
	prev := strings.Repeat("0", 64)
	for _, segment := range segments {
		text, err := os.ReadFile(segment)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			line, ended := strings.CutSuffix(line, "\n")
			if !ended {
				t.Fatalf("%s ends within line %d", segment, len(lines)+1)
			}
			prev = checkLine(t, line, prev, uint64(len(lines)+1))
			lines = append(lines, line)
		}
	}
	return lines
}

func checkLine(t *testing.T, line, prev string, seq uint64) (hash string) {
	t.Helper()
	body, _, ok := strings.Cut(line, `,"hash":`)
	var e struct {
		Seq        uint64
		Prev, Hash string
	}
	if err := json.Unmarshal([]byte(line), &e); err != nil || !ok {
		t.Fatalf("record %d is not JSON with a hash: %v", seq, err)
	}
	sum := sha256.Sum256([]byte(body))
	switch {
	case e.Seq != seq:
		t.Fatalf("record %d says it is %d", seq, e.Seq)
	case e.Prev != prev:
		t.Fatalf("record %d follows %s, want %s", seq, e.Prev, prev)
	case e.Hash != hex.EncodeToString(sum[:]):
		t.Fatalf("record %d has the wrong hash", seq)
	}
	return e.Hash
}

// holdToSchema compares lines with the schema that is published.
func holdToSchema(t *testing.T, lines []string) {
	t.Helper()
	schema, err := eventtest.Published()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		if err := schema.Validate([]byte(line)); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
	}
}

func changesOf(events []audit.Event) []audit.Event {
	var changes []audit.Event
	for _, e := range events {
		if e.Kind == audit.KindChange {
			changes = append(changes, e)
		}
	}
	return changes
}

func decodeAll(t *testing.T, lines []string) []audit.Event {
	t.Helper()
	events := make([]audit.Event, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &events[i]); err != nil {
			t.Fatal(err)
		}
	}
	return events
}

type quietLogger struct{}

func (quietLogger) Printf(string, ...any) {}

// client opens a session at one server; it is closed when the test ends.
func client(t *testing.T, addrs ...string) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect(addrs, 10*time.Second, zk.WithLogger(quietLogger{}), zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeClient(conn, events) })
	return conn
}

func closeClient(conn *zk.Conn, events <-chan zk.Event) {
	conn.Close()
	for range events {
	}
}

func mustCreate(t *testing.T, conn *zk.Conn, path, data string, flags int32) {
	t.Helper()
	if _, err := conn.Create(path, []byte(data), flags, zk.WorldACL(zk.PermAll)); err != nil {
		t.Fatalf("create %s: %v", path, err)
	}
}

// state is what a test compares of one znode.
type state struct {
	Czxid   audit.Zxid
	Version int32
	Data    string
}

// liveTree reads every znode at and below root.
func liveTree(t *testing.T, conn *zk.Conn, root string) map[string]state {
	t.Helper()
	tree := map[string]state{}
	var visit func(path string)
	visit = func(path string) {
		data, stat, err := conn.Get(path)
		if errors.Is(err, zk.ErrNoNode) {
			return
		}
		if err != nil {
			t.Fatalf("get %s: %v", path, err)
		}
		tree[path] = state{audit.Zxid(stat.Czxid), stat.Version, string(data)}
		children, _, err := conn.Children(path)
		if err != nil {
			t.Fatalf("children of %s: %v", path, err)
		}
		for _, child := range children {
			visit(path + "/" + child)
		}
	}
	visit(root)
	return tree
}
