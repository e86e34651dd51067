package txnlog

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Follower reads the transactions of a directory that a server writes, across
// its files. Like [Reader], it returns false without an error when there is
// nothing yet; how long to wait before Next is asked again is the caller's
// choice. It looks at what the files hold: their sizes say nothing, because
// they are padded.
//
// ErrTakenBack from Err means that transactions that were handed out are no
// longer in the log: a leader made its server forget a tail that was never
// committed, or the directory was wiped or restored. Go on with a new
// Follower from a zxid that is known to be committed.
//
// What autopurge deletes after it was read is not missed, and it is read even
// then if it was open. If a file is purged before it was reached, its zxids
// are missing from what is handed out, as they are when a server that lagged
// behind was sent a snapshot: whoever needs all of them looks at the counter.
type Follower struct {
	dir  string
	from uint64
	torn func(error)

	current File
	file    *os.File
	info    os.FileInfo
	reader  *Reader
	older   map[uint64]bool // The zxids of files before current, as they were when it was opened.
	last    order
	idle    bool // Whether the last look found nothing; since then much can have happened to the file.
	err     error
}

// Follow reads all transactions above the zxid from, 0 for all that are there.
// The directory is version-2 or its parent, and it has to exist. torn, unless
// it is nil, is told of files that ended within a record before the next began.
func Follow(dir string, from uint64, torn func(error)) *Follower {
	return &Follower{dir: dir, from: from, torn: torn}
}

// Record returns the transaction that Next found, valid until the next Next.
func (f *Follower) Record() *Txn { return f.reader.Record() }

// Err returns what ended the following for good.
func (f *Follower) Err() error { return f.err }

// File is the path of the file that is being read, and Offset the end of the
// last valid record in it.
func (f *Follower) File() string { return f.current.Path }

// Offset is in bytes from the beginning of File.
func (f *Follower) Offset() int64 {
	if f.reader == nil {
		return 0
	}
	return f.reader.Offset()
}

// Close gives up the open file. It can be called more than once.
func (f *Follower) Close() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file = nil
	if f.err == nil {
		f.err = fmt.Errorf("follow %s: %w", f.dir, os.ErrClosed)
	}
	return err
}

// Next goes to the next transaction. It returns false when there is none yet,
// or when Err is not nil.
func (f *Follower) Next() bool {
	for f.err == nil {
		if f.reader == nil && !f.begin() {
			return false
		}
		if f.read() {
			return true
		}
		files, next := f.look()
		if next == len(files) {
			return false
		}
		// The server ends a file before it begins the next, so what is in
		// this one now is all that it will have.
		if f.read() {
			return true
		}
		if f.err != nil || !f.end() || !f.open(files, next) {
			return false
		}
	}
	return false
}

// read goes on in the current file.
func (f *Follower) read() bool {
	if f.idle {
		if f.err = f.intact(); f.err != nil {
			return false
		}
	}
	for f.reader.Next() {
		if f.idle = false; f.reader.Record().Zxid <= f.from {
			continue
		}
		f.err = f.last.check(f.reader, f.current)
		return f.err == nil
	}
	f.idle = true
	f.err = f.reader.Err()
	return false
}

// begin opens the file that holds the transaction behind from, if it is there
// already, or the first behind it.
func (f *Follower) begin() bool {
	files, err := Logs(f.dir)
	if err != nil || len(files) == 0 {
		f.err = err
		return false
	}
	start := 0
	for i, file := range files {
		if file.Zxid <= f.from+1 {
			start = i
		}
	}
	return f.open(files, start)
}

// open makes one of the listed files the current one. It returns false when
// the file is gone; the next look at the directory tells why.
func (f *Follower) open(files []File, i int) bool {
	file, err := os.Open(files[i].Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err != nil {
		f.err = fmt.Errorf("open log: %w", err)
		return false
	}
	info, err := file.Stat()
	if err != nil {
		f.err = errors.Join(fmt.Errorf("open log: %w", err), file.Close())
		return false
	}
	if f.file != nil {
		_ = f.file.Close() // It was only read.
	}
	f.current, f.file, f.info, f.reader = files[i], file, info, NewReader(files[i].Path, file)
	f.idle, f.older = false, map[uint64]bool{}
	for _, older := range files[:i] {
		f.older[older.Zxid] = true
	}
	return true
}

// look finds out why there is nothing more in the current file. It returns
// the files that there are, and which of them comes after it, if any.
func (f *Follower) look() (files []File, next int) {
	if f.err != nil {
		return nil, 0
	}
	if f.err = f.intact(); f.err != nil {
		return nil, 0
	}
	if files, f.err = Logs(f.dir); f.err != nil {
		return nil, 0
	}
	if f.err = f.compare(files); f.err != nil {
		return nil, 0
	}
	for next < len(files) && files[next].Zxid <= f.current.Zxid {
		next++
	}
	return files, next
}

// end tells whether the current file, which has a successor, ends as it may.
func (f *Follower) end() bool {
	err := f.reader.End()
	if !errors.Is(err, ErrTorn) {
		f.err = err
		return err == nil
	}
	if f.torn != nil {
		f.torn(err)
	}
	return true
}

// intact tells whether the last record is still where it was read.
func (f *Follower) intact() error {
	info, err := f.file.Stat()
	if err != nil {
		return fmt.Errorf("follow log: %w", err)
	}
	if info.Size() < f.reader.Offset() {
		return f.takenBack(fmt.Sprintf("the file was cut to %d bytes", info.Size()))
	}
	if same, err := f.reader.same(); err != nil || same {
		return err
	}
	return f.takenBack("the last record is no longer there")
}

// compare tells whether the files of the directory can still be those that the
// current one is the continuation of.
func (f *Follower) compare(files []File) error {
	listed, older, newer := false, false, false
	for _, file := range files {
		switch {
		case file.Zxid < f.current.Zxid:
			if older = true; !f.older[file.Zxid] {
				return f.takenBack(file.Path + " was begun after it")
			}
		case file.Zxid == f.current.Zxid:
			listed = true
		default:
			newer = true
		}
	}
	if !listed {
		// Autopurge deletes the oldest files first, and never the newest.
		if older || !newer {
			return f.takenBack("the file was deleted")
		}
		return nil
	}
	info, err := os.Stat(f.current.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // Since the directory was read; the next look tells.
	}
	if err != nil {
		return fmt.Errorf("follow log: %w", err)
	}
	if !os.SameFile(info, f.info) {
		return f.takenBack("another file has its name")
	}
	return nil
}

func (f *Follower) takenBack(detail string) error {
	return &FileError{File: f.current.Path, Offset: f.reader.Offset(), Kind: ErrTakenBack, Detail: detail}
}
