package app

import (
	"bytes"
	"io"
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

func TestIntervalsAreValidated(t *testing.T) {
	for want, set := range map[string]func(*Audit){
		"--audit.checkpoint-interval: -1ns is not positive": func(a *Audit) { a.CheckpointInterval = -1 },
		"--audit.sweep-interval: -1ns is negative":          func(a *Audit) { a.SweepInterval = -1 },
		"--audit.attribution-interval: -1ns is negative":    func(a *Audit) { a.AttributionInterval = -1 },
	} {
		o := auditOptions(t.TempDir(), io.Discard, []string{"127.0.0.1:1"}, "/a")
		if err := o.Validate(); err != nil {
			t.Fatal(err)
		}
		set(&o.Audit)
		if err := o.Validate(); err == nil || err.Error() != want {
			t.Errorf("Validate() = %v, want %s", err, want)
		}
	}
}
