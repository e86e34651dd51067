package txnlog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/internal/zktest"
)

// silent is a logger for the client library.
type silent struct{}

func (silent) Printf(string, ...any) {}

func connect(t testing.TB, server *zktest.Server) *zk.Conn {
	t.Helper()
	conn, events, err := zk.Connect([]string{server.Addr()}, 10*time.Second, zk.WithLogger(silent{}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		for range events {
			// Until its last goroutine has ended.
		}
	})
	return conn
}

// modern tells whether a version has container and TTL znodes.
func modern(version string) bool { return !strings.HasPrefix(version, "3.4.") }

// allOptions start a server that is able to log every type.
func allOptions(version string) zktest.Options {
	opts := zktest.Options{Version: version}
	if modern(version) {
		opts.Replicated, opts.Dynamic = true, true
		opts.Config = map[string]string{"extendedTypesEnabled": "true", "reconfigEnabled": "true", "skipACL": "yes"}
		opts.JVM = []string{"-Dznode.container.checkIntervalMs=200"}
	}
	return opts
}

// makeHistory has a server log every type of transaction that its version
// knows.
func makeHistory(t testing.TB, server *zktest.Server, version string) {
	t.Helper()
	conn := connect(t, server)
	acl := zk.WorldACL(zk.PermAll)
	do := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	fails := func(what string, err error) {
		t.Helper()
		if err == nil {
			t.Fatalf("%s succeeds", what)
		}
	}
	create := func(path string, data []byte, flags int32) {
		t.Helper()
		_, err := conn.Create(path, data, flags, acl)
		do("create "+path, err)
	}
	// The toolkit of 3.5 fails at null data outside a multi.
	null := []byte(nil)
	if strings.HasPrefix(version, "3.5.") {
		null = []byte{}
	}
	create("/a", []byte("one"), 0)
	create("/a/null", null, 0)
	create("/a/empty", []byte{}, 0)
	create("/a/binary", []byte{0, 1, 0xfe, 0xff}, 0)
	create("/a/"+strings.Repeat("ü ", 40), []byte(strings.Repeat("long ", 20_000)), 0)
	create("/a/x,y}%", []byte("a\nb"), 0)
	_, err := conn.SetACL("/a/x,y}%", acl, -1)
	do("setACL", err)
	create("/a/eph", []byte("mine"), zk.FlagEphemeral)
	create("/a/seq-", null, zk.FlagSequence)
	create("/a/seq-eph-", null, zk.FlagSequence|zk.FlagEphemeral)
	_, err = conn.Set("/a", []byte("two"), -1)
	do("set", err)
	_, err = conn.Set("/a", null, 1)
	do("set null", err)
	_, err = conn.SetACL("/a/null", append(zk.DigestACL(zk.PermAll, "user", "secret"), zk.ACL{Perms: zk.PermRead, Scheme: "ip", ID: "127.0.0.1"}), -1)
	do("setACL", err)
	do("delete", conn.Delete("/a/binary", 0))
	fails("delete without a znode", conn.Delete("/none", -1))
	_, err = conn.Set("/a", nil, 77)
	fails("set with another version", err)
	_, err = conn.Multi(
		&zk.CreateRequest{Path: "/m", Data: []byte("1"), Acl: acl},
		&zk.CheckVersionRequest{Path: "/m", Version: 0},
		&zk.SetDataRequest{Path: "/m", Data: []byte("2"), Version: 0},
		&zk.CreateRequest{Path: "/m/e", Acl: acl, Flags: zk.FlagEphemeral},
		&zk.CreateRequest{Path: "/m/gone", Acl: acl},
		&zk.DeleteRequest{Path: "/m/gone", Version: -1})
	do("multi", err)
	_, err = conn.Multi(&zk.CreateRequest{Path: "/never", Acl: acl},
		&zk.CreateRequest{Path: "/m", Acl: acl}, &zk.DeleteRequest{Path: "/a", Version: -1})
	fails("multi with a znode that exists", err)
	if modern(version) {
		modernHistory(t, server, conn)
	}
	// One session goes without a word, and takes its ephemeral znodes.
	lost := openRaw(t, server.Addr(), 2*time.Second)
	lost.must(TypeCreate, builder{}.str("/a/lost").str("").world().i32(zk.FlagEphemeral))
	lost.must(TypeCreate, builder{}.str("/a/lost2").str("").world().i32(zk.FlagEphemeral))
	lost.conn.Close()
	zktest.AwaitGone(t, conn, "/a/lost2")
	create("/last", []byte("the end"), 0)
	conn.Close()
	other := connect(t, server)
	zktest.AwaitGone(t, other, "/m/e")
	other.Close()
}

// modernHistory is what 3.5 brought.
func modernHistory(t testing.TB, server *zktest.Server, conn *zk.Conn) {
	t.Helper()
	raw := openRaw(t, server.Addr(), 10*time.Second)
	raw.must(TypeCreate2, builder{}.str("/create2").str("data").world().i32(0))
	raw.must(TypeCreate2, builder{}.str("/create2/e").str("").world().i32(zk.FlagEphemeral))
	raw.must(TypeCreateContainer, builder{}.str("/container").str("c").world().i32(zk.FlagContainer))
	raw.must(TypeCreate, builder{}.str("/container/child").str("").world().i32(0))
	raw.must(TypeDelete, builder{}.str("/container/child").i32(-1))
	raw.must(TypeCreateTTL, builder{}.str("/ttl").str("t").world().i32(zk.FlagTTL).i64(300))
	raw.must(TypeCreateTTL, builder{}.str("/long").str("t").world().i32(zk.FlagTTL).i64(86_400_000))
	multi := builder{}
	for _, sub := range []struct {
		kind Type
		body builder
	}{
		{TypeCreateContainer, builder{}.str("/mc").str("").world().i32(zk.FlagContainer)},
		{TypeCreateTTL, builder{}.str("/mt").str("").world().i32(zk.FlagTTL).i64(1_000_000)},
		{TypeCreate2, builder{}.str("/m2").str("2").world().i32(0)},
	} {
		multi = append(multi.i32(int32(sub.kind)).bool(false).i32(-1), sub.body...)
	}
	raw.must(TypeMulti, multi.i32(-1).bool(true).i32(-1))
	zktest.AwaitGone(t, conn, "/container")
	zktest.AwaitGone(t, conn, "/ttl")
	members, _, err := conn.Get("/zookeeper/config")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(members), "\n")
	joining := strings.NewReplacer("server.1=", "server.9=", ":participant", ":observer").Replace(line)
	if i := strings.LastIndex(joining, ":"); i > 0 {
		joining = joining[:i] + ":1"
	}
	if _, err := conn.IncrementalReconfig([]string{joining}, nil, -1); err != nil {
		t.Fatalf("reconfig with %s: %v", joining, err)
	}
}

// versions are those that tests run with: all, or the newest.
func versions() []string {
	if long() {
		return zktest.Versions()
	}
	return []string{zktest.Default}
}

// logsOf lists the logs of a server.
func logsOf(t testing.TB, server *zktest.Server) []File {
	t.Helper()
	files, err := Logs(server.TxnLogDir())
	if err != nil || len(files) == 0 {
		t.Fatalf("Logs() = %v, %v", files, err)
	}
	return slices.Clone(files)
}
