package journal

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/audit"
)

// maxPending is how many bytes wait for the writer before Append blocks. As
// much again can be on its way to the disk.
const maxPending = 4 << 20

// Options say where a journal is and what it writes by itself.
type Options struct {
	Dir        string                // Made with mode 0700 when it is missing.
	Logger     log.Logger            // Required.
	Registerer prometheus.Registerer // Nil registers no metrics.

	// Ensemble and Recorder are the members of these names in the repair
	// record, and Now is the clock behind its "observed"; nil is time.Now.
	Ensemble, Recorder string
	Now                func() time.Time

	// wrap lets tests put a failing disk behind the writer.
	wrap func(disk) disk
}

var _ audit.Journal = (*Journal)(nil)

// Journal is an open journal. Its methods are safe for concurrent use.
type Journal struct {
	dir     string
	chain   string
	logger  log.Logger
	metrics *metrics
	older   int64 // Bytes in the segments before the last.

	lock    *os.File
	head    *markFile // The writer's.
	file    *os.File
	segment segment // The writer's.

	work    chan struct{} // Tells the writer that something waits or that no more will come.
	abandon chan struct{} // Closed to make the writer give up a disk that refuses.
	done    chan struct{} // Closed when the writer has ended.
	leave   func()        // Closes abandon, once.

	mu       sync.Mutex
	changed  chan struct{} // Closed and replaced whenever anything below moves on.
	last     mark          // The last record appended.
	pending  []byte        // Lines that the writer has not taken, up to last.
	durable  position
	closed   bool  // No more records are accepted.
	finished bool  // The writer has ended: durable stays as it is.
	err      error // Why the disk refuses, or nil.
	cursors  map[string]*Cursor

	line []byte // Room for the line being made.
}

// Open opens the journal in o.Dir, or makes one there, and starts its writer.
// The error matches [ErrLocked] when another process owns the directory, and
// is a [*BrokenError] when its files contradict each other. The caller ends
// the journal with [Journal.Close].
func Open(o Options) (*Journal, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.wrap == nil {
		o.wrap = func(d disk) disk { return d }
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	found, err := recoverDir(o.Dir)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", o.Dir, err), lock.Close())
	}
	j, err := newJournal(o, lock, found)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open journal %s: %w", o.Dir, err), found.head.close(), lock.Close())
	}
	go j.write()
	if found.torn > 0 {
		err := j.repaired(o, found)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open journal %s: %w", o.Dir, err), j.Close(context.Background()))
		}
	}
	return j, nil
}

// newJournal makes what was found durable and ready to be continued.
func newJournal(o Options, lock *os.File, found recovered) (*Journal, error) {
	file, err := os.OpenFile(segmentPath(o.Dir, found.end.segment), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open segment: %w", err)
	}
	// The lines behind the head may be in the page cache only, if a crash
	// came before their fsync.
	err = errors.Join(file.Sync(), syncDir(o.Dir), found.head.write(found.end.mark))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make recovered records durable: %w", err), file.Close())
	}
	chain := found.chain
	if chain == "" {
		id := make([]byte, 16)
		rand.Read(id) // Never fails: it ends the process instead.
		chain = hex.EncodeToString(id)
	}
	abandon := make(chan struct{})
	j := &Journal{
		dir: o.Dir, chain: chain, logger: o.Logger, older: found.older,
		lock: lock, head: found.head, file: file,
		segment: segment{first: found.end.segment, size: found.end.size, disk: o.wrap(file), dirty: found.torn > 0},
		work:    make(chan struct{}, 1), done: make(chan struct{}),
		abandon: abandon, leave: sync.OnceFunc(func() { close(abandon) }),
		changed: make(chan struct{}), last: found.end.mark, durable: found.end,
		cursors: map[string]*Cursor{},
	}
	j.metrics = newMetrics(o.Registerer, j)
	return j, nil
}

// repaired appends the record that notes a torn line. The writer cuts the
// line in the same stroke, so that a crash in between repeats both.
func (j *Journal) repaired(o Options, found recovered) error {
	reason := fmt.Sprintf("cut %d bytes of a torn line behind seq %d", found.torn, found.end.seq)
	level.Warn(j.logger).Log("msg", "journal was repaired after a crash", "file", j.file.Name(), "reason", reason)
	_, err := j.Append(context.Background(), audit.Event{
		Kind: audit.KindControl, Control: audit.ControlRepair,
		Ensemble: o.Ensemble, Recorder: o.Recorder, Observed: audit.AtTime(o.Now()), Reason: reason,
	})
	return err
}

// ChainID returns the 32 hex digits that tell this journal from any other.
func (j *Journal) ChainID() string { return j.chain }

// Durable returns the seq and hash of the last durable record. In an empty
// journal they are 0 and 64 zeros.
func (j *Journal) Durable() (seq uint64, hash string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable.seq, j.durable.hash
}

// Err returns why the disk refuses records at present, or nil.
func (j *Journal) Err() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.err
}

// Append implements [audit.Journal]. It fills Schema, Seq, Prev, ID where it
// is empty, and Chain in the first record. The error is [ErrClosed] after
// [Journal.Finish], [ErrTooLarge] for an event that fits no line, or that of
// ctx; the event is not in the journal then.
func (j *Journal) Append(ctx context.Context, e audit.Event) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	err := j.await(ctx, func() bool { return j.closed || len(j.pending) < maxPending })
	if err != nil {
		return 0, fmt.Errorf("append to journal: %w", err)
	}
	if j.closed {
		return 0, fmt.Errorf("append to journal: %w", ErrClosed)
	}
	e.Schema, e.Seq, e.Prev = audit.Schema, j.last.seq+1, j.last.hash
	if e.Seq == 1 {
		e.Chain = j.chain
	}
	if e.ID == "" {
		e.ID = e.SeqID(j.chain)
	}
	line, hash := seal(appendEvent(j.line[:0], &e))
	j.line = line
	if len(line) > maxLine {
		return 0, fmt.Errorf("append to journal: %w: %s of %.100q has %d bytes", ErrTooLarge, e.Kind, e.Path, len(line))
	}
	j.pending = append(append(j.pending, line...), '\n')
	j.last = mark{seq: e.Seq, hash: hash}
	j.wakeWriter()
	return e.Seq, nil
}

// Flush implements [audit.Journal].
func (j *Journal) Flush(ctx context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	target := j.last.seq
	err := j.await(ctx, func() bool { return j.finished || j.durable.seq >= target })
	if err == nil && j.durable.seq < target {
		err = ErrClosed
	}
	if err != nil {
		return fmt.Errorf("flush journal %s: records %d to %d are not durable: %w", j.dir, j.durable.seq+1, target, err)
	}
	return nil
}

// await returns when ready, which is asked whenever something moved on. The
// caller holds j.mu, as ready may expect.
func (j *Journal) await(ctx context.Context, ready func() bool) error {
	for !ready() {
		if err := ctx.Err(); err != nil {
			return errors.Join(err, j.err)
		}
		changed := j.changed
		j.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
		j.mu.Lock()
	}
	return nil
}

// announce wakes everyone in await. The caller holds j.mu.
func (j *Journal) announce() {
	close(j.changed)
	j.changed = make(chan struct{})
}
