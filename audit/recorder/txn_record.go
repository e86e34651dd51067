package recorder

import (
	"context"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
)

// begin begins the record of an operation.
func (o *operation) begin(ctx context.Context, czxid audit.Zxid, counter int64) audit.Event {
	e := o.event(o.Op, czxid, counter)
	e.Index, e.Time, e.Actor = o.Index, o.Time, o.r.actor(ctx, o.Session)
	return e
}

// append places the record in the order of commits. It is exact unless its
// place, its incarnation or its counter is not known.
func (o *operation) append(ctx context.Context, e audit.Event) error {
	o.place(&e, 0)
	e.Exact = new(e.Zxid != 0 && e.ID != "")
	return o.r.append(ctx, e)
}

func (o *operation) created(ctx context.Context) error {
	e := o.begin(ctx, o.Zxid, 0)
	e.Version, e.Aversion, e.EphemeralOwner = new(int32(0)), new(int32(0)), o.Owner
	acl, masked := o.acl()
	e.After = withACL(o.describe(), acl, masked)
	return o.append(ctx, e)
}

func (o *operation) dataChanged(ctx context.Context) error {
	version := new(o.Version)
	if o.Version == unversioned {
		version = nil
	} else if o.known {
		if err := o.missedVersions(ctx, o.Version-1, nil); err != nil {
			return err
		}
	}
	e := o.begin(ctx, o.entry.Czxid, counter(version))
	e.Version, e.Aversion = version, o.aversion()
	e.EphemeralOwner, e.Before, e.After = o.entry.EphemeralOwner, o.entry.Content, o.describe()
	return o.append(ctx, e)
}

func (o *operation) aclChanged(ctx context.Context) error {
	if err := o.missedACLs(ctx); err != nil {
		return err
	}
	e := o.begin(ctx, o.entry.Czxid, int64(o.Version))
	e.Aversion = new(o.Version)
	if o.known {
		e.Version, e.EphemeralOwner = new(o.entry.Version), o.entry.EphemeralOwner
		e.Before = withACL(nil, o.entry.ACL, o.entry.ACLMasked)
	}
	acl, masked := o.acl()
	e.After = withACL(nil, acl, masked)
	return o.append(ctx, e)
}

// missedACLs records in one the changes of the ACL that the operation's counter
// shows and that the log did not tell of: it began behind them.
func (o *operation) missedACLs(ctx context.Context) error {
	missed := o.Version - 1 - o.entry.Aversion
	if !o.known || missed <= 0 {
		return nil
	}
	e := o.missed(audit.OpACLChanged, o.entry.Czxid, int64(o.Version-1))
	e.ZxidAfter = new(o.lifeAfter(o.compared()))
	e.Aversion, e.EphemeralOwner = new(o.Version-1), o.entry.EphemeralOwner
	e.Before = withACL(nil, o.entry.ACL, o.entry.ACLMasked)
	e.Collapsed = uint64(missed - 1)
	if err := o.r.append(ctx, e); err != nil {
		return err
	}
	o.entry, o.known = o.r.Mirror.Get(o.Path)
	return nil
}

// deleted records a deletion. The znode outlived everything below it.
func (o *operation) deleted(ctx context.Context) error {
	if err := o.buryBelow(ctx, everything); err != nil {
		return err
	}
	o.r.unreadable.bury(o.Path)
	delete(o.r.owed, o.Path)
	e := o.begin(ctx, o.entry.Czxid, 0)
	if e.Cause = o.Cause; e.Cause == "" {
		e.Cause = audit.CauseUnknown
	}
	if o.known {
		e.Version, e.Aversion = new(o.entry.Version), o.aversion()
		e.EphemeralOwner = o.entry.EphemeralOwner
		e.Before = contentOf(o.entry)
	}
	return o.append(ctx, e)
}

// aversion is the known one where the log had every change of the ACL.
func (o *operation) aversion() *int32 {
	place := &o.r.place
	if !o.known || place.ACL < place.LogFrom || place.Mode.Name != audit.ModeTxnlog {
		return nil
	}
	return new(o.entry.Aversion)
}

// countUnrecorded counts a child that is not recorded in the cversion of its
// parent.
func (o *operation) countUnrecorded() {
	path := audit.Parent(o.Path)
	parent, known := o.r.Mirror.Get(path)
	if o.Path == "/" || !known || parent.Way {
		return
	}
	parent.Cversion++
	o.put(path, parent)
}

// pass keeps a way. Records tell nothing of it, so the operations that come once
// more after a crash are applied once more.
func (o *operation) pass(ctx context.Context) error {
	switch {
	case o.known && o.entry.Czxid > o.Zxid, !o.known && o.Op != audit.OpCreated && o.Op != audit.OpDeleted:
		return nil
	case o.Op == audit.OpCreated:
		o.entry = mirror.Entry{Way: true, Czxid: o.Zxid, EphemeralOwner: o.Owner}
	case o.Op == audit.OpDataChanged:
		o.entry.Version = o.Version
	case o.Op == audit.OpACLChanged:
		o.entry.Aversion = o.Version
	case o.Op == audit.OpDeleted:
		if err := o.buryBelow(ctx, everything); err != nil {
			return err
		}
		o.r.Mirror.Delete(o.Path)
		o.r.untold = true
		return nil
	}
	o.put(o.Path, o.entry)
	return o.r.bound(ctx)
}
