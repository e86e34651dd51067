package journal

import (
	"errors"
	"fmt"
)

// ErrLocked says that another process, or another Journal of this one, owns
// the directory.
var ErrLocked = errors.New("directory is locked")

// ErrClosed says that the journal accepts no more records, or, from
// [Cursor.Next], that no more will come.
var ErrClosed = errors.New("journal is closed")

// ErrNoJournal says that a directory holds neither a head nor records. It
// matches os.ErrNotExist as well when there is no such directory.
var ErrNoJournal = errors.New("there is no journal")

// ErrWaiting says that there is no journal yet, and that [Browse] waits until
// there is one.
var ErrWaiting = errors.New("waiting for a journal")

// ErrTooLarge says that an event does not fit a line.
var ErrTooLarge = errors.New("record is longer than 16 MiB")

// BrokenError says that the files of a journal contradict each other.
type BrokenError struct {
	File    string // Path of the file.
	Line    int    // Counted from 1 in the file; 0 when the file as a whole is meant.
	Seq     uint64 // The seq that belongs there; 0 when it is not known.
	Problem string // What is wrong, as the end of a sentence.

	// torn is true when the line does not even prove itself, as a write cut
	// short by a crash leaves it.
	torn bool
}

// Error names the file, the line, the seq and the problem.
func (e *BrokenError) Error() string {
	switch {
	case e.Line > 0:
		return fmt.Sprintf("journal is broken: file %s, line %d, seq %d: %s", e.File, e.Line, e.Seq, e.Problem)
	case e.Seq > 0:
		return fmt.Sprintf("journal is broken: file %s, seq %d: %s", e.File, e.Seq, e.Problem)
	default:
		return fmt.Sprintf("journal is broken: file %s: %s", e.File, e.Problem)
	}
}
