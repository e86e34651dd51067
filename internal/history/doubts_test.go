package history

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
	"zkwarden/internal/zktest"
)

// entry is a transaction to be written: it makes /ZXID, and a closeSession
// without paths if it is an end.
type entry struct {
	zxid uint64
	at   int64 // Seconds since 1970.
	end  bool
}

// writeLog writes a log as servers before 3.6 do.
func writeLog(t *testing.T, dir string, entries ...entry) {
	t.Helper()
	file := append([]byte("ZKLG"), 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0)
	str := func(b []byte, s string) []byte {
		return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	for _, e := range entries {
		kind := txnlog.TypeCreate
		if e.end {
			kind = txnlog.TypeCloseSession
		}
		p := binary.BigEndian.AppendUint64(nil, 7)
		p = binary.BigEndian.AppendUint32(p, 1)
		p = binary.BigEndian.AppendUint64(p, e.zxid)
		p = binary.BigEndian.AppendUint64(p, uint64(e.at*1000))
		p = binary.BigEndian.AppendUint32(p, uint32(kind))
		if !e.end {
			p = str(str(p, fmt.Sprintf("/%x", e.zxid)), "data")
			p = str(str(append(p, 0, 0, 0, 1, 0, 0, 0, 31), "world"), "anyone")
			p = append(p, 0, 0, 0, 0, 1) // Not ephemeral; the parent's cversion.
		}
		file = binary.BigEndian.AppendUint64(file, uint64(adler32.Checksum(p)))
		file = append(append(binary.BigEndian.AppendUint32(file, uint32(len(p))), p...), 'B')
	}
	if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("log.%x", entries[0].zxid)), file, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDoubts says what the zxids alone tell.
func TestDoubts(t *testing.T) {
	const hole, phantom = "the logs have nothing between", "may never have been committed"
	for name, c := range map[string]struct {
		zxids          []uint64
		noted, unnoted string
	}{
		"a quorum":             {[]uint64{0x100000001, 0x100000002, 0x200000001, 0x200000002}, "before it is committed", "logs have"},
		"a hole":               {[]uint64{0x100000001, 0x100000003}, hole + " 0x100000001 and 0x100000003", phantom},
		"the end of an epoch":  {[]uint64{0x100000001, 0x100000002, 0x200000002}, "up to 0x100000002, " + phantom, "no transaction of the epochs"},
		"an epoch for nothing": {[]uint64{0x100000001, 0x300000001}, "no transaction of the epochs between 0x100000001 and 0x300000001: either there was none, or they are missing, and then the last transactions before, up to 0x100000001, " + phantom, hole},
		"in the middle":        {[]uint64{0x100000005, 0x100000006}, "the logs begin with 0x100000005", hole},
		"a later epoch":        {[]uint64{0x500000001, 0x500000002}, "the logs begin with 0x500000001", hole},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			var entries []entry
			for _, zxid := range c.zxids {
				entries = append(entries, entry{zxid: zxid})
			}
			writeLog(t, dir, entries...)
			h := open(t, dir)
			changes, err := h.told(t.Context(), ChangesOptions{}, nil)
			if err != nil || len(changes) != len(c.zxids) || !h.noted(c.noted) || h.noted(c.unnoted) {
				t.Errorf("%d changes, %v, notes %q; want %q and not %q", len(changes), err, h.notes, c.noted, c.unnoted)
			}
			if !h.noted("up to " + audit.Zxid(c.zxids[len(c.zxids)-1]).String()) {
				t.Errorf("notes %q do not say where the logs end", h.notes)
			}
		})
	}
	t.Run("the end of an old session", func(t *testing.T) {
		for first, want := range map[uint64]bool{1: false, 5: true} {
			dir := t.TempDir()
			writeLog(t, dir, entry{zxid: first}, entry{zxid: first + 1, end: true}, entry{zxid: first + 2, end: true})
			h := open(t, dir)
			if _, err := h.told(t.Context(), ChangesOptions{}, nil); err != nil || h.noted("took with them") != want {
				t.Errorf("from %#x: %v, notes %q", first, err, h.notes)
			}
		}
	})
}

