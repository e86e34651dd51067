package recorder

import (
	"context"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
)

// operation is one operation of a transaction log beside what the mirror knew
// of its path.
type operation struct {
	look
	audit.Txn
}

// operated records an operation of a transaction log. Of znodes that are not
// recorded, ways are kept, and the children of others are counted.
func (r *Recorder) operated(ctx context.Context, t audit.Txn) error {
	o := operation{Txn: t, look: r.look(audit.Seen{
		Path: t.Path, Origin: audit.OriginTxnlog, Hint: t.Op, After: t.Zxid, Until: t.Zxid, At: t.Zxid,
	})}
	again := !r.advance(t)
	switch {
	case o.wanted && (o.takeAhead() || again && !o.passedOver() || o.covered()):
		o.skip()
		return nil
	case o.wanted:
		return o.judge(ctx)
	}
	if !again && t.Op != audit.OpDataChanged && t.Op != audit.OpACLChanged {
		o.countUnrecorded()
	}
	if o.way {
		return o.pass(ctx)
	}
	return nil
}

// advance moves the place in the log, and reports whether t lies behind it.
// What does not was handled before, unless it was passed over.
func (r *Recorder) advance(t audit.Txn) bool {
	if !beyond(placeOf(t), r.place.Log) {
		return false
	}
	r.place.Log, r.moved = placeOf(t), true
	return true
}

func placeOf(t audit.Txn) mirror.Operation { return mirror.Operation{Zxid: t.Zxid, Index: t.Index} }

func beyond(a, b mirror.Operation) bool {
	return a.Zxid > b.Zxid || a.Zxid == b.Zxid && a.Index > b.Index
}

// passedOver reports whether a log that has come further began behind the
// operation, and lacked it. A crash may take the last marks, not the records of
// the log: then the log begins anew at a mark before it. Of changes of ACLs
// alone the live source may have told nothing meanwhile.
func (o *operation) passedOver() bool {
	return o.Op == audit.OpACLChanged && o.known && (o.entry.Czxid != 0 || bornWithTree(o.Path)) && !o.outdated()
}

func (o *operation) judge(ctx context.Context) error {
	if err := o.contradicted(ctx); err != nil {
		return err
	}
	o.r.confirm(o.Path, o.first)
	switch o.Op {
	case audit.OpCreated:
		return o.created(ctx)
	case audit.OpDataChanged:
		return o.dataChanged(ctx)
	case audit.OpACLChanged:
		return o.aclChanged(ctx)
	case audit.OpDeleted:
		return o.deleted(ctx)
	}
	return nil
}

// covered reports whether the operation belongs to what was handed over before
// the log began: it lies behind the last mark, or the mirror shows that an
// answer was read behind it. Marks of a live source say nothing of ACLs, but
// that a znode which is not known has died since, or refused to be read.
func (o *operation) covered() bool {
	place := &o.r.place
	if o.Zxid <= place.Mark && (o.Op != audit.OpACLChanged || !o.known) {
		return true
	}
	if o.Op == audit.OpCreated && o.known && o.entry.Czxid == o.Zxid {
		return true
	}
	return o.Zxid <= max(place.Read, place.Mark) && o.known && o.outdated()
}

// outdated reports whether the mirror has what the operation left, or something
// later.
func (o *operation) outdated() bool {
	if o.entry.Czxid > o.Zxid {
		return true
	}
	switch o.Op {
	case audit.OpCreated:
		return o.entry.Czxid == o.Zxid
	case audit.OpDataChanged:
		if o.Version == unversioned {
			known := o.entry.Content
			return known != nil && known.Digest != "" && known.Digest == o.describe().Digest
		}
		return !after(o.Version, o.entry.Version)
	case audit.OpACLChanged:
		return !after(o.Version, o.entry.Aversion)
	}
	return false
}

// contradicted records what must have been missed before the operation: the
// known znode died where it has more changes than the operation counts, or
// where another one is born.
func (o *operation) contradicted(ctx context.Context) error {
	if !o.known || o.Op == audit.OpDeleted {
		return nil
	}
	if o.Op != audit.OpCreated && (o.Version == unversioned || !o.outdated()) {
		return nil
	}
	level.Warn(o.r.Logger).Log("msg", "the transaction log lacks the end of a znode", "path", o.Path, "czxid", o.entry.Czxid, "zxid", o.Zxid)
	successor := audit.Zxid(0)
	if o.Op == audit.OpCreated {
		successor = o.Zxid
	}
	return o.bury(ctx, successor)
}

// skip passes over an operation that a record tells of already. A creation counts
// even so: what its transaction creates behind it gets the id that it has
// elsewhere.
func (o *operation) skip() {
	if o.Op == audit.OpCreated {
		o.r.repeats.next(o.Zxid, o.Path)
	}
	o.learn()
}

// learn takes over what a record of the live source could not know: which
// incarnation was created, and contents that were overtaken or masked.
func (o *operation) learn() {
	entry := o.entry
	if entry.Czxid == 0 && o.Op == audit.OpCreated && !bornWithTree(o.Path) && !o.r.bornAhead(o.Path) {
		entry.Czxid = o.Zxid
	}
	if !o.known || entry.Czxid > o.Zxid || entry.Czxid == 0 && !bornWithTree(o.Path) {
		return
	}
	switch o.Op {
	case audit.OpCreated:
		if entry.Czxid == o.Zxid && entry.Version == 0 && entry.Content == nil {
			entry.Content = o.describe()
		}
		if entry.Czxid == o.Zxid && entry.Aversion == 0 {
			entry.ACL, entry.ACLMasked = o.acl()
		}
	case audit.OpDataChanged:
		if o.Version == entry.Version && entry.Content == nil {
			entry.Content = o.describe()
		}
	case audit.OpACLChanged:
		if o.Version == entry.Aversion {
			entry.ACL, entry.ACLMasked = o.acl()
		}
	}
	o.put(o.Path, entry)
}

// put changes the mirror where no record tells of it.
func (o *operation) put(path string, entry mirror.Entry) {
	o.r.Mirror.Put(path, entry)
	o.r.untold = true
}

func (o *operation) describe() *audit.Content { return o.r.Policy.Describe(o.rule, o.Data) }

func (o *operation) acl() (acl []audit.ACL, masked bool) {
	return o.r.Policy.ACL(o.rule, o.ACL)
}
