package attribution

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"zkwarden/audit"
	"zkwarden/internal/fourletter"
)

const (
	interval = 5 * time.Second
	asker    = " /127.0.0.1:999[0](queued=0,recved=1,sent=0)\n"

	// made is what the session ids of tests begin with: the id of its server, in
	// a byte that makes a signed number of it when it is large.
	made1, made2, made200 = audit.SessionID(1) << 56, audit.SessionID(2) << 56, audit.SessionID(200) << 56
)

// ensemble is servers that answer from memory, by address.
type ensemble struct {
	mu      sync.Mutex
	members []Member
	servers map[string]*server
}

// server is one of them. Its answer to cons lists clients, after a while.
type server struct {
	clients map[audit.SessionID]string // Session to address.
	took    time.Duration
	err     error     // In the place of an answer.
	reply   io.Reader // The same.
	asked   int
}

func (e *ensemble) Open(ctx context.Context, addr string, word fourletter.Word) (io.ReadCloser, error) {
	e.mu.Lock()
	s := e.servers[addr]
	s.asked++
	took := s.took
	e.mu.Unlock()
	if word != fourletter.Cons {
		return nil, &fourletter.Error{Word: word, Addr: addr, Reason: fourletter.Unparsable}
	}
	select {
	case <-ctx.Done():
		return nil, &fourletter.Error{Word: word, Addr: addr, Reason: fourletter.Timeout, Err: ctx.Err()}
	case <-time.After(took):
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case s.err != nil:
		return nil, s.err
	case s.reply != nil:
		return io.NopCloser(s.reply), nil
	}
	var b strings.Builder
	b.WriteString(asker)
	for id, peer := range s.clients {
		fmt.Fprintf(&b, " /%s[1](queued=0,recved=7,sent=7,sid=0x%x,lop=PING,est=%d,to=10000,maxlat=18)\n", peer, uint64(id), time.Now().Add(-took).UnixMilli())
	}
	b.WriteByte('\n')
	return io.NopCloser(strings.NewReader(b.String())), nil
}

func (e *ensemble) listed(context.Context) []Member {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.members
}

// set changes what a server answers.
func (e *ensemble) set(addr string, change func(*server)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(e.servers[addr])
}

// asked returns how often each server was asked since the last call.
func (e *ensemble) asked() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []string
	for _, m := range e.members {
		all = append(all, fmt.Sprint(e.servers[m.Addr].asked))
		e.servers[m.Addr].asked = 0
	}
	return strings.Join(all, " ")
}

// newEnsemble returns the servers one, two and eight, with the ids 1, 2 and 200.
func newEnsemble() *ensemble {
	e := &ensemble{servers: map[string]*server{}}
	for _, m := range []Member{{1, "one:1"}, {2, "two:2"}, {200, "eight:8"}} {
		e.members = append(e.members, m)
		e.servers[m.Addr] = &server{clients: map[audit.SessionID]string{}, took: time.Millisecond}
	}
	return e
}

// attributing runs test in a bubble, beside an attributor that has asked every
// member once. It returns what was logged.
func attributing(t *testing.T, e *ensemble, reg prometheus.Registerer, test func(t *testing.T, a *Attributor)) string {
	t.Helper()
	var logged bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		a := New(Options{Members: e.listed, Client: e, Interval: interval, Logger: log.NewLogfmtLogger(log.NewSyncWriter(&logged)), Registry: reg})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			a.Run(ctx)
		}()
		time.Sleep(time.Second + time.Millisecond) // Those that hang time out.
		e.asked()
		test(t, a)
		cancel()
		<-done
		// Who asks when it has ended gets what is known, and does not wait.
		expectActor(t, a, 3<<56, time.Now(), "", audit.ConfidenceUnknown, 0)
	})
	return logged.String()
}

