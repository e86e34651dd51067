package recorder

import (
	"context"
	"fmt"
	"sync/atomic"

	"zkwarden/audit"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
)

// adoption is a policy on its way to the goroutine in Run.
type adoption struct {
	policy  *policy.Policy
	done    chan error
	settled *atomic.Bool // Whether it was decided that it comes into force, or that it does not.
}

func newAdoption(p *policy.Policy) adoption {
	return adoption{p, make(chan error, 1), new(atomic.Bool)}
}

// decide reports whether the caller is the one who decides.
func (a adoption) decide() bool { return a.settled.CompareAndSwap(false, true) }

// Adopt puts another policy into force, between two observations. When it
// returns nil, the mirror holds nothing that p forbids, neither in memory nor
// in its file, and a control record tells of the change. Roots that were not
// watched get a first sync from the source, and everything else goes on. On an
// error that is not the end of the recorder, the old policy stays in force. The
// end of ctx is such an error while the policy waits for its turn; once p has
// begun to come into force, Adopt waits until it has.
func (r *Recorder) Adopt(ctx context.Context, p *policy.Policy) error {
	a := newAdoption(p)
	select {
	case r.adopt <- a:
	case <-ctx.Done():
		return ctx.Err()
	case <-r.done:
		return errEnded
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		if a.decide() {
			return ctx.Err()
		}
	case <-r.done:
		return errEnded
	}
	select {
	case err := <-a.done:
		return err
	case <-r.done:
		return errEnded
	}
}

// replacePolicy returns an error only where the recorder cannot go on.
func (r *Recorder) replacePolicy(ctx context.Context, a adoption) error {
	if !r.differs(a.policy) && a.decide() {
		r.Policy = a.policy // The same to the mirror, but not in the names of its rules.
		a.done <- nil
		return nil
	}
	if err := r.wait(); err != nil {
		return err
	}
	if err := r.Journal.Flush(ctx); err != nil {
		return fmt.Errorf("flush journal: %w", err)
	}
	if !a.decide() {
		return nil // Whoever wanted it has given up while the disk was waited for.
	}
	if err := r.cutDown(a.policy); err != nil {
		a.done <- err
		return nil
	}
	err := r.append(ctx, audit.Event{
		Kind: audit.KindControl, Control: audit.ControlPolicy, Roots: r.roots,
		Policy: r.place.Fingerprint, DigestKey: r.place.DigestKey,
	})
	a.done <- err
	return err
}

// startPolicy is replacePolicy for the policy of a new run, which has nothing
// to fall back on.
func (r *Recorder) startPolicy(ctx context.Context) error {
	defer r.hidePartial()
	if !r.differs(r.Policy) {
		return nil
	}
	if err := r.Journal.Flush(ctx); err != nil {
		return fmt.Errorf("flush journal: %w", err)
	}
	return r.persist(ctx, func() error { return r.cutDown(r.Policy) })
}

// differs reports whether the mirror was not kept under p and its key.
func (r *Recorder) differs(p *policy.Policy) bool {
	return r.place.Fingerprint != p.Fingerprint() || r.place.DigestKey != p.KeyFingerprint()
}

// cutDown makes the mirror's file anew with what p allows, and puts p into
// force if it succeeds. The journal is durable through place.Seq.
func (r *Recorder) cutDown(p *policy.Policy) error {
	place := r.place
	rotated := place.DigestKey != p.KeyFingerprint()
	place.Fingerprint, place.DigestKey = p.Fingerprint(), p.KeyFingerprint()
	place.Widened = place.Mark
	place.Synced = map[string]bool{}
	roots := p.Roots()
	place.Unread = r.unreadUnder(p)
	for _, root := range roots {
		place.Synced[root] = r.inherits(root)
	}
	err := r.Mirror.Rewrite(place, func(path string, entry mirror.Entry) (mirror.Entry, bool) {
		rule, wanted := p.Match(path)
		switch {
		case wanted && entry.Way:
			return entry, false // Nothing is known of it that is to be recorded.
		case wanted:
			return allowed(p, rule, entry, rotated), true
		}
		return wayOf(entry), p.Leads(path)
	})
	if err != nil {
		return err
	}
	r.place, r.Policy, r.roots, r.moved = place, p, roots, false
	if !r.resync.active {
		r.resync = &resync{} // Its count begins anew.
	}
	r.await(place)
	r.unreadable.keep(func(path string) bool { return p.Wants(path) || p.Leads(path) })
	r.owed.keep(func(path string) bool { return p.Wants(path) && r.balances(path) })
	r.metrics.hidden(r.unreadable.len())
	r.hidePartial()
	return nil
}

