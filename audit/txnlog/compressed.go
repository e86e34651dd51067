package txnlog

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// The suffixes of compressed snapshots (SnapStream, 3.6+).
const (
	suffixGzip   = "gz"
	suffixSnappy = "snappy"
)

// Snapshots lists the snapshots of a directory, version-2 or its parent, in
// the order of their zxids. Which of them are whole is not known.
func Snapshots(dir string) ([]File, error) {
	return list(dir, "snapshot", "", suffixGzip, suffixSnappy)
}

// SnapshotFile is a snapshot in a file.
type SnapshotFile struct {
	*Snapshot
	file *os.File
}

// OpenSnapshot opens a snapshot, compressed as its name says.
func OpenSnapshot(path string) (_ *SnapshotFile, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open snapshot: %w", err)
	}
	defer func() {
		if err != nil {
			_ = file.Close() // It was only read.
		}
	}()
	var content io.Reader = file
	switch strings.TrimPrefix(filepath.Ext(path), ".") {
	case suffixGzip:
		if content, err = gzip.NewReader(bufio.NewReader(file)); err != nil {
			return nil, (&summed{err: err}).explain(path)
		}
	case suffixSnappy:
		content = newSnappyReader(bufio.NewReader(file))
	}
	snapshot, err := NewSnapshot(path, content)
	if err != nil {
		return nil, err
	}
	return &SnapshotFile{snapshot, file}, nil
}

// Close closes the file.
func (s *SnapshotFile) Close() error { return s.file.Close() }

// isFormat tells what is wrong in a compressed file from what went wrong
// while it was read.
func isFormat(err error) bool {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	return corrupt || errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, errSnappy)
}