// expectActor asks for a session and checks the answer, and how long it takes.
func expectActor(t *testing.T, a *Attributor, id audit.SessionID, at time.Time, client, grade string, atMost time.Duration) {
	t.Helper()
	began := time.Now()
	got := a.Actor(t.Context(), id, at)
	if want := (audit.Actor{Session: id, Client: client, Confidence: grade}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if took := time.Since(began); took > atMost {
		t.Errorf("session %#x took %s, more than %s", uint64(id), took, atMost)
	}
}

// What is known costs nobody anything, and each member is asked once an interval.
func TestPolls(t *testing.T) {
	e := newEnsemble()
	e.set("two:2", func(s *server) { s.clients[made1+7] = "10.0.0.7:4001" })
	attributing(t, e, nil, func(t *testing.T, a *Attributor) {
		for range 60 {
			time.Sleep(time.Second)
			expectActor(t, a, made1+7, time.Now(), "10.0.0.7:4001", audit.ConfidenceExact, 0)
		}
		if got := e.asked(); got != "12 12 12" {
			t.Errorf("members were asked %s times in twelve intervals", got)
		}

		e.set("two:2", func(s *server) { clear(s.clients) })
		changed := time.Now()
		time.Sleep(remembered - 2*interval)
		expectActor(t, a, made1+7, changed.Add(-interval), "10.0.0.7:4001", audit.ConfidenceExact, 0)
		expectActor(t, a, made1+7, time.Now(), "10.0.0.7:4001", audit.ConfidenceLikely, 0)
		time.Sleep(4 * interval)
		expectActor(t, a, made1+7, changed, "", audit.ConfidenceUnknown, 0)
	})
}

// A session that no poll has met is looked for at once.
func TestSearch(t *testing.T) {
	for name, tc := range map[string]struct {
		id    audit.SessionID
		on    string // The server that lists the session; empty: none.
		hangs string // A server that takes its time.
		took  time.Duration
		asked string
	}{
		"on the server that made it":                     {made2 + 5, "two:2", "", 2 * time.Millisecond, "0 1 0"},
		"on a server with an id above 127":               {made200 + 5, "eight:8", "", 2 * time.Millisecond, "0 0 1"},
		"on the one that made it, while the others hang": {made2 + 5, "two:2", "one:1", 2 * time.Millisecond, "0 1 0"},
		"moved on":                        {made2 + 5, "one:1", "", 4 * time.Millisecond, "1 1 1"},
		"moved on, while the first hangs": {made2 + 5, "one:1", "two:2", headStart + 2*time.Millisecond, "1 1 1"},
		"made by nobody":                  {77<<56 + 5, "one:1", "", 2 * time.Millisecond, "1 1 1"},
		"nowhere":                         {made2 + 5, "", "", 4 * time.Millisecond, "1 1 1"},
		"nowhere, and one hangs":          {made2 + 5, "", "eight:8", Patience, "1 1 1"},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnsemble()
			attributing(t, e, nil, func(t *testing.T, a *Attributor) {
				client, grade := "", audit.ConfidenceUnknown
				if tc.on != "" {
					e.set(tc.on, func(s *server) { s.clients[tc.id] = "10.0.0.7:4001" })
					client, grade = "10.0.0.7:4001", audit.ConfidenceExact
				}
				if tc.hangs != "" {
					e.set(tc.hangs, func(s *server) { s.took = time.Hour })
				}
				expectActor(t, a, tc.id, time.Now(), client, grade, tc.took)
				if got := e.asked(); got != tc.asked {
					t.Errorf("members were asked %s times, want %s", got, tc.asked)
				}
			})
		})
	}
}

// However many sessions nobody knows, members have a rest between two asks.
func TestSearchesAreBounded(t *testing.T) {
	for name, took := range map[string]time.Duration{"quick": time.Millisecond, "slow": 30 * time.Millisecond, "hanging": time.Hour} {
		t.Run(name, func(t *testing.T) {
			e := newEnsemble()
			attributing(t, e, nil, func(t *testing.T, a *Attributor) {
				for addr := range e.servers {
					e.set(addr, func(s *server) { s.took = took })
				}
				const span = 20 * time.Second
				began := time.Now()
				for id := made1; time.Since(began) < span; id++ {
					expectActor(t, a, id, time.Now(), "", audit.ConfidenceUnknown, Patience)
					time.Sleep(time.Millisecond)
				}
				e.mu.Lock()
				defer e.mu.Unlock()
				most := int(span/max(minGap, share*took)) + int(span/interval) + 1
				for addr, s := range e.servers {
					if s.asked > most {
						t.Errorf("%s was asked %d times in %s, more than %d", addr, s.asked, span, most)
					}
				}
			})
		})
	}
}

// Who has no time is not waited for, and nobody is asked for its sake.
func TestNoTime(t *testing.T) {
	e := newEnsemble()
	attributing(t, e, nil, func(t *testing.T, a *Attributor) {
		ended, end := context.WithCancel(t.Context())
		end()
		began := time.Now()
		if got := a.Actor(ended, made1, began); got.Confidence != audit.ConfidenceUnknown || time.Since(began) > 0 {
			t.Errorf("%+v after %s", got, time.Since(began))
		}
		time.Sleep(2 * minGap)
		if got := e.asked(); got != "0 0 0" {
			t.Errorf("members were asked %s times", got)
		}
		// What was not looked for is not taken for lost.
		e.set("one:1", func(s *server) { s.clients[made1] = "10.0.0.7:4001" })
		expectActor(t, a, made1, time.Now(), "10.0.0.7:4001", audit.ConfidenceExact, 2*time.Millisecond)
	})
}

