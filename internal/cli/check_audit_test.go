package cli

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/journal"
	"zkwarden/audit/txnlog"
	"zkwarden/audit/watch"
	"zkwarden/internal/zktest"
)

// auditing are the options of a check of an auditor beside the server.
func auditing(addr, dir string, paths ...string) CheckOptions {
	return CheckOptions{Addr: addr, Audit: CheckAudit{Ensemble: "test", Paths: paths, Dir: dir, Servers: []string{addr}}}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, entry := range entries {
		all = append(all, entry.Name())
	}
	return all
}

func TestLiveCheckAudit(t *testing.T) {
	addr := zktest.Start(t, zktest.Options{}).Server(1).Addr()
	conn := connect(t, addr)
	for path, acl := range map[string][]zk.ACL{"/a": zk.WorldACL(zk.PermAll), "/b": zk.DigestACL(zk.PermAll, "u", "p")} {
		create(t, conn, path, "", 0, acl)
	}
	outside := t.TempDir()
	file := filepath.Join(outside, "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}

	t.Run("all is well", func(t *testing.T) {
		dir := t.TempDir()
		// Paths that contain each other are one watch.
		report, failure := checked(t, auditing(addr, filepath.Join(dir, "not", "there"), "/a", "/a/b"))
		if failure != "" || strings.Contains(report, "WRONG") {
			t.Errorf("%s\n%s", failure, report)
		}
		expect(t, report, "Auditing /a, /a/b", "not/there can be written and is not in use", "a session can be made", "/a can be read",
			"note   /a/b doesn't exist: it is audited from when it is created", "the server takes persistent recursive watches")
		if left := names(t, dir); len(left) > 0 {
			t.Errorf("check leaves %q behind", left)
		}
	})
	t.Run("state file", func(t *testing.T) {
		o := CheckOptions{Addr: addr, StateFile: filepath.Join(t.TempDir(), "ensemble.json")}
		report, failure := checked(t, o)
		expect(t, report, "ok     "+o.StateFile+" is made when the server has listed the members")
		if failure != "" {
			t.Error(failure)
		}
		good := `{"schema":"zkwarden/ensemble/v1","self":1,"members":[{"id":1,"addr":"zk:2181","group":0,"weight":1}]}`
		for text, want := range map[string]string{
			good:   "ok     " + o.StateFile + " remembers 1 members",
			"text": "WRONG  read ensemble state file " + o.StateFile,
		} {
			if err := os.WriteFile(o.StateFile, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			report, _ := checked(t, o)
			expect(t, report, want)
			if got, err := os.ReadFile(o.StateFile); err != nil || string(got) != text {
				t.Errorf("check changes the file to %q: %v", got, err)
			}
		}
		o.StateFile = filepath.Join(file, "ensemble.json")
		report, failure = checked(t, o)
		expect(t, report, "WRONG  the members don't survive a restart: "+file+" is not a directory")
		expect(t, failure, "one thing would not work")
	})
	t.Run("directory in use", func(t *testing.T) {
		dir := t.TempDir()
		owner, err := journal.Open(journal.Options{Dir: dir, Logger: log.NewNopLogger()})
		if err != nil {
			t.Fatal(err)
		}
		report, failure := checked(t, auditing(addr, dir, "/a"))
		expect(t, report, "note   journal "+dir+" is in use by process")
		if err := owner.Close(context.Background()); err != nil || failure != "" {
			t.Errorf("%s, %v", failure, err)
		}
		report, _ = checked(t, auditing(addr, dir, "/a"))
		expect(t, report, "ok     audit directory "+dir+" can be written and is not in use")
		again, err := journal.Open(journal.Options{Dir: dir, Logger: log.NewNopLogger()})
		if err != nil {
			t.Fatalf("check keeps the directory: %v", err)
		}
		if err := again.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Run("another journal", func(t *testing.T) {
		o := auditing(addr, t.TempDir(), "/a")
		owner, err := journal.Open(journal.Options{Dir: o.Audit.Dir, Logger: log.NewNopLogger()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := owner.Append(t.Context(), audit.Event{Kind: audit.KindControl, Control: audit.ControlStart, Ensemble: "other"}); err != nil {
			t.Fatal(err)
		}
		if err := owner.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		report, failure := checked(t, o)
		expect(t, report, `WRONG  the journal would not be continued: it is of the ensemble "other", not of "`+o.Audit.Ensemble+`"`)
		expect(t, failure, "one thing would not work")
		segment := filepath.Join(o.Audit.Dir, "journal-00000000000000000001.jsonl")
		if err := os.Truncate(segment, 0); err != nil {
			t.Fatal(err)
		}
		report, _ = checked(t, o)
		expect(t, report, "WRONG  the journal would not be continued: open journal "+o.Audit.Dir, "the journal ends")
	})
	t.Run("webhook", func(t *testing.T) {
		o := CheckOptions{Addr: addr, Audit: CheckAudit{Webhook: func() error { return os.ErrInvalid }}}
		report, failure := checked(t, o)
		expect(t, report, "WRONG  invalid argument", "fix: correct --sink.webhook.url")
		expect(t, failure, "one thing would not work")
	})
	t.Run("credentials", func(t *testing.T) {
		o := auditing(addr, t.TempDir(), "/b")
		o.Audit.Auth = func() ([]watch.Credential, error) {
			return []watch.Credential{{Scheme: "digest", Auth: []byte("u:p")}}, nil
		}
		report, failure := checked(t, o)
		expect(t, report, "ok     /b can be read", "ok     the server takes persistent recursive watches")
		if failure != "" {
			t.Error(failure)
		}
		o.Audit.Auth = func() ([]watch.Credential, error) {
			return []watch.Credential{{Scheme: "unheard", Auth: []byte("of")}}, nil
		}
		report, _ = checked(t, o)
		expect(t, report, "WRONG  no session: present credentials of scheme unheard", "fix: correct --zookeeper.auth-file")
		o.Audit.Auth = func() ([]watch.Credential, error) { return nil, os.ErrPermission }
		report, _ = checked(t, o)
		expect(t, report, "WRONG  no session: present credentials: permission denied", "fix: correct --zookeeper.auth-file")
	})
	t.Run("much is wrong", func(t *testing.T) {
		o := auditing(addr, filepath.Join(file, "data"), "/b")
		o.Audit.Ensemble, o.Audit.DigestKeyFile = "", file
		report, failure := checked(t, o)
		expect(t, failure, "4 things would not work")
		expect(t, report, "WRONG  the ensemble has no name", "fix: --ensemble.name=NAME", "file/data/lock: not a directory", "digest key file "+file+" is not hexadecimal",
			"WRONG  /b can't be read", "add world:anyone:r to its ACL (zkCli.sh: getAcl /b", "the server takes persistent recursive watches")
	})
}

// TestLiveCheckTxnlog: check names the log that could be followed, and says why
// one that is to be can't.
func TestLiveCheckTxnlog(t *testing.T) {
	server := zktest.Start(t, zktest.Options{}).Server(1)
	create(t, connect(t, server.Addr()), "/a", "", 0, zk.WorldACL(zk.PermAll))
	at := "the transaction log at " + server.TxnLogDir() + "/version-2 can be read"
	for dir, want := range map[string][]string{
		"":                 {"note   " + at + ", and is not followed", "fix: --audit.txnlog-dir=" + server.TxnLogDir()},
		"auto":             {"ok     " + at},
		server.TxnLogDir(): {"ok     the transaction log at " + server.TxnLogDir() + " can be read"},
		"/nowhere":         {"WRONG  the transaction log can't be followed", "fix: mount the server's dataLogDir"},
	} {
		o := auditing(server.Addr(), t.TempDir(), "/a")
		o.Audit.TxnlogDir = dir
		report, failure := checked(t, o)
		if (failure == "") != (dir != "/nowhere") {
			t.Errorf("%q: %s\n%s", dir, failure, report)
		}
		expect(t, report, want...)
	}
	old := zktest.Start(t, zktest.Options{Version: "3.5.10"}).Server(1)
	create(t, connect(t, old.Addr()), "/a", "", 0, zk.WorldACL(zk.PermAll))
	alone := t.TempDir()
	if err := os.CopyFS(alone, os.DirFS(old.TxnLogDir())); err != nil {
		t.Fatal(err)
	}
	o := auditing("127.0.0.1:1", t.TempDir(), "/a")
	o.Audit.TxnlogDir = alone
	report, _ := checked(t, o)
	expect(t, report, "note   the log has no digests", "note   no snapshot can be read")
	files, err := txnlog.Logs(alone)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0].Path, []byte("no log of a server"), 0o600); err != nil {
		t.Fatal(err)
	}
	report, _ = checked(t, o)
	expect(t, report, "WRONG  the transaction log can't be followed: read transaction log: "+files[0].Path)
	closed := zktest.Start(t, zktest.Options{Config: map[string]string{"4lw.commands.whitelist": "srvr,mntr,cons"}}).Server(1)
	report, _ = checked(t, auditing(closed.Addr(), t.TempDir(), "/a"))
	expect(t, report, "note   no transaction log is followed, and none found")
}

func TestLiveCheckAuditRefused(t *testing.T) {
	t.Run("nobody serves", func(t *testing.T) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		dead := listener.Addr().String()
		listener.Close()
		report, failure := checked(t, auditing(dead, t.TempDir(), "/a"))
		expect(t, failure, "things would not work")
		expect(t, report, "start ZooKeeper", "WRONG  no session: ", "connection refused")
	})
	t.Run("SASL", func(t *testing.T) {
		addr := zktest.Start(t, zktest.Options{Config: map[string]string{
			"authProvider.1": "org.apache.zookeeper.server.auth.SASLAuthenticationProvider", "sessionRequireClientSASLAuth": "true",
		}}).Server(1).Addr()
		report, failure := checked(t, auditing(addr, t.TempDir(), "/a"))
		expect(t, failure, "one thing would not work")
		expect(t, report, "WRONG  the server demands that sessions log in, and SASL is not spoken here", "fix: name a credential in --zookeeper.auth-file", "sessionRequireClientSASLAuth")
	})
	for name, o := range map[string]zktest.Options{
		"3.5":                     {Version: "3.5.10"},
		"optimized watch manager": {JVM: []string{"-Dzookeeper.watchManagerName=org.apache.zookeeper.server.watch.WatchManagerOptimized"}},
	} {
		t.Run(name, func(t *testing.T) {
			addr := zktest.Start(t, o).Server(1).Addr()
			report, failure := checked(t, auditing(addr, t.TempDir(), "/a"))
			expect(t, report, "note   the server has no persistent recursive watches", "fix: upgrade to ZooKeeper 3.6")
			if failure != "" {
				t.Error(failure)
			}
		})
	}
}
