package logsource

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"zkwarden/audit"
	"zkwarden/audit/txnlog"
)

var (
	errHole     = errors.New("transactions are missing in the server's log")
	errUnproven = errors.New("nobody can tell which transactions of an earlier epoch committed")
	errElsewise = errors.New("the log does not hold the transactions that were recorded")
)

// maxHeld bounds how many transactions of an ended epoch wait for a decision.
const maxHeld = 4096

// tail is the log behind a position.
type tail struct {
	dir      string
	logger   log.Logger
	follower *txnlog.Follower
	at       audit.Zxid // The last transaction that was taken.
	time     int64      // Its time, as the leader had it; zero where it was not read.

	next    *txnlog.Txn   // The one behind it, borrowed, once it was read.
	held    []*txnlog.Txn // What was read further on: next is the first of it then.
	checked bool          // Whether at was read, and not only believed to be there.
	proven  audit.Zxid    // Everything up to here committed, as a later epoch's digest shows,
	settled uint32        // and what is behind it belongs to this epoch or a later one; zero for that of at.

	ledger     *ledger // Nil: nothing is verified.
	ephemerals txnlog.Ephemerals
}

// openTail begins to read at the newest snapshot that is finished at or before
// limit, or without any at near, which is not zero.
func openTail(logs, snapshots string, limit, near audit.Zxid, logger log.Logger) (*tail, error) {
	t := &tail{dir: logs, logger: logger}
	switch files, err := txnlog.Logs(logs); {
	case err != nil:
		return nil, err
	case len(files) == 0:
		return nil, fmt.Errorf("%s has no transaction logs", logs)
	}
	var err error
	if t.ledger, err = newLedger(snapshots, limit, logger); err == nil {
		t.at = t.ledger.base
	} else if near == 0 {
		return nil, fmt.Errorf("wait for the first sync: %w", err)
	} else {
		level.Warn(logger).Log("msg", "what the transaction log says cannot be verified", "err", err)
		t.at = before(near)
	}
	t.follower = t.follow(before(t.at))
	return t, nil
}

func (t *tail) follow(from audit.Zxid) *txnlog.Follower {
	return txnlog.Follow(t.dir, uint64(from), func(err error) {
		level.Info(t.logger).Log("msg", "transaction log ended within a record", "err", err)
	})
}

// before is where to begin in order to meet zxid itself.
func before(zxid audit.Zxid) audit.Zxid {
	if zxid.Counter() == 0 {
		return zxid
	}
	return zxid - 1
}

func (t *tail) close() { _ = t.follower.Close() } // It was only read.

// peek returns the transaction behind at, or nil when there is none yet. It is
// valid until the next peek that follows a take.
func (t *tail) peek() (*txnlog.Txn, error) {
	if t.next != nil {
		return t.next, nil
	}
	if len(t.held) > 0 {
		t.next = t.held[0]
		return t.next, nil
	}
	for t.follower.Next() {
		txn := t.follower.Record()
		if audit.Zxid(txn.Zxid) > t.at {
			t.next = txn
			return txn, nil
		}
		if audit.Zxid(txn.Zxid) == t.at && t.time != 0 && t.time != txn.Time && txn.Type != txnlog.TypeError {
			return nil, fmt.Errorf("%w: zxid %v is another one", errElsewise, t.at)
		}
		t.checked = t.checked || audit.Zxid(txn.Zxid) == t.at
	}
	return nil, t.follower.Err()
}

// take makes the next transaction the last, and returns its changes, which are
// valid as long as it is. With errMismatch they are not to be believed.
func (t *tail) take() (iter.Seq2[int, txnlog.Op], error) {
	txn := t.next
	t.next, t.checked = nil, true
	if len(t.held) > 0 {
		t.held = t.held[1:]
	}
	t.at, t.time = audit.Zxid(txn.Zxid), txn.Time
	changes := t.ephemerals.Changes(txn)
	if t.ledger == nil {
		return changes, nil
	}
	begun := t.ledger.begun
	err := t.ledger.add(txn)
	if !begun && t.ledger.begun && t.ledger.offset != 0 {
		t.unverified("the digest of the snapshot's tree is not the server's")
	}
	return changes, err
}

func (t *tail) unverified(why string) {
	level.Warn(t.logger).Log("msg", "what the transaction log says is no longer verified", "reason", why, "zxid", t.at)
	t.ledger = nil
}

// verified is the last zxid through which every digest agreed.
func (t *tail) verified() audit.Zxid {
	if t.ledger == nil {
		return 0
	}
	return t.ledger.agreed
}

