package txnlog

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestLogs(t *testing.T) {
	dir := t.TempDir()
	within := filepath.Join(dir, versionDir)
	if err := os.Mkdir(within, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"log.100000001", "log.9", "log.1f", "log.bak", "log.1f.gz", "log.", "log.1.", "snapshot.0", "snapshot.1f.gz",
		"snapshot.20.snappy", "snapshot.21.zst", "snapshot.22.gz.tmp", "acceptedEpoch",
	} {
		if err := os.WriteFile(filepath.Join(within, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, from := range []string{dir, within} {
		logs, err := Logs(from)
		if want := []File{{within + "/log.9", 9}, {within + "/log.1f", 0x1f}, {within + "/log.100000001", 0x100000001}}; err != nil || !slices.Equal(logs, want) {
			t.Errorf("Logs(%s) = %v, %v; want %v", from, logs, err, want)
		}
		snapshots, err := Snapshots(from)
		want := []File{{within + "/snapshot.0", 0}, {within + "/snapshot.1f.gz", 0x1f}, {within + "/snapshot.20.snappy", 0x20}}
		if err != nil || !slices.Equal(snapshots, want) {
			t.Errorf("Snapshots(%s) = %v, %v; want %v", from, snapshots, err, want)
		}
	}
	pipe := filepath.Join(dir, "pipes", "log.1")
	if err := errors.Join(os.Mkdir(filepath.Dir(pipe), 0o700), syscall.Mkfifo(pipe, 0o600), os.Symlink(pipe, filepath.Join(dir, "pipes", "log.2"))); err != nil {
		t.Fatal(err)
	}
	if logs, err := Logs(filepath.Dir(pipe)); len(logs) > 0 || err != nil {
		t.Errorf("a pipe is a log: %v, %v", logs, err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Logs(file); err == nil || !strings.Contains(err.Error(), " "+file+": not a directory") {
		t.Errorf("Logs of a file: %v", err)
	}
	if _, err := Logs(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Logs of no directory: %v", err)
	}
}

// TestRecordsGoOn reports what is wrong once, and goes on if it is let.
func TestRecordsGoOn(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, content []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	repeated := logFile(createTxn(10, "/a", ""), header(10, TypeError).i32(-6), createTxn(10, "/b", ""), createTxn(11, "/c", ""))
	write("log.1", padded(log(1, 2)[:len(log(1, 2))-5], 50))
	write("log.2", log(2, 3))
	damaged := log(4, 5)
	damaged[len(damaged)-3] ^= 1
	write("log.4", damaged)
	write("log.6", log(7))
	write("log.8", log(8, 6, 9))
	write("log.a", repeated)
	files, err := Logs(dir)
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, File{Path: filepath.Join(dir, "log.gone")})
	var got []uint64
	var kinds []error
	for txn, err := range Records(files) {
		if err != nil {
			if txn != nil {
				t.Errorf("transaction and %v", err)
			}
			for _, kind := range []error{ErrTorn, ErrCorrupt, ErrOrder, os.ErrNotExist} {
				if errors.Is(err, kind) {
					kinds = append(kinds, kind)
				}
			}
			continue
		}
		got = append(got, txn.Zxid)
	}
	if want := []uint64{1, 2, 3, 4, 7, 8, 6, 9, 10, 10, 10, 11}; !slices.Equal(got, want) {
		t.Errorf("zxids %v, want %v", got, want)
	}
	if want := []error{ErrTorn, ErrCorrupt, ErrOrder, ErrOrder, ErrOrder, os.ErrNotExist}; !slices.Equal(kinds, want) {
		t.Errorf("errors %v, want %v", kinds, want)
	}
	for _, err := range Records(files) {
		if err != nil {
			t.Errorf("the first record: %v", err)
		}
		break // Whoever has enough may stop.
	}
}
