package app

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
)

// expected is one change as the writer knows it.
type expected struct {
	op      audit.Op
	path    string
	version int32
	data    string
	group   int  // Changes of one group belong to one transaction.
	any     bool // Their order within it is the server's choice.
}

// workload makes changes through one session, one after the other, and
// remembers them: the oracle of an uninterrupted history.
type workload struct {
	t     *testing.T
	conn  *zk.Conn
	addr  string
	rng   *rand.Rand
	live  map[string]int32 // Version by path.
	made  []expected
	group int
}

func newWorkload(t *testing.T, addr string, seed uint64) *workload {
	t.Logf("seed %d", seed)
	return &workload{
		t: t, conn: client(t, addr), addr: addr, rng: rand.New(rand.NewPCG(seed, seed)), live: map[string]int32{},
	}
}

func (w *workload) add(op audit.Op, path string, version int32, data string) {
	w.made = append(w.made, expected{op: op, path: path, version: version, data: data, group: w.group})
}

func (w *workload) create(path, data string) {
	w.t.Helper()
	w.group++
	mustCreate(w.t, w.conn, path, data, 0)
	w.live[path] = 0
	w.add(audit.OpCreated, path, 0, data)
}

func (w *workload) set(path, data string) {
	w.t.Helper()
	w.group++
	stat, err := w.conn.Set(path, []byte(data), -1)
	if err != nil {
		w.t.Fatalf("set %s: %v", path, err)
	}
	w.live[path] = stat.Version
	w.add(audit.OpDataChanged, path, stat.Version, data)
}

func (w *workload) remove(path string) {
	w.t.Helper()
	w.group++
	if err := w.conn.Delete(path, -1); err != nil {
		w.t.Fatalf("delete %s: %v", path, err)
	}
	w.add(audit.OpDeleted, path, w.live[path], "")
	delete(w.live, path)
}

// multi creates, sets twice, and deletes in one transaction.
func (w *workload) multi(base string, n int) {
	w.t.Helper()
	w.group++
	stays, goes := fmt.Sprintf("%s/multi-%d", base, n), fmt.Sprintf("%s/gone-%d", base, n)
	acl := zk.WorldACL(zk.PermAll)
	_, err := w.conn.Multi(
		&zk.CreateRequest{Path: stays, Data: []byte("m0"), Acl: acl},
		&zk.SetDataRequest{Path: stays, Data: []byte("m1"), Version: -1},
		&zk.CreateRequest{Path: goes, Data: []byte("g0"), Acl: acl},
		&zk.SetDataRequest{Path: stays, Data: []byte("m2"), Version: -1},
		&zk.DeleteRequest{Path: goes, Version: -1},
	)
	if err != nil {
		w.t.Fatalf("multi: %v", err)
	}
	w.add(audit.OpCreated, stays, 0, "m0")
	w.add(audit.OpDataChanged, stays, 1, "m1")
	w.add(audit.OpCreated, goes, 0, "g0")
	w.add(audit.OpDataChanged, stays, 2, "m2")
	w.add(audit.OpDeleted, goes, 0, "")
	w.live[stays] = 2
}

// failedMulti must leave no trace.
func (w *workload) failedMulti(base string, n int) {
	w.t.Helper()
	_, err := w.conn.Multi(
		&zk.CreateRequest{Path: fmt.Sprintf("%s/never-%d", base, n), Acl: zk.WorldACL(zk.PermAll)},
		&zk.DeleteRequest{Path: base + "/no such znode", Version: -1},
	)
	if !errors.Is(err, zk.ErrNoNode) {
		w.t.Fatalf("multi that must fail: %v", err)
	}
}

// ephemerals creates znodes in a session of their own and closes it.
func (w *workload) ephemerals(base string, n int) {
	w.t.Helper()
	conn, events, err := zk.Connect([]string{w.addr}, 10*time.Second, zk.WithLogger(quietLogger{}), zk.WithLogInfo(false))
	if err != nil {
		w.t.Fatal(err)
	}
	var paths []string
	for i := range 3 {
		w.group++
		path := fmt.Sprintf("%s/ephemeral-%d-%d", base, n, i)
		mustCreate(w.t, conn, path, "here", zk.FlagEphemeral)
		w.add(audit.OpCreated, path, 0, "here")
		paths = append(paths, path)
	}
	closeClient(conn, events)
	w.group++
	for _, path := range paths {
		w.made = append(w.made, expected{op: audit.OpDeleted, path: path, group: w.group, any: true})
	}
}

