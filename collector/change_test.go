package collector

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

// Between two scrapes a leader becomes a follower. What only a leader knows is
// gone with it, and so is what was asked of the leader.
func TestRoleChangesBetweenScrapes(t *testing.T) {
	leader := recorded(t, filepath.Join("testdata", zktest.Default, "leader"))
	server := &slow{replies: leader}
	c := start(t, Options{Client: server, Words: []fourletter.Word{fourletter.Wchs}})
	page := get(t, c, "")
	only(t, page, Leader)
	if !strings.Contains(page, "\nzookeeper_learners ") || !strings.Contains(page, "\nzookeeper_learner_handler_queue_size_count{") {
		t.Fatal("the leader has no learners")
	}
	for word, reply := range recorded(t, filepath.Join("testdata", zktest.Default, "follower")) {
		server.set(word, reply)
	}
	server.set(fourletter.Wchs, wchsText)
	page = get(t, c, "")
	only(t, page, Follower)
	wants(t, page, "zookeeper_data_watches 4")
	lacks(t, page, "zookeeper_learners", "zookeeper_synced_followers", "zookeeper_learner_handler_queue_size_count")
}

// At 4294967295 the sequence is at its end, whatever the epoch.
func TestRollover(t *testing.T) {
	for zxid, want := range map[string][]string{
		"0x2fffffffe":        {"zookeeper_zxid_epoch 2", "zookeeper_zxid_sequence 4294967294", "zookeeper_zxid_rollover_remaining 1"},
		"0x7000000000000000": {"zookeeper_zxid_epoch 1879048192", "zookeeper_zxid_sequence 0", "zookeeper_zxid_rollover_remaining 4294967295"},
	} {
		wants(t, pageOf(t, script{fourletter.Srvr: "Zookeeper version: 3.9.5-x, built\nMode: leader\nZxid: " + zxid + "\n"}), want...)
	}
	keeper := pageOf(t, script{fourletter.Srvr: "ClickHouse Keeper version: v26.1.1.1-x\nMode: leader\nZxid: 0x2fffffffe\n"})
	wants(t, keeper, "zookeeper_zxid_sequence 12884901886")
	lacks(t, keeper, "zookeeper_zxid_epoch", "zookeeper_zxid_rollover_remaining")
}

// A real leader dies: its successor says so at its next scrapes, in a new epoch.
func TestLiveRoleChange(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 3})
	leader, err := ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	followers, err := ensemble.Followers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	views := map[*zktest.Server]*Collector{}
	for _, server := range followers {
		views[server] = live(t, server)
		page := get(t, views[server], "")
		only(t, page, Follower)
		lacks(t, page, "zookeeper_learners")
	}
	leader.Kill()
	if err := ensemble.WaitServing(t.Context()); err != nil {
		t.Fatal(err)
	}
	next, err := ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, []string{next.Addr()}).Close()
	page := await(t, views[next], Leader)
	only(t, page, Leader)
	wants(t, page, "zookeeper_learners 1", "zookeeper_synced_followers 1", "zookeeper_zxid_epoch 2")
}

// hold opens a connection that the server keeps. It hangs up on one while those
// that have just ended still count.
func hold(t *testing.T, addr string) net.Conn {
	t.Helper()
	for range 100 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if err := conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
			return conn
		}
	}
	t.Fatal("the server keeps no connection")
	return nil
}

// A server at its limit of connections hangs up on words too, which is neither a
// word that it doesn't know nor a server that is down for good.
func TestLiveConnectionLimit(t *testing.T) {
	server := zktest.Start(t, zktest.Options{Config: map[string]string{"maxClientCnxns": "2"}}).Server(1)
	held := []net.Conn{hold(t, server.Addr()), hold(t, server.Addr())}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := live(t, server)
	has := func(lines ...string) bool {
		page := get(t, c, "")
		return !slices.ContainsFunc(lines, func(line string) bool { return !strings.Contains(page, "\n"+line+"\n") })
	}
	for !has(`zookeeper_word_failure{reason="empty_reply",word="mntr"} 1`, `zookeeper_word_failure{reason="empty_reply",word="srvr"} 1`, "zookeeper_serving 0") {
		if ctx.Err() != nil {
			t.Fatal("no word was refused")
		}
	}
	if advice := c.LastRound().Words[0].Advice; !strings.Contains(advice, "maxClientCnxns") {
		t.Errorf("advice %q", advice)
	}
	for _, conn := range held {
		conn.Close()
	}
	for !has(`zookeeper_word_success{word="mntr"} 1`, "zookeeper_serving 1") {
		if ctx.Err() != nil {
			t.Fatal("words are refused for ever")
		}
	}
}

// Servers of every version still give the series of their recordings: a single
// one, and where all tests run whole an ensemble too.
func TestLiveVersions(t *testing.T) {
	for _, version := range zktest.Versions() {
		t.Run(version, func(t *testing.T) {
			alone := zktest.Start(t, zktest.Options{Version: version})
			asRecorded(t, alone, version)
			if long() {
				asRecorded(t, zktest.Start(t, zktest.Options{Version: version, Servers: 3}), version)
			}
		})
	}
}

func asRecorded(t *testing.T, ensemble *zktest.Ensemble, version string) {
	t.Helper()
	write(t, ensemble.Addrs()).Close()
	for _, server := range ensemble.Servers() {
		session := visit(t, server.Addr())
		defer session.Close()
		mode, err := server.Mode(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(filepath.Join("testdata", version, mode, "metrics.prom"))
		if err != nil {
			t.Fatal(err)
		}
		c := start(t, Options{Addr: server.Addr(), Cons: true})
		page := get(t, c, "")
		lint(t, c)
		// Java's version and the operating system are labels.
		where := func(line string) bool { return strings.HasPrefix(line, "zookeeper_environment_info{") }
		if diff := cmp.Diff(slices.DeleteFunc(namesOf(string(want)), where), slices.DeleteFunc(namesOf(page), where)); diff != "" {
			t.Errorf("series of a %s (-recorded +live):\n%s", mode, diff)
		}
	}
}
