package logsource

import (
	"context"
	"fmt"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
)

// catchUp hands over the changes of ACLs through the place where the log takes
// over: no watch has told of them. Those that an answer showed are among them,
// and the recorder knows it. What lies between two zxids of one epoch that were
// applied has committed, if the log has all of it. Where it has not, nothing is
// known of ACLs until a sweep of the live source.
func (l *lead) catchUp(ctx context.Context) error {
	if l.acl == 0 || l.acl >= l.from {
		return nil
	}
	switch whole, err := l.tellACLs(ctx); {
	case err != nil:
		return err
	case !whole:
		level.Warn(l.options.Logger).Log("msg", "changes of ACLs may have gone unseen, until a sweep", "after", l.acl, "until", l.from)
		l.acl = 0
		return nil
	}
	return l.send(ctx, audit.Mark{Zxid: l.from, ACL: l.from})
}

// tellACLs reports whether the log has every transaction behind acl and through
// from.
func (l *lead) tellACLs(ctx context.Context) (whole bool, err error) {
	if l.acl.Epoch() != l.from.Epoch() {
		return false, nil // What ended the older one may never have committed.
	}
	follower := l.tail.follow(before(l.acl))
	defer follower.Close() //nolint:errcheck // It was only read.
	last := l.acl
	for last < l.from && follower.Next() {
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
				if err := l.tell(ctx, txn.Header, index, op); err != nil {
					return false, err
				}
			}
			index++
		}
	}
	if err := follower.Err(); err != nil {
		return false, fmt.Errorf("read changes of ACLs: %w", err)
	}
	return last == l.from, nil
}
