package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/adler32"
	"os"
	"strings"
	"testing"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/policy"
	"zkwarden/audit/txnlog"
	"zkwarden/internal/zktest"
)

// counted is a server's history in several logs with snapshots between them:
// each of some znodes counts upwards, and another one lives twice.
func counted(t *testing.T) *zktest.Server {
	t.Helper()
	return count(t).Server(1)
}

func count(t *testing.T) *zktest.Ensemble {
	t.Helper()
	ensemble := zktest.Start(t, zktest.Options{Config: map[string]string{"snapCount": "40"}})
	server := ensemble.Server(1)
	conn, _ := connect(t, server)
	const znodes = 4
	for i := range 200 {
		path, data := fmt.Sprintf("/k%d", i%znodes), fmt.Appendf(nil, "%d", i/znodes)
		var err error
		if i < znodes {
			_, err = conn.Create(path, data, 0, zk.WorldACL(zk.PermAll))
		} else {
			_, err = conn.Set(path, data, -1)
		}
		do(t, "write "+path, err)
		if i == 150 {
			do(t, "delete /again", conn.Delete("/again", -1))
		}
		if i == 10 || i == 150 {
			_, err = conn.Create("/again", nil, 0, zk.WorldACL(zk.PermAll))
			do(t, "create /again", err)
		}
	}
	conn.Close()
	server.Kill()
	return ensemble
}

// recount replays such a history, and returns for how many changes it was known
// what was before. What is known must be right.
func recount(t *testing.T, h *opened) (known, all int, err error) {
	t.Helper()
	p, rule := policy.Unlimited(policy.LevelData, nil)
	for c, err := range h.Changes(t.Context(), ChangesOptions{Contents: true}) {
		if err != nil {
			return known, all, err
		}
		c.Describe(p, rule)
		if c.Op == audit.OpDeleted && c.Czxid >= c.Zxid {
			t.Errorf("%s is deleted by %s and was created by %s", c.Path, c.Zxid, c.Czxid)
		}
		if c.Op != audit.OpDataChanged {
			continue
		}
		all++
		if c.After.Data != fmt.Sprint(*c.Version) {
			t.Errorf("%s has %q after version %d", c.Path, c.After.Data, *c.Version)
		}
		if c.Before != nil {
			known++
			if c.Before.Data != fmt.Sprint(*c.Version-1) {
				t.Errorf("%s had %q before version %d", c.Path, c.Before.Data, *c.Version)
			}
		}
	}
	return known, all, nil
}

func (o *opened) noted(part string) bool { return strings.Contains(strings.Join(o.notes, "\n"), part) }

func TestDamage(t *testing.T) {
	server := counted(t)
	logs, err := txnlog.Logs(server.TxnLogDir())
	if err != nil || len(logs) < 4 {
		t.Fatalf("the server has the logs %v, %v; want several", logs, err)
	}
	dirs := []string{server.DataDir(), server.TxnLogDir()}
	if known, all, err := recount(t, open(t, dirs...)); err != nil || known != 196 || all != 196 {
		t.Fatalf("%d of %d changes with what was before, %v", known, all, err)
	}
	intact, err := os.ReadFile(logs[1].Path)
	do(t, "read a log", err)
	restore := func(t *testing.T) { do(t, "restore a log", os.WriteFile(logs[1].Path, intact, 0o600)) }

	t.Run("a flipped bit", func(t *testing.T) {
		defer restore(t)
		damage(t, logs[1].Path, func(content []byte) []byte { content[500] ^= 4; return content })
		_, _, err := recount(t, open(t, dirs...))
		found, ok := errors.AsType[*txnlog.FileError](err)
		if !ok || !errors.Is(err, txnlog.ErrCorrupt) || found.File != logs[1].Path || found.Offset == 0 || found.Offset > 500 {
			t.Errorf("Changes returned %v, want the place of the damage", err)
		}
		h := open(t, dirs...)
		h.SkipDamaged = true
		known, all, err := recount(t, h)
		if err != nil || all == 196 || known == 0 || !h.noted("passed over: "+logs[1].Path+" at offset ") || !h.noted("the logs have nothing between 0x") {
			t.Errorf("%d of %d changes, %v, notes %q", known, all, err, h.notes)
		}
	})
	t.Run("a torn end", func(t *testing.T) {
		defer restore(t)
		damage(t, logs[1].Path, func(content []byte) []byte { return content[:500] })
		h := open(t, dirs...)
		if known, all, err := recount(t, h); err != nil || known == 0 || all == 196 || !h.noted("torn") || !h.noted("the logs have nothing between 0x") {
			t.Errorf("%d of %d changes, %v, notes %q", known, all, err, h.notes)
		}
	})
	t.Run("a missing log", func(t *testing.T) {
		do(t, "remove a log", os.Remove(logs[1].Path))
		defer restore(t)
		h := open(t, dirs...)
		known, all, err := recount(t, h)
		if err != nil || all == 196 || known < all-8 || !h.noted("the logs have nothing between 0x") {
			t.Errorf("%d of %d changes, %v, notes %q", known, all, err, h.notes)
		}
		h = open(t, server.TxnLogDir()) // Without snapshots, what was before the hole is not known behind it.
		if known, all, err = recount(t, h); err != nil || known != all-4 {
			t.Errorf("%d of %d changes, %v", known, all, err)
		}
	})
	t.Run("a beginning in the middle", func(t *testing.T) {
		h := open(t, logs[2].Path)
		known, all, err := recount(t, h)
		if err != nil || known != all-4 || !h.noted("the logs begin with 0x") {
			t.Errorf("%d of %d changes, %v, notes %q", known, all, err, h.notes)
		}
	})
	t.Run("two servers", func(t *testing.T) {
		if _, _, err := recount(t, open(t, server.TxnLogDir(), counted(t).TxnLogDir())); !errors.Is(err, txnlog.ErrOrder) {
			t.Errorf("Changes returned %v, want %v", err, txnlog.ErrOrder)
		}
	})
}

