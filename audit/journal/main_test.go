package journal

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/go-kit/log"
	"go.uber.org/goleak"

	"zkwarden/audit"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimEnv); dir != "" {
		os.Exit(victim(dir))
	}
	goleak.VerifyTestMain(m)
}

func testOptions(dir string) Options {
	return Options{Dir: dir, Logger: log.NewNopLogger(), Ensemble: "test", Recorder: "host"}
}

func pid() string { return strconv.Itoa(os.Getpid()) }

// newTestJournal opens the journal in dir; the test ends it.
func newTestJournal(tb testing.TB, dir string) *Journal {
	tb.Helper()
	j, err := Open(testOptions(dir))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { closeJournal(tb, j) })
	return j
}

func closeJournal(tb testing.TB, j *Journal) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := j.Close(ctx); err != nil {
		tb.Error(err)
	}
}

// appendEvents appends n changes and makes them durable.
func appendEvents(tb testing.TB, j *Journal, n int) {
	tb.Helper()
	for i := range n {
		if _, err := j.Append(tb.Context(), change(i)); err != nil {
			tb.Fatal(err)
		}
	}
	if err := j.Flush(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

// change makes the event of an ordinary change of an ordinary znode.
func change(i int) audit.Event {
	version, exact, size := int32(i), true, 60
	return audit.Event{
		ID: fmt.Sprintf("%032x", i), Kind: audit.KindChange, Ensemble: "test", Recorder: "host",
		Source: audit.OriginWatch, Rule: "configuration",
		Time: audit.AtUnixMilli(1795370000000 + int64(i)), Observed: audit.AtUnixMilli(1795370000004 + int64(i)),
		Zxid: audit.Zxid(0x500000000 + i), Op: audit.OpDataChanged, Path: fmt.Sprintf("/config/<service>/%d", i%1000),
		Czxid: 0x400000001, Version: &version, Exact: &exact,
		Before: &audit.Content{Size: &size, Data: `{"limit": 99, "owner": "team a", "note": "nothing special"}`, Encoding: audit.EncodingUTF8},
		After:  &audit.Content{Size: &size, Data: `{"limit": 98, "owner": "team a", "note": "nothing special"}`, Encoding: audit.EncodingUTF8},
		Actor:  &audit.Actor{Session: 0x100001234560000, Client: "10.1.2.3", Confidence: "exact"},
	}
}

// grow appends a segment of n changes behind those that j has.
func grow(tb testing.TB, j *Journal, n int) {
	tb.Helper()
	rotateAt(j, 1)
	appendEvents(tb, j, 1)
	rotateAt(j, 0)
	appendEvents(tb, j, n-1)
}

func rotateAt(j *Journal, size int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.limits.SegmentSize = size
}

// segmented makes a closed journal with segments of so many changes.
func segmented(tb testing.TB, counts ...int) (dir string) {
	tb.Helper()
	dir = tb.TempDir()
	j := newTestJournal(tb, dir)
	for _, n := range counts {
		grow(tb, j, n)
	}
	closeJournal(tb, j)
	return dir
}
