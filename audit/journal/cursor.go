package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"

	"github.com/go-kit/log/level"

	"zkwarden/audit"
)

const cursorPrefix = "cursor-"

const (
	batchLines = 512     // Lines that Next returns at most.
	batchBytes = 1 << 20 // Bytes behind which it adds no more lines.
	maxUnacked = 1 << 16 // Lines that may be returned and not acknowledged.
)

var _ audit.Cursor = (*Cursor)(nil)

// Cursor is a consumer's place in the journal. It returns durable lines only,
// each checked against the chain once more. One goroutine uses it at a time.
type Cursor struct {
	journal *Journal
	name    string
	walker  *walker
	file    *markFile
	acked   atomic.Uint64

	unacked []mark // The lines behind acked that were returned.
	buf     []byte // Bytes of the last batch.
	batch   []audit.Line
}

// OpenCursor opens the cursor of that name, which becomes the label "sink" of
// its metrics: lowercase letters, digits, hyphens and underscores. A new one
// begins before the first record that is kept. The place of an old one is
// checked: the error is a [*BrokenError] when no line with its seq and hash is
// in the journal, unless retention has removed that line; without its file the
// cursor is a new one. The caller closes the cursor before the journal.
func (j *Journal) OpenCursor(name string) (*Cursor, error) {
	if !isCursorName(name) {
		return nil, fmt.Errorf("open cursor %q: the name may have lowercase letters, digits, - and _", name)
	}
	j.mu.Lock()
	_, used := j.cursors[name]
	begin, end := j.beginning(), j.durable
	if !used {
		j.cursors[name] = &Cursor{} // Keeps the name, and all records, while the journal is read without the mutex.
	}
	j.mu.Unlock()
	if used {
		return nil, fmt.Errorf("open cursor %q: it is open already", name)
	}
	c, err := openCursor(j, name, begin, end)
	j.mu.Lock()
	defer j.mu.Unlock()
	if broken, ok := errors.AsType[*BrokenError](err); ok && broken.File == filepath.Join(j.dir, cursorPrefix+name) {
		remedy := "remove that file, and all records that are kept are delivered again, with the same ids"
		if broken.Seq != 0 { // It is whole, and says something else than the records.
			remedy = "it may be right and the records be changed: keep a copy of the directory, and see zkwarden verify"
		}
		err = fmt.Errorf("%w; %s", err, remedy)
	}
	if err != nil {
		delete(j.cursors, name)
		return nil, fmt.Errorf("open cursor %q: %w", name, err)
	}
	j.cursors[name] = c
	delete(j.parked, name)
	j.metrics.sinkErrors.WithLabelValues(name) // Counts from 0 on.
	j.metrics.sinkLost.WithLabelValues(name)
	return c, nil
}

func isCursorName(name string) bool {
	return regexp.MustCompile(`^[a-z0-9_-]{1,64}$`).MatchString(name)
}

