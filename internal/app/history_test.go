package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

// The main promise, on every release with recursive watches that differs in
// what its notifications tell.
func TestHistory(t *testing.T) {
	for _, version := range []string{"3.6.4", "3.8.6", zktest.Default} {
		t.Run(version, func(t *testing.T) {
			ensemble := zktest.Start(t, zktest.Options{Version: version, Servers: 3})
			writer, listener := apart(t, ensemble)
			admin := client(t, writer.Addr())
			mustCreate(t, admin, "/other", "not watched", 0)

			p := startAuditor(t, t.TempDir(), addrsFrom(listener, ensemble), "/watched")
			p.stdout.await(t, "first sync", isControl(audit.ControlBaseline))

			w := newWorkload(t, writer.Addr(), uint64(time.Now().UnixNano()))
			w.create("/watched", "root")
			w.create("/watched/sub", "")
			w.create("/watched/hot", "")
			w.mixed("/watched", 1000)
			w.create("/watched/last", "end")
			mustCreate(t, admin, "/other/child", "not watched", 0)
			events := p.stdout.await(t, "last change", isCreated("/watched/last"))
			w.compare(changesOf(events), version == zktest.Default)

			killLeaderUnderLoad(t, ensemble, p)
			if err := p.stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
			lines := journalLines(t, p.dir)
			if diff := cmp.Diff(p.stdout.lines, lines); diff != "" {
				t.Errorf("stdout and journal differ (-stdout +journal):\n%s", diff)
			}
			holdToSchema(t, lines)
			checkHistory(t, decodeAll(t, lines), liveTree(t, admin, "/watched"))
		})
	}
}

// apart returns the server for the writer and another one for the auditor,
// both followers where there are two, so that the leader can be killed later.
func apart(t *testing.T, ensemble *zktest.Ensemble) (writer, listener *zktest.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	followers, err := ensemble.Followers(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return followers[0], followers[1]
}

// addrsFrom lists all servers, the preferred one first.
func addrsFrom(first *zktest.Server, ensemble *zktest.Ensemble) []string {
	addrs := []string{first.Addr()}
	for _, addr := range ensemble.Addrs() {
		if addr != first.Addr() {
			addrs = append(addrs, addr)
		}
	}
	return addrs
}

// killLeaderUnderLoad kills the leader while writers are busy, restarts it,
// and returns when a change after all of that is recorded.
func killLeaderUnderLoad(t *testing.T, ensemble *zktest.Ensemble, p *process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stop := make(chan struct{})
	var writers sync.WaitGroup
	for n := range 4 {
		conn := client(t, ensemble.Addrs()...)
		writers.Go(func() { hammer(conn, n, stop) })
	}
	p.stdout.await(t, "change under load", isCreated("/watched/load-0-20"))
	leader, err := ensemble.Leader(ctx)
	if err != nil {
		t.Fatal(err)
	}
	leader.Kill()
	if err := ensemble.WaitServing(ctx); err != nil {
		t.Fatal(err)
	}
	p.stdout.await(t, "resync", isControl(audit.ControlResync))
	close(stop)
	writers.Wait()
	if err := leader.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if err := ensemble.WaitServing(ctx); err != nil {
		t.Fatal(err)
	}
	final := client(t, ensemble.Addrs()...)
	for try := 0; ; try++ {
		path := fmt.Sprintf("/watched/final-%d", try)
		_, err := final.Create(path, []byte("settled"), 0, zk.WorldACL(zk.PermAll))
		if err == nil {
			p.stdout.await(t, "final change", isCreated(path))
			return
		}
		if ctx.Err() != nil {
			t.Fatalf("create %s: %v", path, err)
		}
	}
}

// hammer makes changes whatever becomes of them: what really happened is read
// from the ensemble afterwards.
func hammer(conn *zk.Conn, n int, stop <-chan struct{}) {
	acl := zk.WorldACL(zk.PermAll)
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		path := fmt.Sprintf("/watched/load-%d-%d", n, i)
		_, _ = conn.Create(path, []byte("new"), 0, acl)
		_, _ = conn.Set(path, []byte("changed"), -1)
		_, _ = conn.Set("/watched/hot", []byte(path), -1)
		if i%3 == 0 {
			_ = conn.Delete(path, -1)
		}
	}
}

// life is what the records say of one incarnation.
type life struct {
	created, deleted bool
	version          int32
	data             string
	known            bool // Whether data is.
	certain          bool // Whether every version so far has a record or is counted.
}