// Changes of long ago are not worth a question: the last polls have told all.
func TestBygone(t *testing.T) {
	e := newEnsemble()
	attributing(t, e, nil, func(t *testing.T, a *Attributor) {
		for i := range 100 {
			expectActor(t, a, made1+audit.SessionID(i), time.Now().Add(-2*bygone), "", audit.ConfidenceUnknown, 0)
		}
		if got := e.asked(); got != "0 0 0" {
			t.Errorf("members were asked %s times", got)
		}
	})
}

// The first question waits for the members to be known and to answer.
func TestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEnsemble()
		e.set("one:1", func(s *server) { s.clients[made2] = "[fe80::1%eth0]:7" })
		a := New(Options{Members: func(ctx context.Context) []Member {
			time.Sleep(10 * time.Millisecond)
			return e.listed(ctx)
		}, Client: e, Interval: interval, Logger: log.NewNopLogger()})
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { a.Run(ctx) })
		synctest.Wait()
		expectActor(t, a, made2, time.Now().Add(-2*bygone), "[fe80::1%eth0]:7", audit.ConfidenceLikely, 12*time.Millisecond)
		ended, end := context.WithCancel(ctx)
		end()
		began := time.Now()
		if got := a.Actor(ended, made2+1, time.Now()); got.Confidence != audit.ConfidenceUnknown || time.Since(began) > 0 {
			t.Errorf("%+v after %s, though the context has ended", got, time.Since(began))
		}
		cancel()
		running.Wait()
	})
}

// A server that must not answer is told about once, and left alone.
func TestNotWhitelisted(t *testing.T) {
	e := newEnsemble()
	for addr := range e.servers {
		e.set(addr, func(s *server) {
			s.err = &fourletter.Error{Word: fourletter.Cons, Addr: addr, Reason: fourletter.NotWhitelisted}
		})
	}
	logged := attributing(t, e, nil, func(t *testing.T, a *Attributor) {
		for i := range 5 * 60 {
			time.Sleep(time.Second)
			expectActor(t, a, made1+audit.SessionID(i), time.Now(), "", audit.ConfidenceUnknown, 0)
		}
		if got := e.asked(); got != "5 5 5" {
			t.Errorf("members were asked %s times in five minutes", got)
		}
		e.set("one:1", func(s *server) { s.err = nil })
		time.Sleep(deafInterval)
	})
	if got := strings.Count(logged, "level=warn"); got != 3 {
		t.Errorf("%d warnings, want one a member:\n%s", got, logged)
	}
	if got := strings.Count(logged, "4lw.commands.whitelist=cons"); got != 3 {
		t.Errorf("%d warnings name the line that mends it:\n%s", got, logged)
	}
	if got := strings.Count(logged, `member=one:1 msg="member tells its clients again"`); got != 1 {
		t.Errorf("%d times it is told that it answers:\n%s", got, logged)
	}
}

