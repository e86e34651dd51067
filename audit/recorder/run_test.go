package recorder

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
)

// newRunner is a stage whose recorder has not begun.
func newRunner(t *testing.T, journal audit.Journal) *stage {
	t.Helper()
	s := &stage{t: t, file: filepath.Join(t.TempDir(), "mirror.db"), journal: &memory{}}
	s.policy = mustPolicy(t, policy.LevelData, "/r")
	o := s.options()
	if journal != nil {
		o.Journal = journal
	}
	o.Registry = prometheus.NewRegistry()
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Recorder = r
	t.Cleanup(func() { s.mirror.Close() })
	return s
}

// run runs the recorder beside the test.
func (s *stage) run(ctx context.Context, in <-chan audit.Observation) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, in) }()
	return ended
}

func firstSync() []audit.Observation {
	return []audit.Observation{found("/r", 9, znode(2, 0, "root")), walked(9)}
}

func send(in chan<- audit.Observation, observations ...audit.Observation) {
	for _, o := range observations {
		in <- o
	}
}

func TestRunEndsWithEverythingDurable(t *testing.T) {
	s := newRunner(t, nil)
	in := make(chan audit.Observation)
	ended := s.run(t.Context(), in)
	send(in, firstSync()...)
	send(in, hint(audit.OpCreated, "/r/a", 10, znode(10, 0, "A")))
	close(in)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	want := []string{"start /r", "baseline /r 1 znodes at 9", "created /r/a at 10 of 10 v0 a0 +A exact", "checkpoint acl 0 unreadable 0 [] at 9", "stop "}
	if diff := cmp.Diff(want, briefs(s.journal.events)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	live := dump(s)
	if err := s.mirror.Close(); err != nil {
		t.Fatal(err)
	}
	place := s.options().Place
	want2 := mirror.Place{
		Format: place.Format, Chain: testChain, Ensemble: "test", Seq: 5, Mark: 9, Generation: 1,
		Fingerprint: s.policy.Fingerprint(), DigestKey: s.policy.KeyFingerprint(), Synced: map[string]bool{"/r": true},
		Told: 10, Read: 10, Ahead: map[string][]mirror.Change{"/r/a": {{Op: audit.OpCreated, Czxid: 10, After: 9, Until: 10, Count: 1}}},
	}
	if diff := cmp.Diff(want2, place); diff != "" {
		t.Errorf("place (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(live, dump(s)); diff != "" {
		t.Errorf("mirror (-live +durable):\n%s", diff)
	}
}

// TestSettle: behind Settle, what waited in the channel is known.
func TestSettle(t *testing.T) {
	s := newRunner(t, nil)
	in := make(chan audit.Observation, 100)
	send(in, firstSync()...)
	for _, name := range []string{"/r/a", "/r/b", "/r/c"} {
		send(in, hint(audit.OpCreated, name, 10, nil))
	}
	ended := s.run(t.Context(), in)
	if err := s.Known().Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for path := range s.Known().Walk("/r", 1) {
		paths = append(paths, path)
	}
	if diff := cmp.Diff([]string{"/r", "/r/a", "/r/b", "/r/c"}, paths); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	close(in)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if err := s.Known().Settle(t.Context()); err == nil {
		t.Error("a recorder that has ended settles")
	}
}

// stuck is a journal whose disk refuses everything.
type stuck struct{ memory }

func (*stuck) Append(ctx context.Context, e audit.Event) (uint64, error) {
	if e.Control == audit.ControlStart {
		return 1, nil
	}
	<-ctx.Done()
	return 0, ctx.Err()
}

// TestSettleEndsBesideAStuckDisk: the source ends when it is told to, even if
// the recorder cannot go on.
func TestSettleEndsBesideAStuckDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newRunner(t, &stuck{})
		in := make(chan audit.Observation, 1)
		ctx, abort := context.WithCancel(t.Context())
		ended := s.run(ctx, in)
		synctest.Wait()
		in <- hint(audit.OpCreated, "/r/a", 10, nil)
		synctest.Wait()
		settling, stop := context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := s.Known().Settle(settling); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Settle() = %v", err)
		}
		// The same when the recorder has taken the request and is stuck then.
		busy := &Recorder{settle: make(chan chan struct{}), done: make(chan struct{})}
		go func() { <-busy.settle }()
		settling, stop = context.WithTimeout(t.Context(), time.Second)
		defer stop()
		if err := busy.Known().Settle(settling); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Settle() = %v", err)
		}
		abort()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run() = %v", err)
		}
	})
}

// witness is a journal that looks at the mirror's file at every step: the
// file may hold nothing that is not durable in the journal.
type witness struct {
	memory
	check func(durable uint64)
}

func (w *witness) Flush(ctx context.Context) error {
	w.check(w.durable)
	err := w.memory.Flush(ctx)
	w.check(w.durable)
	return err
}

func TestMirrorNeverRunsAheadOfTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &witness{}
		s := newRunner(t, w)
		flushed := 0
		w.check = func(durable uint64) {
			flushed++
			// The file as another process would find it now.
			text, err := os.ReadFile(s.file)
			if err != nil {
				t.Error(err)
				return
			}
			copied := t.TempDir() + "/mirror.db"
			if err := os.WriteFile(copied, text, 0o600); err != nil {
				t.Error(err)
				return
			}
			m, place, err := mirror.Open(copied)
			if err != nil {
				t.Error(err)
				return
			}
			defer m.Close()
			if place.Seq > durable {
				t.Errorf("the mirror is at record %d, the journal is durable through %d", place.Seq, durable)
			}
		}
		in := make(chan audit.Observation)
		ended := s.run(t.Context(), in)
		send(in, firstSync()...)
		for i := range 5 {
			send(in, hint(audit.OpCreated, "/r/a", audit.Zxid(10+i), nil), hint(audit.OpDeleted, "/r/a", audit.Zxid(10+i), nil))
			time.Sleep(commitInterval)
			synctest.Wait()
		}
		close(in)
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		if flushed < 10 {
			t.Errorf("the journal was flushed %d times", flushed/2)
		}
	})
}

