package recorder

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// rotate ends the recorder in order and starts the next one with another key.
func (s *stage) rotate() {
	s.t.Helper()
	if err := s.end(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	p, err := policy.ForPaths(s.policy.Roots(), policy.LevelData, []byte("fedcba9876543210"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.policy = p
	s.crash()
	if err := s.begin(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// TestKeyRotation: digests under the old key are forgotten, and no data change
// is made up or lost for it, not even of /zookeeper/config, which has no
// version to go by.
func TestKeyRotation(t *testing.T) {
	const path = "/zookeeper/config"
	config := func(mzxid audit.Zxid, data string) *audit.Znode {
		return &audit.Znode{Data: []byte(data), Stat: audit.Stat{Mzxid: mzxid, Version: -1}}
	}
	s := newStage(t, policy.LevelData, "/a", path)
	s.show(found("/a", 9, znode(5, 0, "A")), found(path, 9, config(1, "one")), walked(9))
	old, _ := s.mirror.Get("/a")

	s.rotate()
	for _, path := range []string{"/a", path} {
		if entry, _ := s.mirror.Get(path); entry.Content == nil || entry.Content.Digest != "" || entry.Content.Data == "" {
			t.Errorf("known of %s: %+v", path, entry.Content)
		}
	}
	events := s.show(
		gapTo(9, 20), found("/a", 20, znode(5, 0, "A")), found(path, 20, config(1, "one")), walked(20),
		hint(audit.OpDataChanged, "/a", 21, znode(5, 1, "B")),
		hint(audit.OpDataChanged, path, 22, config(22, "two")),
		hint(audit.OpDataChanged, path, 22, config(22, "two")), // Told again.
	)
	want := []string{
		"gap reconnect in (9,20]", "resync  2 znodes at 20",
		"data_changed /a at 21 of 5 v1 a0 -A +B exact",
		"data_changed /zookeeper/config at 22 a0 -one +two",
	}
	if diff := cmp.Diff(want, briefs(events)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	changed := events[2]
	if changed.Before.Digest != "" || changed.After.Digest == "" || changed.After.Digest == old.Content.Digest {
		t.Errorf("digests %q before and %q after", changed.Before.Digest, changed.After.Digest)
	}
}

// TestChangeDuringKeyRotation: what changed while the key did is found by its
// zxid.
func TestChangeDuringKeyRotation(t *testing.T) {
	const path = "/zookeeper/config"
	config := func(mzxid audit.Zxid, data string) *audit.Znode {
		return &audit.Znode{Data: []byte(data), Stat: audit.Stat{Mzxid: mzxid, Version: -1}}
	}
	s := newStage(t, policy.LevelData, path)
	s.show(found(path, 9, config(1, "one")), walked(9))
	s.rotate()
	events := s.show(gapTo(9, 20), found(path, 20, config(15, "two")), walked(20))
	want := []string{
		"gap reconnect in (9,20]",
		"data_changed /zookeeper/config in (14,15] a0 -one +two by resync", "resync  1 znodes at 20",
	}
	if diff := cmp.Diff(want, briefs(events)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