// TestReach refuses the trees of moments that the files do not reach.
func TestReach(t *testing.T) {
	server := counted(t)
	logs, err := txnlog.Logs(server.TxnLogDir())
	do(t, "list the logs", err)
	at := logs[3].Zxid + 2
	tree := func(h *opened) error {
		_, err := h.Tree(t.Context(), Moment{Zxid: at}, nil)
		return err
	}
	for name, c := range map[string]struct {
		h    *opened
		want string
	}{
		"no snapshot":  {open(t, logs[1].Path, logs[2].Path, logs[3].Path), "the logs do not begin with the ensemble's first transaction"},
		"no logs":      {open(t, server.DataDir()), "the files end with"},
		"missing log":  {open(t, logs[0].Path, logs[3].Path), "the logs have nothing between"},
		"earlier logs": {open(t, logs[0].Path, logs[1].Path), "the files end with"},
	} {
		if err := tree(c.h); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: Tree returned %v, want %q", name, err, c.want)
		}
	}
	if err := tree(open(t, server.TxnLogDir())); err != nil { // From the very beginning.
		t.Error(err)
	}
	snapshots, err := txnlog.Snapshots(server.DataDir())
	do(t, "list the snapshots", err)
	for _, snapshot := range snapshots {
		damage(t, snapshot.Path, func(content []byte) []byte { content[len(content)/2] ^= 1; return content })
	}
	h := open(t, server.DataDir(), server.TxnLogDir())
	if err := tree(h); !errors.Is(err, txnlog.ErrCorrupt) {
		t.Errorf("Tree returned %v, want %v", err, txnlog.ErrCorrupt)
	}
	h.SkipDamaged = true
	if err := tree(h); err != nil || !h.noted("passed over: "+snapshots[0].Path) {
		t.Errorf("Tree returned %v, notes %q", err, h.notes)
	}
}

// TestDigest finds a tree that is not the server's: the transactions of a log
// say something else than the server applied.
func TestDigest(t *testing.T) {
	server := counted(t)
	logs, err := txnlog.Logs(server.TxnLogDir())
	do(t, "list the logs", err)
	newest, last := logs[len(logs)-1], logs[len(logs)-2]
	for txn, err := range txnlog.Records([]txnlog.File{newest}) {
		if err == nil && txn.Zxid >= newest.Zxid+4 {
			last = newest // It has not just begun.
		}
	}
	moment := Moment{Zxid: last.Zxid + 4} // Each znode has changed since.
	const doubt = "the tree is not the server's: with 0x"
	h := open(t, server.DataDir(), server.TxnLogDir())
	if _, err := h.Tree(t.Context(), moment, nil); err != nil || h.noted(doubt) {
		t.Fatalf("Tree returned %v, notes %q", err, h.notes)
	}
	damage(t, last.Path, func(content []byte) []byte {
		const head, front = 16, 12
		for at := head; ; {
			size := int(binary.BigEndian.Uint32(content[at+8:]))
			if size == 0 {
				return content
			}
			payload := content[at+front:][:size]
			if path := bytes.Index(payload, []byte("/k")); path > 0 {
				payload[path+len("/k0")+4]++ // The first digit of the data.
				binary.BigEndian.PutUint64(content[at:], uint64(adler32.Checksum(payload)))
			}
			at += front + size + 1
		}
	})
	if _, err := h.Tree(t.Context(), moment, nil); err != nil || !h.noted(doubt) {
		t.Errorf("Tree returned %v, notes %q", err, h.notes)
	}
}
