package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// readHead reads the file head of the journal in dir, beside its writer. Where
// it is missing or garbled there is damage, and the head is the place before
// the first record: the records can be read without it. The error matches
// [ErrNoJournal] when there are none either.
func readHead(dir string) (head mark, damage *BrokenError, err error) {
	path := filepath.Join(dir, headFile)
	head, err = readMark(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := lookForRecords(dir); err != nil {
			return mark{}, nil, err
		}
		head, err = readMark(path) // It is older than the first record, and may have been made since.
	}
	broken, isBroken := errors.AsType[*BrokenError](err)
	switch {
	case err == nil:
		return head, nil, nil
	case errors.Is(err, os.ErrNotExist):
		broken = &BrokenError{File: path, Problem: "the file is missing, although the journal has records"}
	case !isBroken:
		return mark{}, nil, err
	}
	return mark{hash: noHash}, broken, nil
}

// lookForRecords returns an error that matches [ErrNoJournal] where no segment
// is.
func lookForRecords(dir string) error {
	segments, err := listSegments(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%w in %s: %w", ErrNoJournal, dir, err)
	case err == nil && len(segments) == 0:
		return fmt.Errorf("%w in %s", ErrNoJournal, dir)
	}
	return err
}
