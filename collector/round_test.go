package collector

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/internal/fourletter"
)

// slow answers each word after a while of its own, or when the context ends.
type slow struct {
	replies script
	after   map[fourletter.Word]time.Duration

	mu    sync.Mutex
	asked map[fourletter.Word]int
	open  atomic.Int64 // Asks in flight.
}

func (s *slow) Open(ctx context.Context, addr string, word fourletter.Word) (io.ReadCloser, error) {
	s.mu.Lock()
	if s.asked == nil {
		s.asked = map[fourletter.Word]int{}
	}
	s.asked[word]++
	s.mu.Unlock()
	s.open.Add(1)
	defer s.open.Add(-1)
	timer := time.NewTimer(s.after[word])
	defer timer.Stop()
	select {
	case <-timer.C:
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.replies.Open(ctx, addr, word)
	case <-ctx.Done():
		return nil, &fourletter.Error{Word: word, Addr: addr, Reason: fourletter.Timeout, Err: ctx.Err()}
	}
}

// set changes what the server answers.
func (s *slow) set(word fourletter.Word, reply string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replies[word] = reply
}

func (s *slow) times() map[fourletter.Word]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

const (
	mntrText = "zk_version\t3.9.5-x, built\nzk_server_state\tleader\nzk_znode_count\t5\n"
	srvrText = "Zookeeper version: 3.9.5-x, built\nZxid: 0x200000003\nMode: leader\nNode count: 6\n"
)

// Ten scrapes at a time ask the server once, and all get the page; the one that
// gives up first gets what there is by then, and takes nothing from the others.
func TestScrapesShareARound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slow{
			replies: script{fourletter.Mntr: mntrText, fourletter.Srvr: srvrText},
			after:   map[fourletter.Word]time.Duration{fourletter.Mntr: 2 * time.Second, fourletter.Srvr: time.Second / 2},
		}
		c := start(t, Options{Client: server, Words: []fourletter.Word{}})
		var scrapes sync.WaitGroup
		scrapes.Go(func() {
			// 1 s without the offset: srvr has come, mntr has not.
			page := get(t, c, "1")
			wants(t, page, "zookeeper_up 1", `zookeeper_server_state{state="leader"} 1`, "zookeeper_znodes 6",
				`zookeeper_word_failure{reason="timeout",word="mntr"} 1`, `zookeeper_word_success{word="srvr"} 1`)
		})
		for range 9 {
			scrapes.Go(func() {
				page := get(t, c, "")
				wants(t, page, "zookeeper_up 1", "zookeeper_znodes 5", `zookeeper_word_success{word="mntr"} 1`,
					`zookeeper_word_failures_total{reason="timeout",word="mntr"} 0`)
			})
		}
		scrapes.Wait()
		want := map[fourletter.Word]int{fourletter.Mntr: 1, fourletter.Srvr: 1}
		if diff := cmp.Diff(want, server.times()); diff != "" {
			t.Errorf("asked (-want +got):\n%s", diff)
		}
		get(t, c, "")
		if got := server.times()[fourletter.Mntr]; got != 2 {
			t.Errorf("the scrape after the round asked %d times, want a round of its own", got)
		}
	})
}

// The scrape that started a round may be cancelled without harm to the next.
func TestCancelFailsNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slow{
			replies: script{fourletter.Mntr: mntrText, fourletter.Srvr: srvrText},
			after:   map[fourletter.Word]time.Duration{fourletter.Mntr: time.Second},
		}
		c := start(t, Options{Client: server})
		ctx, cancel := context.WithCancel(t.Context())
		var first sync.WaitGroup
		first.Go(func() { _ = c.writePage(ctx, &buffer{}, prometheus.NewRegistry()) })
		synctest.Wait()
		cancel()
		first.Wait()
		wants(t, get(t, c, ""), `zookeeper_word_success{word="mntr"} 1`, "zookeeper_znodes 5")
		if got := server.times()[fourletter.Mntr]; got != 1 {
			t.Errorf("asked %d times, want the round to be shared", got)
		}
	})
}

func TestRoundEndsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hour := map[fourletter.Word]time.Duration{fourletter.Mntr: time.Hour, fourletter.Srvr: time.Hour, fourletter.Ruok: time.Hour}
		for header, want := range map[string]time.Duration{
			"": 3 * time.Second, "10": 3 * time.Second, "2": 1750 * time.Millisecond, "0.4": 300 * time.Millisecond,
			"nonsense": 3 * time.Second, "-1": 3 * time.Second, "NaN": 3 * time.Second, "1e300": 3 * time.Second,
		} {
			server := &slow{after: hour}
			c := start(t, Options{Client: server})
			begin := time.Now()
			wants(t, get(t, c, header), "zookeeper_up 0", "zookeeper_serving 0", `zookeeper_server_state{state="unknown"} 1`,
				`zookeeper_word_failure{reason="timeout",word="mntr"} 1`, `zookeeper_word_failure{reason="timeout",word="srvr"} 1`)
			if took := time.Since(begin); took != want {
				t.Errorf("header %q: page after %s, want %s", header, took, want)
			}
			c.Close()
		}
	})
}

func TestStates(t *testing.T) {
	for name, tc := range map[string]struct {
		replies script
		wants   []string
		lacks   []string
	}{
		"serving": {
			script{fourletter.Mntr: mntrText, fourletter.Srvr: srvrText},
			[]string{
				"zookeeper_up 1", "zookeeper_serving 1", `zookeeper_server_state{state="leader"} 1`, "zookeeper_znodes 5",
				"zookeeper_zxid_epoch 2", "zookeeper_zxid_sequence 3", `zookeeper_server_info{version="3.9.5"} 1`,
			},
			[]string{`zookeeper_word_success{word="ruok"}`},
		},
		"mntr alone": {
			script{fourletter.Mntr: mntrText},
			[]string{"zookeeper_up 1", `zookeeper_server_state{state="leader"} 1`, `zookeeper_word_failure{reason="refused",word="srvr"} 1`},
			[]string{"zookeeper_zxid_epoch", `zookeeper_word_success{word="ruok"}`},
		},
		"srvr alone": {
			script{fourletter.Srvr: srvrText},
			[]string{
				"zookeeper_up 1", "zookeeper_serving 1", `zookeeper_server_state{state="leader"} 1`, "zookeeper_znodes 6",
				"zookeeper_zxid_epoch 2", `zookeeper_server_info{version="3.9.5"} 1`,
			},
			[]string{"zkwarden_mntr_unknown_keys"},
		},
		"mntr cut": {
			script{fourletter.Mntr: mntrText + "zk_watch_count\t1", fourletter.Srvr: srvrText},
			[]string{
				"zookeeper_up 1", "zookeeper_serving 1", "zookeeper_znodes 5", `zookeeper_word_failure{reason="truncated",word="mntr"} 1`,
				`zookeeper_word_success{word="mntr"} 0`,
			},
			[]string{"zookeeper_watches"},
		},
		"one word says not serving, the other leader": {
			script{fourletter.Mntr: notServing, fourletter.Srvr: srvrText},
			[]string{"zookeeper_up 1", "zookeeper_serving 0", `zookeeper_server_state{state="not_serving"} 1`, `zookeeper_server_state{state="leader"} 0`},
			nil,
		},
		"mode that nobody knows": {
			script{fourletter.Mntr: "zk_server_state\tking\n"},
			[]string{"zookeeper_up 1", "zookeeper_serving 0", `zookeeper_server_state{state="unknown"} 1`},
			nil,
		},
		"imok and nothing else": {
			script{fourletter.Mntr: "what?\n", fourletter.Srvr: "what?\n", fourletter.Ruok: "imok"},
			[]string{
				"zookeeper_up 1", "zookeeper_serving 0", `zookeeper_server_state{state="unknown"} 1`, `zookeeper_word_success{word="ruok"} 1`,
				`zookeeper_word_failure{reason="parse",word="mntr"} 1`,
			},
			nil,
		},
		"garbage": {
			script{fourletter.Mntr: "what?\n", fourletter.Srvr: "what?\n", fourletter.Ruok: "imokay"},
			[]string{"zookeeper_up 0", "zookeeper_serving 0", `zookeeper_word_failure{reason="parse",word="ruok"} 1`},
			nil,
		},
		"nobody there": {
			script{},
			[]string{
				"zookeeper_up 0", "zookeeper_serving 0", `zookeeper_server_state{state="unknown"} 1`,
				`zookeeper_word_failure{reason="refused",word="mntr"} 1`, `zookeeper_word_failures_total{reason="refused",word="ruok"} 1`,
				`zookeeper_word_failures_total{reason="tls",word="mntr"} 0`,
			},
			[]string{"zookeeper_znodes", "zookeeper_server_info"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			page := pageOf(t, tc.replies)
			wants(t, page, tc.wants...)
			lacks(t, page, tc.lacks...)
		})
	}
}

