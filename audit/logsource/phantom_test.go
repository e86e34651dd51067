package logsource

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
	"zkwarden/internal/zktest"
)

// phantom has the leader of an ensemble log a create that nobody else hears of,
// and a source beside the leader that follows its log meanwhile. It returns once
// the create is in the log and the leader is down; the others are down, too. A
// source that is alone has no session with them.
func phantom(ctx context.Context, t *testing.T, e *zktest.Ensemble, s *story, alone bool) (leader *zktest.Server) {
	t.Helper()
	leader = must[*zktest.Server](t)(e.Leader(ctx))
	create(ctx, t, connect(t, e.Addrs()...), "/r")
	servers := []string{leader.Addr()}
	if !alone {
		servers = append(servers, others(e, leader)...)
	}
	start(s, 0, leader, servers...)
	s.await("handing over", 0, isMode(audit.ModeTxnlog))
	conn := connect(t, leader.Addr())
	create(ctx, t, conn, "/r/real")
	s.await("the real znode", 0, isTxn("/r/real", audit.OpCreated))
	for _, server := range e.Servers() {
		if server != leader {
			server.Kill()
		}
	}
	go conn.Create("/r/ghost", nil, 0, zk.WorldACL(zk.PermAll)) //nolint:errcheck // Nobody answers.
	awaitLogged(ctx, t, leader, "/r/ghost")
	leader.Kill()
	return leader
}

func others(e *zktest.Ensemble, but *zktest.Server) (addrs []string) {
	for _, server := range e.Servers() {
		if server != but {
			addrs = append(addrs, server.Addr())
		}
	}
	return addrs
}

// awaitLogged waits until a transaction about the path is in the server's log.
func awaitLogged(ctx context.Context, t *testing.T, server *zktest.Server, path string) {
	t.Helper()
	f := txnlog.Follow(server.TxnLogDir(), 0, nil)
	defer f.Close()
	for {
		for f.Next() {
			if string(f.Record().Ops[0].Path) == path {
				return
			}
		}
		if f.Err() != nil {
			t.Fatal(f.Err())
		}
		if err := sleep(ctx, 5*time.Millisecond); err != nil {
			t.Fatalf("%s is not in the log: %v", path, err)
		}
	}
}

// create creates a znode as soon as the ensemble lets it.
func create(ctx context.Context, t *testing.T, conn *zk.Conn, path string) {
	t.Helper()
	for {
		_, err := conn.Create(path, nil, 0, zk.WorldACL(zk.PermAll))
		if err == nil || errors.Is(err, zk.ErrNodeExists) {
			return
		}
		if sleep(ctx, 50*time.Millisecond) != nil {
			t.Fatalf("create %s: %v", path, err)
		}
	}
}

