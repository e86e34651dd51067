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

// Options say where a journal is and what it writes by itself.
type Options struct {
	Dir        string                // Made with mode 0700 when it is missing.
	Logger     log.Logger            // Required.
	Registerer prometheus.Registerer // Nil registers no metrics.
	Limits     Limits                // None by default: one segment grows for ever.

	// Ensemble and Recorder are the members of these names in the journal's
	// own records, and Now is the clock behind their "observed"; nil is
	// time.Now. Segments age by it too.
	Ensemble, Recorder string
	Now                func() time.Time

	// wrap lets tests put a failing disk behind the writer.
	wrap func(disk) disk
}

var _ audit.Journal = (*Journal)(nil)

// Journal is an open journal. Its methods are safe for concurrent use.
type Journal struct {
	dir                string
	chain              string
	ensemble, recorder string
	limits             Limits
	now                func() time.Time
	wrap               func(disk) disk
	logger             log.Logger
	metrics            *metrics

	lock    *os.File
	head    *markFile // The writer's.
	file    *os.File  // The writer's, until it has ended.
	segment segment   // The writer's.
	held    string    // The writer's: what it logged last as the reason to keep old segments.

	work    chan struct{} // Tells the writer that something waits or that no more will come.
	abandon chan struct{} // Closed to make the writer give up a disk that refuses.
	done    chan struct{} // Closed when the writer has ended.
	leave   func()        // Closes abandon, once.

	mu       sync.Mutex
	changed  chan struct{} // Closed and replaced whenever anything below moves on.
	last     mark          // The last record appended.
	filling  filling       // The segment that holds it.
	queue    []group       // Lines that the writer has not taken, up to last.
	pending  int           // Bytes in queue.
	spare    []byte        // Room for the lines of a group.
	durable  position
	began    time.Time // When the segment of durable began.
	closed   bool      // No more records are accepted.
	finished bool      // The writer has ended: durable stays as it is.
	err      error     // Why the disk refuses, or nil.

	begin   mark     // The record before the first one that is kept.
	anchor  string   // The newest anchor appended: "<seq>:<hash>", or empty.
	sealed  []sealed // The segments before that of durable.
	removal *removal // What retention is about to remove, or nil.
	kept    uint64   // Everything behind this seq is needed, says Keep.
	cursors map[string]*Cursor
	parked  map[string]uint64 // What the cursors that are not open have acknowledged.

	line []byte // Room for the line being made.
}

// filling is the segment that the next record goes into, unless that begins
// another one.
type filling struct {
	first uint64
	size  int64 // Bytes appended.
	began time.Time
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
	if err := o.Limits.Validate(); err != nil {
		return nil, fmt.Errorf("open journal %s: %w", o.Dir, err)
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
	go j.write(o.Limits.removes())
	if found.torn > 0 {
		err := j.repaired(found)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open journal %s: %w", o.Dir, err), j.Close(context.Background()))
		}
	}
	return j, nil
}

// newJournal makes what was found durable and ready to be continued.
func newJournal(o Options, lock *os.File, found recovered) (*Journal, error) {
	file, err := openForWriting(o.Dir, found.end.segment)
	if err != nil {
		return nil, err
	}
	// The lines behind the head may be in the page cache only, if a crash
	// came before their fsync.
	err = errors.Join(file.Sync(), syncDir(o.Dir), found.head.write(found.end.mark))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make recovered records durable: %w", err), file.Close())
	}
	parked, err := readCursors(o.Dir)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	chain := found.chain
	if chain == "" {
		id := make([]byte, 16)
		rand.Read(id) // Never fails: it ends the process instead.
		chain = hex.EncodeToString(id)
	}
	abandon := make(chan struct{})
	j := &Journal{
		dir: o.Dir, chain: chain, ensemble: o.Ensemble, recorder: o.Recorder,
		limits: o.Limits, now: o.Now, wrap: o.wrap, logger: o.Logger,
		lock: lock, head: found.head, file: file,
		segment: segment{first: found.end.segment, size: found.end.size, disk: o.wrap(file), dirty: found.torn > 0},
		work:    make(chan struct{}, 1), done: make(chan struct{}),
		abandon: abandon, leave: sync.OnceFunc(func() { close(abandon) }),
		changed: make(chan struct{}), last: found.end.mark, durable: found.end,
		filling: filling{first: found.end.segment, size: found.end.size, began: found.began}, began: found.began,
		begin: found.begin, anchor: found.anchor, sealed: found.sealed, removal: found.removal,
		cursors: map[string]*Cursor{}, parked: parked,
	}
	j.metrics = newMetrics(o.Registerer, j)
	return j, nil
}

// repaired appends the record that notes a torn line. The writer cuts the
// line in the same stroke, so that a crash in between repeats both.
func (j *Journal) repaired(found recovered) error {
	reason := fmt.Sprintf("cut %d bytes of a torn line behind seq %d", found.torn, found.end.seq)
	level.Warn(j.logger).Log("msg", "journal was repaired after a crash", "file", j.file.Name(), "reason", reason)
	e := j.own(audit.KindControl)
	e.Control, e.Reason = audit.ControlRepair, reason
	_, err := j.Append(context.Background(), e)
	return err
}

// own begins a record of the journal itself.
func (j *Journal) own(kind audit.Kind) audit.Event {
	return audit.Event{Kind: kind, Ensemble: j.ensemble, Recorder: j.recorder, Observed: audit.AtTime(j.now())}
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
