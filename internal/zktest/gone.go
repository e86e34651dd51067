package zktest

import (
	"context"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
)

// AwaitGone waits until a znode does not exist.
func AwaitGone(tb testing.TB, conn *zk.Conn, path string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	for {
		there, _, gone, err := conn.ExistsW(path)
		if err != nil {
			tb.Fatalf("wait for the end of %s: %v", path, err)
		}
		if !there {
			return
		}
		select {
		case <-gone:
		case <-ctx.Done():
			tb.Fatalf("%s is still there", path)
		}
	}
}
