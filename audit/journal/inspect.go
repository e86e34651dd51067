package journal

import (
	"errors"
	"fmt"
)

// Inspect returns the seq of the last record of the journal in dir, zero where
// there is none, or why [Open] would refuse it. It changes nothing and takes no
// lock: what is written meanwhile may seem to be missing.
func Inspect(dir string) (last uint64, err error) {
	if _, _, err := readHead(dir); errors.Is(err, ErrNoJournal) {
		return 0, nil // Looking further would make one.
	}
	found, err := recoverDir(dir)
	if err != nil {
		return 0, fmt.Errorf("open journal %s: %w", dir, err)
	}
	return found.end.seq, found.head.close()
}
