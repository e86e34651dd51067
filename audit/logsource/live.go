package logsource

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"zkwarden/audit"
)

// recheck is how often a log is looked at that does not reach the live source's
// last mark yet.
const recheck = 50 * time.Millisecond

// moment finds the mark at which the log can take over: one behind a walk, with
// nothing behind it, and nothing before it that is younger. A hint before a mark
// can have waited for an answer that came after it.
type moment struct {
	walked  bool       // Whether everything that was missed is shown.
	newest  audit.Zxid // Of what was shown.
	at      audit.Zxid // The mark, or zero.
	rescope bool       // Whether the scope was changed, so that there is another walk to wait for.
}

func (m *moment) note(o audit.Observation) {
	switch o := o.(type) {
	case audit.Mode:
		return
	case audit.Gap:
		if m.walked = false; o.Reason == audit.GapHistoryRewritten {
			m.newest = 0
		}
	case audit.Seen:
		m.newest = max(m.newest, o.At, o.Until)
	case audit.Counted:
		m.newest = max(m.newest, o.At)
	case audit.Mark:
		m.walked = m.walked || o.Walk
		if m.walked && o.Zxid >= m.newest {
			m.at = o.Zxid
			return
		}
	}
	m.at = 0
}

// settling is the recorder's read side for the live source, whose observations
// pass through here on their way: Settle waits for these, too.
type settling struct {
	audit.Known
	passed chan struct{}
}

func (s settling) Settle(ctx context.Context) error {
	select {
	case s.passed <- struct{}{}:
		return s.Known.Settle(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch runs the live source until the log can take over, and returns the log
// behind the last mark. It returns nil when the live source has to begin again,
// and the error of one that ended.
func (r *run) watch(ctx context.Context) (t *tail, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	in, passed, ended := make(chan audit.Observation), make(chan struct{}), make(chan error, 1)
	from := r.position()
	go func() {
		ended <- r.Live.Run(ctx, from, r.scope, settling{r.known, passed}, in)
		close(in)
	}()
	var preparing sync.WaitGroup
	t, err = r.relay(ctx, in, passed, func() <-chan *tail { return r.prepare(ctx, &preparing) })
	stop()
	for range in {
		// What is behind the mark the log tells.
	}
	preparing.Wait()
	if last := <-ended; err != nil {
		return nil, last
	}
	return t, nil
}

// errEnded means that the live source has ended by itself.
var errEnded = errors.New("live source has ended")

// relay hands over what the live source tells, until the log can take over.
func (r *run) relay(ctx context.Context, in <-chan audit.Observation, passed <-chan struct{}, prepare func() <-chan *tail) (*tail, error) {
	var (
		when moment
		acls sweeping
		t    *tail
	)
	prepared := prepare()
	ticker := time.NewTicker(recheck)
	defer ticker.Stop()
	for {
		select {
		case o, ok := <-in:
			if !ok {
				return nil, errEnded
			}
			o = r.explain(o)
			if err := r.send(ctx, o); err != nil {
				return nil, err
			}
			when.note(o)
		case <-passed:
		case <-r.rescoped:
			r.Live.Rescope()
			when.rescope = true
		case t = <-prepared:
		case <-ticker.C:
		}
		if t == nil || when.at == 0 {
			continue
		}
		switch reached, err := r.reaches(t, when, &acls); {
		case err != nil:
			t.close()
			t = nil
			r.unusable(err)
			r.postpone()
			prepared = prepare()
		case reached && when.rescope:
			t.close()
			r.why = audit.ResyncPolicy
			return nil, nil // The walk of another run shows all of the new scope.
		case reached:
			if err := r.takeOver(ctx, t); err != nil {
				t.close()
				return nil, err
			}
			return t, nil
		}
	}
}

// reaches reports whether the log can take over where the live source is.
func (r *run) reaches(t *tail, when moment, acls *sweeping) (bool, error) {
	reached, err := t.reach(when.at)
	if err != nil || !reached || when.rescope {
		return reached, err
	}
	wait, err := acls.wanted(r, t, when.at)
	return !wait, err
}

// explain gives the gap between the log and the live source its true reason:
// the live source takes every beginning for that of the process.
func (r *run) explain(o audit.Observation) audit.Observation {
	if gap, ok := o.(audit.Gap); ok {
		if gap.Reason == audit.GapRestart && r.why != "" {
			gap.Reason = r.why
		}
		r.why = ""
		return gap
	}
	return o
}

// takeOver gives the log what it needs to know of the tree behind the mark:
// which ephemeral znodes there are. A log that lists them when a session ends
// needs it for nothing.
func (r *run) takeOver(ctx context.Context, t *tail) error {
	if err := r.known.Settle(ctx); err != nil {
		return fmt.Errorf("wait for the recorder: %w", err)
	}
	r.learn(t)
	return nil
}

func (r *run) learn(t *tail) {
	for _, root := range r.scope.Roots() {
		for path, stat := range r.known.Walk(root, -1) {
			if stat.EphemeralOwner != 0 {
				t.ephemerals.Add(uint64(stat.EphemeralOwner), path)
			}
		}
	}
}

// prepare opens the log and goes on to the live source's last mark, beside it:
// a snapshot can be large. It tries until that succeeds.
func (r *run) prepare(ctx context.Context, preparing *sync.WaitGroup) <-chan *tail {
	prepared := make(chan *tail)
	wait := r.retry
	preparing.Go(func() {
		for {
			if sleep(ctx, wait) != nil {
				return
			}
			t, _, err := r.open(ctx, math.MaxUint64, r.position())
			if err != nil {
				r.unusable(err)
				wait = min(max(r.pace.retry, 2*wait), r.pace.look)
				continue
			}
			select {
			case prepared <- t:
			case <-ctx.Done():
				t.close()
			}
			return
		}
	})
	return prepared
}

// open opens the log and goes on to position, and reports whether it goes on
// behind that; see openTail for limit.
func (r *run) open(ctx context.Context, limit, position audit.Zxid) (t *tail, reached bool, err error) {
	logs, snapshots, err := r.options.Locate(ctx)
	if err != nil {
		return nil, false, err
	}
	if t, err = openTail(logs, snapshots, limit, position, r.options.Logger); err != nil {
		return nil, false, err
	}
	if reached, err = t.reach(position); err != nil {
		t.close()
		return nil, false, err
	}
	return t, reached, nil
}
