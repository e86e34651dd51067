package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
)

// mark is the seq of a record and its hash. The zero seq, with noHash, is the
// place before the first record.
type mark struct {
	seq  uint64
	hash string
}

// String is the form of anchors: "<seq>:<hash>".
func (m mark) String() string { return fmt.Sprintf("%d:%s", m.seq, m.hash) }

func (m mark) text() []byte { return []byte(m.String() + "\n") }

// parseMark accepts nothing but what text writes.
func parseMark(text []byte) (mark, error) {
	digits, rest, _ := bytes.Cut(text, []byte(":"))
	seq, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return mark{}, errors.New(`is not "<seq>:<hash>"`)
	}
	m := mark{seq: seq, hash: string(bytes.TrimSuffix(rest, []byte("\n")))}
	if len(m.hash) != hexLen || !bytes.Equal(m.text(), text) {
		return mark{}, errors.New(`is not "<seq>:<hash>"`)
	}
	return m, nil
}

const (
	// maxMark is one byte more than the longest mark has.
	maxMark = 20 + len(":") + hexLen + len("\n") + 1
	// maxMarkReads bounds how often a mark that changes is read.
	maxMarkReads = 1000
)

// markFile is a file that holds one mark and follows it as it grows.
type markFile struct {
	path string
	file *os.File
	size int
}

// openMarkFile opens the mark file at path and reads it. The error of a file
// that does not exist satisfies os.ErrNotExist, that of one with anything
// else in it is a *BrokenError.
func openMarkFile(path string) (*markFile, mark, error) {
	file, err := openFile(path, os.O_RDWR)
	if err != nil {
		return nil, mark{}, err
	}
	text, err := markText(file)
	if err != nil {
		return nil, mark{}, errors.Join(err, file.Close())
	}
	m, err := parseMark(text)
	if err != nil {
		return nil, mark{}, errors.Join(&BrokenError{File: path, Problem: err.Error()}, file.Close())
	}
	return &markFile{path: path, file: file, size: len(text)}, m, nil
}

// markText reads what stands in a mark file, but no more than shows that it is
// too much.
func markText(file *os.File) ([]byte, error) {
	text := make([]byte, maxMark)
	n, err := file.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return text[:n], nil
}

// readMarkText opens the mark file anew, which another one may have replaced.
func readMarkText(path string) ([]byte, error) {
	file, err := openFile(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // It is only read.
	return markText(file)
}

// readMark reads the mark file at path beside a process that may be writing
// it: twice, until both answers agree.
func readMark(path string) (mark, error) {
	var before []byte
	for range maxMarkReads {
		text, err := readMarkText(path)
		if err != nil {
			return mark{}, fmt.Errorf("read mark: %w", err)
		}
		if m, err := parseMark(text); bytes.Equal(text, before) {
			if err != nil {
				return mark{}, &BrokenError{File: path, Problem: err.Error()}
			}
			return m, nil
		}
		before = text
	}
	return mark{}, fmt.Errorf("read mark: %s changes all the time", path)
}

// createMarkFile makes the file at path durable with m in it.
func createMarkFile(path string, m mark) (*markFile, error) {
	f := &markFile{path: path}
	if err := f.write(m); err != nil {
		return nil, err
	}
	return f, nil
}

// write overwrites the mark in place; the package comment says why that is
// safe for as long as the length stays.
func (f *markFile) write(m mark) error {
	text := m.text()
	if len(text) != f.size {
		return f.replace(text)
	}
	if _, err := f.file.WriteAt(text, 0); err != nil {
		return fmt.Errorf("write %s: %w", f.path, err)
	}
	return nil
}

func (f *markFile) replace(text []byte) error {
	file, err := openFile(f.path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return fmt.Errorf("replace %s: %w", f.path, err)
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	if err == nil {
		err = os.Rename(file.Name(), f.path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(f.path))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("replace %s: %w", f.path, err), file.Close())
	}
	old := f.file
	f.file, f.size = file, len(text)
	if old != nil {
		return old.Close()
	}
	return nil
}

// close makes the last mark durable.
func (f *markFile) close() error {
	return errors.Join(f.file.Sync(), f.file.Close())
}

// syncDir makes creations and renames in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
