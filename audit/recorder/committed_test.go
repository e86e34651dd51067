package recorder

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// TestCommittedIsTold wants the journal to learn how far the mirror is, and
// never more than the mirror's file has.
func TestCommittedIsTold(t *testing.T) {
	s := &stage{t: t, file: filepath.Join(t.TempDir(), "mirror.db"), journal: &memory{}}
	s.policy = mustPolicy(t, policy.LevelData, "/a")
	o := s.options()
	t.Cleanup(func() { s.mirror.Close() })
	var told []uint64
	o.Committed = func(seq uint64) { told = append(told, seq) }
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.append(t.Context(), audit.Event{Kind: audit.KindControl, Control: audit.ControlStart}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint64{1}, told); diff != "" {
		t.Errorf("told before the second commit (-want +got):\n%s", diff)
	}
	if err := r.commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint64{1, 2}, told); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
}
