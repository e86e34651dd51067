package history

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"zkwarden/audit/txnlog"
)

// History is the files of one server, and how to deal with what is wrong with
// them. Its methods read the files anew each time.
type History struct {
	Logs      []txnlog.File // In the order of their zxids.
	Snapshots []txnlog.File

	// SkipDamaged passes over what can't be read of a file. Otherwise it is an
	// error, which names file, offset and what is wrong.
	SkipDamaged bool

	// Note is told what is doubtful about an answer, and what was passed over,
	// in one sentence without a full stop. It may be nil.
	Note func(text string)

	// Progress is told now and then how much is done. It may be nil.
	Progress func(Progress)
}

// Progress is how far a replay is.
type Progress struct {
	File, Files  int // The log being read, from 1, of how many.
	Transactions int
	Zxid         uint64
}

// Open finds the logs and snapshots in directories (version-2 or its parent),
// and takes files as they are. Those that are given twice count once.
func Open(paths []string) (*History, error) {
	h := &History{}
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, fmt.Errorf("look for transaction logs: %w", err)
		case info.IsDir():
			err = h.addDir(path)
		case !info.Mode().IsRegular():
			err = fmt.Errorf("%s is neither a file nor a directory", path)
		default:
			h.addFile(path)
		}
		if err != nil {
			return nil, err
		}
	}
	h.Logs, h.Snapshots = sorted(h.Logs), sorted(h.Snapshots)
	return h, nil
}

func (h *History) addDir(dir string) error {
	logs, err := txnlog.Logs(dir)
	if err != nil {
		return err
	}
	snapshots, err := txnlog.Snapshots(dir)
	if err != nil {
		return err
	}
	if len(logs) == 0 && len(snapshots) == 0 {
		return fmt.Errorf("%s has no transaction log and no snapshot: want a server's dataDir or dataLogDir, or version-2 within", dir)
	}
	h.Logs, h.Snapshots = append(h.Logs, logs...), append(h.Snapshots, snapshots...)
	return nil
}

// addFile takes a file by its name. One that has another name than a server
// gives is a log.
func (h *History) addFile(path string) {
	kind, rest, _ := strings.Cut(filepath.Base(path), ".")
	digits, _, _ := strings.Cut(rest, ".")
	zxid, err := strconv.ParseUint(digits, 16, 64)
	switch {
	case kind == "snapshot" && err == nil:
		h.Snapshots = append(h.Snapshots, txnlog.File{Path: path, Zxid: zxid})
	case kind == "log" && rest == digits && err == nil:
		h.Logs = append(h.Logs, txnlog.File{Path: path, Zxid: zxid})
	default:
		h.Logs = append(h.Logs, txnlog.File{Path: path})
	}
}

func sorted(files []txnlog.File) []txnlog.File {
	slices.SortStableFunc(files, func(a, b txnlog.File) int {
		return cmp.Or(cmp.Compare(a.Zxid, b.Zxid), strings.Compare(a.Path, b.Path))
	})
	return slices.CompactFunc(files, same)
}

// same tells whether two names are those of one file.
func same(a, b txnlog.File) bool {
	one, err := os.Stat(a.Path)
	if err != nil {
		return false
	}
	other, err := os.Stat(b.Path)
	return err == nil && os.SameFile(one, other)
}
