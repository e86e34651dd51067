package app

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/logsource"
	"zkwarden/audit/txnlog"
	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

// An auditor beside a log records from it, and says so on every page.
func TestTransactionLogLeads(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{})
	server := ensemble.Server(1)
	admin := client(t, server.Addr())
	mustCreate(t, admin, "/a", "", 0)
	stdout := newRecords()
	o := auditOptions(t.TempDir(), stdout, []string{server.Addr()}, "/a")
	o.Audit.TxnlogDir, o.Audit.CheckpointInterval = server.TxnLogDir(), 100*time.Millisecond
	url := run(t, o)
	stdout.await(t, "mode", func(e audit.Event) bool { return e.Mode == audit.ModeTxnlog })
	mustCreate(t, admin, "/a/b", "content", 0)
	if _, err := admin.SetACL("/a/b", zk.WorldACL(zk.PermRead), -1); err != nil {
		t.Fatal(err)
	}
	events := stdout.await(t, "change of the ACL", func(e audit.Event) bool { return e.Op == audit.OpACLChanged })
	for _, e := range changesOf(events) {
		if e.Source != audit.OriginTxnlog || !*e.Exact || e.Actor == nil || e.Actor.Session != audit.SessionID(admin.SessionID()) {
			t.Errorf("recorded %+v", e)
		}
	}
	stdout.await(t, "verified checkpoint", func(e audit.Event) bool {
		return e.Kind == audit.KindCheckpoint && e.VerifiedThrough != 0 && e.VerifiedThrough == e.Zxid
	})
	awaitPage(t, url+"/-/ready", http.StatusOK, "ready")
	awaitPage(t, url+"/", http.StatusOK, "followed, verified through zxid 0x")
	scrape(t, url, 2*time.Second, "zkwarden_audit_txnlog_leading 1", "zkwarden_audit_txnlog_verifying 1",
		`zkwarden_audit_mode{mode="txnlog"} 1`, "zkwarden_audit_connected 1")
	// Where its server is gone nothing is confirmed.
	server.Kill()
	awaitPage(t, url+"/metrics", http.StatusOK, "zkwarden_audit_connected 0")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := errors.Join(server.Restart(ctx), ensemble.WaitServing(ctx)); err != nil {
		t.Fatal(err)
	}
	mustCreate(t, client(t, server.Addr()), "/a/c", "", 0)
	events = stdout.await(t, "what came after", isCreated("/a/c"))
	for _, e := range events {
		if e.Kind == audit.KindGap {
			t.Errorf("recorded %+v", e)
		}
	}
	if _, page := get(t, url); strings.Contains(page, "not followed") {
		t.Errorf("the page:\n%s", page)
	}
}

// Where the log is, the server itself says: by its conf, and if it is on this host.
func TestTransactionLogAuto(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	mustCreate(t, client(t, server.Addr()), "/a", "", 0)
	stdout := newRecords()
	o := auditOptions(t.TempDir(), stdout, []string{server.Addr()}, "/a")
	o.Audit.TxnlogDir = TxnlogAuto
	run(t, o)
	stdout.await(t, "mode", func(e audit.Event) bool { return e.Mode == audit.ModeTxnlog })

	silent := zktest.Start(t, zktest.Options{Config: map[string]string{"4lw.commands.whitelist": "srvr"}}).Server(1)
	for addr, want := range map[string]string{
		"192.0.2.1:2181": "not on this host", "no port": "find the server's host", silent.Addr(): "where it logs to",
	} {
		place := TxnlogPlace{Dir: TxnlogAuto, Server: addr, Client: &fourletter.Client{Dialer: &fourletter.Dialer{}}}
		if found, err := place.Inspect(t.Context()); !errors.Is(err, logsource.ErrNowhere) || !strings.Contains(err.Error(), want) {
			t.Errorf("beside %s: %+v, %v, want %s", addr, found, err, want)
		}
	}
	place := TxnlogPlace{Dir: t.TempDir(), Server: server.Addr(), Client: &fourletter.Client{Dialer: &fourletter.Dialer{}}}
	if _, err := place.Inspect(t.Context()); err == nil {
		t.Error("an empty directory is a log")
	}
}