// TestSkipped finds what was never logged where the zxids alone don't tell: a
// snapshot is behind a transaction that is not in the logs.
func TestSkipped(t *testing.T) {
	for snapshot, want := range map[string]bool{
		"200000007": true, "100000003": true, // Of an epoch that was left out, or its end.
		"200000000": true, "300000000": true, // Before the first transaction of one.
		"100000002": false, "300000001": false,
	} {
		t.Run(snapshot, func(t *testing.T) {
			dir := t.TempDir()
			writeLog(t, dir, entry{zxid: 0x100000001}, entry{zxid: 0x100000002}, entry{zxid: 0x300000001})
			do(t, "write a snapshot", os.WriteFile(filepath.Join(dir, "snapshot."+snapshot), nil, 0o600))
			h := open(t, dir)
			h.SkipDamaged = true
			_, err := h.told(t.Context(), ChangesOptions{}, nil)
			do(t, "read the logs", err)
			if !h.noted("up to 0x100000002, may never have been committed") || h.noted("nothing between 0x100000002 and 0x300000001") != want {
				t.Errorf("notes %q", h.notes)
			}
			for _, at := range []uint64{0x200000003, 0x300000001} {
				h := open(t, dir)
				h.SkipDamaged = true
				_, err := h.Tree(t.Context(), Moment{Zxid: at}, nil)
				if got := err != nil && strings.Contains(err.Error(), "nothing between 0x100000002 and 0x300000001"); got != want {
					t.Errorf("tree at %#x: %v", at, err)
				}
				if err == nil && !h.noted("no transaction of the epochs between") {
					t.Errorf("tree at %#x: notes %q", at, h.notes)
				}
			}
		})
	}
}

// TestTimes finds the transaction that a time means.
func TestTimes(t *testing.T) {
	dir := t.TempDir()
	writeLog(t, dir, entry{0x100000001, 100, false}, entry{0x100000002, 200, false}, entry{0x100000003, 400, false},
		entry{0x200000001, 300, false}, entry{0x200000002, 500, false})
	for at, want := range map[int64]struct {
		zxid uint64
		note string
	}{
		100: {0x100000001, ""},
		199: {0x100000001, ""},
		200: {0x100000002, ""},
		299: {0x100000002, ""},
		300: {0x200000001, "clocks of leaders disagree: 0x100000003 was made at 1970-01-01T00:06:40.000Z, before 0x200000001"},
		450: {0x200000001, ""},
		500: {0x200000002, "the logs end with 0x200000002"},
		900: {0x200000002, "the logs end with 0x200000002"},
	} {
		h := open(t, dir)
		got, err := h.find(t.Context(), Moment{Time: time.Unix(at, 0)})
		if err != nil || got != want.zxid || (want.note == "") != (len(h.notes) == 0) || !h.noted(want.note) {
			t.Errorf("%d: %#x, %v, notes %q; want %#x, %q", at, got, err, h.notes, want.zxid, want.note)
		}
	}
	h := open(t, dir)
	if got, err := h.find(t.Context(), Moment{Time: time.Unix(99, 0)}); err == nil || !strings.Contains(err.Error(), "the logs begin with 0x100000001") {
		t.Errorf("before the beginning: %#x, %v", got, err)
	}
}

