package logsource

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
	"zkwarden/internal/zktest"
)

// isACL is the mark that knows of every change of an ACL through zxid.
func isACL(zxid int64) func(audit.Observation) bool {
	return func(o audit.Observation) bool {
		m, ok := o.(audit.Mark)
		return ok && m.ACL >= audit.Zxid(zxid)
	}
}

// TestACLsOfTheFirstSync: no watch tells of an ACL that changes between the
// beginning of the first sync and the moment at which the log takes over. The
// log does, and its marks reach over it.
func TestACLsOfTheFirstSync(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	conn := connect(t, server.Addr())
	const znodes = 200
	must[string](t)(conn.Create("/r", nil, 0, zk.WorldACL(zk.PermAll)))
	for n := range znodes {
		must[string](t)(conn.Create(fmt.Sprintf("/r/%d", n), nil, 0, zk.WorldACL(zk.PermAll)))
	}
	s := newStory(t, under("/r"))
	change := sync.OnceFunc(func() {
		for n := range znodes {
			must[*zk.Stat](t)(conn.SetACL(fmt.Sprintf("/r/%d", n), zk.WorldACL(zk.PermRead), -1))
		}
	})
	s.meanwhile = func(o audit.Observation) {
		if seen, ok := o.(audit.Seen); ok && seen.Path != "/r" {
			change()
		}
	}
	_, stat, err := conn.Get("/r")
	if err != nil {
		t.Fatal(err)
	}
	start(s, 0, server)
	_, led := s.await("handing over", 0, isMode(audit.ModeTxnlog))
	told, _ := s.await("mark of ACLs", led, isACL(stat.Czxid+2*znodes))
	changed := map[string]bool{}
	for _, o := range told {
		if txn, ok := o.(audit.Txn); ok {
			if txn.Op != audit.OpACLChanged || txn.Version != 1 || txn.Index != 0 {
				t.Errorf("told %+v", txn)
			}
			changed[txn.Path] = true
		}
	}
	if len(changed) != znodes {
		t.Errorf("the log told of %d ACLs, want %d", len(changed), znodes)
	}
}

// TestACLsNeedAWholeLog: what is missing may have been a change of an ACL.
func TestACLsNeedAWholeLog(t *testing.T) {
	server := zktest.Start(t, zktest.Options{Config: map[string]string{"snapCount": "20"}}).Server(1)
	conn := connect(t, server.Addr())
	must[string](t)(conn.Create("/r", nil, 0, zk.WorldACL(zk.PermAll)))
	for range 100 {
		must[*zk.Stat](t)(conn.SetACL("/r", zk.WorldACL(zk.PermAll), -1))
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(server.TxnLogDir())); err != nil {
		t.Fatal(err)
	}
	files := must[[]txnlog.File](t)(txnlog.Logs(dir))
	if err := os.Remove(files[0].Path); err != nil {
		t.Fatal(err)
	}
	var last audit.Zxid
	for txn, err := range txnlog.Records(files[1:]) {
		if err != nil {
			t.Fatal(err)
		}
		last = audit.Zxid(txn.Zxid)
	}
	first := audit.Zxid(files[1].Zxid)
	for name, c := range map[string]struct {
		acl, from audit.Zxid
		whole     bool
	}{
		"all of it":             {first - 1, last, true},
		"an end":                {last - 1, last, true},
		"one is missing before": {first - 2, last, false},
		"one is missing behind": {first, last + 1, false},
		"another epoch":         {first, 1<<32 | last, false},
	} {
		told := make(chan audit.Observation, 200)
		l := &lead{
			run:  &run{Source: New(Options{Logger: logger()}), scope: under("/r"), out: told, acl: c.acl},
			tail: &tail{dir: dir, logger: logger()}, from: c.from,
		}
		if err := l.catchUp(t.Context()); err != nil || l.acl != 0 != c.whole {
			t.Errorf("%s: %v, ACLs are known through %v", name, err, l.acl)
		}
		if c.whole && len(told) != int(c.from-c.acl)+1 {
			t.Errorf("%s: told %d, want %d and a mark", name, len(told), c.from-c.acl)
		}
	}
}

// isSwept finds the changed ACL of /r/n.
func isSwept(o audit.Observation) bool {
	seen, ok := o.(audit.Seen)
	return ok && seen.Origin == audit.OriginSweep && seen.Path == "/r/n" && seen.Node.Stat.Aversion == 1
}

// TestACLsBehindAHole: a log that lacks changes of ACLs waits for a sweep of the
// live source, and its marks go on from that.
func TestACLsBehindAHole(t *testing.T) {
	server := zktest.Start(t, zktest.Options{Config: map[string]string{"snapCount": "20"}}).Server(1)
	conn := connect(t, server.Addr())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	create(ctx, t, conn, "/r")
	create(ctx, t, conn, "/r/n")
	s := newStory(t, under("/r"))
	s.sweeps, s.logs = time.Hour, filepath.Join(t.TempDir(), "logs")
	link := func() {
		if err := os.Symlink(server.TxnLogDir(), s.logs); err != nil {
			t.Fatal(err)
		}
	}
	link()
	var source atomic.Pointer[Source]
	waited := make(chan error, 1)
	s.meanwhile = func(o audit.Observation) {
		if isSwept(o) && len(waited) == 0 {
			waited <- source.Load().Status().Err
		}
	}
	running, _ := start(s, 0, server)
	source.Store(running)
	_, at := s.await("handing over", 0, isMode(audit.ModeTxnlog))
	if err := os.Remove(s.logs); err != nil {
		t.Fatal(err)
	}
	create(ctx, t, conn, "/r/unlogged")
	_, at = s.await("the loss", at, isGap(audit.GapLogLost))
	must[*zk.Stat](t)(conn.SetACL("/r/n", zk.WorldACL(zk.PermRead), -1))
	for range 100 {
		must[*zk.Stat](t)(conn.Set("/r", nil, -1))
	}
	files := must[[]txnlog.File](t)(txnlog.Logs(server.TxnLogDir()))
	for _, file := range files[:len(files)-1] {
		if err := os.Remove(file.Path); err != nil {
			t.Fatal(err)
		}
	}
	link()
	_, at = s.await("the ACL", at, isSwept)
	if err := <-waited; !errors.Is(err, errSweeping) {
		t.Errorf("Status().Err = %v meanwhile", err)
	}
	_, at = s.await("handing over again", at, isMode(audit.ModeTxnlog))
	create(ctx, t, conn, "/r/after")
	_, stat, err := conn.Exists("/r/after")
	if err != nil {
		t.Fatal(err)
	}
	s.await("mark of ACLs", at, isACL(stat.Czxid))
}
