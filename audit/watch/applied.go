package watch

import (
	"context"
	"sync"

	"zkwarden/audit"
)

const opPing = 11

// Applied tells how far the ensemble is, for who reads a server's transaction
// log. It implements [audit.Applied] by pings over a session of its own: the
// answer to a ping carries the last zxid that its server had applied, and costs
// the server nothing. The first server is preferred; a server that is read-only
// refuses the session, which does not ask for one.
type Applied struct {
	source *Source

	mu      sync.Mutex // Held while a question is open.
	inquiry *inquiry   // Nil while there is no session.
	end     context.CancelFunc
}

// NewApplied prepares the session as that of a source with these options would
// be; it is made with the first question, and again where it was lost.
func NewApplied(o Options) *Applied {
	if o.Timeout == 0 {
		o.Timeout = defaultTimeout
	}
	return &Applied{source: &Source{Options: o}}
}

// Applied implements [audit.Applied].
func (a *Applied) Applied(ctx context.Context) (audit.Zxid, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inquiry != nil {
		// The session may have ended since the last question: it lives on these.
		if zxid, err := a.ping(ctx); err == nil {
			return zxid, nil
		}
	}
	var failure error
	for _, address := range a.source.Servers {
		if failure = a.open(ctx, address); failure == nil {
			return a.ping(ctx)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return 0, failure
}

// open makes a session that outlives ctx, unless that ends before.
func (a *Applied) open(ctx context.Context, address string) error {
	lasting, end := context.WithCancel(context.Background())
	release := context.AfterFunc(ctx, end)
	q, err := a.source.inquire(lasting, address, 0)
	if !release() || err != nil {
		end()
	}
	if err != nil {
		return err
	}
	a.inquiry, a.end = q, end
	return nil
}

// ping asks, and gives the session up where there is no answer.
func (a *Applied) ping(ctx context.Context) (audit.Zxid, error) {
	release := context.AfterFunc(ctx, func() { _ = a.inquiry.conn.Close() })
	defer release()
	reply, err := a.inquiry.exchange(appendHeader(start(0), xidPing, opPing), xidPing, nil)
	if err == nil {
		err = answers(reply, 0)
	}
	if err != nil {
		a.forget()
		return 0, err
	}
	return reply.zxid, nil
}

// Close ends the session.
func (a *Applied) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inquiry != nil {
		a.inquiry.end()
		a.forget()
	}
}

func (a *Applied) forget() {
	a.inquiry.abandon()
	a.end()
	a.inquiry, a.end = nil, nil
}
