package journal

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetrics(t *testing.T) {
	dir := segmented(t, 4, 5)
	size := 0
	for _, first := range []uint64{1, 5} {
		text, err := os.ReadFile(segmentPath(dir, first))
		if err != nil {
			t.Fatal(err)
		}
		size += len(text)
	}
	reg := prometheus.NewRegistry()
	o := testOptions(dir)
	o.Registerer = reg
	d := &faultyDisk{refuse: healthy}
	o.wrap = func(real disk) disk { d.disk = real; return d }
	synctest.Test(t, func(t *testing.T) {
		j, err := Open(o)
		if err != nil {
			t.Fatal(err)
		}
		openTestCursor(t, j)
		_, hash := j.Durable()
		first52, err := strconv.ParseUint(hash[:13], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, reg, 9, float64(first52), size, 1)
		chain := fmt.Sprintf(`
# HELP zkwarden_journal_chain_info Chain id of the journal, within which head_seq only grows; always 1.
# TYPE zkwarden_journal_chain_info gauge
zkwarden_journal_chain_info{chain="%s"} 1
`, j.ChainID())
		if err := testutil.GatherAndCompare(reg, strings.NewReader(chain), "zkwarden_journal_chain_info"); err != nil {
			t.Error(err)
		}
		d.fail(failing("sync", syscall.EIO))
		if _, err := j.Append(t.Context(), change(1)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		expect(t, reg, 9, float64(first52), size, 0)
		d.fail(healthy)
		if err := j.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := testutil.CollectAndCount(j.metrics.fsync); n != 1 {
			t.Errorf("%d histograms of fsync, want 1", n)
		}
		problems, err := testutil.GatherAndLint(reg)
		if err != nil || len(problems) > 0 {
			t.Errorf("lint found %v, %v", problems, err)
		}
		closeJournal(t, j)
	})
}

func expect(t *testing.T, reg prometheus.Gatherer, seq int, check float64, bytes, writable int) {
	t.Helper()
	want := fmt.Sprintf(`
# HELP zkwarden_journal_bytes Size of the durable records.
# TYPE zkwarden_journal_bytes gauge
zkwarden_journal_bytes %d
# HELP zkwarden_journal_first_seq Place of the oldest record that retention has left; 1 if it has removed none.
# TYPE zkwarden_journal_first_seq gauge
zkwarden_journal_first_seq 1
# HELP zkwarden_journal_head_check First 52 bits of the hash of the last durable record, as a number.
# TYPE zkwarden_journal_head_check gauge
zkwarden_journal_head_check %v
# HELP zkwarden_journal_head_seq Place of the last durable record in the journal.
# TYPE zkwarden_journal_head_seq gauge
zkwarden_journal_head_seq %d
# HELP zkwarden_journal_segments Files that hold the records.
# TYPE zkwarden_journal_segments gauge
zkwarden_journal_segments 2
# HELP zkwarden_journal_writable Whether the disk accepts records (1) or refuses them (0).
# TYPE zkwarden_journal_writable gauge
zkwarden_journal_writable %d
`, bytes, check, seq, writable)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "zkwarden_journal_bytes",
		"zkwarden_journal_first_seq", "zkwarden_journal_segments", "zkwarden_journal_head_check", "zkwarden_journal_head_seq", "zkwarden_journal_writable"); err != nil {
		t.Error(err)
	}
}
