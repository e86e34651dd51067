package history

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
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
					create(t, others[0], "/missed")
				}
			}
			do(t, "restart the deposed leader", leader.Restart(ctx))
			do(t, "wait for the ensemble", e.WaitServing(ctx))
			create(t, leader, "/after")
			leader.Kill()
			doubted(t, open(t, leader.DataDir(), leader.TxnLogDir()), last)
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

func create(t *testing.T, server *zktest.Server, path string) {
	t.Helper()
	conn, _ := connect(t, server)
	defer conn.Close()
	_, err := conn.Create(path, nil, 0, zk.WorldACL(zk.PermAll))
	do(t, "create "+path, err)
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
// this order.
func doubted(t *testing.T, h *opened, last audit.Zxid) {
	t.Helper()
	var story []string
	h.Note = func(text string) { story = append(story, text) }
	for c, err := range h.Changes(t.Context(), ChangesOptions{}) {
		do(t, "read the logs", err)
		story = append(story, string(c.Op)+" "+c.Path)
	}
	ghost, after := slices.Index(story, "created /ghost"), slices.Index(story, "created /after")
	if ghost < 0 || after < ghost || slices.Contains(story, "created /missed") {
		t.Fatalf("this is no test of a phantom that stays: %q", story)
	}
	doubt := "the last transactions before, up to " + last.String() + ", may never have been committed"
	if !strings.Contains(strings.Join(story[ghost:after], "\n"), doubt) {
		t.Errorf("nothing between the phantom and what came after says %q: %q", doubt, story)
	}
}
