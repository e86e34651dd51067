package history

import (
	"context"
	"iter"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
)

// ChangesOptions say what [History.Changes] yields.
type ChangesOptions struct {
	// Wants tells which znodes matter. Nothing is kept of others. Nil wants all.
	Wants func(path string) bool
	// Contents keeps the data and ACLs of these znodes, to tell what they were
	// before a change. Otherwise only their size is known.
	Contents bool
	// Ensemble and Generation make the ids of changes those of an auditor with
	// the same; see [audit.Identity]. Without a name there are none.
	Ensemble   string
	Generation uint64
}

// Changes yields what the transactions in the logs did to znodes, in the order
// of their commits; failed ones, and multis that failed, did nothing. A change
// is valid until the next one. An error is the last that is yielded.
//
// What was before a change, and of which incarnation the znode was, is known
// from the logs, and from the first snapshot that joins them; before that it is
// absent, as is what a hole in the logs has hidden.
func (h *History) Changes(ctx context.Context, o ChangesOptions) iter.Seq2[*Change, error] {
	if o.Wants == nil {
		o.Wants = func(string) bool { return true }
	}
	return func(yield func(*Change, error) bool) {
		r := &replay{h: h, o: o, snapshots: h.Snapshots}
		r.forget()
		for txn, err := range h.scan(ctx, h.Logs) {
			if err == nil {
				err = r.join(ctx, txn.Zxid)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !r.apply(txn, yield) {
				return
			}
		}
		if r.last != 0 {
			h.uncommitted(r.last)
		}
	}
}

// replay follows the logs with what is known of the wanted znodes.
type replay struct {
	h         *History
	o         ChangesOptions
	snapshots []txnlog.File // Those that lie ahead.

	last       uint64
	whole      bool // Whether nothing is missing in known.
	known      map[string]*incarnation
	ephemerals txnlog.Ephemerals
	lost       bool // Whether it was said that ends of sessions may not tell all.

	repeats map[repeat]int // Within one multi.
	change  Change
}

// repeat is what several operations of one multi can have in common.
type repeat struct {
	path    string
	op      audit.Op
	counter int32
}

// forget drops everything that is known.
func (r *replay) forget() {
	r.whole, r.known, r.ephemerals = false, map[string]*incarnation{}, txnlog.Ephemerals{}
}

// join is called before each transaction: it finds holes in the logs, and a
// snapshot where something is not known.
func (r *replay) join(ctx context.Context, next uint64) error {
	hole := r.last != 0 && (!follows(r.last, next) || r.h.skips(r.last, next))
	switch {
	case hole:
		r.h.hole(r.last, next)
		r.forget()
	case r.last == 0 && first(next):
		r.begin()
	default:
		r.h.jump(r.last, next)
	}
	before := r.last
	r.last = next
	if r.whole {
		return nil
	}
	var fit *txnlog.File
	for len(r.snapshots) > 0 && r.snapshots[0].Zxid < next {
		if at := r.snapshots[0].Zxid; at >= before && (follows(at, next) || at == before && !hole) {
			fit = &r.snapshots[0]
		}
		r.snapshots = r.snapshots[1:]
	}
	if fit != nil {
		return r.fill(ctx, *fit)
	}
	if before == 0 {
		r.h.note("the logs begin with %s: older znodes have no czxid and nothing before their first change, until a snapshot tells", audit.Zxid(next))
	}
	return nil
}

// begin makes known what a server begins with.
func (r *replay) begin() {
	for _, path := range []string{"/", "/zookeeper", "/zookeeper/quota"} {
		if r.o.Wants(path) {
			r.known[path] = &incarnation{
				certain: true, versioned: true, aversioned: true, content: content{hasData: true, data: []byte{}, kept: r.o.Contents},
			}
		}
	}
	r.whole = true
}

// apply yields the changes of one transaction.
func (r *replay) apply(txn *txnlog.Txn, yield func(*Change, error) bool) bool {
	if txn.Type == txnlog.TypeCloseSession && !txn.Ops[0].HasPaths && !r.whole && !r.lost {
		r.lost = true
		r.h.note("what the sessions that end from %s on took with them is not known of those that began before the logs", audit.Zxid(txn.Zxid))
	}
	r.repeats = nil
	for _, op := range r.ephemerals.Changes(txn) {
		path := string(op.Path)
		if !r.o.Wants(path) {
			continue
		}
		if r.operate(txn, op, path); !yield(&r.change, nil) {
			return false
		}
	}
	return true
}

// operate makes one operation the change, and brings up to date what is known.
func (r *replay) operate(txn *txnlog.Txn, op txnlog.Op, path string) {
	node := r.known[path]
	if node == nil {
		node = &incarnation{}
		r.known[path] = node
	}
	if node.contradicts(op) {
		r.h.note("%s has been changed unseen before %s: transactions are missing in the logs", path, audit.Zxid(txn.Zxid))
		*node = incarnation{}
	}
	r.change = Change{Event: audit.Event{
		Schema: audit.Schema, Kind: audit.KindChange, Ensemble: r.o.Ensemble, Source: audit.OriginTxnlog,
		Time: audit.AtUnixMilli(txn.Time), Zxid: audit.Zxid(txn.Zxid), Path: path, Exact: new(true),
	}, generation: r.o.Generation}
	if txn.Session != 0 {
		r.change.Actor = &audit.Actor{Session: audit.SessionID(txn.Session), Confidence: audit.ConfidenceUnknown}
	}
	switch op.Type {
	case txnlog.TypeDelete, txnlog.TypeDeleteContainer:
		r.change.Op, r.change.Cause = audit.OpDeleted, cause(txn, op)
		r.change.before = node.content
		delete(r.known, path)
	case txnlog.TypeSetData, txnlog.TypeReconfig:
		r.change.Op = audit.OpDataChanged
		r.change.before = node.content.withoutACL()
		node.version, node.versioned = op.Version, true
		node.content.setData(op.Data, r.o.Contents)
		r.change.after = node.content.withoutACL()
	case txnlog.TypeSetACL:
		r.change.Op = audit.OpACLChanged
		r.change.before = node.content.onlyACL()
		node.aversion, node.aversioned = op.Version, true
		node.content.setACL(op.ACL, r.o.Contents)
		r.change.after = node.content.onlyACL()
	default:
		r.change.Op = audit.OpCreated
		*node = incarnation{czxid: txn.Zxid, certain: true, versioned: true, aversioned: true}
		if op.Ephemeral {
			node.owner = txn.Session
		}
		node.content.setData(op.Data, r.o.Contents)
		node.content.setACL(op.ACL, r.o.Contents)
		r.change.after = node.content
	}
	r.identify(node, len(txn.Ops) > 1)
}

// identify says which incarnation changed, and how often the like has happened
// to it.
func (r *replay) identify(node *incarnation, multi bool) {
	c := &r.change
	c.EphemeralOwner = audit.SessionID(node.owner)
	counter := int32(0)
	if node.versioned {
		c.Version = new(node.version)
	}
	if node.aversioned {
		c.Aversion = new(node.aversion)
	}
	switch c.Op {
	case audit.OpDataChanged:
		counter = node.version
	case audit.OpACLChanged:
		counter = node.aversion
	}
	if !node.certain {
		return
	}
	c.Czxid, c.known, c.counter = audit.Zxid(node.czxid), true, counter
	if multi && c.Czxid == c.Zxid {
		if r.repeats == nil {
			r.repeats = map[repeat]int{}
		}
		key := repeat{c.Path, c.Op, counter}
		c.occurrence = r.repeats[key]
		r.repeats[key]++
		if c.Op == audit.OpCreated {
			node.occurrence = c.occurrence
		}
	} else {
		c.occurrence = node.occurrence
	}
}

// cause says why a znode was deleted. The end of a session that the leader
// noticed by itself has no request number.
func cause(txn *txnlog.Txn, op txnlog.Op) audit.Cause {
	switch {
	case txn.Type == txnlog.TypeCloseSession && txn.Cxid == 0:
		return audit.CauseSessionExpired
	case txn.Type == txnlog.TypeCloseSession:
		return audit.CauseSessionClosed
	case op.Type == txnlog.TypeDeleteContainer:
		return audit.CauseExpired
	}
	return audit.CauseExplicit
}
