package journal

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"zkwarden/audit"
)

// memorySink keeps the lines it accepts; answer decides on each delivery.
type memorySink struct {
	answer func(ctx context.Context) error

	mu    sync.Mutex
	lines []string
	calls []time.Time
}

func (s *memorySink) Deliver(ctx context.Context, lines []audit.Line) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, time.Now())
	if err := s.answer(ctx); err != nil {
		return err
	}
	for _, line := range lines {
		s.lines = append(s.lines, string(line.JSON))
	}
	return nil
}

func (s *memorySink) received() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

func accept(context.Context) error { return nil }

// logText is a log that is read while it is written.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// runPump runs a pump until ctx is done and returns its end.
func runPump(ctx context.Context, t *testing.T, j *Journal, name string, sink audit.Sink) <-chan error {
	t.Helper()
	p, err := j.NewPump(name, sink)
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan error, 1)
	go func() { end <- p.Run(ctx) }()
	return end
}

func TestPumpDrains(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j := newTestJournal(t, dir)
		sink := &memorySink{answer: accept}
		end := runPump(t.Context(), t, j, "memory", sink)
		for i := range 2000 {
			if _, err := j.Append(t.Context(), change(i)); err != nil {
				t.Fatal(err)
			}
		}
		if err := j.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-end; err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(mustVerify(t, dir), sink.lines); diff != "" {
			t.Errorf("lines at the sink (-want +got):\n%s", diff)
		}
	})
}

func TestPumpTriesAgain(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var logged bytes.Buffer
		reg := prometheus.NewRegistry()
		o := testOptions(dir)
		o.Logger, o.Registerer = log.NewLogfmtLogger(log.NewSyncWriter(&logged)), reg
		j, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		const failures = 8
		left := failures
		sink := &memorySink{answer: func(context.Context) error {
			if left == 0 {
				return nil
			}
			left--
			return errors.New("connection refused")
		}}
		dead := &memorySink{answer: func(context.Context) error { return errors.New("gone for good") }}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		end := runPump(t.Context(), t, j, "memory", sink)
		deadEnd := runPump(ctx, t, j, "dead", dead)
		appendEvents(t, j, 100)
		time.Sleep(10 * time.Minute)
		synctest.Wait()

		if diff := cmp.Diff(mustVerify(t, dir), sink.lines); diff != "" {
			t.Errorf("lines at the sink (-want +got):\n%s", diff)
		}
		for i := range failures {
			lower := min(minPause<<i, maxPause/2)
			if paused := sink.calls[i+1].Sub(sink.calls[i]); paused < lower || paused > 2*lower {
				t.Errorf("pause %d took %s, want %s to %s", i, paused, lower, 2*lower)
			}
		}
		want := `
# HELP zkwarden_sink_acked_seq Place of the last record that the sink accepted.
# TYPE zkwarden_sink_acked_seq gauge
zkwarden_sink_acked_seq{sink="dead"} 0
zkwarden_sink_acked_seq{sink="memory"} 100
# HELP zkwarden_sink_lag_records Durable records that the sink has not accepted.
# TYPE zkwarden_sink_lag_records gauge
zkwarden_sink_lag_records{sink="dead"} 100
zkwarden_sink_lag_records{sink="memory"} 0
`
		if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "zkwarden_sink_acked_seq", "zkwarden_sink_lag_records"); err != nil {
			t.Error(err)
		}
		if n := testutil.ToFloat64(j.metrics.sinkErrors.WithLabelValues("memory")); n != failures {
			t.Errorf("%v errors were counted, want %d", n, failures)
		}
		if n := strings.Count(logged.String(), "\n"); n != 3 {
			t.Errorf("%d lines were logged, want one for each change of state:\n%s", n, &logged)
		}

		if err := j.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-end; err != nil {
			t.Error(err)
		}
		cancel() // The deadline of the shutdown.
		if err := <-deadEnd; err != nil {
			t.Error(err)
		}
		closeJournal(t, j)
	})
}

