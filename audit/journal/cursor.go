package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"

	"zkwarden/audit"
)

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
// begins before the first record. The place of an old one is checked: the
// error is a [*BrokenError] when no line with its seq and hash is in the
// journal. The caller closes the cursor before the journal.
func (j *Journal) OpenCursor(name string) (*Cursor, error) {
	if !regexp.MustCompile(`^[a-z0-9_-]{1,64}$`).MatchString(name) {
		return nil, fmt.Errorf("open cursor %q: the name may have lowercase letters, digits, - and _", name)
	}
	j.mu.Lock()
	_, used := j.cursors[name]
	end := j.durable
	if !used {
		j.cursors[name] = &Cursor{} // Keeps the name while the journal is read, without the mutex.
	}
	j.mu.Unlock()
	if used {
		return nil, fmt.Errorf("open cursor %q: it is open already", name)
	}
	c, err := openCursor(j, name, end)
	j.mu.Lock()
	defer j.mu.Unlock()
	if err != nil {
		delete(j.cursors, name)
		return nil, fmt.Errorf("open cursor %q: %w", name, err)
	}
	j.cursors[name] = c
	j.metrics.sinkErrors.WithLabelValues(name) // Counts from 0 on.
	return c, nil
}

func openCursor(j *Journal, name string, end position) (*Cursor, error) {
	path := filepath.Join(j.dir, "cursor-"+name)
	file, at, err := openMarkFile(path)
	if errors.Is(err, os.ErrNotExist) {
		at = mark{hash: noHash}
		file, err = createMarkFile(path, at)
	}
	if err != nil {
		return nil, err
	}
	if at.seq > end.seq {
		err := &BrokenError{File: path, Seq: at.seq, Problem: fmt.Sprintf("the journal ends at seq %d", end.seq)}
		return nil, errors.Join(err, file.close())
	}
	w, err := openWalker(j.dir, at.seq, end)
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
	c.buf, c.batch = c.buf[:0], c.batch[:0]
	for len(c.batch) < batchLines && len(c.buf) < batchBytes {
		line, err := c.walker.next(end)
		if errors.Is(err, io.EOF) {
			break
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
	c.journal.mu.Unlock()
	c.walker.close()
	return c.file.close()
}
