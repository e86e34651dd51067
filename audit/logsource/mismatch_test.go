package logsource

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"net"
	"os"
	"testing"
	"time"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
	"zkwarden/audit/watch"
	"zkwarden/internal/zktest"
)

// forge copies the only log of a server and makes one record in it say
// something else of the same length, under a checksum that is right.
func forge(t *testing.T, server *zktest.Server, was, is string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(server.TxnLogDir())); err != nil {
		t.Fatal(err)
	}
	files := must[[]txnlog.File](t)(txnlog.Logs(dir))
	content := must[[]byte](t)(os.ReadFile(files[0].Path))
	for at := 16; ; {
		length := int(binary.BigEndian.Uint32(content[at+8:]))
		payload := content[at+12 : at+12+length]
		if i := bytes.Index(payload, []byte(was)); i >= 0 {
			copy(payload[i:], is)
			binary.BigEndian.PutUint64(content[at:], uint64(adler32.Checksum(payload)))
			break
		}
		if at += 12 + length + 1; length == 0 {
			t.Fatalf("%q is not in the log", was)
		}
	}
	if err := os.WriteFile(files[0].Path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestMismatch has a log that does not say what its server did: nothing of that
// is told, and the live source shows the truth.
func TestMismatch(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	conn := connect(t, server.Addr())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	create(ctx, t, conn, "/r")
	s := newStory(t, under("/r"))
	_, stop := start(s, 0, server)
	_, at := s.await("handing over", 0, isMode(audit.ModeTxnlog))
	create(ctx, t, conn, "/r/before")
	s.await("before", at, isTxn("/r/before", audit.OpCreated))
	s.await("its mark", at, isMark)
	stop()
	create(ctx, t, conn, "/r/true")
	dir := forge(t, server, "/r/true", "/r/fake")
	ended := len(s.all())
	options := watch.Options{Servers: []string{server.Addr()}, SessionTimeout: 4 * time.Second, Dial: new(net.Dialer).DialContext, Logger: logger()}
	applied := watch.NewApplied(options)
	defer applied.Close()
	source := New(Options{
		Locate:  func(context.Context) (logs, snapshots string, err error) { return dir, server.DataDir(), nil },
		Live:    watch.New(options),
		Applied: applied, Logger: logger(),
	})
	s.out = make(chan audit.Observation)
	running, end := context.WithCancel(ctx)
	over := make(chan error, 1)
	go func() {
		over <- source.Run(running, lastMark(s), s.scope, s, s.out)
		close(s.out)
	}()
	taken := make(chan struct{})
	go func() { s.take(); close(taken) }()
	_, at = s.await("the gap", ended, isGap(audit.GapDigestMismatch))
	s.await("the truth", at, shows("/r/true"))
	if err := source.Mismatch(); !errors.Is(err, errMismatch) {
		t.Errorf("Mismatch() = %v", err)
	}
	end()
	if err := <-over; !errors.Is(err, context.Canceled) {
		t.Errorf("Run() = %v", err)
	}
	<-taken
	neverTold(t, s, "/r/fake")
}