// checkHistory holds records against each other and against the tree that they
// led to.
func checkHistory(t *testing.T, events []audit.Event, tree map[string]state) {
	t.Helper()
	var gaps []audit.Event
	lives := map[string]*life{}
	unnamed := map[string]bool{} // Paths of creations whose incarnation is not known.
	var last audit.Zxid
	ids := map[string]uint64{}
	for _, e := range events {
		if e.Kind == audit.KindGap {
			gaps = append(gaps, e)
		}
		if e.Kind != audit.KindChange {
			continue
		}
		if seq, twice := ids[e.ID]; twice {
			t.Errorf("records %d and %d have the same id", seq, e.Seq)
		}
		ids[e.ID] = e.Seq
		if e.Zxid != 0 && e.Zxid < last {
			t.Errorf("record %d has zxid %s after %s", e.Seq, e.Zxid, last)
		}
		last = max(last, e.Zxid)
		checkBracket(t, e, gaps)
		account(t, lives, e)
		if e.Op == audit.OpCreated && e.Czxid == 0 {
			unnamed[e.Path] = true
		}
	}
	if len(gaps) == 0 {
		t.Error("no gap is recorded, though the leader was killed")
	}
	compareTree(t, lives, unnamed, tree)
}

// checkBracket holds that a change without a zxid says so and, where it was
// missed, begins inside a gap that is recorded before it; it may end where the
// change was found.
func checkBracket(t *testing.T, e audit.Event, gaps []audit.Event) {
	t.Helper()
	if e.Zxid != 0 {
		return
	}
	if e.ZxidAfter == nil || e.ZxidUntil == nil || *e.ZxidAfter >= *e.ZxidUntil || *e.Exact {
		t.Errorf("record %d has neither a zxid nor a marked bracket", e.Seq)
		return
	}
	inside := slices.ContainsFunc(gaps, func(gap audit.Event) bool {
		return *e.ZxidAfter >= *gap.ZxidAfter && *e.ZxidAfter < *gap.ZxidUntil
	})
	if e.Source == audit.OriginResync && !inside {
		t.Errorf("record %d was found by resync, but its bracket %s..%s begins in no gap", e.Seq, e.ZxidAfter, e.ZxidUntil)
	}
}

func account(t *testing.T, lives map[string]*life, e audit.Event) {
	t.Helper()
	if e.Czxid == 0 {
		return // It says that it does not know which incarnation it is about.
	}
	key := fmt.Sprint(e.Path, " ", e.Czxid)
	l := lives[key]
	if l == nil {
		l = &life{certain: true}
		lives[key] = l
	}
	if l.deleted {
		t.Errorf("record %d is about %s, which is dead", e.Seq, key)
	}
	switch e.Op {
	case audit.OpCreated:
		if l.created {
			t.Errorf("record %d creates %s again", e.Seq, key)
		}
		l.created = true
	case audit.OpDeleted:
		l.deleted = true
	case audit.OpDataChanged:
		if e.Version == nil {
			l.certain = false
		} else if want := l.version + 1 + int32(e.Collapsed); l.certain && *e.Version != want {
			t.Errorf("record %d takes %s to version %d, want %d", e.Seq, key, *e.Version, want)
		}
		if e.Version != nil {
			l.version = *e.Version
		}
	}
	if e.Op == audit.OpCreated || e.Op == audit.OpDataChanged {
		l.known = e.After != nil
		if l.known {
			l.data = e.After.Data
		}
	}
}

// compareTree holds that the records end where the tree stands.
func compareTree(t *testing.T, lives map[string]*life, unnamed map[string]bool, tree map[string]state) {
	t.Helper()
	recorded := map[string]state{}
	for key, l := range lives {
		split := strings.LastIndexByte(key, ' ')
		path := key[:split]
		if !l.created && !unnamed[path] {
			t.Errorf("%s was never created in the records", key)
		}
		if l.deleted {
			continue
		}
		var czxid audit.Zxid
		if err := czxid.UnmarshalText([]byte(key[split+1:])); err != nil {
			t.Fatal(err)
		}
		if !l.known {
			t.Errorf("the records do not know the data of %s, which lives", path)
		}
		recorded[path] = state{czxid, l.version, l.data}
	}
	if diff := cmp.Diff(tree, recorded); diff != "" {
		t.Errorf("%d znodes live, the records end with %d (-tree +records):\n%.4000s", len(tree), len(recorded), diff)
	}
}
