package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDashboards(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "dashboards")
	var out strings.Builder
	if err := Dashboards(dir, &out); err != nil {
		t.Fatal(err)
	}
	paths := strings.Fields(out.String())
	for _, path := range paths {
		if text, err := os.ReadFile(path); err != nil || len(text) == 0 || filepath.Dir(path) != dir {
			t.Errorf("%s: %d bytes, %v", path, len(text), err)
		}
	}
	if len(paths) != 5 {
		t.Errorf("files are %q", paths)
	}
	broken := errors.New("broken pipe")
	if err := Dashboards(dir, failingWriter{broken}); !errors.Is(err, broken) {
		t.Errorf("error is %v", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }
