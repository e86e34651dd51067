package history

import (
	"context"

	"zkwarden/audit/txnlog"
)

// fill completes what is known with a snapshot. A snapshot is fuzzy: what it
// shows of a znode that was changed after it was begun is of no use, as the
// changes are still to come.
func (r *replay) fill(ctx context.Context, file txnlog.File) error {
	var acls []*incarnation
	s, err := txnlog.OpenSnapshot(file.Path)
	if err == nil {
		defer s.Close() //nolint:errcheck // It was only read.
		acls, err = r.learn(ctx, s.Snapshot, file.Zxid)
	}
	if err != nil {
		r.forget()
		return r.h.damaged(err)
	}
	if end, told := finished(s.Snapshot); !told || end > file.Zxid {
		// ACLs have no zxid that would tell from when they are.
		for _, node := range acls {
			node.aversioned, node.content.hasACL, node.content.acl = false, false, nil
		}
	}
	r.whole = true
	return nil
}

// learn takes over what nothing better is known of, and returns the znodes
// whose ACLs come from the snapshot.
func (r *replay) learn(ctx context.Context, s *txnlog.Snapshot, begun uint64) (acls []*incarnation, err error) {
	for n := 0; s.Next(); n++ {
		if n%glance == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		from := s.Node()
		session, ephemeral := from.Stat.Session()
		if from.Stat.Czxid > begun {
			continue
		}
		path := string(from.Path)
		if ephemeral {
			r.ephemerals.Add(session, path)
		}
		if !r.o.Wants(path) {
			continue
		}
		node := r.known[path]
		if node == nil {
			node = &incarnation{}
			r.known[path] = node
		}
		if node.certain {
			continue
		}
		node.czxid, node.certain, node.owner = from.Stat.Czxid, true, session
		if !node.versioned && from.Stat.Mzxid <= begun {
			node.version, node.versioned = from.Stat.Version, true
			node.content.setData(from.Data, r.o.Contents)
		}
		if !node.aversioned {
			node.aversion, node.aversioned = from.Stat.Aversion, true
			node.content.setACL(from.ACL, r.o.Contents)
			acls = append(acls, node)
		}
	}
	return acls, s.Err()
}

// finished returns the last transaction that a snapshot may show. Servers tell
// it since 3.6; the snapshot has been read to its end.
func finished(s *txnlog.Snapshot) (zxid uint64, told bool) {
	if last, ok := s.LastZxid(); ok {
		return last, true
	}
	zxid, _, told = s.Digest()
	return zxid, told
}
