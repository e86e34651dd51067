package history

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
)

// Tree makes the tree as it was at a moment, from the newest snapshot at or
// before it and the transactions behind that. It keeps data and ACL of those
// znodes that keep wants, which may be nil for none. Where the files do not
// reach to the moment, or not from any snapshot, that is an error.
func (h *History) Tree(ctx context.Context, m Moment, keep func(path []byte) bool) (*txnlog.Tree, error) {
	at, err := h.find(ctx, m)
	if err != nil {
		return nil, err
	}
	return h.treeAt(ctx, at, keep)
}

func (h *History) treeAt(ctx context.Context, at uint64, keep func([]byte) bool) (*txnlog.Tree, error) {
	tree, from, err := h.base(ctx, at, keep)
	if err == nil {
		err = h.advance(ctx, tree, from, at)
	}
	if err != nil {
		return nil, fmt.Errorf("tree at %s: %w", audit.Zxid(at), err)
	}
	return tree, nil
}

// base returns a tree to begin with, and the transaction that it is behind.
func (h *History) base(ctx context.Context, at uint64, keep func([]byte) bool) (tree *txnlog.Tree, from uint64, err error) {
	var reasons []error
	for _, file := range slices.Backward(h.Snapshots) {
		if file.Zxid > at {
			continue
		}
		tree, err := h.load(ctx, file, at, keep)
		if _, unfit := errors.AsType[unfitError](err); !unfit {
			return tree, file.Zxid, err
		}
		reasons = append(reasons, err)
	}
	switch whole, err := h.begins(ctx); {
	case err != nil:
		return nil, 0, err
	case whole:
		return txnlog.NewTree(keep), 0, nil
	}
	return nil, 0, errors.Join(append(reasons, unfitError{"the logs do not begin with the ensemble's first transaction, and no snapshot at or before it is of use"})...)
}

// unfitError is why one snapshot is of no use; an older one may be.
type unfitError struct{ reason string }

func (e unfitError) Error() string { return e.reason }

// begins tells whether the logs have the first transaction of the ensemble.
func (h *History) begins(ctx context.Context) (bool, error) {
	for txn, err := range h.scan(ctx, h.Logs[:min(1, len(h.Logs))]) {
		return err == nil && first(txn.Zxid), err
	}
	return false, nil
}

// load reads a snapshot that was finished at or before a transaction. The tree
// is that of its end only once everything up to there has been applied again.
func (h *History) load(ctx context.Context, file txnlog.File, at uint64, keep func([]byte) bool) (*txnlog.Tree, error) {
	s, err := txnlog.OpenSnapshot(file.Path)
	if err != nil {
		return nil, h.unfit(err)
	}
	defer s.Close() //nolint:errcheck // It was only read.
	tree, end := txnlog.NewTree(keep), file.Zxid
	for n := 0; s.Next(); n++ {
		if n%glance == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		tree.Add(s.Node())
		stat := s.Node().Stat
		end = max(end, stat.Czxid, stat.Mzxid, stat.Pzxid)
	}
	if s.Err() != nil {
		return nil, h.unfit(s.Err())
	}
	told, _ := finished(s.Snapshot)
	if end = max(end, told); end > at {
		return nil, unfitError{fmt.Sprintf("%s was begun before it and finished with %s, behind it", file.Path, audit.Zxid(end))}
	}
	return tree, nil
}

// unfit decides about a damaged snapshot.
func (h *History) unfit(err error) error {
	if err := h.damaged(err); err != nil {
		return err
	}
	return unfitError{err.Error()}
}

// advance applies the transactions behind one up to another.
func (h *History) advance(ctx context.Context, tree *txnlog.Tree, from, to uint64) error {
	last, digested, differs, behind := from, uint64(0), false, false
	for txn, err := range h.scan(ctx, h.since(from)) {
		if err != nil {
			return err
		}
		if txn.Zxid <= from {
			continue
		}
		if last == 0 && !first(txn.Zxid) || last != 0 && (!follows(last, txn.Zxid) || h.skips(last, txn.Zxid)) {
			return fmt.Errorf("the logs have nothing between %s and %s", audit.Zxid(last), audit.Zxid(txn.Zxid))
		}
		h.jump(last, txn.Zxid)
		if txn.Zxid > to {
			last, behind = to, true
			break
		}
		last = txn.Zxid
		tree.Apply(txn)
		if txn.HasDigest && txn.Digest.Version == txnlog.DigestVersion {
			digested, differs = txn.Zxid, txn.Digest != tree.Digest()
		}
	}
	if last > from && !behind {
		h.uncommitted(last)
	}
	if last < to {
		return fmt.Errorf("the files end with %s, before it", audit.Zxid(last))
	}
	if differs {
		h.note("the tree is not the server's: with %s that one had another digest. Transactions of the logs may never have been committed", audit.Zxid(digested))
	}
	return nil
}

// since returns the logs that can hold what follows a transaction.
func (h *History) since(zxid uint64) []txnlog.File {
	from := 0
	for i, file := range h.Logs {
		if file.Zxid != 0 && file.Zxid <= zxid+1 {
			from = i
		}
	}
	return h.Logs[from:]
}
