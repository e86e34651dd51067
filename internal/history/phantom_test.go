package history

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/policy"
	"zkwarden/audit/txnlog"
	"zkwarden/internal/zktest"
)

// TestPhantom reads the log of a leader that was deposed with a znode that only
// its log has, and was then sent a snapshot: the listing says behind the phantom
// that it may never have been committed. When the deposed leader comes back
// only in the epoch after the next, the zxids in its log don't tell that.
func TestPhantom(t *testing.T) {
	for name, epochs := range map[string]int{"in the next epoch": 1, "in the epoch after the next": 2} {
		t.Run(name, func(t *testing.T) {
			// No session expires meanwhile, which would be a transaction.
			e := zktest.Start(t, zktest.Options{Servers: 3, Config: map[string]string{"minSessionTimeout": "60000", "maxSessionTimeout": "60000"}})
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			leader, last := phantom(ctx, t, e)
			others := slices.DeleteFunc(e.Servers(), func(s *zktest.Server) bool { return s == leader })
			for epoch := range epochs {
				for _, server := range others {
					server.Kill()
					do(t, "restart a server", server.Restart(ctx))
				}
				if awaitLeader(ctx, t, others...); epoch == 0 {
					write(t, others[0], "/missed", "missed")
				}
			}
			do(t, "restart the deposed leader", leader.Restart(ctx))
			do(t, "wait for the ensemble", e.WaitServing(ctx))
			write(t, leader, "/after", "after")
			leader.Kill()
			doubted(t, open(t, leader.DataDir(), leader.TxnLogDir()), last, `data_changed /kept v2 a0 "missed" "after"`)
			doubted(t, open(t, leader.TxnLogDir()), last, `data_changed /kept v2 - "after" by  older`)
		})
	}
}

// phantom has a leader log the creation of /ghost, of which nobody else hears,
// and returns it with the zxid of that. All servers are down then.
func phantom(ctx context.Context, t *testing.T, e *zktest.Ensemble) (leader *zktest.Server, last audit.Zxid) {
	t.Helper()
	leader, err := e.Leader(ctx)
	do(t, "find the leader", err)
	conn, _ := connect(t, leader)
	_, err = conn.Create("/kept", []byte("before"), 0, zk.WorldACL(zk.PermAll))
	do(t, "create /kept", err)
	for _, server := range e.Servers() {
		if server != leader {
			server.Kill()
		}
	}
	go conn.Create("/ghost", nil, 0, zk.WorldACL(zk.PermAll)) //nolint:errcheck // Nobody answers.
	f := txnlog.Follow(leader.TxnLogDir(), 0, nil)
	defer f.Close()
	for {
		for f.Next() {
			if txn := f.Record(); string(txn.Ops[0].Path) == "/ghost" {
				leader.Kill()
				return leader, audit.Zxid(txn.Zxid)
			}
		}
		do(t, "follow the log", f.Err())
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("the phantom is not in the log")
		}
	}
}

// write creates a znode and changes another one.
func write(t *testing.T, server *zktest.Server, path, data string) {
	t.Helper()
	conn, _ := connect(t, server)
	defer conn.Close()
	_, err := conn.Create(path, nil, 0, zk.WorldACL(zk.PermAll))
	do(t, "create "+path, err)
	_, err = conn.Set("/kept", []byte(data), -1)
	do(t, "set /kept", err)
}

// awaitLeader waits until one of the servers leads and another one follows.
func awaitLeader(ctx context.Context, t *testing.T, servers ...*zktest.Server) {
	t.Helper()
	for {
		modes := map[string]bool{}
		for _, server := range servers {
			mode, _ := server.Mode(ctx)
			modes[mode] = true
		}
		if modes[zktest.ModeLeader] && modes[zktest.ModeFollower] {
			return
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			t.Fatal("nobody leads")
		}
	}
}

// doubted holds the listing to the phantom, the doubt and what came after, in
// this order. What came after tells nothing of before that has changed unseen.
func doubted(t *testing.T, h *opened, last audit.Zxid, kept string) {
	t.Helper()
	var story []string
	h.Note = func(text string) { story = append(story, text) }
	p, rule := policy.Unlimited(policy.LevelData, nil)
	for c, err := range h.Changes(t.Context(), ChangesOptions{Contents: true}) {
		do(t, "read the logs", err)
		c.Describe(p, rule)
		story = append(story, line(c, nil))
	}
	begins := func(part string) int {
		return slices.IndexFunc(story, func(line string) bool { return strings.HasPrefix(line, part) })
	}
	ghost, after := begins("created /ghost"), begins("created /after")
	if ghost < 0 || after < ghost || begins("created /missed") >= 0 {
		t.Fatalf("this is no test of a phantom that stays: %q", story)
	}
	doubt := "the last transactions before, up to " + last.String() + ", may never have been committed"
	if !strings.Contains(strings.Join(story[ghost:after], "\n"), doubt) {
		t.Errorf("nothing between the phantom and what came after says %q: %q", doubt, story)
	}
	if begins(kept) < after {
		t.Errorf("no change is %q: %q", kept, story)
	}
}
