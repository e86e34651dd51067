package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
)

// glance is how many transactions are read between two looks at the context.
const glance = 1 << 12

// scan yields the transactions of some logs, each valid until the next. An
// error ends it.
func (h *History) scan(ctx context.Context, logs []txnlog.File) iter.Seq2[*txnlog.Txn, error] {
	return func(yield func(*txnlog.Txn, error) bool) {
		at := Progress{File: 1, Files: len(logs)}
		for txn, err := range txnlog.Records(logs) {
			if err != nil {
				if err := h.damaged(err); err != nil {
					yield(nil, err)
					return
				}
				continue
			}
			for at.File < len(logs) && txn.Zxid >= logs[at.File].Zxid {
				at.File++
			}
			at.Zxid = txn.Zxid
			if at.Transactions%glance == 0 {
				if h.Progress != nil {
					h.Progress(at)
				}
				if ctx.Err() != nil {
					yield(nil, ctx.Err())
					return
				}
			}
			at.Transactions++
			if !yield(txn, nil) {
				return
			}
		}
	}
}

// damaged decides about what is wrong with a file. Half a record at the end of
// one is what a crash of the server leaves; nobody was ever told of it.
func (h *History) damaged(err error) error {
	_, isDamage := errors.AsType[*txnlog.FileError](err)
	switch {
	case errors.Is(err, txnlog.ErrTorn):
		h.note("%v; a crash leaves that, and what follows in other files is read", err)
	case isDamage && h.SkipDamaged:
		h.note("passed over: %v", err)
	default:
		return err
	}
	return nil
}

func (h *History) note(format string, args ...any) {
	if h.Note != nil {
		h.Note(fmt.Sprintf(format, args...))
	}
}

// follows tells whether no transaction can lie between two zxids: the leader
// counts from 1 in each epoch. A request that could not be understood leaves
// an error with the zxid of the transaction before it.
func follows(before, next uint64) bool {
	a, b := audit.Zxid(before), audit.Zxid(next)
	if a.Epoch() == b.Epoch() {
		return b <= a+1
	}
	return b > a && b.Counter() <= 1
}

// first tells whether a log with this first zxid begins with the history of
// its ensemble: a quorum begins with epoch 1.
func first(zxid uint64) bool {
	return audit.Zxid(zxid).Epoch() <= 1 && audit.Zxid(zxid).Counter() == 1
}

// skips tells whether a snapshot lies between two zxids that could follow each
// other. A server writes one when it was brought up to date by it, and logs none
// of what came with it. Where that was in a new epoch before its first
// transaction, it is named after none.
func (h *History) skips(before, next uint64) bool {
	return audit.Zxid(before).Epoch() != audit.Zxid(next).Epoch() &&
		slices.ContainsFunc(h.Snapshots, func(s txnlog.File) bool { return s.Zxid > before && s.Zxid < next })
}

// jump notes that an epoch in between has no transaction. There are such:
// elections that were followed by another one.
func (h *History) jump(before, next uint64) {
	a, b := audit.Zxid(before), audit.Zxid(next)
	if a.Epoch()+1 < b.Epoch() && before != 0 {
		h.note("the logs have no transaction of the epochs between %s and %s: either there was none, or they are missing, and then the last transactions before, up to %s, may never have been committed", a, b, a)
	}
}

// hole notes that transactions are missing.
func (h *History) hole(before, next uint64) {
	a, b := audit.Zxid(before), audit.Zxid(next)
	doubt := ""
	if a.Epoch() != b.Epoch() {
		doubt = fmt.Sprintf("; the last transactions before, up to %s, may never have been committed", a)
	}
	h.note("the logs have nothing between %s and %s: files are missing, or the server was brought up to date by a snapshot%s", a, b, doubt)
}

// uncommitted notes that the end of the logs proves nothing.
func (h *History) uncommitted(last uint64) {
	h.note("a voter logs a transaction before it is committed: the last ones, up to %s, count only if this is the log of an observer or a standalone server, or if others have them",
		audit.Zxid(last))
}
