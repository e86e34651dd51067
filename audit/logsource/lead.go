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

var (
	errRescoped = errors.New("the scope is to be read anew")
	errStalled  = errors.New("the log does not have what the ensemble has applied")
	errSilent   = errors.New("nobody says how far the ensemble is")
	errBackward = errors.New("the ensemble is behind what was recorded")
)

// answerTimeout bounds a question how far the ensemble is.
const answerTimeout = 10 * time.Second

// lead is one stretch in which the log is followed.
type lead struct {
	*run
	tail *tail
	from audit.Zxid // Where it began.

	handed audit.Zxid // The last transaction that was handed over whole.

	mute  bool      // Whether the last question had no answer.
	grown time.Time // When the log had something new.
	back  time.Time // Since when the ensemble has been behind what was recorded; zero while it is not.
	quiet time.Time // When the log did not have something that was applied; zero while it does.
	undue time.Time // Since when transactions of an ended epoch have waited; zero while none do.
}

// lead follows the log until something is in the way, and returns what.
func (r *run) lead(ctx context.Context, t *tail) error {
	level.Info(r.options.Logger).Log("msg", "following the transaction log", "dir", t.dir, "zxid", t.at, "verifying", t.ledger != nil && t.ledger.begun)
	l := &lead{run: r, tail: t, from: t.at, handed: t.at, grown: time.Now()}
	r.applied, r.answered = 0, time.Now() // What was said of another history counts no more.
	r.metrics.leading.Set(1)
	l.report(nil)
	if err := r.send(ctx, audit.Mode{Name: audit.ModeTxnlog}); err != nil {
		return err
	}
	if err := l.catchUp(ctx); err != nil {
		return err
	}
	for {
		select {
		case <-r.rescoped:
			return errRescoped
		default:
		}
		waiting, err := l.advance(ctx)
		if markErr := l.mark(ctx); err == nil {
			err = markErr
		}
		if err != nil {
			return err
		}
		if err := l.pause(ctx, waiting); err != nil {
			return err
		}
	}
}

// report says that the log is followed, and what is wrong meanwhile.
func (l *lead) report(err error) {
	verifying := 0.0
	if l.tail.ledger != nil && l.tail.ledger.begun {
		verifying = 1
	}
	l.metrics.verifying.Set(verifying)
	l.state.Store(&Status{Leading: true, Verified: l.verified(), Err: err})
	l.StandIn(err)
}

// verified is the last transaction through which the operations that were
// handed over here agree with the digests.
func (l *lead) verified() audit.Zxid {
	if v := l.tail.verified(); v > l.from {
		return v
	}
	return 0
}

