package recorder

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// take makes the recorder adopt a policy between two observations.
func (s *stage) take(p *policy.Policy) error {
	s.t.Helper()
	a := newAdoption(p)
	if err := s.replacePolicy(s.t.Context(), a); err != nil {
		s.t.Fatal(err)
	}
	return <-a.done
}

// TestAdopt: what the new policy forbids is gone from memory and from the file,
// and what it does not touch goes on.
func TestAdopt(t *testing.T) {
	s := newStage(t, policy.LevelData, "/a", "/b")
	s.show(
		found("/a", 9, znode(2, 0, "hunter1")), found("/a/x", 9, znode(3, 0, "hunter2")),
		found("/b", 9, znode(4, 0, "hunter3")), walked(9),
	)
	narrow := mustPolicy(t, policy.LevelMetadata, "/a")
	before := len(s.journal.events)
	if err := s.take(narrow); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(s.file); err != nil || bytes.Contains(text, []byte("hunter")) {
		t.Errorf("the file holds what is forbidden, %v", err)
	}
	e := s.journal.events[before]
	if e.Control != audit.ControlPolicy || e.Policy != narrow.Fingerprint() || e.DigestKey != narrow.KeyFingerprint() || !cmp.Equal(e.Roots, []string{"/a"}) {
		t.Errorf("recorded %+v", e)
	}
	got := s.show(
		hint(audit.OpDataChanged, "/a/x", 10, znode(3, 1, "hunter4")), hint(audit.OpDataChanged, "/b", 11, znode(4, 1, "hunter5")),
		audit.Mark{Zxid: 12},
	)
	want := []string{"data_changed /a/x at 10 of 3 v1 a0 - + exact"}
	if diff := cmp.Diff(want, briefs(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	live := dump(s)
	s.policy = narrow
	s.crash()
	if diff := cmp.Diff(live, dump(s)); diff != "" || len(live) != 2 {
		t.Errorf("mirror of %d (-live +replayed):\n%s", len(live), diff)
	}
}

// TestAdoptAnotherRoot: it gets a baseline of its own when its walk ends, and
// the others go on meanwhile.
func TestAdoptAnotherRoot(t *testing.T) {
	s := synced(t)
	s.policy = mustPolicy(t, policy.LevelData, "/r", "/new")
	if err := s.take(s.policy); err != nil {
		t.Fatal(err)
	}
	got := briefs(s.show(
		found("/new", 20, znode(3, 7, "N")), hint(audit.OpDataChanged, "/r/a", 21, znode(5, 1, "n")),
		audit.Mark{Zxid: 21}, hint(audit.OpCreated, "/new/b", 22, znode(22, 0, "b")), found("/new/a", 22, znode(4, 0, "a")),
	))
	if err := s.checkpoint(t.Context()); err != nil {
		t.Fatal(err) // It says nothing: of /new not everything is known.
	}
	got = append(got, briefs(s.show(audit.Mark{Zxid: 23, Walk: true}, hint(audit.OpDeleted, "/r/b", 24, nil)))...)
	want := []string{
		"data_changed /r/a at 21 of 5 v1 a0 -A +n exact", "created /new/b at 22 of 22 v0 a0 +b exact",
		"baseline /new 3 znodes at 23", "deleted /r/b at 24 of 6 v2 -B exact",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAdoptWiderRules: znodes that no rule wanted before are taken over without
// a flood of births, and from then on recorded.
func TestAdoptWiderRules(t *testing.T) {
	s := newStage(t, policy.LevelData, "/r")
	s.show(found("/r", 9, rootAt(2)), walked(9), audit.Mark{Zxid: 15})
	s.show(hint(audit.OpDeleted, "/r/x", 16, nil), audit.Mark{Zxid: 20})
	// As if the policy had left out /r/a, /r/b and what is below them so far.
	s.place.Fingerprint = "another"
	if err := s.take(s.policy); err != nil {
		t.Fatal(err)
	}
	got := briefs(s.show(
		hint(audit.OpDataChanged, "/r/a", 30, acl(4, znode(5, 7, "A"))), hint(audit.OpDataChanged, "/r/a", 31, acl(4, znode(5, 8, "a"))),
		found("/r", 32, rootAt(7)), found("/r/b", 32, acl(2, znode(6, 2, "B"))), found("/r/young", 32, znode(22, 0, "born since the mark")),
		walked(32), swept("/r", 33, rootAt(8)), swept("/r/c", 33, znode(33, 0, "missed")), audit.Mark{Zxid: 33, ACL: 33, Sweep: true},
		hint(audit.OpDeleted, "/r/b", 34, nil),
	))
	want := []string{
		"policy /r",
		"data_changed /r/a at 30 of 5 v7 +A exact", "data_changed /r/a at 31 of 5 v8 a4 -A +a exact",
		"resync  3 znodes at 32",
		"created /r/c in (32,33] of 33 v0 a0 +missed by sweep",
		"deleted /r/b at 34 of 6 v2 -B exact",
	}
	if diff := cmp.Diff(want, append([]string{brief(s.journal.events[len(s.journal.events)-len(got)-1])}, got...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if e := s.journal.events[len(s.journal.events)-3]; e.Reason != audit.ResyncPolicy {
		t.Errorf("read once more for the reason %q", e.Reason)
	}
}

// TestAdoptSmallerRoot: what was watched as a part of another root is known.
func TestAdoptSmallerRoot(t *testing.T) {
	s := newStage(t, policy.LevelData, "/r")
	s.show(found("/r", 9, rootAt(2)), found("/r/a", 9, znode(5, 0, "A")), found("/r/a/x", 9, znode(7, 0, "x")), walked(9))
	if err := s.take(mustPolicy(t, policy.LevelData, "/r/a", "/r/z")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]bool{"/r/a": true, "/r/z": false}, s.Place().Synced); diff != "" || s.mirror.Len() != 2 {
		t.Errorf("%d znodes; synced (-want +got):\n%s", s.mirror.Len(), diff)
	}
}

// TestRefusedAdoption: the old policy stays in force, whole.
func TestRefusedAdoption(t *testing.T) {
	s := synced(t)
	place, before := s.Place(), len(s.journal.events)
	obstacle := filepath.Join(s.file+".new", "x")
	if err := os.MkdirAll(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.take(mustPolicy(t, policy.LevelMetadata, "/r")); err == nil {
		t.Fatal("adopted though the mirror cannot be rewritten")
	}
	if len(s.journal.events) != before || s.Place().Fingerprint != place.Fingerprint || s.mirror.Len() != 3 {
		t.Errorf("%d records, %d znodes", len(s.journal.events)-before, s.mirror.Len())
	}
	if e := s.show(hint(audit.OpDataChanged, "/r/a", 10, znode(5, 1, "n")))[0]; e.After.Data != "n" {
		t.Errorf("recorded %+v", e.After)
	}
}

// TestReplayAcrossPolicies: records made under a wider policy are applied, and
// then cut down, even if the policy is the one that the mirror began with.
func TestReplayAcrossPolicies(t *testing.T) {
	s := newStage(t, policy.LevelMetadata, "/r")
	narrow := s.policy
	s.show(found("/r", 9, znode(2, 0, "hunter1")), walked(9))
	s.mirror.Close()
	committed, err := os.ReadFile(s.file)
	if err != nil {
		t.Fatal(err)
	}
	s.crash()
	if err := s.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.take(mustPolicy(t, policy.LevelData, "/r")); err != nil {
		t.Fatal(err)
	}
	s.show(hint(audit.OpDataChanged, "/r", 10, znode(2, 1, "hunter2")))
	s.mirror.Close()
	// A power cut brought the file of before back.
	if err := os.WriteFile(s.file, committed, 0o600); err != nil {
		t.Fatal(err)
	}
	s.policy = narrow
	s.start()
	if text, err := os.ReadFile(s.file); err != nil || bytes.Contains(text, []byte("hunter")) {
		t.Errorf("the file holds what is forbidden, %v", err)
	}
	if entry, _ := s.mirror.Get("/r"); entry.Version != 1 || entry.Content == nil || entry.Content.Data != "" {
		t.Errorf("known of /r: %+v", entry)
	}
}

func TestAdoptBesideRun(t *testing.T) {
	s := newRunner(t, nil)
	in := make(chan audit.Observation)
	ended := s.run(t.Context(), in)
	send(in, firstSync()...)
	if err := s.Adopt(t.Context(), mustPolicy(t, policy.LevelMetadata, "/r")); err != nil {
		t.Fatal(err)
	}
	if err := s.Adopt(t.Context(), mustPolicy(t, policy.LevelMetadata, "/r")); err != nil {
		t.Fatal(err) // Nothing new.
	}
	send(in, hint(audit.OpDataChanged, "/r", 10, znode(2, 1, "secret")))
	close(in)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	want := []string{"start /r", "baseline /r 1 znodes at 9", "policy /r", "data_changed /r at 10 of 2 v1 a0 - + exact", "checkpoint acl 0 unreadable 0 [] at 9", "stop "}
	if diff := cmp.Diff(want, briefs(s.journal.events)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := s.Adopt(t.Context(), s.policy); !errors.Is(err, errEnded) {
		t.Errorf("Adopt() = %v when the recorder has ended", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	idle := &Recorder{adopt: make(chan adoption), done: make(chan struct{})}
	if err := idle.Adopt(cancelled, s.policy); !errors.Is(err, context.Canceled) {
		t.Errorf("Adopt() = %v", err)
	}
}

// slowDisk is a journal whose flushes wait once it is told to.
type slowDisk struct {
	*memory
	slow    atomic.Bool
	waiting chan struct{} // Has a token while a flush waits.
	goOn    chan struct{}
}

func (d *slowDisk) Flush(ctx context.Context) error {
	if d.slow.CompareAndSwap(true, false) {
		d.waiting <- struct{}{}
		<-d.goOn
	}
	return d.memory.Flush(ctx)
}

// TestAdoptionGivenUp: a policy that nobody waits for any more does not come
// into force later.
func TestAdoptionGivenUp(t *testing.T) {
	disk := &slowDisk{memory: &memory{}, waiting: make(chan struct{}, 1), goOn: make(chan struct{})}
	s := newRunner(t, disk)
	in := make(chan audit.Observation)
	ended := s.run(t.Context(), in)
	send(in, firstSync()...)
	send(in, audit.Mark{Zxid: 9}) // The commit of the first sync is over.
	disk.slow.Store(true)
	ctx, cancel := context.WithCancel(t.Context())
	adopted := make(chan error, 1)
	go func() { adopted <- s.Adopt(ctx, mustPolicy(t, policy.LevelMetadata, "/r")) }()
	<-disk.waiting
	cancel()
	if err := <-adopted; !errors.Is(err, context.Canceled) {
		t.Errorf("Adopt() = %v", err)
	}
	close(disk.goOn)
	send(in, hint(audit.OpDataChanged, "/r", 10, znode(2, 1, "shown")))
	close(in)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	want := []string{"start /r", "baseline /r 1 znodes at 9", "data_changed /r at 10 of 2 v1 a0 -root +shown exact", "checkpoint acl 0 unreadable 0 [] at 9", "stop "}
	if diff := cmp.Diff(want, briefs(disk.events)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAdoptionUnderWay: the end of the context comes too late to stop it, and
// Adopt says how it ended.
func TestAdoptionUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := &Recorder{adopt: make(chan adoption), done: make(chan struct{})}
		adopted := make(chan error, 1)
		go func() { adopted <- r.Adopt(ctx, nil) }()
		a := <-r.adopt
		if !a.decide() {
			t.Fatal("somebody else has decided")
		}
		cancel()
		synctest.Wait()
		if len(adopted) > 0 {
			t.Error("Adopt() does not wait for its end")
		}
		a.done <- nil
		if err := <-adopted; err != nil {
			t.Errorf("Adopt() = %v of a policy that is in force", err)
		}
	})
}