// reach goes on to z, of which the live source has shown everything, and
// reports whether the log goes on behind it. What is passed over on the way is
// known already and only counts for the digests.
func (t *tail) reach(z audit.Zxid) (bool, error) {
	for {
		txn, err := t.peek()
		if err != nil {
			return false, err
		}
		if txn == nil || audit.Zxid(txn.Zxid) > z {
			return t.holds(z, txn), nil
		}
		if err := follows(t.at, audit.Zxid(txn.Zxid)); err != nil && t.ledger != nil {
			t.unverified(err.Error())
		}
		_, err = t.take()
		if errors.Is(err, errMismatch) {
			t.unverified(err.Error())
		}
	}
}

// holds reports whether the log goes on behind z: z was read and is the last
// before next, or next is the one behind it. A leader's first zxid is that of no
// transaction.
func (t *tail) holds(z audit.Zxid, next *txnlog.Txn) bool {
	if t.ledger != nil && z < t.ledger.end {
		return false
	}
	switch {
	case t.at == z && (t.checked || next != nil && audit.Zxid(next.Zxid) == z+1):
		return true
	case z.Counter() == 0:
		if t.ledger != nil {
			t.ledger.begun = false // What was read may end with what never committed.
		}
		t.at, t.time, t.checked = z, 0, true
		return true
	}
	return false
}

// reopen goes back to at after the server has cut its log.
func (t *tail) reopen() {
	t.close()
	t.next, t.held, t.checked = nil, nil, false
	t.proven, t.settled = 0, 0
	t.follower = t.follow(before(t.at))
}

// epoch is that of the transactions behind at.
func (t *tail) epoch() uint32 { return max(t.at.Epoch(), t.settled) }

// settle decides about the transactions of an epoch that ended: those that were
// not confirmed while it lasted, if there are any, and whether others are
// missing. It waits until the log has a digest of a later epoch's leader, who
// had all that committed and nothing else, and applied is as far. What did not
// commit is gone then, and what did is proven. The transaction with the digest is
// not: it waits like any other of its epoch, which may have ended, too.
func (t *tail) settle(applied audit.Zxid) (decided bool, err error) {
	if t.ledger == nil || !t.ledger.begun {
		return false, fmt.Errorf("%w: there are no digests to tell how the one of %v ended", errUnproven, t.at)
	}
	old, witness, err := t.lookAhead()
	if err != nil || witness == nil || audit.Zxid(witness.Zxid) > applied {
		return false, err
	}
	committed, err := t.ledger.fitting(t.held[:old], witness)
	if err != nil {
		return false, err
	}
	if committed < old {
		level.Info(t.logger).Log("msg", "passing over transactions that never committed",
			"count", old-committed, "first", audit.Zxid(t.held[committed].Zxid))
	}
	if committed > 0 {
		t.proven = audit.Zxid(t.held[committed-1].Zxid)
	}
	t.held = slices.Delete(t.held, committed, old)
	t.next, t.settled = nil, audit.Zxid(witness.Zxid).Epoch()
	return true, nil
}

// lookAhead reads on up to the first transaction of a later epoch that has a
// digest, and returns it, and how many of earlier epochs come before it. That may
// be epochs that had nothing but failed requests, which have no digest.
func (t *tail) lookAhead() (old int, witness *txnlog.Txn, err error) {
	last := t.at
	for i := 0; ; i++ {
		if i == len(t.held) {
			if more, err := t.hold(); err != nil || !more {
				return 0, nil, err
			}
		}
		txn := t.held[i]
		zxid := audit.Zxid(txn.Zxid)
		if zxid != last {
			if err := follows(last, zxid); err != nil {
				return 0, nil, err
			}
		}
		if last.Epoch() < zxid.Epoch() {
			old = i // Of the witness's own epoch none is.
		}
		last = zxid
		if zxid.Epoch() > t.epoch() && comparable(txn) {
			return old, txn, nil
		}
	}
}

// hold reads one transaction more.
func (t *tail) hold() (more bool, err error) {
	if len(t.held) >= maxHeld {
		return false, fmt.Errorf("%w: there are more than %d behind %v", errUnproven, maxHeld, t.at)
	}
	if len(t.held) == 0 && t.next != nil {
		t.held = append(t.held, t.next.Clone())
		t.next = t.held[0]
		return true, nil
	}
	if !t.follower.Next() {
		return false, t.follower.Err()
	}
	t.held = append(t.held, t.follower.Record().Clone())
	return true, nil
}

// follows reports whether a transaction can be the one behind another: the next
// of its epoch, or the first of a later one.
func follows(last, zxid audit.Zxid) error {
	if zxid == last+1 && zxid.Epoch() == last.Epoch() || zxid.Epoch() > last.Epoch() && zxid.Counter() == 1 {
		return nil
	}
	return fmt.Errorf("%w: %v follows %v", errHole, zxid, last)
}
