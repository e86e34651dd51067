package app

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// While the journal is opened, which here takes until somebody writes to the
// pipe in the place of the key, the pages answer and the end is bounded.
func TestPagesWhileTheJournalIsOpened(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "key")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	o := auditOptions(dir, newRecords(), []string{"127.0.0.1:1"}, "/a")
	o.Audit.DigestKeyFile = pipe
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	url := "http://" + a.Addr().String()
	awaitPage(t, url+"/-/ready", http.StatusServiceUnavailable, "not ready: journal is being opened")
	awaitPage(t, url+"/-/healthy", http.StatusOK, "healthy")
	awaitPage(t, url, http.StatusOK, "journal is being opened")
	awaitPage(t, url+"/metrics", http.StatusOK, "zookeeper_up 0")

	cancel()
	http.DefaultClient.CloseIdleConnections()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(stopTimeout + stopGrace + 5*time.Second):
		t.Error("it does not end")
	}
	writer, err := os.OpenFile(pipe, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	writer.Close()
}

// A recorder that hangs in a system call is waited for, but not for ever, and
// what it says in time is not swallowed.
func TestFinish(t *testing.T) {
	lost := errors.Join(errors.New("records 1 to 2 are lost"), context.Canceled)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), stopTimeout)
		defer cancel()
		aborted, abort := context.WithCancel(t.Context())
		defer abort()
		recorded := make(chan error, 1)
		go func() {
			<-aborted.Done()
			recorded <- lost
		}()
		if err := finish(ctx, abort, recorded); !errors.Is(err, lost) {
			t.Errorf("finish returned %v", err)
		}
	})
}
