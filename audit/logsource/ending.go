package logsource

import (
	"fmt"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
)

// fitting returns with how many of the transactions, from the first on, the
// witness's digest comes out right and its counters go on. Those that change
// nothing make no difference. It returns errUnproven where one that makes a
// difference cannot be told to have committed, as a write before a witness that
// deletes its znode, and errHole where nothing fits.
func (l *ledger) fitting(old []*txnlog.Txn, witness *txnlog.Txn) (count int, err error) {
	count = -1
	ephemerals := l.ephemerals.Clone()
	idle := false // Whether the last one changed nothing.
	l.digests.Try(func() {
		for n := 0; ; n++ {
			switch fits := l.fits(witness, &ephemerals); {
			case fits && (count < 0 || count == n-1 && idle):
				count = n
			case fits:
				err = fmt.Errorf("%w: the digest of %v fits with and without the %v of %v", errUnproven, audit.Zxid(witness.Zxid), old[n-1].Type, audit.Zxid(old[n-1].Zxid))
			}
			if n == len(old) {
				return
			}
			idle = true
			for _, op := range ephemerals.Changes(old[n]) {
				l.digests.Change(old[n].Header, op)
				idle = false
			}
		}
	})
	if count < 0 {
		err = fmt.Errorf("%w: %v does not go on from what was before", errHole, audit.Zxid(witness.Zxid))
	}
	return count, err
}

// fits reports whether a transaction can be the next one.
func (l *ledger) fits(txn *txnlog.Txn, ephemerals *txnlog.Ephemerals) (fits bool) {
	l.digests.Try(func() {
		fits = true
		for _, op := range ephemerals.Would(txn) {
			fits = fits && l.digests.Follows(op)
			l.digests.Change(txn.Header, op)
		}
		fits = fits && txn.Digest.Sum-l.digests.Sum() == l.offset
	})
	return fits
}
