package mirror

import (
	"path/filepath"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"zkwarden/audit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// mustOpen leaves it to a test of rapid to close the mirror.
func mustOpen(t rapid.TB, file string) (*Mirror, Place) {
	t.Helper()
	m, place, err := Open(file)
	if err != nil {
		t.Fatal(err)
	}
	if t, ok := t.(testing.TB); ok {
		t.Cleanup(func() { m.Close() })
	}
	return m, place
}

func newMirror(t testing.TB) *Mirror {
	t.Helper()
	m, _ := mustOpen(t, filepath.Join(t.TempDir(), "mirror.db"))
	return m
}

// reopen ends the mirror as a crash would: what was not committed is lost.
func reopen(t rapid.TB, m *Mirror) (*Mirror, Place) {
	t.Helper()
	file := m.file
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return mustOpen(t, file)
}

func begin(t rapid.TB, m *Mirror, place Place) (write func() error) {
	t.Helper()
	write, err := m.Begin(place)
	if err != nil {
		t.Fatal(err)
	}
	return write
}

func commit(t testing.TB, m *Mirror, place Place) {
	t.Helper()
	if err := begin(t, m, place)(); err != nil {
		t.Fatal(err)
	}
}

// at is an entry that can be told from others.
func at(czxid audit.Zxid) Entry { return Entry{Czxid: czxid} }
