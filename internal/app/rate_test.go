package app

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/guarantee"
	"zkwarden/internal/zktest"
)

// As fast as the server writes, every change has a record of its own: those of
// one hot znode, too, most of which are overwritten before they can be read.
func TestFullSpeed(t *testing.T) {
	const (
		clients   = 4
		pipelined = 64 // Requests that each client has under way.
		duration  = 10 * time.Second
	)
	ensemble := zktest.Start(t, zktest.Options{})
	addr := ensemble.Addrs()[0]
	admin := client(t, addr)
	mustCreate(t, admin, "/fast", "", 0)
	mustCreate(t, admin, "/fast/hot", "", 0)
	dir := t.TempDir()
	stdout, err := os.Create(filepath.Join(dir, "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdout.Close()
	auditor := startProcess(t, stdout, binary(t), "--web.listen-address=127.0.0.1:0", "--zookeeper.address="+addr,
		"--ensemble.name=test", "--audit.path=/fast", "--audit.dir="+filepath.Join(dir, "audit"))
	awaitPage(t, auditor.url+"/-/ready", 200, "ready")

	stop := make(chan struct{})
	var writers sync.WaitGroup
	for n := range clients {
		conn := client(t, addr)
		for m := range pipelined {
			writers.Go(func() { rush(conn, fmt.Sprintf("/fast/%d-%d", n, m), stop) })
		}
	}
	time.Sleep(duration) // How long the rush lasts.
	close(stop)
	writers.Wait()
	mustCreate(t, admin, "/fast/end", "", 0)
	awaitLine(t, filepath.Join(dir, "audit"), `"path":"/fast/end"`)
	if err := auditor.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if status, log := auditor.end(); status != 0 {
		t.Fatalf("exit status %d:\n%s", status, log)
	}

	events := decodeAll(t, journalLines(t, filepath.Join(dir, "audit")))
	truth := truth(t, ensemble, "/fast").Through(lastCheckpoint(t, events))
	for _, e := range events {
		if e.Kind == audit.KindGap {
			t.Errorf("the watch was interrupted: %s", e.Reason)
		}
	}
	foul := guarantee.Check(events, truth)
	for _, err := range foul[:min(len(foul), 10)] {
		t.Error(err)
	}
	t.Logf("%d changes a second", len(truth.Changes)/int(duration/time.Second))
}

// rush changes one path and the hot znode as fast as the answers come.
func rush(conn *zk.Conn, path string, stop <-chan struct{}) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		switch i % 8 {
		case 0:
			_, _ = conn.Create(path, []byte(path), 0, zk.WorldACL(zk.PermAll))
		case 7:
			_ = conn.Delete(path, -1)
		case 3:
			_, _ = conn.Set("/fast/hot", []byte(path), -1)
		default:
			_, _ = conn.Set(path, fmt.Appendf(nil, "%d", i), -1)
		}
	}
}

// awaitLine returns when text stands near the end of the journal in dir.
func awaitLine(t *testing.T, dir, text string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		segments, err := filepath.Glob(filepath.Join(dir, "journal-*.jsonl"))
		if err != nil || len(segments) == 0 {
			continue
		}
		if strings.Contains(tail(t, segments[len(segments)-1]), text) {
			return
		}
	}
	t.Fatalf("the journal does not end with %s within %s", text, patience)
}

func tail(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	from := max(0, size-1<<16)
	text, err := io.ReadAll(io.NewSectionReader(f, from, size-from))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
