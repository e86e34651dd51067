package logsource

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
	"zkwarden/internal/zktest"
)

// TestDirectoryGoesAndComes takes the log away, as an unmounted volume is, and
// gives it back.
func TestDirectoryGoesAndComes(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	conn := connect(t, server.Addr())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	create(ctx, t, conn, "/r")
	s := newStory(t, under("/r"))
	source, _ := start(s, 0, server)
	_, at := s.await("handing over", 0, isMode(audit.ModeTxnlog))
	create(ctx, t, conn, "/r/before")
	_, at = s.await("before", at, isTxn("/r/before", audit.OpCreated))
	here := filepath.Join(server.TxnLogDir(), "version-2")
	if err := os.Rename(here, here+".away"); err != nil {
		t.Fatal(err)
	}
	_, at = s.await("the loss", at, isGap(audit.GapLogLost))
	stat := must[*zk.Stat](t)(conn.SetACL("/r/before", zk.WorldACL(zk.PermRead), -1)) // No watch tells of it.
	create(ctx, t, conn, "/r/during")
	_, at = s.await("during", at, shows("/r/during"))
	if state := source.Status(); state.Leading || state.Err == nil {
		t.Errorf("Status() = %+v", state)
	}
	if err := os.Rename(here+".away", here); err != nil {
		t.Fatal(err)
	}
	told, at := s.await("handing over again", at, isMode(audit.ModeTxnlog))
	for _, o := range told {
		if gap, ok := o.(audit.Gap); ok {
			t.Errorf("told %+v", gap)
		}
	}
	s.await("the ACL that changed meanwhile", at, isTxn("/r/before", audit.OpACLChanged))
	s.await("mark of ACLs", at, isACL(stat.Czxid+2))
	create(ctx, t, conn, "/r/after")
	s.await("after", at, isTxn("/r/after", audit.OpCreated))
	if state := source.Status(); !state.Leading || state.Err != nil {
		t.Errorf("Status() = %+v", state)
	}
}

// lastMark is the last mark of a story.
func lastMark(s *story) (last audit.Zxid) {
	for _, o := range s.all() {
		if m, ok := o.(audit.Mark); ok {
			last = m.Zxid
		}
	}
	return last
}

// TestResume goes on behind the last mark after a restart, without a gap.
func TestResume(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	conn := connect(t, server.Addr())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	create(ctx, t, conn, "/r")
	s := newStory(t, under("/r"))
	_, stop := start(s, 0, server)
	_, at := s.await("handing over", 0, isMode(audit.ModeTxnlog))
	create(ctx, t, conn, "/r/before")
	_, at = s.await("before", at, isTxn("/r/before", audit.OpCreated))
	s.await("its mark", at, isMark)
	stop()
	ended := len(s.all())
	create(ctx, t, conn, "/r/short")
	if err := conn.Delete("/r/short", -1); err != nil {
		t.Fatal(err)
	}
	create(ctx, t, conn, "/r/after")
	start(s, lastMark(s), server)
	told, _ := s.await("what happened meanwhile", ended, isTxn("/r/after", audit.OpCreated))
	var got []string
	for _, o := range told {
		switch o := o.(type) {
		case audit.Txn:
			got = append(got, summary(o))
		case audit.Seen, audit.Gap:
			t.Errorf("told %+v", o)
		}
	}
	want := []string{`created /r/short ""`, "deleted /r/short explicit", `created /r/after ""`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-done +told):\n%s", diff)
	}
}

// pound changes znodes from several clients until they have made n changes.
func pound(t *testing.T, server *zktest.Server, round, n int) {
	t.Helper()
	var writers sync.WaitGroup
	for w := range 10 {
		conn := connect(t, server.Addr())
		writers.Go(func() {
			for i := range n / 20 {
				path := fmt.Sprintf("/r/%d-%d-%d", round, w, i)
				if _, err := conn.Create(path, []byte(path), 0, zk.WorldACL(zk.PermAll)); err != nil {
					t.Errorf("create %s: %v", path, err)
					return
				}
				if _, err := conn.Set(path, []byte(strconv.Itoa(i)), 0); err != nil {
					t.Errorf("set %s: %v", path, err)
					return
				}
			}
		})
	}
	writers.Wait()
}