func TestFailuresAreCounted(t *testing.T) {
	replies := script{fourletter.Srvr: srvrText}
	c := start(t, Options{Client: replies})
	get(t, c, "")
	wants(t, get(t, c, ""), `zookeeper_word_failures_total{reason="refused",word="mntr"} 2`,
		`zookeeper_word_failures_total{reason="refused",word="srvr"} 0`)
}

func TestLastRound(t *testing.T) {
	c := start(t, Options{Client: script{fourletter.Srvr: srvrText}, Words: []fourletter.Word{}})
	if got := c.LastRound(); !got.At.IsZero() {
		t.Errorf("a round before the first scrape: %v", got)
	}
	get(t, c, "")
	got := c.LastRound()
	if time.Since(got.At) > time.Minute || got.State != Leader || !got.Up || got.Version != "3.9.5" {
		t.Errorf("status %+v", got)
	}
	var said []string
	for _, w := range got.Words {
		said = append(said, w.Word+" "+string(w.Reason))
	}
	if diff := cmp.Diff([]string{"mntr refused", "srvr "}, said); diff != "" {
		t.Errorf("words (-want +got):\n%s", diff)
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slow{after: map[fourletter.Word]time.Duration{fourletter.Mntr: time.Hour}}
		c := start(t, Options{Client: server})
		var scrape sync.WaitGroup
		scrape.Go(func() { _ = c.writePage(t.Context(), &buffer{}, prometheus.NewRegistry()) })
		synctest.Wait()
		begin := time.Now()
		c.Close()
		if got := server.open.Load(); got != 0 {
			t.Errorf("%d words still asked after Close", got)
		}
		c.Close()
		scrape.Wait()
		if took := time.Since(begin); took != 0 {
			t.Errorf("closing took %s", took)
		}
		if err := c.writePage(t.Context(), &buffer{}, prometheus.NewRegistry()); !errors.Is(err, ErrClosed) {
			t.Errorf("error %v after Close, want %v", err, ErrClosed)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for name, o := range map[string]Options{
		"address without a port": {Addr: "localhost"},
		"negative timeout":       {Addr: "localhost:2181", Timeout: -1},
		"negative interval":      {Addr: "localhost:2181", SlowInterval: -1},
		"negative namespaces":    {Addr: "localhost:2181", NamespacesMax: -1},
		"negative addresses":     {Addr: "localhost:2181", ConsTop: -1},
		"glob that is none":      {Addr: "localhost:2181", NamespacesDeny: []string{"a["}},
		"names nobody has":       {Addr: "localhost:2181", Compat: "native"},
		"word that is no option": {Addr: "localhost:2181", Words: []fourletter.Word{fourletter.Mntr}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(o); err == nil {
				t.Error("no error")
			}
		})
	}
}
