package recorder

import (
	"context"
	"time"

	"zkwarden/audit"
)

const (
	// maxWait is how long a record waits for the client of a session that is
	// not known yet.
	maxWait = 100 * time.Millisecond
	// maxPatience bounds what several sessions can make records wait in a row,
	// and a tenth of the time that passes is added to it.
	maxPatience   = 500 * time.Millisecond
	patienceShare = 10
	// maxAwaited bounds the sessions that are remembered for having been waited
	// for.
	maxAwaited = 4096
)

// patience is how long records may still wait for clients of sessions, so that
// a burst of sessions that nobody knows does not hold up the recorder.
type patience struct {
	left    time.Duration
	since   time.Time // When left was counted.
	awaited map[audit.SessionID]struct{}
}

// actor returns who is behind a session, or nil where there is none.
func (r *Recorder) actor(ctx context.Context, session audit.SessionID) *audit.Actor {
	if session == 0 {
		return nil
	}
	actor := audit.Actor{Session: session, Confidence: audit.ConfidenceUnknown}
	if r.Actors == nil {
		return &actor
	}
	wait := r.patience.grant(session)
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	actor = r.Actors.Actor(ctx, session)
	if r.patience.spend(); wait > 0 && actor.Client == "" {
		r.patience.remember(session)
	}
	actor.Session = session
	if actor.Confidence == "" {
		actor.Confidence = audit.ConfidenceUnknown
	}
	return &actor
}

// grant returns how long to wait for session: not at all for one that was waited
// for in vain.
func (p *patience) grant(session audit.SessionID) time.Duration {
	now := time.Now()
	if p.since.IsZero() {
		p.since = now.Add(-maxPatience * patienceShare)
	}
	p.left = min(p.left+now.Sub(p.since)/patienceShare, maxPatience)
	p.since = now
	if _, again := p.awaited[session]; again {
		return 0
	}
	return max(0, min(p.left, maxWait))
}

// spend counts what passed since the grant.
func (p *patience) spend() {
	now := time.Now()
	p.left -= now.Sub(p.since)
	p.since = now
}

func (p *patience) remember(session audit.SessionID) {
	if p.awaited == nil || len(p.awaited) >= maxAwaited {
		p.awaited = map[audit.SessionID]struct{}{}
	}
	p.awaited[session] = struct{}{}
}