// advance hands over what is confirmed, and reports whether something waits
// for that.
func (l *lead) advance(ctx context.Context) (waiting bool, err error) {
	for more := true; more; {
		waiting, more, err = l.step(ctx)
		if errors.Is(err, txnlog.ErrTakenBack) {
			// What was handed over is confirmed, so a leader that tells its
			// server to forget an end of the log leaves it alone.
			level.Info(l.options.Logger).Log("msg", "server has cut its transaction log", "zxid", l.tail.at, "err", err)
			l.tail.reopen()
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return waiting, nil
}

// step hands over one transaction if it is confirmed.
func (l *lead) step(ctx context.Context) (waiting, more bool, err error) {
	txn, err := l.tail.peek()
	if err != nil || txn == nil {
		return false, false, err
	}
	zxid := audit.Zxid(txn.Zxid)
	ended := zxid.Epoch() > l.tail.epoch() || l.applied.Epoch() > zxid.Epoch()
	switch {
	case zxid <= l.tail.proven:
	case ended:
		decided, err := l.decide(zxid)
		return true, decided, err
	case l.applied < zxid:
		return true, false, nil
	}
	return false, true, l.hand(ctx, txn)
}

// decide settles an epoch that ended. Where the log does not show soon how, the
// live source shows what became of it.
func (l *lead) decide(zxid audit.Zxid) (decided bool, err error) {
	decided, err = l.tail.settle(l.applied)
	switch {
	case err != nil || decided:
		l.undue = time.Time{}
		return decided, err
	case l.applied.Epoch() <= l.tail.epoch():
		return false, nil // Nobody of a later epoch has answered yet.
	case l.undue.IsZero():
		l.undue = time.Now()
	case time.Since(l.undue) > l.pace.stall:
		return false, fmt.Errorf("%w: %v waits, and the log has nothing of epoch %d", errUnproven, zxid, l.applied.Epoch())
	}
	return false, nil
}

// hand hands over the next transaction.
func (l *lead) hand(ctx context.Context, txn *txnlog.Txn) error {
	if err := follows(l.tail.at, audit.Zxid(txn.Zxid)); err != nil {
		return err
	}
	changes, err := l.tail.take()
	if err != nil {
		return err
	}
	l.grown = time.Now()
	l.metrics.read.Inc()
	index := 0
	for _, op := range changes {
		if err := l.tell(ctx, txn.Header, index, op); err != nil {
			return err
		}
		index++
	}
	l.handed = audit.Zxid(txn.Zxid)
	return nil
}

// tell hands over a change if it is of concern.
func (r *run) tell(ctx context.Context, h txnlog.Header, index int, op txnlog.Op) error {
	if !concerns(r.scope, string(op.Path)) {
		return nil
	}
	o, ok := translate(h, index, op)
	if !ok {
		return nil
	}
	return r.send(ctx, o)
}

// mark says how far everything was handed over.
func (l *lead) mark(ctx context.Context) error {
	at := l.handed
	if at == l.position() {
		return nil
	}
	l.report(nil)
	m := audit.Mark{Zxid: at, Verified: l.verified()}
	if l.acl != 0 {
		m.ACL = at
	}
	return l.send(ctx, m)
}

// pause waits until it makes sense to look again, and asks how far the server
// is: soon where something waits for that, and else now and then.
func (l *lead) pause(ctx context.Context, waiting bool) error {
	wait, due := l.pace.poll, l.pace.beat
	switch {
	case waiting && l.mute:
		due = l.pace.beat / 4
	case waiting:
		due = l.pace.ask
		wait = max(0, due-time.Since(l.asked))
	case time.Since(l.grown) > time.Second:
		wait = l.pace.idle
	}
	if err := sleep(ctx, wait); err != nil {
		return err
	}
	if time.Since(l.asked) < due {
		return nil
	}
	l.asked = time.Now()
	asking, cancel := context.WithTimeout(ctx, answerTimeout)
	applied, err := l.options.Applied.Applied(asking)
	cancel()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if l.mute = err != nil; l.mute {
		return l.unanswered(waiting, err)
	}
	l.answered = time.Now()
	if l.Status().Err != nil {
		l.report(nil)
	}
	return l.compare(applied)
}

// unanswered waits for another answer, unless it was long.
func (l *lead) unanswered(waiting bool, err error) error {
	level.Debug(l.options.Logger).Log("msg", "no answer how far the ensemble is", "err", err)
	l.report(fmt.Errorf("%w: %w", errSilent, err))
	if waiting && time.Since(l.answered) > l.pace.silence {
		return fmt.Errorf("%w: %w: %w", errUnproven, errSilent, err)
	}
	return nil
}

// compare takes in how far the ensemble is, and finds out whether the log
// belongs to it and to a server that goes along.
func (l *lead) compare(applied audit.Zxid) error {
	// Another member may lag, and the history is another one only if it stays so.
	if behind := applied < l.tail.at; !lasts(&l.back, behind, l.pace.stall) {
		l.applied = max(l.applied, applied)
	} else {
		return fmt.Errorf("%w: at %v, not %v", errBackward, applied, l.tail.at)
	}
	next, err := l.tail.peek()
	if err != nil {
		return nil // The next look at the log deals with it.
	}
	switch missing := next == nil && applied > l.tail.at && applied.Counter() != 0; {
	case !lasts(&l.quiet, missing || next == nil && !l.tail.checked, l.pace.stall):
		return nil
	case missing:
		return fmt.Errorf("%w: it ends at %v, and they are at %v", errStalled, l.tail.at, applied)
	}
	return fmt.Errorf("%w: zxid %v is gone", errElsewise, l.tail.at)
}

// lasts reports whether something has been so for longer than d; since is when
// that began.
func lasts(since *time.Time, so bool, d time.Duration) bool {
	switch {
	case !so:
		*since = time.Time{}
	case since.IsZero():
		*since = time.Now()
	default:
		return time.Since(*since) > d
	}
	return false
}
