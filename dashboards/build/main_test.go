package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The JSON that is committed is what the description makes.
func TestFresh(t *testing.T) {
	committed, err := filepath.Glob("../*.json")
	if err != nil {
		t.Fatal(err)
	}
	built := files()
	if len(committed) != len(built) {
		t.Errorf("%d dashboards are committed, %d are described", len(committed), len(built))
	}
	for name, d := range built {
		want, err := encode(d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Error(err)
			continue
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is stale; run go generate ./dashboards (-want +got):\n%s", name, diff)
		}
	}
}

func TestWriteNowhere(t *testing.T) {
	if err := write(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error about a directory that isn't there")
	}
}
