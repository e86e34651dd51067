package history

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
)

// Diff tells what differs between two moments, in the order of the paths. What
// happened in between and left no trace is not in it. A changed znode has one
// change for its data and one for its ACL; one that was deleted and created
// anew has both. Collapsed counts the versions in between.
//
// Each change lies in the bracket of the two moments, and is not exact.
func (h *History) Diff(ctx context.Context, from, to Moment, o ChangesOptions) ([]*Change, error) {
	var ends [2]uint64
	for i, m := range []Moment{from, to} {
		var err error
		if ends[i], err = h.find(ctx, m); err != nil {
			return nil, err
		}
	}
	if ends[0] > ends[1] {
		return nil, fmt.Errorf("%s is behind %s", audit.Zxid(ends[0]), audit.Zxid(ends[1]))
	}
	before, after, err := h.both(ctx, ends, nil)
	if err != nil {
		return nil, err
	}
	differ := map[string]bool{}
	for path := range differing(before, after) {
		if o.Wants == nil || o.Wants(path) {
			differ[path] = true
		}
	}
	if o.Contents && len(differ) > 0 {
		// Only now it is known whose contents are needed.
		quiet := *h
		quiet.Note = nil // It was said before.
		if before, after, err = quiet.both(ctx, ends, func(path []byte) bool { return differ[string(path)] }); err != nil {
			return nil, err
		}
	}
	var changes []*Change
	for _, path := range slices.SortedFunc(maps.Keys(differ), ComparePaths) {
		for _, c := range compare(path, before.Get(path), after.Get(path), o) {
			c.ZxidAfter, c.ZxidUntil = new(audit.Zxid(ends[0])), new(audit.Zxid(ends[1]))
			changes = append(changes, c)
		}
	}
	return changes, nil
}

func (h *History) both(ctx context.Context, ends [2]uint64, keep func([]byte) bool) (before, after *txnlog.Tree, err error) {
	if before, err = h.treeAt(ctx, ends[0], keep); err == nil {
		after, err = h.treeAt(ctx, ends[1], keep)
	}
	return before, after, err
}

// differing yields the paths of znodes that are not the same.
func differing(before, after *txnlog.Tree) iter.Seq[string] {
	return func(yield func(string) bool) {
		for path, a := range before.All() {
			if b := after.Get(path); b == nil || a.Stat.Czxid != b.Stat.Czxid || dataDiffers(a, b) || a.Stat.Aversion != b.Stat.Aversion {
				if !yield(path) {
					return
				}
			}
		}
		for path := range after.All() {
			if before.Get(path) == nil && !yield(path) {
				return
			}
		}
	}
}

// dataDiffers looks at the version, which every change moves but those of
// /zookeeper/config, and at the transaction.
func dataDiffers(a, b *txnlog.Znode) bool {
	return a.Stat.Version != b.Stat.Version || a.Stat.Mzxid != b.Stat.Mzxid
}

// compare returns what became of a znode; nil stands for none.
func compare(path string, a, b *txnlog.Znode, o ChangesOptions) (changes []*Change) {
	change := func(op audit.Op, z *txnlog.Znode, steps int32) *Change {
		owner, _ := z.Stat.Session()
		c := &Change{Event: audit.Event{
			Schema: audit.Schema, Kind: audit.KindChange, Ensemble: o.Ensemble, Source: audit.OriginTxnlog,
			Op: op, Path: path, Czxid: audit.Zxid(z.Stat.Czxid), Version: new(z.Stat.Version), Aversion: new(z.Stat.Aversion),
			EphemeralOwner: audit.SessionID(owner), Exact: new(false),
		}}
		if steps > 1 {
			c.Collapsed = uint64(steps - 1)
		}
		changes = append(changes, c)
		return c
	}
	same := a != nil && b != nil && a.Stat.Czxid == b.Stat.Czxid
	if a != nil && !same {
		c := change(audit.OpDeleted, a, 0)
		c.Cause, c.before = audit.CauseUnknown, contentOf(a, o.Contents)
	}
	if b != nil && !same {
		c := change(audit.OpCreated, b, 0)
		c.after = contentOf(b, o.Contents)
	}
	if same && dataDiffers(a, b) {
		c := change(audit.OpDataChanged, b, b.Stat.Version-a.Stat.Version)
		c.before, c.after = contentOf(a, o.Contents).withoutACL(), contentOf(b, o.Contents).withoutACL()
	}
	if same && a.Stat.Aversion != b.Stat.Aversion {
		c := change(audit.OpACLChanged, b, b.Stat.Aversion-a.Stat.Aversion)
		c.before, c.after = contentOf(a, o.Contents).onlyACL(), contentOf(b, o.Contents).onlyACL()
	}
	return changes
}

func contentOf(z *txnlog.Znode, kept bool) content {
	return content{hasData: true, size: z.Size, data: z.Data, kept: kept, hasACL: kept && z.ACL != nil, acl: z.ACL}
}

// ComparePaths orders paths so that what is below a znode comes right behind
// it, and siblings in the order of their names' bytes.
func ComparePaths(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	switch {
	case n < len(a) && n < len(b) && a[n] != '/' && b[n] != '/':
		return int(a[n]) - int(b[n])
	case n == len(a) || n == len(b):
		return len(a) - len(b)
	case a[n] == '/':
		return -1
	}
	return 1
}