// unreadUnder returns the roots that are to be read whole once more, as p may
// want more of what is known in part.
func (r *Recorder) unreadUnder(p *policy.Policy) map[string]bool {
	unread := map[string]bool{}
	for _, root := range p.Roots() {
		if r.place.Fingerprint != p.Fingerprint() && r.inherits(root) || r.place.Unread[root] {
			unread[root] = true
		}
	}
	return unread
}

// await notes the roots that a walk has yet to begin with: one that is under way
// has passed them by under the old policy.
func (r *Recorder) await(place mirror.Place) {
	r.awaited = map[string]bool{}
	for _, root := range r.roots {
		if (place.Unread[root] || !place.Synced[root]) && (r.Policy.Wants(root) || r.Policy.Leads(root)) {
			r.awaited[root] = true
		}
	}
}

// rereads reports whether path belongs to a root that is read whole once more.
func (r *Recorder) rereads(path string) bool {
	return len(r.place.Unread) > 0 && r.place.Unread[r.rootOf(path)]
}

// wayOf is what is kept of a znode that is only a way now.
func wayOf(entry mirror.Entry) mirror.Entry {
	return mirror.Entry{
		Way: true, Czxid: entry.Czxid, EphemeralOwner: entry.EphemeralOwner,
		Version: entry.Version, Cversion: entry.Cversion, Aversion: entry.Aversion,
	}
}

// allowed cuts an entry down to what rule allows of it. What depends on another
// digest key is no longer comparable to anything.
func allowed(p *policy.Policy, rule policy.Rule, entry mirror.Entry, rotated bool) mirror.Entry {
	content := contentOf(entry)
	if rotated {
		content = policy.Undigested(content)
	}
	content = p.Allow(rule, content)
	entry.Content, entry.ACL, entry.ACLMasked = split(content)
	return entry
}

// inherits reports whether a root of another policy needs no first sync: it was
// one, or it lies below one and is known from there.
func (r *Recorder) inherits(root string) bool {
	if synced, was := r.place.Synced[root]; was {
		return synced
	}
	_, known := r.Mirror.Get(root)
	return known && r.place.Synced[r.rootOf(root)]
}

// unsynced returns the roots whose first sync is not complete.
func (r *Recorder) unsynced() []string {
	var roots []string
	for _, root := range r.roots {
		if !r.place.Synced[root] {
			roots = append(roots, root)
		}
	}
	return roots
}

// hidePartial makes Known leave out the roots that need a first sync or have to
// be read once more.
func (r *Recorder) hidePartial() {
	r.partial.Clear()
	for root := range r.place.Unread {
		r.partial.Store(root, unsynced)
	}
	for _, root := range r.unsynced() {
		r.partial.Store(root, unsynced)
	}
}

// rootOf returns the innermost root of path, as /zookeeper may be a root
// beside the root znode.
func (r *Recorder) rootOf(path string) string {
	innermost := ""
	for _, root := range r.roots {
		if audit.Within(path, root) && len(root) > len(innermost) {
			innermost = root
		}
	}
	return innermost
}

// firstSync reports whether path belongs to a root whose first sync is not
// complete.
func (r *Recorder) firstSync(path string) bool {
	root := r.rootOf(path)
	return root != "" && !r.place.Synced[root]
}
