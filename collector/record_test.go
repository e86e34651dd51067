package collector

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

// record asks real servers of every version and keeps their replies.
func record(t *testing.T) {
	for _, version := range zktest.Versions() {
		t.Run("record "+version, func(t *testing.T) {
			ensemble := zktest.Start(t, zktest.Options{Version: version, Servers: 3})
			write(t, ensemble.Addrs())
			for _, server := range ensemble.Servers() {
				mode, err := server.Mode(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				keep(t, filepath.Join("testdata", version, string(mode)), server.Addr())
			}
			alone := zktest.Start(t, zktest.Options{Version: version})
			write(t, alone.Addrs())
			keep(t, filepath.Join("testdata", version, "standalone"), alone.Addrs()[0])
		})
	}
}

// write makes two namespaces, one with a name of its own kind, and a quota.
func write(t *testing.T, addrs []string) {
	t.Helper()
	conn, _, err := zk.Connect(addrs, 10*time.Second, zk.WithLogInfo(false))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
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
}

func keep(t *testing.T, dir, addr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	client := &fourletter.Client{Dialer: &fourletter.Dialer{}}
	for _, word := range []fourletter.Word{fourletter.Mntr, fourletter.Srvr} {
		reply, err := client.Ask(ctx, addr, word)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, word.String()+".txt"), reply, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
