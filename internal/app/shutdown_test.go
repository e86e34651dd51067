package app

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// A reader of stdout that does not read holds up neither the journal nor, for
// longer than it may take, the end. It gets everything after the next start.
func TestStopWithBlockedStdout(t *testing.T) {
	addr := zktest.Start(t, zktest.Options{}).Addrs()[0]
	admin := client(t, addr)
	mustCreate(t, admin, "/a", "", 0)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	dir := t.TempDir()
	auditor := startProcess(t, writer, binary(t), "--web.listen-address=127.0.0.1:0", "--zookeeper.address="+addr,
		"--ensemble.name=test", "--audit.path=/a", "--audit.dir="+dir)
	writer.Close()
	awaitPage(t, auditor.url+"/-/ready", http.StatusOK, "ready")
	const changes = 100 // Some 400 KiB; a pipe holds 64.
	for n := range changes {
		mustCreate(t, admin, fmt.Sprintf("/a/%03d", n), strings.Repeat("x", 4000), 0)
	}
	awaitPage(t, auditor.url+"/metrics", http.StatusOK, fmt.Sprintf("zkwarden_journal_head_seq %d\n", changes+3)) // Behind start, mode and baseline.

	start := time.Now()
	if err := auditor.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	status, log := auditor.end()
	if took := time.Since(start); took > stopTimeout+5*time.Second {
		t.Errorf("the stop took %s", took)
	}
	if status != 0 || !strings.Contains(log, "a sink does not take the last records") {
		t.Errorf("exit status %d, log:\n%s", status, log)
	}
	written := journalLines(t, dir)
	if events := decodeAll(t, written); events[len(events)-1].Control != audit.ControlStop {
		t.Errorf("the journal ends with %s", written[len(written)-1])
	}
	held, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}

	next := startAuditor(t, dir, []string{addr}, "/a")
	next.stdout.await(t, "second start", func(e audit.Event) bool {
		return e.Control == audit.ControlStart && e.Seq > uint64(len(written))
	})
	if err := next.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	// What the pipe held, without a torn last line, and then what the next run
	// printed: it may repeat lines, but none is left out.
	printed := strings.SplitAfter(string(held), "\n")
	printed = printed[:len(printed)-1]
	again := decodeAll(t, next.stdout.lines[:1])[0].Seq
	if int(again) > len(printed)+1 {
		t.Fatalf("the pipe held %d lines, but the next run begins with record %d", len(printed), again)
	}
	got := strings.Split(strings.Join(printed[:again-1], ""), "\n")
	got = append(got[:again-1], next.stdout.lines...)
	if diff := cmp.Diff(journalLines(t, dir), got); diff != "" {
		t.Errorf("journal and stdout differ (-journal +stdout):\n%s", diff)
	}
}
