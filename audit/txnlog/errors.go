package txnlog

import (
	"errors"
	"fmt"
)

// What can be wrong with a file; a [FileError] wraps one of them.
var (
	// ErrTorn is a file that ends within a record, or within its header, and
	// holds nothing readable behind it: a crash of the server leaves that.
	// ZooKeeper ignores such an end, in every file and not only in the last:
	// after a restart it begins a new file.
	ErrTorn = errors.New("torn")
	// ErrCorrupt is a record that is damaged where no crash explains it.
	ErrCorrupt = errors.New("corrupt")
	// ErrUnsupported is a file or a record that is intact and not understood.
	ErrUnsupported = errors.New("not supported")
	// ErrOrder is a zxid that isn't above the one before it.
	ErrOrder = errors.New("out of order")
	// ErrTakenBack is a log that lost what was read from it: ZooKeeper cut it,
	// or replaced it, because the ensemble has another history.
	ErrTakenBack = errors.New("taken back")
)

// errUnknownType is the reason of an ErrUnsupported.
var errUnknownType = errors.New("unknown type")

// FileError tells where something is wrong, and what.
type FileError struct {
	File   string
	Offset int64  // Where the record begins.
	Kind   error  // One of the errors above.
	Detail string // Lower case.
}

func (e *FileError) Error() string {
	return fmt.Sprintf("%s at offset %d: %v: %s", e.File, e.Offset, e.Kind, e.Detail)
}

func (e *FileError) Unwrap() error { return e.Kind }
