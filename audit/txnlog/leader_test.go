package txnlog

import (
	"context"
	"errors"
	"testing"
	"time"

	"zkwarden/internal/zktest"
)

// TestLeaderTakesBack has a leader log what no other server hears of. The next
// leader makes it cut that from its log.
func TestLeaderTakesBack(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 3})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	leader, err := ensemble.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	session := openRaw(t, leader.Addr(), 10*time.Second)
	session.must(TypeCreate, builder{}.str("/real").str("").world().i32(0))
	f := Follow(leader.TxnLogDir(), 0, nil)
	defer f.Close()
	awaitPath(ctx, t, f, "/real")
	for _, server := range ensemble.Servers() {
		if server != leader {
			server.Kill()
		}
	}
	session.send(builder{}.i32(99).i32(int32(TypeCreate)).str("/phantom").str("").world().i32(0))
	phantom := awaitPath(ctx, t, f, "/phantom")
	leader.Kill()
	// Without a transaction of its own epoch the next leader says TRUNC, and
	// sends a snapshot later.
	for _, server := range ensemble.Servers() {
		if server != leader {
			if err := server.Restart(ctx); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(ensemble.WaitServing(ctx), leader.Restart(ctx), ensemble.WaitServing(ctx)); err != nil {
		t.Fatal(err)
	}
	if f.Next() || !errors.Is(f.Err(), ErrTakenBack) {
		t.Fatalf("Err() = %v", f.Err())
	}
	// What is followed from a committed zxid on does not have it any more.
	session = openRaw(t, leader.Addr(), 10*time.Second)
	session.must(TypeCreate, builder{}.str("/after").str("").world().i32(0))
	again := Follow(leader.TxnLogDir(), phantom-1, nil)
	defer again.Close()
	awaitPath(ctx, t, again, "/after")
	for _, txn := range all(t, logsOf(t, leader)...) {
		if txn.Zxid == phantom {
			t.Errorf("the phantom is still there: %v %s", txn.Type, txn.Ops[0].Path)
		}
	}
}

// awaitPath follows until a transaction of the path comes, and returns its zxid.
func awaitPath(ctx context.Context, t testing.TB, f *Follower, path string) uint64 {
	t.Helper()
	for {
		for f.Next() {
			if string(f.Record().Ops[0].Path) == path {
				return f.Record().Zxid
			}
		}
		if f.Err() != nil {
			t.Fatalf("wait for %s: %v", path, f.Err())
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s is not in the log", path)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// TestCloseSessionWithoutPaths is what 3.6 and later can be told to log: a
// digest, and before it nothing.
func TestCloseSessionWithoutPaths(t *testing.T) {
	server := zktest.Start(t, zktest.Options{Config: map[string]string{"closeSessionTxn.enabled": "false"}}).Server(1)
	conn := connect(t, server)
	session := openRaw(t, server.Addr(), 10*time.Second)
	for _, path := range []string{"/e2", "/e1", "/gone"} {
		session.must(TypeCreate, builder{}.str(path).str("").world().i32(1))
	}
	session.must(TypeDelete, builder{}.str("/gone").i32(-1))
	session.must(TypeCloseSession, nil)
	zktest.AwaitGone(t, conn, "/e1")
	server.Kill()
	files := logsOf(t, server)
	var table Ephemerals
	digests, closes := NewDigests(), 0
	for txn, err := range Records(files) {
		if err != nil {
			t.Fatal(err)
		}
		if txn.Type == TypeCloseSession {
			if closes++; txn.Ops[0].HasPaths {
				t.Errorf("zxid %#x lists %q", txn.Zxid, txn.Ops[0].Paths)
			}
		}
		for _, op := range table.Changes(txn) {
			digests.Change(txn.Header, op)
		}
		if txn.HasDigest != (txn.Type != TypeError) || txn.HasDigest && txn.Digest.Sum != digests.Sum() {
			t.Errorf("zxid %#x (%v): digest %v %+v, computed %d", txn.Zxid, txn.Type, txn.HasDigest, txn.Digest, digests.Sum())
		}
	}
	if closes != 1 {
		t.Errorf("%d sessions were closed", closes)
	}
}