// restart starts servers again and waits until the ensemble serves.
func restart(ctx context.Context, t *testing.T, e *zktest.Ensemble, servers ...*zktest.Server) {
	t.Helper()
	for _, server := range servers {
		if err := server.Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func rest(e *zktest.Ensemble, but *zktest.Server) (servers []*zktest.Server) {
	for _, server := range e.Servers() {
		if server != but {
			servers = append(servers, server)
		}
	}
	return servers
}

// neverTold checks that nothing was told of a path.
func neverTold(t *testing.T, s *story, path string) {
	t.Helper()
	for _, o := range s.all() {
		switch o := o.(type) {
		case audit.Txn:
			if o.Path == path {
				t.Errorf("told %+v", o)
			}
		case audit.Seen:
			if o.Path == path && o.Read == audit.Found {
				t.Errorf("told %+v", o)
			}
		}
	}
}

// logged reports whether the logs of a server have a transaction on the path.
func logged(t *testing.T, server *zktest.Server, path string) bool {
	t.Helper()
	for txn, err := range txnlog.Records(must[[]txnlog.File](t)(txnlog.Logs(server.TxnLogDir()))) {
		if errors.Is(err, txnlog.ErrTorn) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if string(txn.Ops[0].Path) == path {
			return true
		}
	}
	return false
}

// shows waits until a znode is told of, by whatever source.
func shows(path string) func(audit.Observation) bool {
	return func(o audit.Observation) bool {
		switch o := o.(type) {
		case audit.Txn:
			return o.Path == path
		case audit.Seen:
			return o.Path == path && o.Read == audit.Found
		}
		return false
	}
}

// TestPhantomCutOff has the next leader tell the old one to cut its log, as it
// does before anything happens in its epoch, be it a session.
func TestPhantomCutOff(t *testing.T) {
	e := zktest.Start(t, zktest.Options{Servers: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s := newStory(t, under("/r"))
	leader := phantom(ctx, t, e, s, true)
	restart(ctx, t, e, rest(e, leader)...)
	awaitLeader(ctx, t, rest(e, leader)...)
	restart(ctx, t, e, leader)
	if err := e.WaitServing(ctx); err != nil {
		t.Fatal(err)
	}
	create(ctx, t, connect(t, e.Addrs()...), "/r/after")
	s.await("what came after", 0, shows("/r/after"))
	if logged(t, leader, "/r/ghost") {
		t.Error("the phantom is still in the log")
	}
	neverTold(t, s, "/r/ghost")
}

// awaitLeader waits until one of the servers leads.
func awaitLeader(ctx context.Context, t *testing.T, servers ...*zktest.Server) {
	t.Helper()
	for {
		for _, server := range servers {
			if mode, err := server.Mode(ctx); err == nil && mode == zktest.ModeLeader {
				return
			}
		}
		if sleep(ctx, 50*time.Millisecond) != nil {
			t.Fatal("nobody leads")
		}
	}
}

// TestTailOfTheElected has the old leader elected again: what only it had logged
// is committed then.
func TestTailOfTheElected(t *testing.T) {
	e := zktest.Start(t, zktest.Options{Servers: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s := newStory(t, under("/r"))
	leader := phantom(ctx, t, e, s, true)
	restart(ctx, t, e, leader, rest(e, leader)[0])
	awaitLeader(ctx, t, leader)
	create(ctx, t, connect(t, leader.Addr()), "/r/after")
	s.await("the tail", 0, isTxn("/r/ghost", audit.OpCreated))
	s.await("what came after", 0, isTxn("/r/after", audit.OpCreated))
	for _, o := range s.all() {
		if gap, ok := o.(audit.Gap); ok {
			t.Errorf("told %+v", gap)
		}
	}
}

// TestPhantomThatStays has the next leader send the old one a snapshot: the
// phantom stays in the log, and what was committed meanwhile is never in it.
func TestPhantomThatStays(t *testing.T) {
	e := zktest.Start(t, zktest.Options{Servers: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s := newStory(t, under("/r"))
	leader := phantom(ctx, t, e, s, false)
	restart(ctx, t, e, rest(e, leader)...)
	conn := connect(t, others(e, leader)...)
	for _, path := range []string{"/r/missed1", "/r/missed2"} {
		create(ctx, t, conn, path)
	}
	restart(ctx, t, e, leader)
	if err := e.WaitServing(ctx); err != nil {
		t.Fatal(err)
	}
	create(ctx, t, conn, "/r/after")
	for _, path := range []string{"/r/missed1", "/r/missed2", "/r/after"} {
		s.await(path, 0, shows(path))
	}
	if !logged(t, leader, "/r/ghost") || logged(t, leader, "/r/missed1") {
		t.Error("the phantom is not in the log, or what was missed is: this is no test of that")
	}
	neverTold(t, s, "/r/ghost")
	// And the log leads again behind it.
	all := len(s.all())
	create(ctx, t, conn, "/r/later")
	s.await("the log's lead", all, isTxnOrMode)
	var reasons []string
	for _, o := range s.all() {
		if gap, ok := o.(audit.Gap); ok {
			reasons = append(reasons, gap.Reason)
		}
	}
	t.Logf("gaps: %s", strings.Join(reasons, " "))
}

func isTxnOrMode(o audit.Observation) bool {
	if _, ok := o.(audit.Txn); ok {
		return true
	}
	return isMode(audit.ModeTxnlog)(o)
}

// TestPhantomOfReadOnlyServer has the old leader serve alone, read-only: it has
// applied the phantom and says so.
func TestPhantomOfReadOnlyServer(t *testing.T) {
	e := zktest.Start(t, zktest.Options{Servers: 3, Config: map[string]string{}, JVM: []string{"-Dreadonlymode.enabled=true"}})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s := newStory(t, under("/r"))
	leader := phantom(ctx, t, e, s, false)
	restart(ctx, t, e, leader)
	for {
		mode, err := leader.Mode(ctx)
		if err == nil && mode == zktest.ModeReadOnly {
			break
		}
		if err := sleep(ctx, 50*time.Millisecond); err != nil {
			t.Fatalf("mode %q: %v", mode, err)
		}
	}
	if err := sleep(ctx, 2*time.Second); err != nil { // Long enough to ask it often.
		t.Fatal(err)
	}
	neverTold(t, s, "/r/ghost")
	leader.Kill()
	restart(ctx, t, e, rest(e, leader)...)
	create(ctx, t, connect(t, others(e, leader)...), "/r/missed")
	restart(ctx, t, e, leader)
	if err := e.WaitServing(ctx); err != nil {
		t.Fatal(err)
	}
	create(ctx, t, connect(t, e.Addrs()...), "/r/after")
	s.await("what came after", 0, shows("/r/after"))
	neverTold(t, s, "/r/ghost")
}

// TestPhantomThatBeginsItsEpoch has a new leader log one write, the first of its
// epoch, that nobody else hears of, while the others go on in the next epoch: the
// digest in it says how the epoch before ended, and nothing of itself.
func TestPhantomThatBeginsItsEpoch(t *testing.T) {
	e := zktest.Start(t, zktest.Options{Servers: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	s := newStory(t, under("/r"))
	first := must[*zktest.Server](t)(e.Leader(ctx))
	left := rest(e, first)
	other, second := left[0], left[1] // Of equal zxids the higher id is elected.
	create(ctx, t, connect(t, e.Addrs()...), "/r")
	conn := connect(t, second.Addr())
	create(ctx, t, conn, "/r/one")
	start(s, 0, second, first.Addr()) // No session of the auditor begins the epoch.
	s.await("handing over", 0, isMode(audit.ModeTxnlog))
	create(ctx, t, conn, "/r/real")
	s.await("the real znode", 0, isTxn("/r/real", audit.OpCreated))
	first.Kill()
	awaitLeader(ctx, t, second)
	if _, _, err := again(ctx, func() (bool, *zk.Stat, error) { return conn.Exists("/r") }); err != nil { // The session goes on.
		t.Fatal(err)
	}
	other.Kill()
	go conn.Create("/r/ghost", nil, 0, zk.WorldACL(zk.PermAll)) //nolint:errcheck // Nobody answers.
	awaitLogged(ctx, t, second, "/r/ghost")
	second.Kill()
	restart(ctx, t, e, first, other)
	awaitLeader(ctx, t, first, other)
	survivors := connect(t, first.Addr(), other.Addr())
	create(ctx, t, survivors, "/r/missed")
	s.await("what came after", 0, shows("/r/missed"))
	if there, _, err := survivors.Exists("/r/ghost"); there || err != nil {
		t.Fatalf("the phantom committed: %t, %v: this is no test of that", there, err)
	}
	neverTold(t, s, "/r/ghost")
}

// again repeats a request until it is answered.
func again[T, S any](ctx context.Context, ask func() (T, S, error)) (T, S, error) {
	for {
		answer, stat, err := ask()
		if err == nil || sleep(ctx, 50*time.Millisecond) != nil {
			return answer, stat, err
		}
	}
}
