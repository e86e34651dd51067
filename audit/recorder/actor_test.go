package recorder

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
)

// phoneBook knows some sessions at once, and makes who asks for another one
// wait for as long as its context says.
type phoneBook struct {
	known map[audit.SessionID]audit.Actor
	waits int // How often it made somebody wait.
}

func (b *phoneBook) Actor(ctx context.Context, session audit.SessionID) audit.Actor {
	if actor, ok := b.known[session]; ok {
		return actor
	}
	select {
	case <-ctx.Done():
	default:
		b.waits++
		<-ctx.Done()
	}
	return audit.Actor{Session: session, Confidence: audit.ConfidenceUnknown}
}

// TestActors: operations of a log have the client of their session, and the
// creations of ephemeral znodes that of their owner, however they were found.
func TestActors(t *testing.T) {
	alice := audit.Actor{Session: 7, Client: "10.0.0.7", Confidence: audit.ConfidenceExact}
	s := synced(t)
	s.Actors = &phoneBook{known: map[audit.SessionID]audit.Actor{7: alice}}
	events := s.show(
		hint(audit.OpCreated, "/r/e", 10, owned(7, znode(10, 0, "x"))), hint(audit.OpCreated, "/r/n", 11, znode(11, 0, "x")),
		gapTo(11, 20), found("/r", 20, rootAt(5)), found("/r/f", 20, owned(7, znode(12, 0, "x"))), walked(20),
		txnlogMode, logged(audit.OpDeleted, "/r/n", 21),
	)
	want := map[string]*audit.Actor{"/r/e": &alice, "/r/n": &alice, "/r/f": &alice}
	for _, e := range events {
		if e.Kind != audit.KindChange {
			continue
		}
		expected := want[e.Path]
		if e.Path == "/r/n" && e.Op == audit.OpCreated {
			expected = nil // Nothing tells who created what is not ephemeral.
		}
		if diff := cmp.Diff(expected, e.Actor); diff != "" {
			t.Errorf("%s (-want +got):\n%s", brief(e), diff)
		}
	}
}

// TestUnknownSessionsDoNotStall: one that nobody knows is waited for once, and
// many of them no longer than the recorder can bear.
func TestUnknownSessionsDoNotStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := synced(t)
		book := &phoneBook{}
		s.Actors = book
		s.show(txnlogMode)
		took := func(session audit.SessionID) time.Duration {
			begun := time.Now()
			s.actor(t.Context(), session)
			return time.Since(begun)
		}
		if first, again := took(1), took(1); first != maxWait || again != 0 {
			t.Errorf("an unknown session takes %v, and then %v", first, again)
		}
		var total time.Duration
		for session := range audit.SessionID(10_000) {
			total += took(session + 2)
		}
		if total > time.Second {
			t.Errorf("10,000 unknown sessions take %v", total)
		}
		time.Sleep(10 * maxPatience)
		if later := took(20_000); later != maxWait {
			t.Errorf("a new session is waited for %v, after a while", later)
		}
		if book.waits > 8 {
			t.Errorf("waited %d times", book.waits)
		}
	})
}
