package txnlog

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// versionDir is the directory within dataDir and dataLogDir that holds the
// files (FileTxnSnapLog).
const versionDir = "version-2"

// File is a log or a snapshot.
type File struct {
	Path string
	// Zxid is in the name. A log begins with that transaction; a snapshot was
	// begun after it. Zero where the name doesn't tell.
	Zxid uint64
}

// Logs lists the log files of a directory, version-2 or its parent, in the
// order of their zxids. Files with other names are passed over.
func Logs(dir string) ([]File, error) {
	return list(dir, "log", "")
}

// list finds PREFIX.HEX and, if there are suffixes, PREFIX.HEX.SUFFIX.
func list(dir, prefix string, suffixes ...string) ([]File, error) {
	within := filepath.Join(dir, versionDir)
	entries, err := os.ReadDir(within)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		within = dir
		entries, err = os.ReadDir(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("list %ss: %w", prefix, err)
	}
	var files []File
	for _, entry := range entries {
		name, ok := strings.CutPrefix(entry.Name(), prefix+".")
		if !ok {
			continue
		}
		digits, suffix, _ := strings.Cut(name, ".")
		zxid, err := strconv.ParseUint(digits, 16, 64)
		if err != nil || !slices.Contains(suffixes, suffix) || strings.HasSuffix(name, ".") {
			continue
		}
		path := filepath.Join(within, entry.Name())
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			continue // To open a pipe would take until somebody writes to it.
		}
		files = append(files, File{Path: path, Zxid: zxid})
	}
	slices.SortFunc(files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Zxid, b.Zxid), strings.Compare(a.Path, b.Path))
	})
	return files, nil
}

// Records yields the transactions of log files that no server writes, one file
// after the other. A transaction is valid until the next one is asked for.
//
// What is wrong is yielded where it is found, as a [FileError] without a
// transaction. Who ranges on passes over it: over the rest of a torn or
// corrupt file, over no transaction where only the order is wrong.
func Records(files []File) iter.Seq2[*Txn, error] {
	return func(yield func(*Txn, error) bool) {
		var last order
		for _, file := range files {
			if !records(file, &last, yield) {
				return
			}
		}
	}
}

func records(file File, last *order, yield func(*Txn, error) bool) bool {
	f, err := os.Open(file.Path)
	if err != nil {
		return yield(nil, fmt.Errorf("open log: %w", err))
	}
	defer f.Close() //nolint:errcheck // It was only read.
	r := NewReader(file.Path, f)
	for r.Next() {
		if err := last.check(r, file); err != nil && !yield(nil, err) {
			return false
		}
		if !yield(r.Record(), nil) {
			return false
		}
	}
	if err := r.End(); err != nil {
		return yield(nil, err)
	}
	return true
}

// order is the zxid before, and says what is wrong with the one that follows.
type order struct{ zxid uint64 }

// check looks at the record that the reader found. A request that the server
// could not understand leaves an error with the zxid of the transaction before
// it (PrepRequestProcessor.pRequest); that is no disorder.
func (o *order) check(r *Reader, file File) error {
	txn, before := r.Record(), o.zxid
	o.zxid = txn.Zxid
	fault := ""
	switch {
	case r.count == 1 && file.Zxid != 0 && txn.Zxid != file.Zxid:
		fault = fmt.Sprintf("zxid %#x is first in a file named after %#x", txn.Zxid, file.Zxid)
	case txn.Zxid < before || txn.Zxid == before && txn.Type != TypeError:
		fault = fmt.Sprintf("zxid %#x (%v) follows zxid %#x", txn.Zxid, txn.Type, before)
	default:
		return nil
	}
	return &FileError{File: r.name, Offset: r.at, Kind: ErrOrder, Detail: fault}
}
