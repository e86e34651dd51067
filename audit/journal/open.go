package journal

import (
	"errors"
	"os"
	"syscall"
)

// openFile opens a file of the journal as os.OpenFile does, and refuses what
// is no regular file: a pipe would wait for its other end, with nothing to wake
// it up, and a device need not end. The error is a [*BrokenError] then.
func openFile(path string, flag int) (*os.File, error) {
	file, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat() // Of what was opened: the name may stand for something else by now.
	if err == nil && !info.Mode().IsRegular() {
		err = &BrokenError{File: path, Problem: "is no regular file"}
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}
