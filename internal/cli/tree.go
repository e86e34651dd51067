package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"

	"github.com/go-zookeeper/zk"
	"golang.org/x/term"
)

// TreeOptions say what [Tree] prints.
type TreeOptions struct {
	Session SessionOptions
	Path    string // The znode to begin with; empty means "/".
	Depth   int    // Levels to print below Path; negative means all.
	Stat    bool   // Whether text shows version, size, owner, times and number of children.
	JSON    bool   // One JSON object a line, with the Stat, instead of text.

	// Progress, if not nil, is a terminal that shows how far the walk is.
	Progress io.Writer
}

// Tree prints the znodes at and below a path, one a line, parents before
// children and children sorted by name, as soon as they are read. A znode that
// may not be read is printed with the reason; its children are unknown, and
// Tree returns an error at the end. When nobody reads out any more, Tree ends
// without an error.
func Tree(ctx context.Context, o TreeOptions, out io.Writer) error {
	if o.Path == "" {
		o.Path = "/"
	}
	if len(o.Path) > 1 {
		o.Path = strings.TrimSuffix(o.Path, "/")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s, err := openSession(ctx, o.Session)
	if err != nil {
		return err
	}
	defer s.close()

	buffered := bufio.NewWriterSize(out, 1<<16)
	p := &treePrinter{out: buffered, progress: o.Progress, format: textLine}
	switch {
	case o.JSON:
		p.format = jsonLine
	case o.Stat:
		p.format = statLine
		fmt.Fprint(buffered, statHeader)
	}
	r := treeReader{session: s, depth: o.Depth, stat: o.Stat || o.JSON}
	err = walk(ctx, cancel, o.Path, r.read, p)
	p.endProgress()
	if flushErr := buffered.Flush(); err == nil {
		err = flushErr
	}
	switch {
	case errors.Is(err, syscall.EPIPE):
		return nil
	case err != nil:
		return fmt.Errorf("print tree %s: %w", printable(o.Path), err)
	case p.unreadable > 0:
		return fmt.Errorf("print tree %s: %d of %d znodes could not be read", printable(o.Path), p.unreadable, p.count)
	}
	return nil
}

// ProgressTo returns stderr if it is a terminal and stdout is not, so that
// progress never mixes with what is printed, else nil.
func ProgressTo(stdout, stderr *os.File) io.Writer {
	if term.IsTerminal(int(stderr.Fd())) && !term.IsTerminal(int(stdout.Fd())) {
		return stderr
	}
	return nil
}

// treeReader reads no more of a znode than its line shows.
type treeReader struct {
	session *session
	depth   int
	stat    bool
}

func (r *treeReader) read(ctx context.Context, path string, depth int) (*znode, error) {
	z := &znode{path: path, depth: depth}
	var err error
	if r.depth >= 0 && depth == r.depth {
		// The children are not wanted, and of a child its parent's list tells enough.
		if r.stat || depth == 0 {
			z.stat, err = r.session.stat(ctx, path)
		}
	} else {
		z.children, z.stat, err = r.session.children(ctx, path)
	}
	switch {
	case errors.Is(err, zk.ErrNoAuth):
		z.trouble = "no auth"
		return z, r.statAnyway(ctx, z)
	case errors.Is(err, zk.ErrInvalidPath) && depth > 0:
		z.trouble = "invalid path"
		return z, nil
	case err != nil:
		return nil, err
	}
	return z, checkNames(path, z.children)
}

// checkNames refuses names that no znode can have and that would lead the walk
// out of its order.
func checkNames(parent string, names []string) error {
	for _, name := range names {
		if name == "" || strings.Contains(name, "/") {
			return fmt.Errorf("server names a child %q of %s", name, printable(parent))
		}
	}
	return nil
}

// statAnyway reads the Stat of a znode whose READ permission is missing.
// Servers before 3.8.4 and 3.9.2 tell it to anyone (ZOOKEEPER-2590).
func (r *treeReader) statAnyway(ctx context.Context, z *znode) (err error) {
	if r.stat {
		z.stat, err = r.session.stat(ctx, z.path)
	}
	if errors.Is(err, zk.ErrNoAuth) {
		return nil
	}
	return err
}

// treePrinter is the visitor that writes a line for each znode.
type treePrinter struct {
	out        *bufio.Writer
	format     func([]byte, *znode) ([]byte, error)
	line       []byte
	count      uint64
	unreadable uint64

	progress io.Writer
	shown    bool
}

func (p *treePrinter) visit(z *znode) (err error) {
	p.count++
	if z.trouble != "" {
		p.unreadable++
	}
	if p.line, err = p.format(p.line[:0], z); err != nil {
		return err
	}
	_, err = p.out.Write(append(p.line, '\n'))
	return err
}

// tick lets a reader see lines soon even where the walk is slow.
func (p *treePrinter) tick() error {
	if p.progress != nil {
		fmt.Fprintf(p.progress, "\r%d znodes", p.count)
		p.shown = true
	}
	return p.out.Flush()
}

// endProgress clears the line.
func (p *treePrinter) endProgress() {
	if p.shown {
		fmt.Fprint(p.progress, "\r\x1b[K")
	}
}
