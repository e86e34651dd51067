package txnlog

import (
	"encoding/base64"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/zktest"
)

// formatter lists snapshots as a version's own SnapshotFormatter does.
type formatter struct{ version string }

// data tells whether the tool can show data: since 3.5.6.
func (f formatter) data() bool { return f.version >= "3.5.6" || strings.HasPrefix(f.version, "3.5.10") }

// list runs the tool, and returns its lines for each znode and session.
func (f formatter) list(t testing.TB, file string) map[string]string {
	t.Helper()
	args := []string{file}
	if f.data() {
		args = []string{"-d", file}
	}
	tool, err := zktest.Tool(t.Context(), f.version, "org.apache.zookeeper.server.SnapshotFormatter", args...)
	if err != nil {
		t.Fatal(err)
	}
	out, err := tool.Output()
	if err != nil {
		t.Fatalf("list %s with SnapshotFormatter: %v", file, err)
	}
	listed := map[string]string{}
	for block := range strings.SplitSeq(string(out), "\n----\n") {
		if sessions, ok := strings.CutPrefix(block, "Session Details (sid, timeout, ephemeralCount):\n"); ok {
			for line := range strings.Lines(sessions) {
				listed[strings.TrimSpace(line)] = "session"
			}
		} else if path, lines, ok := strings.Cut(block, "\n"); ok && strings.HasPrefix(path, "/") {
			listed[path] = strings.TrimSuffix(lines, "\n")
		}
	}
	return listed
}

func (f formatter) format(loaded *Tree, sessions []Session) map[string]string {
	listed := map[string]string{}
	date := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("Mon Jan 02 15:04:05 MST 2006") }
	owned := map[uint64]int{}
	for path, node := range loaded.nodes {
		s := node.Stat
		if session, ok := s.Session(); ok {
			owned[session]++
		}
		data := fmt.Sprintf("dataLength = %d", len(node.Data))
		switch {
		case !f.data() && node.Data == nil:
			data = "no data"
		case f.data():
			data = "data = " + base64.StdEncoding.EncodeToString(node.Data)
		}
		listed[path] = fmt.Sprintf(`  cZxid = 0x%014x
  ctime = %s
  mZxid = 0x%014x
  mtime = %s
  pZxid = 0x%014x
  cversion = %d
  dataVersion = %d
  aclVersion = %d
  ephemeralOwner = 0x%014x
  %s`, s.Czxid, date(s.Ctime), s.Mzxid, date(s.Mtime), s.Pzxid, s.Cversion, s.Version, s.Aversion, s.EphemeralOwner, data)
	}
	for _, session := range sessions {
		listed[fmt.Sprintf("0x%x, %d, %d", session.ID, session.Timeout, owned[session.ID])] = "session"
	}
	return listed
}

// methods are the ways to compress that a version knows.
func methods(version string) []string {
	if version < "3.6" {
		return []string{""}
	}
	return []string{"", suffixGzip, suffixSnappy}
}

// TestSnapshots compares what a server's snapshots hold with what its own tool
// lists, and with what its log makes of an empty tree.
func TestSnapshots(t *testing.T) {
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			opts := allOptions(version)
			if !modern(version) {
				opts.Config = map[string]string{"snapCount": "4"} // 3.4 writes no snapshot when it starts.
			}
			ensemble := zktest.Start(t, opts)
			server := ensemble.Server(1)
			held := openRaw(t, server.Addr(), 10*time.Second)
			held.must(TypeCreate, builder{}.str("/held").str("x").world().i32(zk.FlagEphemeral))
			makeHistory(t, server, version)
			for _, method := range methods(version) {
				err := server.Reconfigure(t.Context(), func(o *zktest.Options) {
					o.Config["snapshot.compression.method"] = method
				})
				if err != nil {
					t.Fatal(err)
				}
				if err := server.Restart(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := ensemble.WaitServing(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			server.Kill()
			files, err := Snapshots(server.DataDir())
			if err != nil {
				t.Fatal(err)
			}
			txns := all(t, logsOf(t, server)...)
			if want := len(methods(version)); len(files) < want {
				t.Errorf("%d snapshots, want %d at least", len(files), want)
			}
			suffixes := map[string]bool{}
			for _, file := range files {
				suffixes[filepath.Ext(file.Path)] = true
				loaded, s := load(t, file.Path)
				kit := formatter{version}
				if diff := cmp.Diff(kit.list(t, file.Path), kit.format(loaded, s.Sessions())); diff != "" {
					t.Errorf("%s (-tool +Snapshot):\n%s", file.Path, diff)
				}
				agree(t, version, txns, file)
			}
			if newest := files[len(files)-1]; newest.Zxid == 0 {
				t.Errorf("the newest of %v is from before the first transaction", files)
			}
			for _, method := range methods(version)[1:] {
				if !suffixes["."+method] {
					t.Errorf("no snapshot is compressed by %s: %v", method, slices.Collect(maps.Keys(suffixes)))
				}
			}
		})
	}
}

