package recorder

import (
	"context"

	"zkwarden/audit"
)

// begin adopts the policy of this run and records the start.
func (r *Recorder) begin(ctx context.Context) error {
	r.replaying = false
	if r.lost {
		r.lost, r.unseen = false, audit.GapMirrorLost
		r.place.Seq = r.Head
	}
	if err := r.startPolicy(ctx); err != nil {
		return err
	}
	if r.Head > 0 && r.place.Mark == 0 && r.unseen == "" {
		r.unseen = audit.GapRestart // The last run ended before its first sync did.
	}
	r.resync.cut = r.Mirror.Len() > 0
	start := audit.Event{
		Kind: audit.KindControl, Control: audit.ControlStart, Roots: r.roots,
		Generation: r.place.Generation, Policy: r.place.Fingerprint, DigestKey: r.place.DigestKey,
	}
	if err := r.append(ctx, start); err != nil {
		return err
	}
	return r.commit(ctx) // From here on the mirror belongs to this journal.
}

func (r *Recorder) end(ctx context.Context) error {
	if err := r.checkpoint(ctx); err != nil {
		return err
	}
	if err := r.append(ctx, audit.Event{Kind: audit.KindControl, Control: audit.ControlStop}); err != nil {
		return err
	}
	return r.commit(ctx)
}

// mode records how the source observes, where that is news. A source tells it
// at every connect.
func (r *Recorder) mode(ctx context.Context, m audit.Mode) error {
	e := audit.Event{Kind: audit.KindControl, Control: audit.ControlMode, Mode: m.Name, Reason: m.Server}
	if m.Name == audit.ModeTxnlog {
		r.beginLog()
		e.Zxid = r.place.Mark
	}
	if m == r.place.Mode {
		return nil
	}
	return r.append(ctx, e)
}

// beginLog forgets what a transaction log makes pointless. It may tell again
// what it told before, it tells of every child behind the last mark by name, and
// no ACL hides a znode from it.
func (r *Recorder) beginLog() {
	r.repeats = repeats{}
	clear(r.owed)
	r.unreadable = newUnreadable()
	r.metrics.hidden(0)
}

// checkpoint records how far everything is known, unless something is missing:
// before the first sync is complete, and between a gap and the end of its
// resync.
func (r *Recorder) checkpoint(ctx context.Context) error {
	if r.place.Mark == 0 || r.resync.active || len(r.unsynced()) > 0 {
		return nil
	}
	if r.untold { // Behind the checkpoint the log will not tell of it again.
		if err := r.commit(ctx); err != nil {
			return err
		}
	}
	return r.append(ctx, audit.Event{
		Kind: audit.KindCheckpoint, Zxid: r.place.Mark, ACLZxid: r.place.ACL, VerifiedThrough: r.place.Verified,
		Unreadable: new(uint64(r.unreadable.len())), UnreadableRoots: r.unreadable.among(r.roots),
	})
}