// A random history without failures of the server is journalled exactly, across
// five kill -9 of the auditor: every operation, in order, with its zxid and its
// session, and verified to its end. It is of 100,000 transactions when all tests
// are asked for.
func TestTransactionLogExactly(t *testing.T) {
	_, seed := modelSettings(t)
	t.Logf("%s=%d repeats this run's choices", seedEnv, seed)
	want := 5_000
	if os.Getenv("ZKWARDEN_TEST") == "all" {
		want = 100_000
	}
	config := modelConfig()
	config["snapCount"] = "10000"
	ensemble := zktest.Start(t, zktest.Options{Config: config})
	const root = "/model"
	admin := client(t, ensemble.Addrs()...)
	mustCreate(t, admin, root, "", 0)
	f := &faults{t: t, rng: rand.New(rand.NewPCG(seed, 0)), ensemble: ensemble}
	f.auditor = &modelAuditor{t: t, spec: childSpec{
		Dir: t.TempDir(), Addrs: ensemble.Addrs(), Path: root, Txnlog: ensemble.Server(1).TxnLogDir(),
	}}
	f.auditor.start()
	t.Cleanup(func() { _ = f.auditor.cmd.Process.Kill(); _ = f.auditor.cmd.Wait() })
	leads := func(e audit.Event) bool { return e.Mode == audit.ModeTxnlog }
	f.auditor.stdout.await(t, "lead of the log", leads)
	kills := 0
	next := func() {
		if kills++; kills <= 5 {
			f.auditor.kill()
			f.auditor.start()
		}
	}
	for n := uint64(0); len(committed(t, ensemble)) < want || kills < 5; n++ {
		runModel(f, root, seed+n, 5*time.Second, next)
	}
	mustCreate(t, admin, root+"/final", "", 0)
	_, stat, err := admin.Exists(root + "/final")
	if err != nil {
		t.Fatal(err)
	}
	f.auditor.stdout.await(t, "verified checkpoint behind the last change", func(e audit.Event) bool {
		return e.Kind == audit.KindCheckpoint && e.VerifiedThrough >= audit.Zxid(stat.Czxid) && e.VerifiedThrough == e.Zxid
	})
	f.auditor.stop()
	judgeModel(t, f, root, 1)
	compareExactly(t, f, root)
}

// compareExactly holds the records of what the log has led through against the
// server's log, one by one.
func compareExactly(t *testing.T, f *faults, root string) {
	t.Helper()
	var got, want []string
	events := decodeAll(t, journalLines(t, f.auditor.spec.Dir))
	from := audit.Zxid(0)
	for _, e := range events {
		switch {
		case e.Mode == audit.ModeTxnlog && from == 0:
			from = e.Zxid
		case e.Kind == audit.KindGap, e.Kind == audit.KindChange && (!*e.Exact || e.Source != audit.OriginTxnlog):
			t.Fatalf("recorded %+v", e)
		case e.Kind == audit.KindChange:
			got = append(got, fmt.Sprint(e.Zxid, " ", e.Op, " ", e.Path, " ", sizeAfter(e), " ", sessionOf(e)))
		}
	}
	end := lastCheckpoint(t, events)
	for _, e := range slices.Backward(events) {
		if e.Kind == audit.KindCheckpoint {
			if e.VerifiedThrough != end || e.ACLZxid != end {
				t.Errorf("the last checkpoint is %+v", e)
			}
			break
		}
	}
	for _, txn := range committed(t, f.ensemble) {
		if zxid := audit.Zxid(txn.Zxid); zxid > from && zxid <= end {
			for _, op := range txn.Changes() {
				if audit.Within(string(op.Path), root) {
					want = append(want, fmt.Sprint(zxid, " ", opOf(op.Type), " ", string(op.Path), " ", len(op.Data), " ", audit.SessionID(txn.Session)))
				}
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-logged +recorded):\n%.4000s", diff)
	}
	t.Logf("%d changes, each recorded exactly", len(got))
}

// sizeAfter is the size of the content that a change left; guarantees look into
// it.
func sizeAfter(e audit.Event) int64 {
	if e.After == nil || e.After.Size == nil {
		return 0
	}
	return int64(*e.After.Size)
}

// sessionOf is who made a change; nobody deletes a container that is empty.
func sessionOf(e audit.Event) audit.SessionID {
	if e.Actor == nil {
		return 0
	}
	return e.Actor.Session
}

// opOf names the change that an operation of a log is.
func opOf(kind txnlog.Type) audit.Op {
	switch kind {
	case txnlog.TypeDelete, txnlog.TypeDeleteContainer:
		return audit.OpDeleted
	case txnlog.TypeSetData, txnlog.TypeReconfig:
		return audit.OpDataChanged
	case txnlog.TypeSetACL:
		return audit.OpACLChanged
	}
	return audit.OpCreated
}