// A member that fails in the same way is logged once, polled on, and not waited
// for.
func TestFailing(t *testing.T) {
	e := newEnsemble()
	reg := prometheus.NewRegistry()
	e.set("one:1", func(s *server) {
		s.err = &fourletter.Error{Word: fourletter.Cons, Addr: "one:1", Reason: fourletter.Refused}
	})
	e.set("two:2", func(s *server) { s.took = time.Hour })
	e.set("eight:8", func(s *server) { s.clients[made200] = "10.0.0.8:1" })
	logged := attributing(t, e, reg, func(t *testing.T, a *Attributor) {
		expectActor(t, a, made1+1, time.Now(), "", audit.ConfidenceUnknown, 2*time.Millisecond)
		expectActor(t, a, made200, time.Now(), "10.0.0.8:1", audit.ConfidenceExact, 0)
		// A connection on a server that has gone is not known to last.
		e.set("eight:8", func(s *server) { s.err = errors.New("gone") })
		time.Sleep(interval + 10*time.Millisecond)
		expectActor(t, a, made200, time.Now(), "10.0.0.8:1", audit.ConfidenceLikely, 0)
		time.Sleep(10 * interval)
		if err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP zkwarden_audit_actors_total Answers to who is behind a session, by how sure they are.
# TYPE zkwarden_audit_actors_total counter
zkwarden_audit_actors_total{confidence="exact"} 1
zkwarden_audit_actors_total{confidence="likely"} 1
zkwarden_audit_actors_total{confidence="unknown"} 1
# HELP zkwarden_audit_attribution_members Members of the ensemble that are asked for their clients.
# TYPE zkwarden_audit_attribution_members gauge
zkwarden_audit_attribution_members 3
# HELP zkwarden_audit_sessions_known Sessions whose client's address is remembered.
# TYPE zkwarden_audit_sessions_known gauge
zkwarden_audit_sessions_known 1
`), "zkwarden_audit_actors_total", "zkwarden_audit_attribution_members", "zkwarden_audit_sessions_known"); err != nil {
			t.Error(err)
		}
	})
	if got := strings.Count(logged, "level=warn"); got != 3 {
		t.Errorf("%d warnings, want one a member:\n%s", got, logged)
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	if got, err := testutil.GatherAndCount(reg, "zkwarden_audit_attribution_poll_errors_total"); err != nil || got != len(fourletter.Reasons()) {
		t.Errorf("%d reasons, %v", got, err)
	}
}

// What a server lists is believed as far as it goes, whatever comes then.
func TestHostile(t *testing.T) {
	line := fmt.Sprintf(" /10.0.0.7:4001[1](queued=0,sid=0x%x,est=1)\n", uint64(made1+7))
	for name, tc := range map[string]struct {
		reply io.Reader
		grade string // Of a change after it: only a whole answer says that nothing else is.
	}{
		"cut":             {strings.NewReader(line + line[:20]), audit.ConfidenceExact},
		"broken":          {io.MultiReader(strings.NewReader(line), iotest.ErrReader(&fourletter.Error{Word: fourletter.Cons, Reason: fourletter.TooLarge})), audit.ConfidenceLikely},
		"a line too long": {strings.NewReader(line + strings.Repeat("x", 1<<20)), audit.ConfidenceLikely},
		"garbage":         {strings.NewReader("\x00\xff\n" + line + "imok\n /10.0.0.8:1[1](sid=0x)\n"), audit.ConfidenceExact},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnsemble()
			e.set("one:1", func(s *server) { s.reply = tc.reply })
			attributing(t, e, nil, func(t *testing.T, a *Attributor) {
				expectActor(t, a, made1+7, time.Now().Add(-2*time.Second), "10.0.0.7:4001", audit.ConfidenceExact, 0)
				expectActor(t, a, made1+7, time.Now(), "10.0.0.7:4001", tc.grade, 0)
			})
		})
	}
	t.Run("nobody", func(t *testing.T) {
		e := newEnsemble()
		e.set("one:1", func(s *server) { s.reply = strings.NewReader("\n") })
		logged := attributing(t, e, nil, func(*testing.T, *Attributor) {})
		if !strings.Contains(logged, "no line is a connection") {
			t.Error(logged)
		}
	})
}

// Members come and go, and what those that went have listed stays known.
func TestMembersChange(t *testing.T) {
	e := newEnsemble()
	all := e.members
	e.members = all[:2]
	e.set("one:1", func(s *server) { s.clients[made1] = "10.0.0.7:4001" })
	e.set("eight:8", func(s *server) { s.clients[made200] = "10.0.0.8:4001" })
	attributing(t, e, nil, func(t *testing.T, a *Attributor) {
		e.mu.Lock()
		e.members = all[1:]
		e.mu.Unlock()
		time.Sleep(interval)
		expectActor(t, a, made200, time.Now(), "10.0.0.8:4001", audit.ConfidenceExact, 0)
		e.set("one:1", func(s *server) { s.asked = 0 })
		time.Sleep(10 * interval)
		expectActor(t, a, made1, time.Now(), "10.0.0.7:4001", audit.ConfidenceLikely, 0)
		// Nobody tells whom to ask: those that are known are asked on.
		e.mu.Lock()
		e.members = nil
		left := e.servers["one:1"].asked
		e.mu.Unlock()
		if left > 0 {
			t.Errorf("a member that left was asked %d times", left)
		}
		e.set("two:2", func(s *server) { s.clients[made2] = "10.0.0.9:4001" })
		time.Sleep(2 * interval)
		expectActor(t, a, made2, time.Now(), "10.0.0.9:4001", audit.ConfidenceExact, 0)
	})
}