// TestPumpOutlivesItsDisk holds up the cursor where its file has to grow: seq
// 10 is one digit longer than seq 9.
func TestPumpOutlivesItsDisk(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		var logged logText
		o := testOptions(dir)
		o.Logger = log.NewLogfmtLogger(&logged)
		j, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		sink := &memorySink{answer: accept}
		end := runPump(t.Context(), t, j, "memory", sink)
		appendEvents(t, j, 9)
		synctest.Wait()
		obstacle := filepath.Join(dir, "cursor-memory.new")
		if err := os.Mkdir(obstacle, 0o700); err != nil {
			t.Fatal(err)
		}
		appendEvents(t, j, 1)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := strings.Count(logged.String(), "\n"); n != 1 || !strings.Contains(logged.String(), "cursor cannot be written") {
			t.Errorf("%d lines were logged about one trouble:\n%s", n, logged.String())
		}
		if n := testutil.ToFloat64(j.metrics.sinkErrors.WithLabelValues("memory")); n < 10 {
			t.Errorf("%v errors were counted in ten minutes", n)
		}

		if err := os.Remove(obstacle); err != nil {
			t.Fatal(err)
		}
		appendEvents(t, j, 5)
		time.Sleep(2 * maxPause)
		synctest.Wait()
		if diff := cmp.Diff(mustVerify(t, dir), sink.received()); diff != "" {
			t.Errorf("lines at the sink (-want +got):\n%s", diff)
		}
		if n := strings.Count(logged.String(), "\n"); n != 2 {
			t.Errorf("%d lines were logged, want one for each change of state:\n%s", n, logged.String())
		}
		if err := j.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-end; err != nil {
			t.Error(err)
		}
		closeJournal(t, j)
	})
}

// TestPumpStopsDuringDelivery keeps what was being delivered for the next run.
func TestPumpStopsDuringDelivery(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j := newTestJournal(t, dir)
		appendEvents(t, j, 10)
		ctx, cancel := context.WithCancel(t.Context())
		slow := &memorySink{answer: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		end := runPump(ctx, t, j, "memory", slow)
		synctest.Wait()
		cancel()
		if err := <-end; err != nil {
			t.Fatal(err)
		}
		sink := &memorySink{answer: accept}
		end = runPump(t.Context(), t, j, "memory", sink)
		if err := j.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-end; err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(mustVerify(t, dir), sink.lines); diff != "" {
			t.Errorf("lines at the sink (-want +got):\n%s", diff)
		}
	})
}

func TestPumpReportsABrokenJournal(t *testing.T) {
	dir := t.TempDir()
	j := newTestJournal(t, dir)
	appendEvents(t, j, 3)
	text, err := os.ReadFile(segmentPath(dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	write(t, segmentPath(dir, 1), bytes.ToUpper(text))
	end := runPump(t.Context(), t, j, "memory", &memorySink{answer: accept})
	var broken *BrokenError
	if err := <-end; !errors.As(err, &broken) {
		t.Errorf("Run returned %v, want a *BrokenError", err)
	}
}

// A sink that says when to come again is not asked before, but cannot make
// the pump wait for ever.
func TestPumpHeedsRetryAfter(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		time.Minute: time.Minute, 100 * time.Hour: maxRetryAfter,
	} {
		synctest.Test(t, func(t *testing.T) {
			refusals := 0
			sink := &memorySink{answer: func(context.Context) error {
				if refusals++; refusals == 1 {
					return &audit.RetryError{After: asked, Err: errors.New("busy")}
				}
				return nil
			}}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f := &feed{cursor: &oneLine{}, sink: sink, logger: log.NewNopLogger(), errors: prometheus.NewCounter(prometheus.CounterOpts{})}
			if err := f.run(ctx); err != nil {
				t.Fatal(err)
			}
			if waited := sink.calls[1].Sub(sink.calls[0]); waited != want {
				t.Errorf("asked to wait %s, the pump waited %s, want %s", asked, waited, want)
			}
		})
	}
}

// Who looks at a pump sees how far the sink is, and since when and why it has
// not got further; a sink that does not answer at all has no reason.
func TestPumpState(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		j := newTestJournal(t, dir)
		answer := make(chan error)
		p, err := j.NewPump("memory", &memorySink{answer: func(context.Context) error { return <-answer }})
		if err != nil {
			t.Fatal(err)
		}
		end := make(chan error, 1)
		go func() { end <- p.Run(t.Context()) }()
		compare := func(when string, want PumpState) {
			t.Helper()
			synctest.Wait()
			if got := p.State(); got != want {
				t.Errorf("%s: %+v, want %+v", when, got, want)
			}
		}
		compare("nothing to deliver", PumpState{})
		appendEvents(t, j, 1)
		began := time.Now()
		time.Sleep(time.Second)
		compare("no answer yet", PumpState{Since: began})
		refused := errors.New("connection refused")
		for range 2 {
			answer <- refused
			time.Sleep(time.Minute)
			compare("refused", PumpState{Since: began, Err: refused})
		}
		answer <- nil
		compare("delivered", PumpState{Acked: 1})
		if err := j.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-end; err != nil {
			t.Fatal(err)
		}
	})
}

// oneLine is a cursor with one line.
type oneLine struct{ done bool }

func (c *oneLine) Next(context.Context) ([]audit.Line, error) {
	if c.done {
		return nil, ErrClosed
	}
	return []audit.Line{{Seq: 1, JSON: []byte("{}")}}, nil
}

func (c *oneLine) Ack(uint64) error { c.done = true; return nil }
