package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// stats is what the recorder would know.
type stats map[string]audit.Stat

func (stats) Settle(context.Context) error { return nil }

func (k stats) Walk(path string, depth int) iter.Seq2[string, audit.Stat] {
	return func(yield func(string, audit.Stat) bool) {
		if s, known := k[path]; known && !yield(path, s) || depth == 0 {
			return
		}
	}
}

// TestSignsOfARewrittenHistory: only what no history can show is one.
func TestSignsOfARewrittenHistory(t *testing.T) {
	known := audit.Stat{Czxid: 10, Version: 5, Aversion: 2, Cversion: 7}
	for name, test := range map[string]struct {
		path string
		is   audit.Stat
		sign bool
	}{
		"nothing happened":                        {"/r/a", audit.Stat{Czxid: 10, Version: 5, Aversion: 2}, false},
		"changed since":                           {"/r/a", audit.Stat{Czxid: 10, Version: 6, Aversion: 3}, false},
		"deleted and created since":               {"/r/a", audit.Stat{Czxid: 21}, false},
		"deleted and created, and nobody told":    {"/r/a", audit.Stat{Czxid: 15}, false},
		"the version wrapped around":              {"/r/wrapped", audit.Stat{Czxid: 10, Version: -1 << 31}, false},
		"unknown incarnation":                     {"/r/unknown", audit.Stat{Czxid: 3}, false},
		"not known":                               {"/r/new", audit.Stat{Czxid: 3}, false},
		"an older incarnation":                    {"/r/a", audit.Stat{Czxid: 9, Version: 9, Aversion: 9}, true},
		"an older version":                        {"/r/a", audit.Stat{Czxid: 10, Version: 4, Aversion: 2}, true},
		"an older ACL":                            {"/r/a", audit.Stat{Czxid: 10, Version: 5, Aversion: 1}, true},
		"a root deleted and created since":        {"/r", audit.Stat{Czxid: 21}, false},
		"a root that was another one all along":   {"/r", audit.Stat{Czxid: 15}, true},
		"a root of the same zxid at another time": {"/r", audit.Stat{Czxid: 10, Version: 5, Aversion: 2, Ctime: 1}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, 20, "/r")
			s.link(20)
			wrapped := known
			wrapped.Version = 1<<31 - 1
			wrapped.Aversion = 0
			s.f.known = stats{"/r": known, "/r/a": known, "/r/wrapped": wrapped, "/r/unknown": {}}
			s.f.origins["/r"] = origin{czxid: 10}
			err := s.f.consistent(test.path, test.is)
			if errors.Is(err, errRewritten) != test.sign || s.f.rewritten != test.sign {
				t.Errorf("consistent() = %v, rewritten %v", err, s.f.rewritten)
			}
		})
	}
}

// TestZxidFalls: what a connection tells of the server only grows.
func TestZxidFalls(t *testing.T) {
	s := synced(t)
	s.server(ping(12), ping(12))
	s.handed()
	var said bytes.Buffer
	s.tr.source.Logger = log.NewLogfmtLogger(&said)
	fell := ping(11)
	if err := s.f.handle(&fell); !errors.Is(err, errRewritten) {
		t.Fatalf("handle() = %v", err)
	}
	if !strings.Contains(said.String(), "was=0xc is=0xb") || strings.Contains(said.String(), "path=") {
		t.Errorf("said: %s", &said)
	}
	s.lose()
	s.link(30) // It has grown past the old zxid meanwhile.
	s.expect("told by the next link", s.handed(), "gap (12,30] history_rewritten")
	s.expect("and all is read", s.asked(), "get /r")
}

