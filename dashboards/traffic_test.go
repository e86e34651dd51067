package dashboards

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

type quiet struct{}

func (quiet) Printf(string, ...any) {}

func connect(t *testing.T, servers []string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect(servers, 4*time.Second, zk.WithLogger(quiet{}), zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// drive changes and reads znodes until ctx is done, as a small service does:
// its configuration is read and now and then edited, orders come and go,
// workers register. What fails while nobody leads is of no interest.
func (l *lab) drive(ctx context.Context, t *testing.T, pause time.Duration) {
	t.Helper()
	conn := connect(t, l.ensemble.Addrs())
	defer conn.Close()
	var readers []*zk.Conn // One for each server.
	for _, address := range l.ensemble.Addrs() {
		reader := connect(t, []string{address})
		defer reader.Close()
		readers = append(readers, reader)
	}
	open := zk.WorldACL(zk.PermAll)
	for _, path := range []string{"/orders", "/orders/config", "/orders/open", "/orders/workers"} {
		if _, err := conn.Create(path, []byte("{}"), 0, open); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			t.Errorf("create %s: %v", path, err)
			return
		}
	}
	for n := 0; ctx.Err() == nil; n++ {
		order := fmt.Sprintf("/orders/open/order-%05d", n)
		_, _ = conn.Create(order, fmt.Appendf(nil, `{"order":%d}`, n), 0, open)
		for range 1 + n/20%5 {
			l.look(readers[n%len(readers)], order)
		}
		if n%4 == 0 {
			_, _ = conn.Set("/orders/config", fmt.Appendf(nil, `{"limit":%d}`, n), -1)
			_, _ = conn.Set("/orders/config", fmt.Appendf(nil, `{"limit":%d}`, n+1), -1)
		}
		if n%10 == 9 {
			_, _ = conn.SetACL("/orders/config", zk.WorldACL(zk.PermAll), -1)
			l.visit(t, n)
		}
		if n >= 5 {
			_, _ = conn.Multi(&zk.DeleteRequest{Path: fmt.Sprintf("/orders/open/order-%05d", n-5), Version: -1})
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// look reads, and leaves watches. A server that is down is not waited for.
func (l *lab) look(conn *zk.Conn, order string) {
	if conn.State() != zk.StateHasSession {
		return
	}
	_, _, _, _ = conn.GetW("/orders/config")
	_, _, _, _ = conn.ChildrenW("/orders/open")
	_, _, _, _ = conn.ExistsW(order)
}

// visit is a worker that registers and leaves.
func (l *lab) visit(t *testing.T, n int) {
	worker := connect(t, l.ensemble.Addrs())
	defer worker.Close()
	_, _ = worker.Create(fmt.Sprintf("/orders/workers/worker-%d", n), nil, zk.FlagEphemeral, zk.WorldACL(zk.PermAll))
}