func TestCommitsAreBounded(t *testing.T) {
	s := newStage(t, policy.LevelMetadata, "/r")
	for i := range maxDirty + 10 {
		s.show(found("/r/"+time.Duration(i).String(), 9, znode(5, 0, "")))
	}
	dirty := s.mirror.Dirty()
	if err := s.wait(); err != nil { // The commit that was begun goes on beside the recorder.
		t.Fatal(err)
	}
	if dirty > 10 || s.journal.durable != 1 {
		t.Errorf("%d changes wait for a commit; the journal is durable through %d", dirty, s.journal.durable)
	}
}

// TestDiskRefusesTheMirror limits the size of files: the recorder waits, loses
// nothing and goes on when there is room.
func TestDiskRefusesTheMirror(t *testing.T) {
	const child = "ZKWARDEN_TEST_FILE_LIMIT"
	if os.Getenv(child) == "" {
		// The limit holds for a whole process, which would meet it elsewhere.
		again := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$")
		again.Env = append(os.Environ(), child+"=1")
		if out, err := again.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	s := newStage(t, policy.LevelData, "/r")
	s.show(firstSync()...)
	for i := range 500 {
		s.show(hint(audit.OpCreated, "/r/"+time.Duration(i).String(), audit.Zxid(10+i), znode(audit.Zxid(10+i), 0, string(make([]byte, 4000)))))
	}
	limit := limitFiles(t)
	limit(64 << 10)
	committed := make(chan error, 1)
	go func() { committed <- s.commit(t.Context()) }()
	select {
	case err := <-committed:
		t.Fatalf("commit() = %v on a full disk, want it to wait", err)
	case <-time.After(commitRetry / 2):
	}
	limit(0)
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	live := dump(s)
	s.journal.lines = nil // What follows comes from the file alone.
	if err := s.mirror.Close(); err != nil {
		t.Fatal(err)
	}
	s.options()
	if diff := cmp.Diff(live, dump(s)); diff != "" || len(live) != 501 {
		t.Errorf("%d znodes (-live +durable):\n%.500s", len(live), diff)
	}

	s.Mirror = s.mirror
	s.mirror.Put("/r/last", mirror.Entry{Content: &audit.Content{Data: strings.Repeat("x", 1<<20)}})
	limit(64 << 10)
	ctx, cancel := context.WithTimeout(t.Context(), commitRetry/2)
	defer cancel()
	if err := s.commit(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "file too large") {
		t.Errorf("commit() = %v on a full disk until the end", err)
	}
	limit(0)
}

// limitFiles returns what limits the size of this process's files; zero gives
// back what was allowed before.
func limitFiles(t *testing.T) func(bytes uint64) {
	t.Helper()
	var old syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old); err != nil {
		t.Fatal(err)
	}
	return func(bytes uint64) {
		limited := old
		if bytes > 0 {
			limited.Cur = bytes
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limited); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReplayRefusesGarbage(t *testing.T) {
	s := newStage(t, policy.LevelData, "/r")
	if err := s.Replay(audit.Line{Seq: 7, JSON: []byte("{")}); err == nil || err.Error() != "replay journal record 7: unexpected end of JSON input" {
		t.Errorf("Replay() = %v", err)
	}
}

func TestMetrics(t *testing.T) {
	s := newRunner(t, nil)
	in := make(chan audit.Observation)
	ended := s.run(t.Context(), in)
	send(in, firstSync()...)
	send(in,
		audit.Seen{Path: "/r/h", Origin: audit.OriginResync, Read: audit.Denied},
		hint(audit.OpCreated, "/r/a", 10, nil),
		gapTo(9, 0x300000020), found("/r/a", 0x300000020, znode(10, 40, "x")), audit.Mark{Zxid: 0x300000021, Walk: true},
	)
	close(in)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		metric prometheus.Collector
		want   float64
	}{
		"created":    {s.metrics.events.WithLabelValues("created", "watch"), 1},
		"resynced":   {s.metrics.events.WithLabelValues("data_changed", "resync"), 1},
		"inexact":    {s.metrics.inexact, 2},
		"collapsed":  {s.metrics.collapsed, 39},
		"gaps":       {s.metrics.gaps.WithLabelValues(audit.GapReconnect), 1},
		"no gaps":    {s.metrics.gaps.WithLabelValues(audit.GapOverflow), 0},
		"denied":     {s.metrics.denied, 1},
		"unreadable": {s.metrics.unreadable, 1},
		"watermark":  {s.metrics.watermark, 0x300000021},
		"marked":     {s.metrics.marked, 1_700_000_000},
		"synced":     {s.metrics.synced, 1},
	} {
		if got := testutil.ToFloat64(test.metric); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	want := State{Watermark: 0x300000021, Confirmed: time.UnixMilli(1_700_000_000_000), Unreadable: 1}
	if got := s.State(); got != want {
		t.Errorf("State() = %+v, want %+v", got, want)
	}
	problems, err := testutil.GatherAndLint(s.Registry.(*prometheus.Registry))
	if err != nil || len(problems) > 0 {
		t.Errorf("metrics: %v, %v", problems, err)
	}
}
