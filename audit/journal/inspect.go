package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Inspect returns the seq of the last record of the journal in dir, zero where
// there is none, or why [Open] would refuse it. It changes nothing and takes no
// lock: what is written meanwhile may seem to be missing.
func Inspect(dir string) (last uint64, err error) {
	segments, err := listSegments(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err == nil && len(segments) == 0 {
		if _, err := os.Stat(filepath.Join(dir, headFile)); errors.Is(err, fs.ErrNotExist) {
			return 0, nil // Looking further would make one.
		}
	}
	var found recovered
	if err == nil {
		found, err = recoverDir(dir)
	}
	if err != nil {
		return 0, fmt.Errorf("open journal %s: %w", dir, err)
	}
	return found.end.seq, found.head.close()
}