// TestLongRuns can be ended, and tell how far they are.
func TestLongRuns(t *testing.T) {
	dir := t.TempDir()
	for file := range uint64(2) {
		var entries []entry
		for i := range uint64(glance) {
			entries = append(entries, entry{zxid: file*glance + i + 1})
		}
		writeLog(t, dir, entries...)
	}
	h := open(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	var last Progress
	h.Progress = func(p Progress) {
		if last = p; p.Transactions == glance {
			cancel()
		}
	}
	seen := 0
	for _, err := range h.Changes(ctx, ChangesOptions{}) {
		if err == nil {
			seen++
		} else if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if want := (Progress{File: 2, Files: 2, Transactions: glance, Zxid: glance + 1}); last != want || seen != glance {
		t.Errorf("%d changes, progress %+v", seen, last)
	}
	if _, err := h.Tree(ctx, Moment{Zxid: 1}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Tree returned %v", err)
	}
}

// TestFuzzySnapshot reads one that shows transactions behind its own. A
// snapshot looks so when its name says that it was begun earlier.
func TestFuzzySnapshot(t *testing.T) {
	server := counted(t)
	snapshots, err := txnlog.Snapshots(server.DataDir())
	if err != nil || len(snapshots) < 3 {
		t.Fatalf("snapshots %v, %v", snapshots, err)
	}
	newest := snapshots[len(snapshots)-1]
	begun := newest.Zxid - 9
	renamed := filepath.Join(filepath.Dir(newest.Path), fmt.Sprintf("snapshot.%x", begun))
	do(t, "rename a snapshot", os.Rename(newest.Path, renamed))
	logs, err := txnlog.Logs(server.TxnLogDir())
	do(t, "list the logs", err)

	both := []string{server.DataDir(), server.TxnLogDir()}
	within := Moment{Zxid: newest.Zxid - 4}
	older, err := open(t, both...).Tree(t.Context(), within, nil)
	do(t, "make the tree from an older snapshot", err)
	fromLogs, err := open(t, server.TxnLogDir()).Tree(t.Context(), within, nil)
	do(t, "make the tree from logs alone", err)
	if older.Digest() != fromLogs.Digest() {
		t.Error("the tree of a moment within a fuzzy snapshot is another")
	}
	_, err = open(t, renamed, server.TxnLogDir()+"/version-2/"+filepath.Base(logs[len(logs)-1].Path)).Tree(t.Context(), within, nil)
	if err == nil || !strings.Contains(err.Error(), "was begun before it and finished with") {
		t.Errorf("Tree returned %v", err)
	}
	notBefore(t, server, renamed)
}

// notBefore gives a snapshot the name of one that was begun with the log in
// which a znode is deleted and created anew. What it shows from behind its
// beginning is nothing that was before.
func notBefore(t *testing.T, server *zktest.Server, snapshot string) {
	t.Helper()
	var deleted uint64
	for c, err := range open(t, server.TxnLogDir()).Changes(t.Context(), ChangesOptions{}) {
		do(t, "read the logs", err)
		if c.Op == audit.OpDeleted {
			deleted = uint64(c.Zxid)
		}
	}
	h := open(t, server.TxnLogDir())
	h.Logs = h.since(deleted - 1)
	early := filepath.Join(t.TempDir(), fmt.Sprintf("snapshot.%x", h.Logs[0].Zxid-1))
	do(t, "rename a snapshot", os.Rename(snapshot, early))
	h.Snapshots = []txnlog.File{{Path: early, Zxid: h.Logs[0].Zxid - 1}}
	if known, all, err := recount(t, h); err != nil || known != all-4 {
		t.Errorf("%d of %d changes, %v, notes %q", known, all, err, h.notes)
	}
}

// TestJoin knows from a snapshot what was before the logs.
func TestJoin(t *testing.T) {
	ensemble := count(t)
	server := ensemble.Server(1)
	do(t, "restart the server", server.Restart(t.Context()))
	do(t, "wait for the server", ensemble.WaitServing(t.Context()))
	conn, _ := connect(t, server)
	sessions := map[int64]string{conn.SessionID(): "mine"}
	_, err := conn.Set("/k1", []byte("50"), -1)
	do(t, "set", err)
	_, err = conn.SetACL("/k1", zk.AuthACL(zk.PermAll), -1)
	if err == nil {
		t.Fatal("a session without credentials sets its own ACL")
	}
	_, err = conn.SetACL("/k2", append(zk.WorldACL(zk.PermRead), zk.WorldACL(zk.PermAdmin)...), -1)
	do(t, "setACL", err)
	do(t, "delete", conn.Delete("/k3", -1))
	conn.Close()
	server.Kill()
	logs, err := txnlog.Logs(server.TxnLogDir())
	do(t, "list the logs", err)
	h := open(t, logs[len(logs)-1].Path, server.DataDir())
	got, err := h.told(t.Context(), ChangesOptions{Contents: true}, sessions)
	want := []string{
		`data_changed /k1 v50 a0 "49" "50" by mine`,
		`acl_changed /k2 v49 a1 acl:1 acl:2 by mine`,
		`deleted /k3 v49 a0 "49" - explicit by mine`,
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v, notes %q (-want +got):\n%s", err, h.notes, diff)
	}
}

// TestComparePaths orders siblings by their bytes, and families together.
func TestComparePaths(t *testing.T) {
	want := []string{"/", "/a", "/a/b", "/a/b/c", "/a/ü", "/a b", "/a-b", "/a-b/c", "/aa", "/ü"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, ComparePaths)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestOpenRefusesDevices: what has no end would be read for ever.
func TestOpenRefusesDevices(t *testing.T) {
	if _, err := Open([]string{os.DevNull}); err == nil || !strings.Contains(err.Error(), os.DevNull+" is neither a file nor a directory") {
		t.Errorf("Open() = %v", err)
	}
}
