package logsource

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// summary writes an operation in a line.
func summary(o audit.Txn) string {
	text := fmt.Sprintf("%s %s", o.Op, o.Path)
	switch o.Op {
	case audit.OpCreated:
		text += fmt.Sprintf(" %q", o.Data)
		if o.Owner != 0 {
			text += " ephemeral"
		}
	case audit.OpDataChanged:
		text += fmt.Sprintf(" %q v%d", o.Data, o.Version)
	case audit.OpACLChanged:
		text += fmt.Sprintf(" %s v%d", o.ACL[0].Perms, o.Version)
	case audit.OpDeleted:
		text += " " + string(o.Cause)
	}
	return text
}

// vanishing opens a session that can go away without a word.
func vanishing(t *testing.T, server string) (conn *zk.Conn, vanish func()) {
	t.Helper()
	link := make(chan net.Conn, 1)
	dial := func(network, address string, timeout time.Duration) (net.Conn, error) {
		conn, err := net.DialTimeout(network, address, timeout)
		select {
		case link <- conn:
			return conn, err
		default:
			return nil, errors.New("it has vanished")
		}
	}
	conn, events, err := zk.Connect([]string{server}, 2*time.Second, zk.WithLogger(silent{}), zk.WithDialer(dial))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for range events {
			// Until its last goroutine has ended.
		}
	})
	return conn, func() { (<-link).Close(); link <- nil }
}

// TestEveryOperation has a server log whatever changes a znode, and what
// changes none.
func TestEveryOperation(t *testing.T) {
	for _, version := range []string{zktest.Default, "3.5.10"} {
		t.Run(version, func(t *testing.T) { everyOperation(t, version) })
	}
}

func everyOperation(t *testing.T, version string) {
	server := zktest.Start(t, zktest.Options{
		Version: version, Config: map[string]string{"extendedTypesEnabled": "true"},
		JVM: []string{"-Dznode.container.checkIntervalMs=200"},
	}).Server(1)
	conn := connect(t, server.Addr())
	acl := zk.WorldACL(zk.PermAll)
	create := func(conn *zk.Conn, path, data string, flags int32) {
		t.Helper()
		must[string](t)(conn.Create(path, []byte(data), flags, acl))
	}
	create(conn, "/r", "root", 0)
	create(conn, "/r/before", "", 0)
	old := connect(t, server.Addr())
	create(old, "/r/old", "", zk.FlagEphemeral)
	s := newStory(t, under("/r"))
	start(s, 0, server)
	_, led := s.await("handing over", 0, isMode(audit.ModeTxnlog))

	create(conn, "/r/a", "one", 0)
	must[*zk.Stat](t)(conn.Set("/r/a", []byte("two"), -1))
	must[*zk.Stat](t)(conn.SetACL("/r/a", zk.WorldACL(zk.PermRead|zk.PermWrite|zk.PermDelete|zk.PermCreate), -1))
	create(conn, "/elsewhere", "", 0)
	create(conn, "/r/seq-", "", zk.FlagSequence)
	if _, err := conn.Create("/r/a", nil, 0, acl); err == nil {
		t.Fatal("a znode is created twice")
	}
	must[[]zk.MultiResponse](t)(conn.Multi(
		&zk.CreateRequest{Path: "/r/m", Data: []byte("1"), Acl: acl}, &zk.CheckVersionRequest{Path: "/r/m", Version: 0},
		&zk.SetDataRequest{Path: "/r/m", Data: []byte("2"), Version: 0}, &zk.DeleteRequest{Path: "/r/m", Version: -1}))
	if _, err := conn.Multi(&zk.CreateRequest{Path: "/r/never", Acl: acl}, &zk.CreateRequest{Path: "/r/a", Acl: acl}); err == nil {
		t.Fatal("a multi succeeds that creates a znode twice")
	}
	must[string](t)(conn.CreateContainer("/r/c", nil, zk.FlagContainer, acl))
	create(conn, "/r/c/x", "", 0)
	if err := conn.Delete("/r/c/x", -1); err != nil {
		t.Fatal(err)
	}
	_, led2 := s.await("end of the container", led, isTxn("/r/c", audit.OpDeleted))
	must[string](t)(conn.CreateTTL("/r/ttl", []byte("t"), zk.FlagTTL, acl, 100*time.Millisecond))
	s.await("end of the TTL", led2, isTxn("/r/ttl", audit.OpDeleted))
	old.Close()
	s.await("end of the session", led, isTxn("/r/old", audit.OpDeleted))
	other := connect(t, server.Addr())
	create(other, "/r/e", "mine", zk.FlagEphemeral)
	other.Close()
	s.await("end of the session", led, isTxn("/r/e", audit.OpDeleted))
	lost, vanish := vanishing(t, server.Addr())
	create(lost, "/r/lost", "", zk.FlagEphemeral)
	vanish()
	told, _ := s.await("end of the session", led, isTxn("/r/lost", audit.OpDeleted))

	var got []string
	for _, o := range told {
		switch o := o.(type) {
		case audit.Txn:
			if o.Session == 0 != (o.Cause == audit.CauseExpired) || o.Zxid == 0 || o.Time.IsZero() {
				t.Errorf("%+v", o)
			}
			got = append(got, summary(o))
		case audit.Mark:
			if o.ACL != o.Zxid || (o.Verified != 0) != (version == zktest.Default) {
				t.Errorf("%+v", o)
			}
		default:
			t.Errorf("told %+v", o)
		}
	}
	want := strings.Split(strings.TrimSpace(`
created /r/a "one"
data_changed /r/a "two" v1
acl_changed /r/a cdrw v1
created /r/seq-0000000003 ""
created /r/m "1"
data_changed /r/m "2" v1
deleted /r/m explicit
created /r/c ""
created /r/c/x ""
deleted /r/c/x explicit
deleted /r/c expired
created /r/ttl "t"
deleted /r/ttl expired
deleted /r/old session_closed
created /r/e "mine" ephemeral
deleted /r/e session_closed
created /r/lost "" ephemeral
deleted /r/lost session_expired
`), "\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-done +told):\n%s", diff)
	}
}
