package logsource

import (
	"bytes"
	"fmt"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
)

// fits reports whether a transaction can be the next one.
func (l *ledger) fits(txn *txnlog.Txn) (fits bool) {
	l.digests.Try(func() {
		l.change(txn)
		fits = txn.Digest.Sum-l.digests.Sum() == l.offset
	})
	return fits
}

// change makes the changes that a transaction lists.
func (l *ledger) change(txn *txnlog.Txn) {
	for _, op := range txn.Changes() {
		l.digests.Change(txn.Header, op)
	}
}

// fitting returns with how many of the transactions, from the first on, the
// witness's digest comes out right. Those that change nothing make no
// difference. A write makes none where the witness is the next one of its znode,
// but then the versions tell. It returns errUnproven where one that makes a
// difference cannot be told to have committed, as a write before a witness that
// deletes its znode, and errHole where the digest never comes out right.
func (l *ledger) fitting(old []*txnlog.Txn, witness *txnlog.Txn) (count int, err error) {
	count = -1
	l.digests.Try(func() {
		for n := 0; ; n++ {
			switch fits := l.fits(witness) && goesOn(old, n, witness); {
			case fits && (count < 0 || count == n-1 && idle(old[n-1])):
				count = n
			case fits:
				err = fmt.Errorf("%w: the digest of %v fits with and without the %v of %v", errUnproven, audit.Zxid(witness.Zxid), old[n-1].Type, audit.Zxid(old[n-1].Zxid))
			}
			if n == len(old) {
				return
			}
			l.change(old[n])
		}
	})
	if count < 0 {
		err = fmt.Errorf("%w: %v does not go on from what was before", errHole, audit.Zxid(witness.Zxid))
	}
	return count, err
}

// idle reports whether a transaction changes nothing.
func idle(txn *txnlog.Txn) bool {
	for range txn.Changes() {
		return false
	}
	return txn.Type != txnlog.TypeCloseSession || txn.Ops[0].HasPaths
}

// goesOn reports whether the versions that the witness leaves can follow the
// first n of the transactions. A server counts them one by one.
func goesOn(old []*txnlog.Txn, n int, witness *txnlog.Txn) bool {
	met := map[string]bool{}
	for _, op := range witness.Changes() {
		if first := !met[string(op.Path)]; first && counts(op) {
			if version, known := versionBehind(old, n, op); known && op.Version != version+1 {
				return false
			}
		}
		met[string(op.Path)] = true
	}
	return true
}

// counts reports whether a change is one of a kind that its znode counts.
func counts(op txnlog.Op) bool {
	return op.Type == txnlog.TypeSetData || op.Type == txnlog.TypeSetACL
}

// versionBehind returns the version, or aversion, that the znode of a change has
// behind the first n of the transactions: that of the last one that is like it
// among them, or that before the first one behind them.
func versionBehind(old []*txnlog.Txn, n int, like txnlog.Op) (version int32, known bool) {
	for i, txn := range old {
		if i >= n && known {
			break
		}
		for _, op := range txn.Changes() {
			switch {
			case !bytes.Equal(op.Path, like.Path) || counts(op) && op.Type != like.Type:
			case i >= n && op.Type == like.Type:
				return op.Version - 1, true
			case i >= n:
				return 0, false
			case op.Type == like.Type:
				version, known = op.Version, true
			default: // It was created, or deleted and is to be created.
				version, known = 0, true
			}
		}
	}
	return version, known
}
