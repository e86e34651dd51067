package history

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/policy"
	"zkwarden/internal/zktest"
)

// everyType makes a server log every type of operation, and tells who did.
func everyType(t *testing.T, server *zktest.Server) (sessions map[int64]string) {
	t.Helper()
	mine, _ := connect(t, server)
	other, lose := connect(t, server)
	sessions = map[int64]string{mine.SessionID(): "mine", other.SessionID(): "other"}
	world := zk.WorldACL(zk.PermAll)
	create := func(conn *zk.Conn, path, data string, flags int32) {
		t.Helper()
		_, err := conn.Create(path, []byte(data), flags, world)
		do(t, "create "+path, err)
	}
	create(mine, "/a", "one", 0)
	_, err := other.Set("/a", []byte("two"), 0)
	do(t, "set", err)
	_, err = mine.Set("/a", []byte("never"), 7)
	if err == nil {
		t.Fatal("a set with the wrong version succeeds")
	}
	_, err = mine.SetACL("/a", append(zk.DigestACL(zk.PermAll, "user", "secret"), world...), -1)
	do(t, "setACL", err)
	create(mine, "/a/eph", "e", zk.FlagEphemeral)
	create(other, "/a/lost", "l", zk.FlagEphemeral)
	create(mine, "/a/seq-", "s", zk.FlagSequence)
	do(t, "delete", other.Delete("/a/seq-0000000002", 0))
	_, err = mine.Multi(
		&zk.CreateRequest{Path: "/m", Data: []byte("1"), Acl: world},
		&zk.CheckVersionRequest{Path: "/m", Version: 0},
		&zk.SetDataRequest{Path: "/m", Data: []byte("2"), Version: 0},
		&zk.CreateRequest{Path: "/m/twice", Acl: world},
		&zk.DeleteRequest{Path: "/m/twice", Version: -1},
		&zk.CreateRequest{Path: "/m/twice", Acl: world})
	do(t, "multi", err)
	if _, err = mine.Multi(&zk.CreateRequest{Path: "/never", Acl: world}, &zk.CreateRequest{Path: "/m", Acl: world}); err == nil {
		t.Fatal("a multi with a znode that exists succeeds")
	}
	do(t, "delete", mine.Delete("/m/twice", -1))
	_, err = mine.CreateContainer("/c", []byte("c"), zk.FlagContainer, world)
	do(t, "create a container", err)
	create(mine, "/c/child", "", 0)
	do(t, "delete", mine.Delete("/c/child", -1))
	zktest.AwaitGone(t, mine, "/c")
	_, err = mine.CreateTTL("/t", []byte("t"), zk.FlagTTL, world, 300*time.Millisecond)
	do(t, "create with a TTL", err)
	zktest.AwaitGone(t, mine, "/t")
	members, _, err := mine.Get("/zookeeper/config")
	do(t, "read the members", err)
	line, _, _ := strings.Cut(string(members), "\n")
	joining := strings.NewReplacer("server.1=", "server.9=", ":participant", ":observer").Replace(line)
	_, err = mine.IncrementalReconfig([]string{joining[:strings.LastIndex(joining, ":")] + ":1"}, nil, -1)
	do(t, "reconfig", err)
	lose()
	zktest.AwaitGone(t, mine, "/a/lost")
	mine.Close()
	last, _ := connect(t, server)
	zktest.AwaitGone(t, last, "/a/eph")
	return sessions
}

func allTypes(version string) zktest.Options {
	return zktest.Options{
		Version: version, Replicated: true, Dynamic: true,
		Config: map[string]string{"extendedTypesEnabled": "true", "reconfigEnabled": "true", "skipACL": "yes"},
		JVM:    []string{"-Dznode.container.checkIntervalMs=200"},
	}
}

// TestEveryType replays what real servers log: what was applied, in the order
// of the commits, with what was before, by whom, and why.
func TestEveryType(t *testing.T) {
	for _, version := range []string{zktest.Default, "3.5.10"} {
		t.Run(version, func(t *testing.T) {
			server := zktest.Start(t, allTypes(version)).Server(1)
			sessions := everyType(t, server)
			server.Kill()
			want := []string{
				`created /a v0 a0 - "one" by mine`,
				`data_changed /a v1 a0 "one" "two" by other`,
				`acl_changed /a v1 a1 acl:1 acl:2 by mine`,
				`created /a/eph v0 a0 - "e" of mine by mine`,
				`created /a/lost v0 a0 - "l" of other by other`,
				`created /a/seq-0000000002 v0 a0 - "s" by mine`,
				`deleted /a/seq-0000000002 v0 a0 "s" - explicit by other`,
				`created /m v0 a0 - "1" by mine`,
				`data_changed /m v1 a0 "1" "2" by mine`,
				`created /m/twice v0 a0 - null by mine`,
				`deleted /m/twice v0 a0 null - explicit by mine`,
				`created /m/twice v0 a0 - null by mine`,
				`deleted /m/twice v0 a0 null - explicit by mine`,
				`created /c v0 a0 - "c" by mine`,
				`created /c/child v0 a0 - "" by mine`,
				`deleted /c/child v0 a0 "" - explicit by mine`,
				`deleted /c v0 a0 "c" - expired`,
				`created /t v0 a0 - "t" by mine`,
				`deleted /t v0 a0 "t" - expired`,
				`deleted /a/lost v0 a0 "l" - session_expired of other by other`,
				`deleted /a/eph v0 a0 "e" - session_closed of mine by mine`,
			}
			h := open(t, server.DataDir(), server.TxnLogDir(), server.TxnLogDir())
			got, err := h.told(t.Context(), ChangesOptions{Contents: true}, sessions)
			if err != nil {
				t.Fatal(err)
			}
			reconfigs := 0
			got = slices.DeleteFunc(got, func(line string) bool {
				isReconfig := strings.HasPrefix(line, "data_changed /zookeeper/config v-1")
				if isReconfig && strings.Contains(line, ":observer;") && strings.HasSuffix(line, " by mine") {
					reconfigs++
				}
				return isReconfig
			})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
			if reconfigs != 1 {
				t.Errorf("%d reconfigs, want one", reconfigs)
			}
			if len(h.notes) != 1 || !strings.HasPrefix(h.notes[0], "a voter logs a transaction before it is committed") {
				t.Errorf("notes %q", h.notes)
			}
			occurrences(t, h)
		})
	}
}

// occurrences holds the ids of a znode that one multi created twice to those
// that [audit.Identity] has for it.
func occurrences(t *testing.T, h *opened) {
	t.Helper()
	var got, want []string
	p, rule := policy.Unlimited(policy.LevelMetadata, nil)
	for c, err := range h.Changes(t.Context(), ChangesOptions{Ensemble: "e", Generation: 3, Wants: func(path string) bool { return path == "/m/twice" }}) {
		if err != nil {
			t.Fatal(err)
		}
		c.Describe(p, rule)
		got = append(got, c.ID)
		occurrence := []int{0, 0, 1, 1}[len(want)]
		want = append(want, audit.Identity{
			Ensemble: "e", Generation: 3, Path: "/m/twice", Czxid: c.Czxid, Op: c.Op, Occurrence: occurrence,
		}.ID())
	}
	if diff := cmp.Diff(want, got); diff != "" || len(got) != 4 {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
}
