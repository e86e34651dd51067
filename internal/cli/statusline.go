package cli

import (
	"fmt"
	"io"
	"sync"
)

// clearLine goes to the beginning of the line and removes what is there.
const clearLine = "\r\x1b[K"

// StatusLine is the last line of a terminal. It stays below whatever is written
// beside it.
type StatusLine struct {
	mu   sync.Mutex
	out  io.Writer
	text string // What stands there, or empty.
}

// NewStatusLine returns an empty line at the end of out, a terminal.
func NewStatusLine(out io.Writer) *StatusLine { return &StatusLine{out: out} }

// Show puts text, which has no control characters, in place of what stood
// there; nothing is left of an empty one.
func (l *StatusLine) Show(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if text != l.text {
		fmt.Fprint(l.out, clearLine+text)
		l.text = text
	}
}

// Beside returns a writer of whole lines to out, which may be the same terminal.
func (l *StatusLine) Beside(out io.Writer) io.Writer { return &beside{line: l, out: out} }

type beside struct {
	line *StatusLine
	out  io.Writer
}

func (b *beside) Write(p []byte) (int, error) {
	l := b.line
	l.mu.Lock()
	if l.text == "" {
		l.mu.Unlock()
		return b.out.Write(p) // Where it blocks, nothing else has to wait.
	}
	defer l.mu.Unlock()
	fmt.Fprint(l.out, clearLine)
	defer func() { fmt.Fprint(l.out, l.text) }()
	return b.out.Write(p)
}