// agree applies to a snapshot what the log has behind it, and compares the
// outcome with what the whole log makes of an empty tree. On the way it
// compares digests, from the zxid on at which the snapshot has its own.
func agree(t *testing.T, version string, txns []*Txn, file File) {
	t.Helper()
	loaded, s := load(t, file.Path)
	made := NewTree(everything)
	from, digest, ok := s.Digest()
	if ok != digested(version) {
		t.Errorf("%s: it has a digest: %v", file.Path, ok)
	}
	if last, ok := s.LastZxid(); ok != (version >= "3.9") || ok && last < file.Zxid {
		t.Errorf("%s: last zxid %#x, %v", file.Path, last, ok)
	}
	for _, txn := range txns {
		made.Apply(txn)
		if txn.Zxid > file.Zxid {
			loaded.Apply(txn)
		}
		// A server applies a transaction before it notes its digest, so that a
		// snapshot may show the one behind: the next digest tells.
		if txn.Zxid == from && digest.Sum != loaded.Digest().Sum && txn.Zxid == txns[len(txns)-1].Zxid {
			t.Errorf("%s: digest %+v at %#x, computed %d", file.Path, digest, from, loaded.Digest().Sum)
		}
		if txn.Zxid > max(from, file.Zxid) && txn.HasDigest && txn.Digest.Sum != loaded.Digest().Sum {
			t.Fatalf("%s and log: digest %+v of %#x, computed %d", file.Path, txn.Digest, txn.Zxid, loaded.Digest().Sum)
		}
	}
	if diff := cmp.Diff(trimmed(made), trimmed(loaded)); diff != "" {
		t.Errorf("%s (-log +snapshot and log):\n%s", file.Path, diff)
	}
}

// TestFuzzySnapshots are written while a server changes all the time what they
// hold.
func TestFuzzySnapshots(t *testing.T) {
	for _, version := range versions() {
		t.Run(version, func(t *testing.T) {
			server := zktest.Start(t, zktest.Options{Version: version, Config: map[string]string{"snapCount": "150"}}).Server(1)
			churn(t, server, 3000)
			server.Kill()
			files, err := Snapshots(server.DataDir())
			if err != nil || len(files) < 5 {
				t.Fatalf("Snapshots() = %v, %v", files, err)
			}
			txns := all(t, logsOf(t, server)...)
			for i, file := range files {
				if s, err := OpenSnapshot(file.Path); i == len(files)-1 && (err != nil || !whole(s)) {
					continue // The server was killed while it wrote it.
				} else if err == nil {
					s.Close()
				}
				agree(t, version, txns, file)
			}
		})
	}
}

func whole(s *SnapshotFile) bool {
	for s.Next() {
	}
	return s.Err() == nil
}

// churn makes n changes from several pipelines: creates, sets and deletes of
// the same few znodes.
func churn(t testing.TB, server *zktest.Server, n int) {
	t.Helper()
	conn := connect(t, server)
	defer conn.Close()
	acl := zk.WorldACL(zk.PermAll)
	var writers sync.WaitGroup
	for w := range 20 {
		writers.Go(func() {
			for i := range n / 20 {
				path := fmt.Sprintf("/%d", (7*w+i)%30)
				// What fails is logged, too.
				switch i % 4 {
				case 0, 1:
					_, _ = conn.Create(path, []byte(path), 0, acl)
				case 2:
					_, _ = conn.Set(path, fmt.Append(nil, w, i), -1)
				case 3:
					_ = conn.Delete(path, -1)
				}
			}
		})
	}
	writers.Wait()
}
