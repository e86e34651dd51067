package app

import (
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A disk that fails or hangs costs its own series, and the others a second.
func TestDisks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hung := make(chan struct{})
		var questions atomic.Int32
		d := newDisks([]string{"/well", "/gone", "/hung"}, func(directory string) (space, error) {
			switch directory {
			case "/gone":
				return space{available: 1}, errors.New("gone")
			case "/hung":
				questions.Add(1)
				<-hung
			}
			return space{available: 3, size: 4}, nil
		})
		well := `
# HELP zkwarden_disk_available_bytes Space that is left on the disk of the audit directory, and of those of --collector.disk.
# TYPE zkwarden_disk_available_bytes gauge
zkwarden_disk_available_bytes{directory="/well"} 3
# HELP zkwarden_disk_size_bytes Size of that disk.
# TYPE zkwarden_disk_size_bytes gauge
zkwarden_disk_size_bytes{directory="/well"} 4
`
		for range 2 {
			if err := testutil.CollectAndCompare(d, strings.NewReader(well)); err != nil {
				t.Error(err)
			}
		}
		if n := questions.Load(); n != 1 {
			t.Errorf("a disk that hangs is asked %d times at once", n)
		}
		close(hung)
		synctest.Wait()
		if n := testutil.CollectAndCount(d, "zkwarden_disk_available_bytes"); n != 2 {
			t.Errorf("%d disks tell their space after one has recovered, want 2", n)
		}
	})
}

// The directory of the auditor is among them, once, however often it is given.
func TestDisksOfOptions(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	o := auditOptions(dir, io.Discard, []string{"127.0.0.1:1"}, "/a")
	o.Disks = []string{data, dir}
	registry := prometheus.NewRegistry()
	registry.MustRegister(newDisks(o.disks(), spaceOf))
	families, err := registry.Gather()
	if err != nil || len(families) != 2 {
		t.Fatalf("%d families, %v; want 2", len(families), err)
	}
	for _, family := range families {
		for _, m := range family.GetMetric() {
			if m.GetGauge().GetValue() <= 0 {
				t.Errorf("%s of %s: %v", family.GetName(), m.GetLabel()[0].GetValue(), m.GetGauge().GetValue())
			}
		}
		if n := len(family.GetMetric()); n != 2 {
			t.Errorf("%s of %d directories, want 2", family.GetName(), n)
		}
	}
}