// mixed makes at least n changes of every kind below base.
func (w *workload) mixed(base string, n int) {
	w.t.Helper()
	for step := 0; len(w.made) < n; step++ {
		switch choice := w.rng.IntN(100); {
		case choice < 35:
			path := fmt.Sprintf("%s/node-%d", base, step)
			if w.rng.IntN(4) == 0 {
				path = fmt.Sprintf("%s/sub/node %d-ü", base, step)
			}
			w.create(path, fmt.Sprintf("data %d", step))
		case choice < 70:
			w.set(w.someLeaf(base), strings.Repeat("x", w.rng.IntN(200)))
		case choice < 85:
			if leaf := w.someLeaf(base); leaf != base+"/hot" {
				w.remove(leaf)
			}
		case choice < 92:
			w.multi(base, step)
		case choice < 95:
			w.failedMulti(base, step)
		case choice < 97:
			w.ephemerals(base, step)
		default:
			for range 5 {
				w.set(base+"/hot", fmt.Sprint("hot ", step))
			}
		}
	}
}

func (w *workload) someLeaf(base string) string {
	var leaves []string
	for path := range w.live {
		if path != base && path != base+"/sub" {
			leaves = append(leaves, path)
		}
	}
	slices.Sort(leaves) // The choice follows from the seed alone.
	return leaves[w.rng.IntN(len(leaves))]
}

// compare holds the recorded changes against the made ones.
func (w *workload) compare(changes []audit.Event, exactZxids bool) {
	w.t.Helper()
	if len(changes) != len(w.made) {
		w.t.Errorf("%d changes are recorded, %d were made", len(changes), len(w.made))
	}
	arrangeGroups(w.made, changes)
	ids := map[string]uint64{}
	var last audit.Zxid
	for i := range min(len(changes), len(w.made)) {
		e, want := changes[i], w.made[i]
		version := int32(-1)
		if e.Version != nil {
			version = *e.Version
		}
		if e.Op != want.op || e.Path != want.path || version != want.version {
			w.t.Fatalf("change %d is %s %s v%d, want %s %s v%d", i, e.Op, e.Path, version, want.op, want.path, want.version)
		}
		if seq, twice := ids[e.ID]; twice {
			w.t.Errorf("records %d and %d have the same id", seq, e.Seq)
		}
		ids[e.ID] = e.Seq
		if e.Source != audit.OriginWatch || e.Collapsed != 0 {
			w.t.Errorf("record %d comes from %s with collapsed %d", e.Seq, e.Source, e.Collapsed)
		}
		if exactZxids && e.Zxid == 0 {
			w.t.Errorf("record %d has no zxid", e.Seq)
		}
		if e.Zxid != 0 && e.Zxid < last {
			w.t.Errorf("record %d has zxid %s after %s", e.Seq, e.Zxid, last)
		}
		last = max(last, e.Zxid)
		w.compareContent(i, e, want)
	}
}

func (w *workload) compareContent(i int, e audit.Event, want expected) {
	w.t.Helper()
	switch {
	case e.Op == audit.OpDeleted:
	case e.After != nil && e.After.Data != want.data:
		w.t.Errorf("record %d has data %q, want %q", e.Seq, e.After.Data, want.data)
	case e.After == nil && !w.changesAgain(i):
		w.t.Errorf("record %d has no data, though %s did not change again", e.Seq, e.Path)
	case e.After == nil && *e.Exact:
		w.t.Errorf("record %d has no data and says that it is exact", e.Seq)
	}
}

func (w *workload) changesAgain(i int) bool {
	return slices.ContainsFunc(w.made[i+1:], func(later expected) bool { return later.path == w.made[i].path })
}

// arrangeGroups sorts changes whose order within their transaction is free.
func arrangeGroups(made []expected, changes []audit.Event) {
	for start := 0; start < len(made); {
		end := start + 1
		for end < len(made) && made[end].group == made[start].group {
			end++
		}
		if made[start].any && end <= len(changes) {
			slices.SortFunc(changes[start:end], func(a, b audit.Event) int { return strings.Compare(a.Path, b.Path) })
		}
		start = end
	}
}