// cursorNames returns the names of the cursors that have a file in dir.
func cursorNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list cursors: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if name, ok := strings.CutPrefix(entry.Name(), cursorPrefix); ok && isCursorName(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// readCursors returns how far each cursor with a file in dir is. One that
// cannot be read holds on to everything.
func readCursors(dir string) (map[string]uint64, error) {
	names, err := cursorNames(dir)
	if err != nil {
		return nil, err
	}
	acked := make(map[string]uint64, len(names))
	for _, name := range names {
		at, _ := readMark(filepath.Join(dir, cursorPrefix+name))
		acked[name] = at.seq
	}
	return acked, nil
}

func openCursor(j *Journal, name string, begin mark, end position) (*Cursor, error) {
	path := filepath.Join(j.dir, cursorPrefix+name)
	file, at, err := openMarkFile(path)
	if errors.Is(err, os.ErrNotExist) {
		at = begin
		file, err = createMarkFile(path, at)
	}
	if err != nil {
		return nil, err
	}
	if at.seq > end.seq {
		err := &BrokenError{File: path, Seq: at.seq, Problem: fmt.Sprintf("the journal ends at seq %d", end.seq)}
		return nil, errors.Join(err, file.close())
	}
	if at.seq < begin.seq {
		// What was lost has its gap record; or it was acknowledged, and a power
		// cut has set the file back.
		level.Warn(j.logger).Log("msg", "sink goes on behind the records that retention removed", "sink", name, "from", at.seq+1, "to", begin.seq)
		at = begin
	}
	w, err := openWalker(j.dir, at.seq, begin, end)
	if err != nil {
		return nil, errors.Join(err, file.close())
	}
	if w.last() != at {
		w.close()
		return nil, errors.Join(&BrokenError{
			File: path, Seq: at.seq,
			Problem: fmt.Sprintf("it names the hash %s, but the journal's record has %s", at.hash, w.last().hash),
		}, file.close())
	}
	c := &Cursor{journal: j, name: name, walker: w, file: file}
	c.acked.Store(at.seq)
	return c, nil
}

// Next implements [audit.Cursor]. A batch has at most 512 lines, and no
// further line once it has 1 MiB. The error is that of ctx, [ErrClosed] when
// the journal has ended and everything was returned, or a [*BrokenError] when
// a file was changed by someone else.
func (c *Cursor) Next(ctx context.Context) ([]audit.Line, error) {
	if len(c.unacked) >= maxUnacked {
		return nil, fmt.Errorf("read journal: %d lines are not acknowledged", len(c.unacked))
	}
	end, err := c.await(ctx)
	if err != nil {
		return nil, err
	}
	if c.overtaken() {
		return c.skip(ctx)
	}
	c.buf, c.batch = c.buf[:0], c.batch[:0]
	for len(c.batch) < batchLines && len(c.buf) < batchBytes {
		line, err := c.walker.next(end)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil && len(c.batch) == 0 && c.overtaken() {
			return c.skip(ctx)
		}
		if err != nil && len(c.batch) > 0 {
			break // What came before is good, and the next call finds the error again.
		}
		if err != nil {
			return nil, fmt.Errorf("read journal: %w", err)
		}
		from := len(c.buf)
		c.buf = append(c.buf, line...)
		last := c.walker.last()
		c.batch = append(c.batch, audit.Line{Seq: last.seq, JSON: c.buf[from:len(c.buf):len(c.buf)]})
		c.unacked = append(c.unacked, last)
	}
	return c.batch, nil
}

// await returns the end of the journal once it lies behind the cursor.
func (c *Cursor) await(ctx context.Context) (position, error) {
	j, at := c.journal, c.walker.last().seq
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.await(ctx, func() bool { return j.durable.seq > at || j.finished })
	if err != nil {
		return position{}, ctx.Err()
	}
	if j.durable.seq == at {
		return position{}, ErrClosed
	}
	return j.durable, nil
}

// overtaken says whether the next line was removed by the hard retention size.
func (c *Cursor) overtaken() bool {
	c.journal.mu.Lock()
	defer c.journal.mu.Unlock()
	return c.walker.last().seq < c.journal.begin.seq
}

// skip goes on with the first record that is kept. The file follows with the
// next Ack: until then a crash would only repeat this.
func (c *Cursor) skip(ctx context.Context) ([]audit.Line, error) {
	j := c.journal
	j.mu.Lock()
	begin, end := j.begin, j.durable
	j.mu.Unlock()
	w, err := openWalker(j.dir, begin.seq, begin, end)
	if err != nil {
		return nil, fmt.Errorf("read journal behind what retention removed: %w", err)
	}
	c.walker.close()
	c.walker, c.unacked = w, c.unacked[:0]
	c.acked.Store(begin.seq)
	return c.Next(ctx)
}

// Ack implements [audit.Cursor]. Lines that were acknowledged before may be
// named again, those that were not returned may not. The place is in the page
// cache when Ack returns, so that it outlives the process; a power cut may
// set it back.
func (c *Cursor) Ack(seq uint64) error {
	acked := c.acked.Load()
	if seq <= acked {
		return nil
	}
	n := seq - acked
	if n > uint64(len(c.unacked)) {
		return fmt.Errorf("acknowledge record %d: only %d was returned", seq, c.walker.last().seq)
	}
	if err := c.file.write(c.unacked[n-1]); err != nil {
		return fmt.Errorf("acknowledge record %d: %w", seq, err)
	}
	c.acked.Store(seq)
	c.unacked = append(c.unacked[:0], c.unacked[n:]...)
	return nil
}

// Close makes the place of the cursor durable and frees its name.
func (c *Cursor) Close() error {
	c.journal.mu.Lock()
	delete(c.journal.cursors, c.name)
	c.journal.parked[c.name] = c.acked.Load()
	c.journal.mu.Unlock()
	c.walker.close()
	return c.file.close()
}
