package logsource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
)

// catchUp hands over the changes of ACLs through the place where the log takes
// over: no watch has told of them. Those that an answer showed are among them,
// and the recorder knows it. Where the log has not all of them, nothing is known
// of ACLs until a sweep of the live source.
func (l *lead) catchUp(ctx context.Context) error {
	if l.acl == 0 || l.acl >= l.from {
		return nil
	}
	tell := func(h txnlog.Header, index int, op txnlog.Op) error { return l.tell(ctx, h, index, op) }
	switch whole, err := l.tail.tellACLs(l.acl, l.from, tell); {
	case err != nil:
		return err
	case !whole:
		level.Warn(l.options.Logger).Log("msg", "changes of ACLs may have gone unseen, until a sweep", "after", l.acl, "until", l.from)
		l.acl = 0
		return nil
	}
	return l.send(ctx, audit.Mark{Zxid: l.from, ACL: l.from})
}

// tellACLs tells of the changes of ACLs behind acl and through from, and reports
// whether the log has every transaction between. What lies between two zxids of
// one epoch that were applied has committed, if the log has all of it.
func (t *tail) tellACLs(acl, from audit.Zxid, tell func(txnlog.Header, int, txnlog.Op) error) (whole bool, err error) {
	if acl.Epoch() != from.Epoch() {
		return false, nil // What ended the older one may never have committed.
	}
	follower := t.follow(before(acl))
	defer follower.Close() //nolint:errcheck // It was only read.
	last := acl
	for last < from && follower.Next() {
		txn := follower.Record()
		zxid := audit.Zxid(txn.Zxid)
		if zxid <= last {
			continue
		}
		if follows(last, zxid) != nil {
			return false, nil
		}
		last = zxid
		index := 0
		for _, op := range txn.Changes() {
			if op.Type == txnlog.TypeSetACL {
				if err := tell(txn.Header, index, op); err != nil {
					return false, err
				}
			}
			index++
		}
	}
	if err := follower.Err(); err != nil {
		return false, fmt.Errorf("read changes of ACLs: %w", err)
	}
	return last == from, nil
}

// errSweeping is the Status of a source that waits so.
var errSweeping = errors.New("waiting for a sweep: the log lacks what became of ACLs")

// sweeping is the wait for a sweep of the live source, where the log does not go
// on from what is known of ACLs: while it leads nobody sweeps, and what changed
// between would never be found.
type sweeping struct {
	since time.Time  // When it began; zero when nothing was wanting yet.
	acl   audit.Zxid // What is known of ACLs and does not suffice.
}

// wanted reports whether to wait before the log takes over behind from. One sweep
// may have begun too early to suffice. It does not wait for long: everything else
// is worth more.
func (w *sweeping) wanted(r *run, t *tail, from audit.Zxid) (bool, error) {
	if !w.since.IsZero() && w.acl == r.acl {
		return time.Since(w.since) < r.pace.sweep, nil
	}
	whole, err := r.acl >= from, error(nil)
	if !whole && r.acl != 0 {
		whole, err = t.tellACLs(r.acl, from, func(txnlog.Header, int, txnlog.Op) error { return nil })
	}
	if whole || err != nil || !r.SweepSoon() {
		return false, err
	}
	if w.acl = r.acl; w.since.IsZero() {
		w.since = time.Now()
		level.Info(r.options.Logger).Log("msg", "transaction log is followed behind a sweep: it lacks what became of ACLs", "after", r.acl, "until", from)
		if r.Mismatch() == nil { // That is the more important news.
			r.state.Store(&Status{Err: errSweeping})
		}
	}
	return true, nil
}
