package watch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"strings"
	"testing"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// memory is what the recorder would know.
type memory struct {
	children map[string][]string
	stats    map[string]audit.Stat
	settled  int
}

func (m *memory) Settle(context.Context) error { m.settled++; return nil }

func (m *memory) Walk(path string, depth int) iter.Seq2[string, audit.Stat] {
	return func(yield func(string, audit.Stat) bool) {
		if stat, known := m.stats[path]; known && !yield(path, stat) || depth == 0 {
			return
		}
		for _, name := range m.children[path] {
			if !yield(audit.Child(path, name), audit.Stat{Czxid: 1}) {
				return
			}
		}
	}
}

// scene plays the client library, the server and the recorder to a follower,
// without any of their goroutines.
type scene struct {
	t     *testing.T
	known *memory
	tr    *tracker
	f     *follower
	stop  func() // Ends what works for f.
	asks  chan ask
	out   chan audit.Observation
}

func newScene(t *testing.T, from audit.Zxid, roots ...string) *scene {
	t.Helper()
	p, err := policy.ForPaths(roots, policy.LevelMetadata, []byte("0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t: t, known: &memory{}, asks: make(chan ask), out: make(chan audit.Observation)}
	refuse := func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("refused") }
	s.tr = newTracker(New(Options{Dial: refuse, Logger: log.NewNopLogger()}), from, p, s.known, s.out)
	s.tr.announced = audit.Mode{Name: audit.ModeRecursive} // As an earlier link told.
	return s
}

// link begins a connection whose watches the server confirms at zxid.
func (s *scene) link(zxid audit.Zxid) {
	s.t.Helper()
	l, _ := tapped(s.t, 0)
	s.follow(l)
	for _, root := range s.tr.scope.Roots() {
		l.frames.push(frame{zxid: zxid, request: request{op: opAddWatch, path: root}})
	}
	asks := make(chan ask, 100)
	if err := s.f.establish(s.t.Context(), asks); err != nil {
		s.t.Fatal(err)
	}
	s.f.control = nil // Whether they were sent or not, they are answered.
}

func (s *scene) follow(l *link) {
	s.f = newFollower(s.tr, l)
	s.f.working, s.stop = context.WithCancel(s.t.Context())
}

// lose ends the connection.
func (s *scene) lose() {
	s.stop()
	s.f.workers.Wait()
	s.tr.leave(s.f)
}

func (s *scene) server(frames ...frame) {
	s.t.Helper()
	for i := range frames {
		if err := s.f.handle(&frames[i]); err != nil {
			s.t.Fatal(err)
		}
	}
}

// asked sends what the follower asks for now.
func (s *scene) asked() []string {
	var got []string
	for {
		r, asking := s.f.nextAsk(s.asks)
		if asking == nil {
			return got
		}
		s.f.asked()
		got = append(got, fmt.Sprintf("%s %s", map[int32]string{opGetData: "get", opGetChildren2: "list", opSync: "sync", opAddWatch: "watch", opCheckWatches: "check", opExists: "exists", opGetACL: "acl"}[r.op], r.path))
	}
}

// handed takes what the follower can hand over now.
func (s *scene) handed() []string {
	s.t.Helper()
	var got []string
	for {
		if err := s.f.proceed(s.t.Context()); err != nil {
			s.t.Fatal(err)
		}
		o, out := s.f.head()
		if out == nil {
			return got
		}
		s.f.handedOver(o)
		got = append(got, told(o))
	}
}

// told is an observation in one line.
func told(o audit.Observation) string {
	switch o := o.(type) {
	case audit.Counted:
		return fmt.Sprintf("counted %d below %s", o.Cversion, o.Path)
	case audit.Gap:
		return fmt.Sprintf("gap (%d,%d] %s", o.After, o.Until, o.Reason)
	case audit.Mark:
		switch {
		case o.Walk && o.ACL != 0: // It knows every ACL as of then.
			return fmt.Sprintf("walked %d from %d at %d", o.Znodes, o.ACL, o.Zxid)
		case o.Walk:
			return fmt.Sprintf("walked %d at %d", o.Znodes, o.Zxid)
		case o.ACL != 0:
			return fmt.Sprintf("swept %d at %d", o.ACL, o.Zxid)
		}
		return fmt.Sprintf("mark %d", o.Zxid)
	case audit.Seen:
		line := fmt.Sprintf("%s %s", o.Origin, o.Path)
		if o.Hint != "" {
			line = fmt.Sprintf("%s %s", o.Hint, o.Path)
			if o.After == o.Until {
				line += fmt.Sprintf(" %d", o.Until)
			} else {
				line += fmt.Sprintf(" (%d,%d]", o.After, o.Until)
			}
		}
		line += [...]string{"", " found", " absent", " denied"}[o.Read]
		if o.Node != nil {
			line += fmt.Sprintf(" v%d", o.Node.Stat.Version)
			for _, entry := range o.Node.ACL {
				line += " " + entry.Perms
			}
		}
		if o.Behind != 0 {
			line += fmt.Sprintf(" behind %d", o.Behind)
		}
		if o.Late {
			line += " late"
		}
		return line
	}
	return "unknown"
}

func notify(zxid audit.Zxid, event int32, path string) frame {
	return frame{xid: xidNotification, zxid: zxid, event: event, request: request{path: path}}
}

func ping(zxid audit.Zxid) frame { return frame{xid: xidPing, zxid: zxid} }

func got(zxid audit.Zxid, path string, version, children int32) frame {
	return frame{zxid: zxid, request: request{op: opGetData, path: path}, node: &audit.Znode{Stat: audit.Stat{Version: version, NumChildren: children}}}
}

func refusedRead(zxid audit.Zxid, path string, code int32) frame {
	return frame{zxid: zxid, code: code, request: request{op: opGetData, path: path}}
}

func list(zxid audit.Zxid, path string, names ...string) frame {
	return frame{zxid: zxid, request: request{op: opGetChildren2, path: path}, children: names}
}

func (s *scene) expect(what string, got []string, want ...string) {
	s.t.Helper()
	if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(got, "\n")); diff != "" {
		s.t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

// synced is a scene behind its first walk, of an empty root at zxid 9.
func synced(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, 0, "/r")
	s.link(9)
	s.handed()
	s.expect("asked", s.asked(), "get /r")
	s.server(got(9, "/r", 0, 0))
	s.expect("handed over", s.handed(), "resync /r found v0", "walked 1 from 9 at 9")
	return s
}
