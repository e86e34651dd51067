package logsource

import (
	"errors"
	"fmt"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
)

// snapshotsTried bounds how many snapshots are read to find one that is of use.
const snapshotsTried = 3

var (
	errMismatch   = errors.New("the operations do not add up to the digest of the server's tree")
	errNoSnapshot = errors.New("no snapshot is of use")
)

// ledger adds up the operations of the log, to compare with the digests that
// the log has. What is compared is the change from one digest to the next: the
// sums themselves may differ by what a server once computed wrongly.
type ledger struct {
	digests    *txnlog.Digests
	ephemerals txnlog.Ephemerals
	base       audit.Zxid // The snapshot's; transactions behind it are to be added.
	end        audit.Zxid // From here on the snapshot is no longer fuzzy.
	begun      bool       // Whether a digest was met behind end,
	offset     uint64     // and by how much the sums differed there.
	agreed     audit.Zxid // The last transaction through which all changes agreed.
}

// newLedger reads the newest snapshot that is finished at or before limit.
func newLedger(dir string, limit audit.Zxid, logger log.Logger) (*ledger, error) {
	files, err := txnlog.Snapshots(dir)
	if err != nil {
		return nil, err
	}
	tried := 0
	for i := len(files) - 1; i >= 0 && tried < snapshotsTried; i-- {
		if audit.Zxid(files[i].Zxid) > limit {
			continue
		}
		tried++
		l, err := readLedger(files[i])
		switch {
		case err != nil:
			level.Debug(logger).Log("msg", "snapshot is of no use", "err", err)
		case l.end <= limit:
			return l, nil
		}
	}
	return nil, fmt.Errorf("%w in %s", errNoSnapshot, dir)
}

func readLedger(file txnlog.File) (*ledger, error) {
	snapshot, err := txnlog.OpenSnapshot(file.Path)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close() //nolint:errcheck // It was only read.
	l := &ledger{digests: txnlog.NewDigests(), base: audit.Zxid(file.Zxid), end: audit.Zxid(file.Zxid)}
	for snapshot.Next() {
		node := snapshot.Node()
		l.digests.Add(node)
		if session, ok := node.Stat.Session(); ok {
			l.ephemerals.Add(session, string(node.Path))
		}
		l.end = max(l.end, audit.Zxid(max(node.Stat.Czxid, node.Stat.Mzxid, node.Stat.Pzxid)))
	}
	if last, ok := snapshot.LastZxid(); ok {
		l.end = max(l.end, audit.Zxid(last))
	}
	// That of a server's first snapshot is 0, whatever the tree is.
	if zxid, digest, ok := snapshot.Digest(); ok && audit.Zxid(zxid) == l.end && l.end == l.base {
		l.begun = digest == txnlog.Digest{Version: txnlog.DigestVersion, Sum: l.digests.Sum()}
	}
	return l, snapshot.Err()
}

// add makes the changes of a transaction and compares. It returns errMismatch
// when the digest says something else.
func (l *ledger) add(txn *txnlog.Txn) error {
	for _, op := range l.ephemerals.Changes(txn) {
		l.digests.Change(txn.Header, op)
	}
	zxid := audit.Zxid(txn.Zxid)
	switch {
	case !comparable(txn) || zxid < l.end:
		if txn.Type == txnlog.TypeError && l.agreed != 0 {
			l.agreed = zxid // It changes nothing, and has no digest for that reason.
		}
		return nil
	case !l.begun:
		l.begun, l.offset = true, txn.Digest.Sum-l.digests.Sum()
		if l.offset == 0 {
			l.agreed = zxid
		}
		return nil
	case txn.Digest.Sum-l.digests.Sum() != l.offset:
		return fmt.Errorf("%w: at zxid %v", errMismatch, zxid)
	}
	l.agreed = zxid
	return nil
}

// comparable reports whether the transaction has a digest of the known kind.
func comparable(txn *txnlog.Txn) bool {
	return txn.HasDigest && txn.Digest.Version == txnlog.DigestVersion
}
