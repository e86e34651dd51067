package recorder

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"zkwarden/audit"
	"zkwarden/audit/eventtest"
	"zkwarden/audit/mirror"
	"zkwarden/audit/policy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testChain = "0123456789abcdef0123456789abcdef"

// memory is a journal without a disk. Its lines are what a real one would
// replay.
type memory struct {
	mu      sync.Mutex
	schema  *eventtest.Schema // Every record is held to it.
	events  []audit.Event
	lines   []audit.Line
	durable uint64
}

func (j *memory) Append(_ context.Context, e audit.Event) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	e.Seq = uint64(len(j.events) + 1)
	if e.ID == "" {
		e.ID = e.SeqID(testChain)
	}
	e.Prev = strings.Repeat("0", 64)
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(e); err != nil {
		return 0, err
	}
	if err := j.validate(text.Bytes()); err != nil {
		return 0, err
	}
	j.events = append(j.events, e)
	j.lines = append(j.lines, audit.Line{Seq: e.Seq, JSON: text.Bytes()})
	return e.Seq, nil
}

// validate holds a record to the published schema, with the hash that a real
// journal adds.
func (j *memory) validate(line []byte) (err error) {
	if j.schema == nil {
		if j.schema, err = eventtest.Published(); err != nil {
			return err
		}
	}
	whole := append(bytes.TrimSuffix(slices.Clone(line), []byte("}\n")), (`,"hash":"` + strings.Repeat("0", 64) + `"}`)...)
	if err := j.schema.Validate(whole); err != nil {
		return fmt.Errorf("record %s: %w", line, err)
	}
	return nil
}

func (j *memory) Flush(context.Context) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.durable = uint64(len(j.events))
	return nil
}

func (j *memory) head() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return uint64(len(j.events))
}

// tester is what a stage needs of a test, be it one of Go's or of rapid's.
type tester interface {
	rapid.TB
	Context() context.Context
	Cleanup(func())
}

// stage is a recorder, called step by step.
type stage struct {
	t       tester
	file    string
	policy  *policy.Policy
	mirror  *mirror.Mirror
	journal *memory
	*Recorder
}

func newStage(t testing.TB, level policy.Level, roots ...string) *stage {
	t.Helper()
	return newStageIn(t, t.TempDir(), level, roots...)
}

// newStageIn makes a stage whose mirror is a new file in the directory, and gone
// with the test.
func newStageIn(t tester, dir string, level policy.Level, roots ...string) *stage {
	t.Helper()
	own, err := os.MkdirTemp(dir, "")
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, file: filepath.Join(own, "mirror.db"), journal: &memory{}}
	s.policy = mustPolicy(t, level, roots...)
	s.start()
	t.Cleanup(func() {
		s.mirror.Close()
		os.RemoveAll(own)
	})
	return s
}

func mustPolicy(t tester, level policy.Level, roots ...string) *policy.Policy {
	t.Helper()
	p, err := policy.ForPaths(roots, level, []byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// options opens the mirror and names everything that a recorder needs.
func (s *stage) options() Options {
	s.t.Helper()
	var place mirror.Place
	var err error
	if s.mirror, place, err = mirror.Open(s.file); err != nil {
		s.t.Fatal(err)
	}
	return Options{
		Ensemble: "test", Recorder: "host", Policy: s.policy, Mirror: s.mirror, Place: place,
		Journal: s.journal, Chain: testChain, Head: s.journal.head(), Logger: log.NewNopLogger(),
		Now: func() time.Time { return time.UnixMilli(1_700_000_000_000) },
	}
}

// load is what a start does before Run.
func (s *stage) load() {
	s.t.Helper()
	r, err := New(s.options())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, line := range s.journal.lines[r.Place().Seq:] {
		if err := r.Replay(line); err != nil {
			s.t.Fatal(err)
		}
	}
	s.Recorder = r
}

func (s *stage) start() {
	s.t.Helper()
	s.load()
	s.begins()
}

func (s *stage) begins() {
	s.t.Helper()
	if err := s.begin(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) commits() {
	s.t.Helper()
	if err := s.commit(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) checkpoints() {
	s.t.Helper()
	if err := s.checkpoint(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// crash ends the recorder without a word, and loads the next one.
func (s *stage) crash() {
	s.t.Helper()
	if err := s.mirror.Close(); err != nil {
		s.t.Fatal(err)
	}
	s.load()
}

// show hands over observations and returns the change, gap and control
// records that they made.
func (s *stage) show(observations ...audit.Observation) []audit.Event {
	s.t.Helper()
	before := len(s.journal.events)
	for _, o := range observations {
		if err := s.observe(s.t.Context(), o); err != nil {
			s.t.Fatal(err)
		}
	}
	return s.journal.events[before:]
}

// znode makes an answer with a czxid, a version and data.
func znode(czxid audit.Zxid, version int32, data string) *audit.Znode {
	return &audit.Znode{Data: []byte(data), Stat: audit.Stat{
		Czxid: czxid, Mzxid: czxid + audit.Zxid(version), Version: version, Ctime: 1000, Mtime: 1000 + int64(version),
	}}
}

// hint is a notification with an exact zxid and the read behind it.
func hint(op audit.Op, path string, zxid audit.Zxid, node *audit.Znode) audit.Seen {
	seen := audit.Seen{Path: path, Origin: audit.OriginWatch, Hint: op, After: zxid, Until: zxid, Node: node}
	if node != nil {
		seen.Read, seen.At = audit.Found, zxid
	}
	return seen
}

// between makes it a hint of a server before 3.9, which tells no zxid.
func between(after, until audit.Zxid, seen audit.Seen) audit.Seen {
	seen.After, seen.Until = after, until
	if seen.Node != nil {
		seen.At = until
	}
	return seen
}

func found(path string, at audit.Zxid, node *audit.Znode) audit.Seen {
	return audit.Seen{Path: path, Origin: audit.OriginResync, Read: audit.Found, Node: node, At: at}
}

func absent(path string, at audit.Zxid) audit.Seen {
	return audit.Seen{Path: path, Origin: audit.OriginResync, Read: audit.Absent, At: at}
}

func walked(zxid audit.Zxid) audit.Mark { return audit.Mark{Zxid: zxid, Walk: true} }

func gapTo(after, until audit.Zxid) audit.Gap {
	return audit.Gap{After: after, Until: until, Reason: audit.GapReconnect}
}
