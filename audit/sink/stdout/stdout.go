// Package stdout is the sink that writes lines to a stream: the standard
// output of the process, a pipe or a file.
//
// It promises that a reader of JSON lines sees whole lines only, each ended by
// one newline. When a write comes to nothing or stops in the middle, the next
// delivery goes on with the very byte behind the last one written. Only a
// process that dies between writing and acknowledging repeats lines, and only
// one that dies while writing leaves the last of them torn.
package stdout

import (
	"context"
	"fmt"
	"io"

	"zkwarden/audit"
)

var _ audit.Sink = (*Sink)(nil)

// Sink writes to one stream. One goroutine uses it at a time.
type Sink struct {
	w   io.Writer
	buf []byte

	// After a failed write, begun is the last line of which the stream has at
	// least one byte, and rest is what it lacks. Else they are zero.
	begun uint64
	rest  []byte
}

// New returns a sink that writes to w. It does not close w.
func New(w io.Writer) *Sink { return &Sink{w: w} }

// Deliver implements [audit.Sink] with one Write for all lines. A stream whose
// reader does not read blocks it, which ctx cannot end.
func (s *Sink) Deliver(ctx context.Context, lines []audit.Line) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for len(lines) > 0 && lines[0].Seq <= s.begun {
		lines = lines[1:]
	}
	s.buf = append(s.buf[:0], s.rest...)
	owed := len(s.buf)
	for _, line := range lines {
		s.buf = append(append(s.buf, line.JSON...), '\n')
	}
	n, err := s.w.Write(s.buf)
	if err == nil && n < len(s.buf) {
		err = io.ErrShortWrite
	}
	if err != nil {
		s.interrupted(lines, owed, n)
		return fmt.Errorf("write lines: %w", err)
	}
	s.begun, s.rest = 0, nil
	return nil
}

// interrupted remembers that the stream took n bytes of buf, which holds owed
// bytes of a line begun before and then lines.
func (s *Sink) interrupted(lines []audit.Line, owed, n int) {
	s.rest = s.buf[min(n, owed):owed]
	end := owed
	for _, line := range lines {
		begin := end
		end += len(line.JSON) + 1
		if n <= begin {
			return
		}
		s.begun, s.rest = line.Seq, s.buf[min(n, end):end]
	}
}
