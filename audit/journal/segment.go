package journal

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// disk is what the writer needs of a segment's file.
type disk interface {
	WriteAt(b []byte, off int64) (int, error)
	Truncate(size int64) error
	Sync() error
}

// segment is the file at the end of the journal, as its writer sees it.
type segment struct {
	first uint64
	size  int64 // Bytes that are durable records.
	disk  disk

	// dirty is true while there may be bytes behind size: of a torn line, or
	// of a group whose write or fsync did not succeed.
	dirty bool
}

// append makes lines durable at the end of the segment or leaves its size as
// it was. After a failed fsync the page cache may call bytes clean that never
// reached the disk, so the next attempt drops them and writes all anew.
func (s *segment) append(lines []byte, synced func(time.Duration)) error {
	if s.dirty {
		if err := s.disk.Truncate(s.size); err != nil {
			return fmt.Errorf("cut segment back to %d bytes: %w", s.size, err)
		}
	}
	s.dirty = true
	if _, err := s.disk.WriteAt(lines, s.size); err != nil {
		return fmt.Errorf("write segment at byte %d: %w", s.size, err)
	}
	begin := time.Now()
	if err := s.disk.Sync(); err != nil {
		return fmt.Errorf("fsync segment: %w", err)
	}
	synced(time.Since(begin))
	s.dirty = false
	s.size += int64(len(lines))
	return nil
}

// openForWriting opens a segment, or makes an empty one.
func openForWriting(dir string, first uint64) (*os.File, error) {
	file, err := openFile(segmentPath(dir, first), os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	return file, nil
}

const segmentPrefix, segmentSuffix = "journal-", ".jsonl"

func segmentPath(dir string, first uint64) string {
	return filepath.Join(dir, fmt.Sprintf("%s%020d%s", segmentPrefix, first, segmentSuffix))
}

// stored is a segment found on disk.
type stored struct {
	first uint64
	size  int64
}

// sealed is a segment that gets no more records.
type sealed struct {
	stored
	last  mark
	began time.Time // When it got its first record.
}

// listSegments returns the segments in dir in the order of their records.
// Files with other names are not the journal's.
func listSegments(dir string) ([]stored, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	var found []stored
	for _, entry := range entries {
		digits, ok := strings.CutPrefix(entry.Name(), segmentPrefix)
		digits, ok2 := strings.CutSuffix(digits, segmentSuffix)
		first, err := strconv.ParseUint(digits, 10, 64)
		if !ok || !ok2 || len(digits) != 20 || err != nil || first == 0 {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, entry.Name())) // Of the file itself, where the name is a link.
		if errors.Is(err, os.ErrNotExist) {
			continue // Removed by retention since it was listed.
		}
		if err != nil {
			return nil, fmt.Errorf("list segments: %w", err)
		}
		found = append(found, stored{first: first, size: info.Size()})
	}
	slices.SortFunc(found, func(a, b stored) int { return cmp.Compare(a.first, b.first) })
	return found, nil
}
