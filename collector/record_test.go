package collector

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

// prometheusSuffix marks the recordings of servers with the Prometheus metrics
// provider, which came with 3.6.
const prometheusSuffix = "-prometheus"

func recordedWords() []fourletter.Word {
	return slices.Concat(everyRound(), DefaultWords(), []fourletter.Word{fourletter.Cons})
}

// record asks real servers of every version and keeps their replies.
func record(t *testing.T) {
	for _, version := range zktest.Versions() {
		recordVersion(t, version, false)
		if version >= "3.6" {
			recordVersion(t, version, true)
		}
	}
}

func recordVersion(t *testing.T, version string, prometheus bool) {
	name := version
	if prometheus {
		name += prometheusSuffix
	}
	t.Run("record "+name, func(t *testing.T) {
		ensemble := zktest.Start(t, zktest.Options{Version: version, Servers: 3, Prometheus: prometheus})
		write(t, ensemble.Addrs()).Close()
		for _, server := range ensemble.Servers() {
			mode, err := server.Mode(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			session := visit(t, server.Addr())
			defer session.Close()
			keep(t, filepath.Join("testdata", name, mode), server)
		}
		alone := zktest.Start(t, zktest.Options{Version: version, Prometheus: prometheus})
		write(t, alone.Addrs()).Close()
		session := visit(t, alone.Addrs()[0])
		defer session.Close()
		keep(t, filepath.Join("testdata", name, "standalone"), alone.Server(1))
	})
}

// write makes two namespaces, one with a name of its own kind, and a quota. It
// returns the session, which the caller closes.
func write(t *testing.T, addrs []string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect(addrs, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"/app", "/app/a", "/my-ns.a \"é\"",
		"/zookeeper/quota/app", "/zookeeper/quota/app/zookeeper_limits", "/zookeeper/quota/app/zookeeper_stats",
	} {
		data := []byte("count=10,bytes=-1")
		if _, err := conn.Create(path, data, 0, zk.WorldACL(zk.PermAll)); err != nil {
			t.Fatalf("create %s: %v", path, err)
		}
		if _, _, err := conn.Get(path); err != nil {
			t.Fatalf("get %s: %v", path, err)
		}
	}
	return conn
}

// visit opens a session with one server and reads what write made.
func visit(t *testing.T, addr string) *zk.Conn {
	t.Helper()
	conn, _, err := zk.Connect([]string{addr}, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Sync("/"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/app", "/my-ns.a \"é\"", "/zookeeper/quota/app"} {
		if _, _, _, err := conn.GetW(path); err != nil {
			t.Fatalf("get %s: %v", path, err)
		}
	}
	return conn
}

func keep(t *testing.T, dir string, server *zktest.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	client := &fourletter.Client{Dialer: &fourletter.Dialer{}}
	for _, word := range recordedWords() {
		reply, err := client.Ask(ctx, server.Addr(), word)
		if reason, _ := fourletter.ReasonOf(err); reason == fourletter.EmptyReply && word == fourletter.Dirs {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		text := scrub(word, string(reply), server)
		if err := os.WriteFile(filepath.Join(dir, word.String()+".txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// scrub takes out of a reply what tells where it was recorded.
func scrub(word fourletter.Word, reply string, server *zktest.Server) string {
	if word != fourletter.Envi {
		return strings.NewReplacer(server.DataDir(), "/data", server.TxnLogDir(), "/datalog").Replace(reply)
	}
	var out strings.Builder
	for line := range strings.Lines(reply) {
		key, _, property := strings.Cut(line, "=")
		switch key {
		case "os.version":
			out.WriteString("os.version=6.1.0\n")
		case "zookeeper.version", "java.version", "java.vendor", "os.name", "os.arch":
			out.WriteString(line)
		default:
			if !property {
				out.WriteString(line)
			}
		}
	}
	return out.String()
}
