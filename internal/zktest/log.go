package zktest

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// logBytes bounds what is read of one server's log: its end counts.
const logBytes = 1 << 20

// shownLines is how much of each server's log a failure shows.
const shownLines = 60

// Log is what the server wrote to stdout and stderr over all its lives, the
// last mebibyte of it.
func (s *Server) Log() string {
	file, err := os.Open(s.logFile())
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	defer file.Close() //nolint:errcheck // It is only read.
	if info, err := file.Stat(); err == nil && info.Size() > logBytes {
		if _, err := file.Seek(-logBytes, io.SeekEnd); err != nil {
			return fmt.Sprintf("(no log: %v)", err)
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, logBytes))
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	return string(text)
}

// LogTail is the last lines of the log.
func (s *Server) LogTail(lines int) string {
	all := strings.Split(strings.TrimRight(s.Log(), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// lostPort tells whether the server found a port taken. Some versions end then,
// others stay and never serve, so the log has to be asked.
func (s *Server) lostPort() bool {
	log := s.Log()
	return strings.Contains(log, "BindException") || strings.Contains(log, "Address already in use")
}

// logs shows the end of every server's log.
func (e *Ensemble) logs() string {
	var b strings.Builder
	for _, s := range e.servers {
		fmt.Fprintf(&b, "log of server %d (%s):\n%s\n", s.id, s.Addr(), s.LogTail(shownLines))
	}
	return b.String()
}