// history runs an auditor over a server of its own and expects it to find out
// that history was rewritten, and to follow the new one.
func history(t *testing.T, options zktest.Options, rewrite func(*past, *zk.Conn)) {
	t.Helper()
	ensemble := zktest.Start(t, options)
	server := ensemble.Server(1)
	conn := client(t, server.Addr())
	create(t, conn, "/quiet", "")
	create(t, conn, "/r", "")
	proxy, err := zktest.NewProxy(server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer proxy.Close()
	r := record(t, Options{Servers: []string{proxy.Addr()}, Dial: new(net.Dialer).DialContext}, "/r")
	r.walked(1)
	rewrite(&past{t, ensemble, server, proxy, r}, conn)
	r.await("news of a rewritten history", func() bool {
		gaps := of[audit.Gap](r)
		return len(gaps) > 0 && gaps[len(gaps)-1].Reason == audit.GapHistoryRewritten
	})
	conn = client(t, server.Addr())
	r.balances(conn, "/r")
	create(t, conn, "/r/after", "")
	r.balances(conn, "/r")
	rewritten := 0
	for _, gap := range of[audit.Gap](r) {
		if gap.Reason == audit.GapHistoryRewritten {
			rewritten++
		}
	}
	if rewritten != 1 {
		t.Errorf("gaps %+v", of[audit.Gap](r))
	}
}

// past is a server whose history can be rewritten.
type past struct {
	t        *testing.T
	ensemble *zktest.Ensemble
	*zktest.Server
	proxy   *zktest.Proxy
	auditor *recording
}

// begin starts the server again, with what history it has now.
func (p *past) begin() *zk.Conn {
	p.t.Helper()
	if err := p.Restart(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	if err := p.ensemble.WaitServing(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
	return client(p.t, p.Addr())
}

// wipe replaces all of the history, and grows the new one.
func (p *past) wipe(growth int) {
	p.t.Helper()
	if err := p.Wipe(); err != nil {
		p.t.Fatal(err)
	}
	conn := p.begin()
	create(p.t, conn, "/quiet", "")
	create(p.t, conn, "/r", "")
	grow(p.t, conn, "/quiet", growth)
}

func grow(t *testing.T, conn *zk.Conn, path string, count int) {
	t.Helper()
	for range count {
		if _, err := conn.Set(path, []byte("x"), -1); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWiped: the ensemble begins anew, behind what was seen: it is not locked
// out for long.
func TestWiped(t *testing.T) {
	t.Parallel()
	history(t, zktest.Options{}, func(p *past, conn *zk.Conn) {
		grow(t, conn, "/r", 200)
		p.auditor.balances(conn, "/r") // What nobody saw, nobody misses.
		p.wipe(0)
	})
}

// TestWipedAndGrown: the ensemble begins anew and has grown past what was seen
// when the auditor comes back. Its steps were the same.
func TestWipedAndGrown(t *testing.T) {
	t.Parallel()
	history(t, zktest.Options{}, func(p *past, conn *zk.Conn) {
		p.proxy.Refuse(true)
		p.proxy.Cut()
		p.wipe(500)
		p.proxy.Refuse(false)
	})
}

// TestOldSnapshot: the files of an earlier day are copied back.
func TestOldSnapshot(t *testing.T) {
	t.Parallel()
	history(t, zktest.Options{}, func(p *past, conn *zk.Conn) {
		grow(t, conn, "/r", 10)
		p.Kill()
		kept := t.TempDir()
		copyTree(t, p.DataDir(), kept+"/data")
		copyTree(t, p.TxnLogDir(), kept+"/log")
		later := p.begin()
		create(t, later, "/r/lost", "")
		grow(t, later, "/r", 100)
		p.auditor.balances(later, "/r")
		if err := p.Wipe(); err != nil {
			t.Fatal(err)
		}
		copyTree(t, kept+"/data", p.DataDir())
		copyTree(t, kept+"/log", p.TxnLogDir())
		p.begin()
	})
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.MkdirAll(to, 0o755); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rest, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rest)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return err
		}
		return os.WriteFile(target, text, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// admin asks the AdminServer.
func admin(t *testing.T, server *zktest.Server, method, command string, body []byte) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, fmt.Sprintf("http://%s/commands/%s", server.AdminAddr(), command), bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "digest root:root")
	req.Header.Set("Content-Type", "application/octet-stream")
	reply, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	answer, err := io.ReadAll(reply.Body)
	if err != nil || reply.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %.500s, %v", command, reply.Status, answer, err)
	}
	return answer
}

// TestAdminRestore: the AdminServer restores a snapshot under a session that
// does not notice, and drops the watches.
func TestAdminRestore(t *testing.T) {
	t.Parallel()
	for name, jvm := range map[string][]string{"recursive": nil, "one-shot": optimized} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			history(t, zktest.Options{Admin: true, JVM: jvm}, func(p *past, conn *zk.Conn) {
				defer http.DefaultClient.CloseIdleConnections()
				grow(t, conn, "/r", 10)
				snapshot := admin(t, p.Server, http.MethodGet, "snapshot?streaming=true", nil)
				create(t, conn, "/r/lost", "")
				grow(t, conn, "/r", 10)
				admin(t, p.Server, http.MethodPost, "restore", snapshot)
			})
		})
	}
}
