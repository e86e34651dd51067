package attribution

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"

	"zkwarden/internal/fourletter"
)

const (
	// minGap lies between the beginnings of two asks of a member, and behind one
	// that was urgent share times what it took.
	minGap = 50 * time.Millisecond
	share  = 10
	// deafInterval is that of members that refuse the word, which takes a restart
	// of theirs to change.
	deafInterval = time.Minute
	// maxLine is the longest line of an answer, in bytes; some 200 are usual.
	maxLine = 4 << 10
)

// Whitelist is the line of zoo.cfg that lets a server tell its clients, beside
// the words that are in it already.
const Whitelist = "4lw.commands.whitelist=cons"

// errNoConnection is an answer that lists nobody, not even who asks.
var errNoConnection = errors.New("no line is a connection")

// member is a server that is asked, by one goroutine. The mutex of the
// attributor guards what is not constant.
type member struct {
	Member
	ctx    context.Context
	leave  context.CancelFunc
	urgent chan struct{} // Holds one call for an ask that is not due yet.

	began   time.Time         // When the last ask began that has ended; zero: none has.
	listed  time.Time         // The same of the last that was answered whole.
	err     error             // How the last one ended.
	refused fourletter.Reason // As it was last logged; empty: the member answers.
}

func newMember(ctx context.Context, one Member) *member {
	m := &member{Member: one, urgent: make(chan struct{}, 1)}
	m.ctx, m.leave = context.WithCancel(ctx)
	return m
}

func find(all []*member, one Member) *member {
	for _, m := range all {
		if m.Member == one {
			return m
		}
	}
	return nil
}

// urge calls for an ask that begins after now.
func (m *member) urge() {
	select {
	case m.urgent <- struct{}{}:
	default: // The call that waits there is answered by such an ask, too.
	}
}

// attend asks the member whenever it is due or urgent, until it leaves.
func (a *Attributor) attend(m *member) {
	for urgent := false; ; {
		select {
		case <-m.urgent:
		default:
		}
		began := time.Now()
		a.ask(m, began)
		interval, gap := a.options.Interval, minGap
		if urgent {
			gap = max(gap, share*time.Since(began))
		}
		urgent = false
		if m.refused == fourletter.NotWhitelisted {
			interval = max(interval, deafInterval)
		}
		due := time.NewTimer(time.Until(began.Add(max(interval, gap))))
		select {
		case <-m.ctx.Done():
		case <-due.C:
		case <-m.urgent:
			urgent = true
			due.Reset(time.Until(began.Add(gap)))
			select {
			case <-m.ctx.Done():
			case <-due.C:
			}
		}
		due.Stop()
		if m.ctx.Err() != nil {
			return
		}
	}
}

// ask asks the member once.
func (a *Attributor) ask(m *member, began time.Time) {
	ctx, cancel := context.WithTimeout(m.ctx, a.options.Timeout)
	defer cancel()
	err := a.read(ctx, m, began)
	if m.ctx.Err() != nil {
		return // It was not the member that ended it.
	}
	if _, told := fourletter.ReasonOf(err); err != nil && !told {
		err = &fourletter.Error{Word: fourletter.Cons, Addr: m.Addr, Reason: fourletter.Unparsable, Err: err}
	}
	a.metrics.asked(err)
	a.mu.Lock()
	m.began, m.err = began, err
	if err == nil {
		m.listed = began
	}
	a.notify()
	a.mu.Unlock()
	a.report(m)
}

// read takes what the member's answer lists. What it lists before it breaks off
// is true as well.
func (a *Attributor) read(ctx context.Context, m *member, began time.Time) error {
	reply, err := a.options.Client.Open(ctx, m.Addr, fourletter.Cons)
	if err != nil {
		return err
	}
	defer reply.Close()
	connections := 0
	lines := bufio.NewScanner(reply)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		c, ok := fourletter.ParseConnection(lines.Bytes())
		if !ok {
			continue
		}
		connections++
		if c.Session != 0 {
			a.mu.Lock()
			a.sessions.see(c, m, began)
			a.mu.Unlock()
		}
	}
	switch err := lines.Err(); {
	case err != nil:
		return fmt.Errorf("read connections: %w", err)
	case connections == 0:
		return errNoConnection
	}
	return nil
}

// report logs once when a member begins to fail, or fails otherwise.
func (a *Attributor) report(m *member) {
	reason, _ := fourletter.ReasonOf(m.err)
	if reason == m.refused {
		return
	}
	m.refused = reason
	logger := log.With(a.options.Logger, "member", m.Addr)
	switch reason {
	case "":
		level.Info(logger).Log("msg", "member tells its clients again")
	case fourletter.NotWhitelisted:
		level.Warn(logger).Log("msg", "member does not tell its clients: changes by theirs have no address",
			"fix", "put cons into 4lw.commands.whitelist of zoo.cfg, as in "+Whitelist+", beside the words that it has, and restart the server")
	default:
		level.Warn(logger).Log("msg", "member does not tell its clients: changes by theirs may have no address", "err", m.err)
	}
}
