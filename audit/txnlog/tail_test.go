package txnlog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/zktest"
)

// tail follows a directory until done is closed and nothing is left, and looks
// at it at an interval.
func tail(dir string, interval time.Duration, done <-chan struct{}, seen func(*Txn)) error {
	f := Follow(dir, 0, nil)
	defer f.Close()
	for last := false; ; {
		for f.Next() {
			seen(f.Record())
		}
		if last || f.Err() != nil {
			return f.Err()
		}
		select {
		case <-done:
			last = true
		case <-time.After(interval):
		}
	}
}

// TestTailWhileWritten writes records in pieces of any size, behind and into
// padding, in files that end anywhere, while they are read.
func TestTailWhileWritten(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir, done := t.TempDir(), make(chan struct{})
	const files, perFile = 300, 30
	go func() {
		defer close(done)
		for i := range files {
			var txns []builder
			for j := range perFile {
				zxid := int64(i*perFile + j + 1)
				txns = append(txns, createTxn(zxid, "/"+strconv.FormatInt(zxid, 10), string(make([]byte, random.IntN(300)))))
			}
			file, err := os.Create(fmt.Sprintf("%s/log.%x", dir, i*perFile+1))
			if err != nil {
				t.Error(err)
				return
			}
			content, at, size := logFile(txns...), 0, 0
			for at < len(content) {
				piece := min(1+random.IntN(5000), len(content)-at)
				if at+piece+4096 > size {
					size += 64 << 10
					err = file.Truncate(int64(size))
				}
				if _, werr := file.WriteAt(content[at:at+piece], int64(at)); werr != nil || err != nil {
					t.Error(werr, err)
				}
				at += piece
			}
			file.Close()
		}
	}()
	next := uint64(1)
	err := tail(dir, 0, done, func(txn *Txn) {
		if txn.Zxid != next || string(txn.Ops[0].Path) != "/"+strconv.FormatUint(next, 10) {
			t.Errorf("zxid %d (%s) in place of %d", txn.Zxid, txn.Ops[0].Path, next)
		}
		next = txn.Zxid + 1
	})
	if err != nil || next != files*perFile+1 {
		t.Errorf("the last zxid is %d: %v", next-1, err)
	}
}

// TestTailRunningServer follows a server at its full speed, across files that
// it ends every few hundred transactions, and across kills. What was followed
// is what the files hold in the end.
func TestTailRunningServer(t *testing.T) {
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			ensemble := zktest.Start(t, zktest.Options{
				Version: version, Config: map[string]string{"snapCount": "300", "preAllocSize": "64"},
			})
			server := ensemble.Server(1)
			var got []string
			done, ended := make(chan struct{}), make(chan error, 1)
			go func() {
				ended <- tail(server.TxnLogDir(), time.Millisecond, done, func(txn *Txn) { got = append(got, summary(txn)) })
			}()
			stop := sync.OnceFunc(func() {
				close(done)
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
			defer stop()
			for round := range 3 {
				pound(t, server, round, 2000)
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				err := errors.Join(server.Restart(ctx), ensemble.WaitServing(ctx))
				if cancel(); err != nil {
					t.Fatal(err)
				}
			}
			server.Kill()
			stop()
			files := logsOf(t, server)
			var want []string
			for txn, err := range Records(files) {
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, summary(txn))
			}
			if len(files) < 10 || len(want) < 6000 {
				t.Errorf("only %d files with %d transactions", len(files), len(want))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-written +followed):\n%s", diff)
			}
		})
	}
}

func summary(txn *Txn) string {
	return fmt.Sprintf("%#x %v %x %d %.20s", txn.Zxid, txn.Type, txn.Session, txn.Cxid, txn.Ops[0].Path)
}

// pound creates n znodes from several pipelines.
func pound(t testing.TB, server *zktest.Server, round, n int) {
	t.Helper()
	conn := connect(t, server)
	defer conn.Close()
	var writers sync.WaitGroup
	for w := range 20 {
		writers.Go(func() {
			for i := range n / 20 {
				path := fmt.Sprintf("/%d-%d-%d", round, w, i)
				if _, err := conn.Create(path, []byte(path), 0, zk.WorldACL(zk.PermAll)); err != nil {
					t.Errorf("create %s: %v", path, err)
					return
				}
			}
		})
	}
	writers.Wait()
}