// TestRollsAndRestarts follows a server at its full speed that ends its log
// every few dozen transactions, and is killed in between: everything is told,
// once, in order and verified.
func TestRollsAndRestarts(t *testing.T) {
	e := zktest.Start(t, zktest.Options{Config: map[string]string{"snapCount": "60", "preAllocSize": "64"}})
	server := e.Server(1)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	create(ctx, t, connect(t, server.Addr()), "/r")
	s := newStory(t, under("/r"))
	start(s, 0, server)
	_, led := s.await("handing over", 0, isMode(audit.ModeTxnlog))
	from := lastMark(s)
	for round := range 3 {
		pound(t, server, round, 1000)
		if err := errors.Join(server.Restart(ctx), e.WaitServing(ctx)); err != nil {
			t.Fatal(err)
		}
	}
	create(ctx, t, connect(t, server.Addr()), "/r/end")
	_, end := s.await("the end", led, isTxn("/r/end", audit.OpCreated))
	s.await("its mark", end, isMark)
	var got, want []string
	for _, o := range s.all()[led:] {
		switch o := o.(type) {
		case audit.Txn:
			got = append(got, fmt.Sprint(o.Zxid, " ", o.Path, " ", string(o.Data)))
		case audit.Mark:
			if o.Verified != o.Zxid {
				t.Errorf("told %+v", o)
			}
		default:
			t.Errorf("told %+v", o)
		}
	}
	for txn, err := range txnlog.Records(must[[]txnlog.File](t)(txnlog.Logs(server.TxnLogDir()))) {
		if err != nil && !errors.Is(err, txnlog.ErrTorn) {
			t.Fatal(err)
		}
		if err == nil && audit.Zxid(txn.Zxid) > from {
			for _, op := range txn.Changes() {
				want = append(want, fmt.Sprint(audit.Zxid(txn.Zxid), " ", string(op.Path), " ", string(op.Data)))
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) < 3000 {
		t.Errorf("%d told (-logged +told):\n%s", len(got), diff)
	}
}

// TestElections kills leaders. Where the log has digests it goes on, without a
// gap; where it has none nobody can tell, and the live source takes over.
func TestElections(t *testing.T) {
	for _, c := range []struct {
		name string
		zktest.Options
		gap string
	}{
		{"digests", zktest.Options{Servers: 3}, ""},
		{"no digests", zktest.Options{Servers: 3, Config: map[string]string{"digest.enabled": "false"}, JVM: []string{"-Dzookeeper.digest.enabled=false"}}, audit.GapLogUnconfirmed},
	} {
		t.Run(c.name, func(t *testing.T) { elections(t, c.Options, c.gap) })
	}
}

func elections(t *testing.T, o zktest.Options, gap string) {
	e := zktest.Start(t, o)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	follower := must[[]*zktest.Server](t)(e.Followers(ctx))[0]
	conn := connect(t, e.Addrs()...)
	create(ctx, t, conn, "/r")
	s := newStory(t, under("/r"))
	start(s, 0, follower, append([]string{follower.Addr()}, others(e, follower)...)...)
	s.await("handing over", 0, isMode(audit.ModeTxnlog))
	create(ctx, t, conn, "/r/before")
	_, at := s.await("before", 0, isTxn("/r/before", audit.OpCreated))
	leader := must[*zktest.Server](t)(e.Leader(ctx))
	leader.Kill()
	create(ctx, t, conn, "/r/after")
	told, at := s.await("after", at, shows("/r/after"))
	for _, o := range told {
		if g, ok := o.(audit.Gap); ok && g.Reason != gap {
			t.Errorf("told %+v", g)
		}
	}
	if gap != "" {
		_, at = s.await("handing over again", at, isMode(audit.ModeTxnlog))
		s.await("the gap", 0, isGap(gap))
	}
	if err := errors.Join(leader.Restart(ctx), e.WaitServing(ctx)); err != nil {
		t.Fatal(err)
	}
	create(ctx, t, conn, "/r/later")
	_, at = s.await("later", at, isTxn("/r/later", audit.OpCreated))
	told, _ = s.await("mark", at, isMark)
	// Nobody can tell which changes of ACLs ended the other epoch.
	if m := told[len(told)-1].(audit.Mark); (m.ACL != 0) != (gap == "") {
		t.Errorf("told %+v", m)
	}
}

// changing is a scope that is replaced.
type changing struct {
	mu sync.Mutex
	under
}

func (c *changing) set(root under) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.under = root
}

func (c *changing) get() under {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.under
}

func (c *changing) Roots() []string        { return c.get().Roots() }
func (c *changing) Wants(path string) bool { return c.get().Wants(path) }
func (c *changing) Leads(path string) bool { return c.get().Leads(path) }

// TestRescope has the live source walk what a new scope wants, and the log lead
// again behind it.
func TestRescope(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	conn := connect(t, server.Addr())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	create(ctx, t, conn, "/r")
	create(ctx, t, conn, "/s")
	scope := &changing{under: "/r"}
	s := newStory(t, scope)
	source, _ := start(s, 0, server)
	_, at := s.await("handing over", 0, isMode(audit.ModeTxnlog))
	scope.set("/s")
	source.Rescope()
	_, at = s.await("the new root", at, shows("/s"))
	told, at := s.await("handing over again", at, isMode(audit.ModeTxnlog))
	if m, ok := told[len(told)-2].(audit.Mark); !ok || !m.Walk {
		t.Errorf("before the log leads: %+v", told[len(told)-2])
	}
	create(ctx, t, conn, "/r/unwanted")
	create(ctx, t, conn, "/s/wanted")
	told, _ = s.await("what is wanted", at, isTxn("/s/wanted", audit.OpCreated))
	for _, o := range told {
		if txn, ok := o.(audit.Txn); ok && txn.Path == "/r/unwanted" {
			t.Errorf("told %+v", txn)
		}
	}
}
