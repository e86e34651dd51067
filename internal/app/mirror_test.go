package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-kit/log"
)

// A last known state that a crash or a disk damaged is given up, with a word in
// the log: the recorder declares a gap. Trouble with the system is no reason to.
func TestDamagedMirrorIsReplaced(t *testing.T) {
	file := filepath.Join(t.TempDir(), mirrorFile)
	if err := os.WriteFile(file, []byte(strings.Repeat("damage", 5000)), 0o600); err != nil {
		t.Fatal(err)
	}
	var logged bytes.Buffer
	m, place, err := openMirror(file, log.NewLogfmtLogger(&logged))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if place.Seq != 0 || !strings.Contains(logged.String(), "last known state is lost") {
		t.Errorf("place %+v, logged %q", place, &logged)
	}
	logged.Reset()
	if _, _, err := openMirror(file, log.NewLogfmtLogger(&logged)); err == nil || logged.Len() > 0 {
		t.Errorf("a mirror in use was opened: %v, logged %q", err, &logged)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}
