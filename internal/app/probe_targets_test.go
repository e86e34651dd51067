package app

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"zkwarden/collector"
	"zkwarden/internal/fourletter"
	"zkwarden/internal/fourletter/fourlettertest"
)

// tally answers like a leader and counts the words that it was asked.
type tally struct {
	mu    sync.Mutex
	asked map[string]int
}

func (c *tally) answer(word string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.asked == nil {
		c.asked = map[string]int{}
	}
	c.asked[word]++
	return leaderAnswers()[word]
}

func (c *tally) counts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.asked
	c.asked = nil
	return asked
}

// Slow words are kept from one probe of a target to the next, and each module
// has answers of its own.
func TestProbesKeepSlowWords(t *testing.T) {
	server := &tally{}
	own := fourlettertest.Serve(t, fourlettertest.Answer(server.answer))
	file := writeModules(t, "modules:\n  small: {words: [conf]}\n")
	p := probing(t, Options{ZooKeeper: ZooKeeper{Addresses: []string{own}}, Probe: Probe{ConfigFile: file, Allow: []string{"*"}}})
	for range 3 {
		has(t, probe(t, p, url.Values{"target": {own}}).Body.String(), "zookeeper_up 1", `zookeeper_word_success{word="conf"} 1`)
	}
	want := map[string]int{"mntr": 3, "srvr": 3, "conf": 1, "isro": 1, "wchs": 1, "dirs": 1, "envi": 1}
	if diff := cmp.Diff(want, server.counts()); diff != "" {
		t.Errorf("words of three probes (-want +got):\n%s", diff)
	}
	for range 2 {
		probe(t, p, url.Values{"target": {own}, "module": {"small"}})
	}
	if diff := cmp.Diff(map[string]int{"mntr": 2, "srvr": 2, "conf": 1}, server.counts()); diff != "" {
		t.Errorf("words of the other module (-want +got):\n%s", diff)
	}
	probe(t, p, url.Values{"target": {own}, "debug": {"true"}})
	if got := server.counts()["conf"]; got != 1 {
		t.Errorf("a debug page asks conf %d times, want a fresh answer", got)
	}
}

// The failures of a target are counted on, whatever happens to others.
func TestProbesKeepFailures(t *testing.T) {
	dead, other := fourlettertest.Closed(t), serveLeader(t)
	p := probing(t, Options{ZooKeeper: ZooKeeper{Addresses: []string{dead, other}}})
	for n := range 3 {
		has(t, probe(t, p, url.Values{"target": {dead}}).Body.String(), "zookeeper_up 0",
			fmt.Sprintf(`zookeeper_word_failures_total{reason="refused",word="mntr"} %d`, n+1))
		has(t, probe(t, p, url.Values{"target": {other}}).Body.String(), `zookeeper_word_failures_total{reason="refused",word="mntr"} 0`)
	}
}

// Probes of one target that come together are one round.
func TestProbesShareARound(t *testing.T) {
	release, waiting := make(chan struct{}), make(chan string, 1000)
	own := fourlettertest.Serve(t, fourlettertest.Answer(func(word string) string {
		waiting <- word
		<-release
		return leaderAnswers()[word]
	}))
	p := probing(t, Options{ZooKeeper: ZooKeeper{Addresses: []string{own}, Timeout: time.Minute}})
	var probes sync.WaitGroup
	probes.Go(func() { probe(t, p, url.Values{"target": {own}}) })
	got := map[string]int{<-waiting: 1} // The round has begun.
	for range 5 {
		probes.Go(func() { has(t, probe(t, p, url.Values{"target": {own}}).Body.String(), "zookeeper_up 1") })
	}
	one := p.current.Load().targets.all[targetID{own, defaultModule}]
	deadline := time.After(patience)
	for users := 0; users < 6; {
		p.current.Load().targets.mu.Lock()
		users = one.users
		p.current.Load().targets.mu.Unlock()
		select {
		case <-deadline:
			t.Fatalf("%d of 6 probes use the target", users)
		case <-time.After(time.Millisecond):
		}
	}
	close(release)
	probes.Wait()
	close(waiting)
	for word := range waiting {
		got[word]++
	}
	want := map[string]int{"mntr": 1, "srvr": 1, "conf": 1, "isro": 1, "wchs": 1, "dirs": 1, "envi": 1}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("words of six probes (-want +got):\n%s", diff)
	}
}

// nobody is a server that refuses every connection.
type nobody struct{}

func (nobody) Open(_ context.Context, addr string, word fourletter.Word) (io.ReadCloser, error) {
	return nil, &fourletter.Error{Word: word, Addr: addr, Reason: fourletter.Refused}
}

// opened counts the collectors that were opened.
func opened(t *testing.T) (*targets, *atomic.Int64) {
	t.Helper()
	var n atomic.Int64
	metrics := newProbeMetrics(nil, func() int { return 0 })
	all := newTargets(func(id targetID) (*collector.Collector, error) {
		n.Add(1)
		return collector.New(collector.Options{Addr: id.addr, Client: nobody{}, Logger: log.NewNopLogger()})
	}, metrics.dropped)
	return all, &n
}

func use(t *testing.T, all *targets, addr string) *target {
	t.Helper()
	one, err := all.acquire(targetID{addr, defaultModule})
	if err != nil {
		t.Fatal(err)
	}
	all.release(one)
	return one
}

func isClosed(t *testing.T, one *target) bool {
	t.Helper()
	_, err := one.collector.Look(t.Context())
	return err != nil
}

// Targets that nobody probes any more go, and so does the one that has waited
// longest when there are too many.
func TestTargetsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all, n := opened(t)
		first := use(t, all, "first:1")
		busy, err := all.acquire(targetID{"busy:1", defaultModule})
		if err != nil {
			t.Fatal(err)
		}
		for i := range maxTargets - 2 {
			time.Sleep(time.Second)
			use(t, all, fmt.Sprintf("zk-%d:2181", i))
		}
		if all.len() != maxTargets || n.Load() != maxTargets {
			t.Fatalf("%d targets, %d opened", all.len(), n.Load())
		}
		use(t, all, "zk-0:2181")
		if n.Load() != maxTargets {
			t.Error("a known target was opened again")
		}
		use(t, all, "one:1")
		use(t, all, "more:1") // The busy one is older, but in use.
		if all.len() != maxTargets || !isClosed(t, first) || isClosed(t, busy) {
			t.Errorf("%d targets, the first closed %t, the busy one %t", all.len(), isClosed(t, first), isClosed(t, busy))
		}
		if full := testutil.ToFloat64(all.dropped.WithLabelValues(droppedFull)); full != 2 {
			t.Errorf("%v targets were dropped for others, want 2", full)
		}
		time.Sleep(targetIdle + time.Second)
		use(t, all, "late:1")
		if all.len() != 2 || isClosed(t, busy) {
			t.Errorf("%d targets are left, want the one in use and the late one", all.len())
		}
		all.close()
		if isClosed(t, busy) || all.len() != 0 {
			t.Error("a probe under way was ended")
		}
		all.release(busy)
		if !isClosed(t, busy) {
			t.Error("a target that nobody remembers or uses is still open")
		}
		if late := use(t, all, "later:1"); !isClosed(t, late) || all.len() != 0 {
			t.Error("closed targets remember another")
		}
	})
}
