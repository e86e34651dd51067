package collector

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/common/expfmt"

	"zkwarden/internal/fourletter"
)

// servers answers words by address. An address without an entry is refused, and
// one that hangs answers when the context ends.
type servers map[string]script

const hangs = "hangs"

func (s servers) Open(ctx context.Context, addr string, word fourletter.Word) (io.ReadCloser, error) {
	if s[addr][word] == hangs {
		<-ctx.Done()
		return nil, &fourletter.Error{Word: word, Addr: addr, Reason: fourletter.Timeout, Err: ctx.Err()}
	}
	return s[addr].Open(ctx, addr, word)
}

// says is a server that answers srvr like this; an empty mode serves nobody.
func says(mode, zxid string) script {
	if mode == "" {
		return script{fourletter.Srvr: notServing}
	}
	return script{fourletter.Srvr: "Zookeeper version: 3.9.5-x, built\nZxid: " + zxid + "\nMode: " + mode + "\n"}
}

func startEnsemble(t testing.TB, o EnsembleOptions) *Ensemble {
	t.Helper()
	if o.Addr == "" {
		o.Addr = "zk-1:2181"
	}
	if o.Logger == nil {
		o.Logger = log.NewNopLogger()
	}
	if o.Client == nil {
		o.Client = &fourletter.Client{Dialer: &fourletter.Dialer{}}
	}
	e, err := NewEnsemble(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// pageOfEnsemble scrapes the members and returns the lines about the ensemble.
func pageOfEnsemble(t testing.TB, e *Ensemble) string {
	t.Helper()
	return pageWithin(t.Context(), t, e)
}

func pageWithin(ctx context.Context, t testing.TB, e *Ensemble) string {
	t.Helper()
	families, err := e.Gather(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, family := range families {
		if _, err := expfmt.MetricFamilyToText(&text, family); err != nil {
			t.Fatal(err)
		}
	}
	return strings.ReplaceAll(text.String(), "zookeeper_ensemble_", "")
}

func numbered(n int) []Member {
	var members []Member
	for i := range n {
		id := int64(i + 1)
		members = append(members, Member{ID: id, Addr: "zk-" + string(rune('0'+id)) + ":2181", Weight: 1})
	}
	return members
}

func TestEnsembleView(t *testing.T) {
	for name, tc := range map[string]struct {
		says  []script // By member; nil: refused.
		wants []string
		lacks []string
	}{
		"healthy": {
			says: []script{says("leader", "0x200000005"), says("follower", "0x200000003"), says("follower", "0x200000005")},
			wants: []string{
				"members 3", "members_reached 3", "voters 3", "voters_serving 3", "leaders 1", "leaders_not_serving 0", "quorum 1",
				"failures_tolerable 1", "epochs 1", `member_up{member="2"} 1`, `member_zxid_distance{member="1"} 0`,
				`member_zxid_distance{member="2"} 2`, `member_zxid_distance{member="3"} 0`, `membership{source="flags"} 1`,
			},
		},
		"an in-sync follower keeps the old epoch": {
			says:  []script{says("leader", "0x200000000"), says("follower", "0x100000009"), nil},
			wants: []string{"epochs 2", `member_zxid_distance{member="1"} 0`, "quorum 1", "failures_tolerable 0"},
			lacks: []string{`member_zxid_distance{member="2"}`, `member_zxid_distance{member="3"}`},
		},
		"one left, which knows": {
			says: []script{says("", ""), nil, nil},
			wants: []string{
				"members_reached 1", "voters_serving 0", "leaders 0", "quorum 0", "failures_tolerable 0",
				`member_up{member="1"} 1`, `member_up{member="2"} 0`,
			},
			lacks: []string{"epochs", "member_zxid_distance"},
		},
		"one left, which doesn't know yet": {
			says:  []script{says("leader", "0x100000001"), nil, nil},
			wants: []string{"leaders 1", "quorum 0"},
		},
		"one left, which serves reads":    {says: []script{says("read-only", "0x1"), nil, nil}, wants: []string{"quorum 0", "leaders 0"}},
		"a leader that serves no clients": {says: []script{says("follower", "0x1"), says("", ""), says("follower", "0x1")}, wants: []string{"leaders 1", "leaders_not_serving 1", "quorum 1", "voters_serving 2", "failures_tolerable 1"}},
		"such a leader, or one that can't be reached": {
			says:  []script{says("follower", "0x1"), says("", ""), nil},
			wants: []string{"voters_serving 1", "members_reached 2"},
			lacks: []string{"leaders", "leaders_not_serving", "quorum", "failures_tolerable"},
		},
		"followers enough, their leader not to be reached": {
			says:  []script{says("follower", "0x1"), says("follower", "0x1"), nil},
			wants: []string{"quorum 1", "failures_tolerable 0"},
			lacks: []string{"leaders", "leaders_not_serving"},
		},
		"followers enough, and a choice of leaders": {
			says:  []script{says("follower", "0x1"), says("follower", "0x1"), says("follower", "0x1"), says("", ""), nil},
			wants: []string{"quorum 1", "voters_serving 3"},
			lacks: []string{"leaders", "failures_tolerable"},
		},
		"all up, none serves": {says: []script{says("", ""), says("", ""), says("", "")}, wants: []string{"leaders 0", "leaders_not_serving 0", "quorum 0", "members_reached 3"}},
		"observers alone don't prove it": {
			says:  []script{says("observer", "0x1"), says("", ""), nil},
			wants: []string{"quorum 0", "leaders 0", "voters 2"},
		},
		"split brain": {says: []script{says("leader", "0x100000001"), says("leader", "0x200000001"), says("follower", "0x200000001")}, wants: []string{"leaders 2", "epochs 2", "quorum 1"}},
		"two of five down, one observes": {
			says:  []script{says("leader", "0x1"), says("follower", "0x1"), nil, nil, says("observer", "0x1")},
			wants: []string{"members 5", "voters 4", "voters_serving 2", "quorum 0", "members_reached 3"},
		},
		"garbage": {says: []script{{fourletter.Srvr: "HTTP/1.1 400\r\n"}, says("follower", "0x1"), says("leader", "0x1")}, wants: []string{`member_up{member="1"} 0`, "quorum 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			all := servers{}
			for i, member := range numbered(len(tc.says)) {
				if tc.says[i] != nil {
					all[member.Addr] = tc.says[i]
				}
			}
			e := startEnsemble(t, EnsembleOptions{Client: all, Members: numbered(len(tc.says))})
			pageOfEnsemble(t, e) // Who observes is known from the second round on.
			page := pageOfEnsemble(t, e)
			wants(t, page, tc.wants...)
			for _, line := range tc.lacks {
				if strings.Contains(page, "\n"+line+" ") || strings.Contains(page, "\n"+line+"{") {
					t.Errorf("page has %s", line)
				}
			}
		})
	}
}

// A member whose address isn't known may be up: without its vote there is no
// answer where it matters.
func TestEnsembleWithUnknownAddresses(t *testing.T) {
	conf := script{fourletter.Conf: strings.Split(sharedConf, "group.1")[0] + "version=0"}
	for name, tc := range map[string]struct{ own, want, lack string }{
		"it serves":            {says("follower", "0x1")[fourletter.Srvr], "quorum 1", "failures_tolerable"},
		"it doesn't":           {notServing, "members_reached 1", "leaders"},
		"it doesn't serve":     {notServing, "members_reached 1", "quorum"},
		"it has a leader":      {says("follower", "0x1")[fourletter.Srvr], "quorum 1", "leaders"},
		"the others may serve": {says("follower", "0x1")[fourletter.Srvr], "voters 3", "voters_serving"},
		"it is read-only":      {says("read-only", "0x1")[fourletter.Srvr], "members 3", "quorum"},
	} {
		t.Run(name, func(t *testing.T) {
			conf[fourletter.Srvr] = tc.own
			e := startEnsemble(t, EnsembleOptions{Client: servers{"zk-1:2181": conf}})
			page := pageOfEnsemble(t, e)
			wants(t, page, tc.want, `membership{source="server"} 1`)
			lacks(t, page, tc.lack)
			if advice := e.LastRound().Members[1].Advice; !strings.Contains(advice, "--ensemble.member=2=HOST:PORT") {
				t.Errorf("advice %q", advice)
			}
		})
	}
}

// One member that hangs costs the page its own deadline and nothing more, and
// a scrape that can't wait so long has the others all the same.
func TestHungMemberDelaysNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := servers{
			"zk-1:2181": says("leader", "0x5"), "zk-2:2181": {fourletter.Srvr: hangs}, "zk-3:2181": says("follower", "0x5"),
		}
		e := startEnsemble(t, EnsembleOptions{Client: all, Members: numbered(3), Timeout: 700 * time.Millisecond})
		begin := time.Now()
		page := pageOfEnsemble(t, e)
		if took := time.Since(begin); took != 700*time.Millisecond {
			t.Errorf("took %s, want the deadline of the member", took)
		}
		wants(t, page, "quorum 1", "members_reached 2", `member_up{member="2"} 0`, `member_up{member="3"} 1`)

		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		begin = time.Now()
		page = pageWithin(ctx, t, e)
		if took := time.Since(begin); took != 100*time.Millisecond {
			t.Errorf("took %s, want the time of the scrape", took)
		}
		wants(t, page, "quorum 1", `member_up{member="1"} 1`, `member_up{member="2"} 0`, `member_up{member="3"} 1`)
	})
}

// counted counts what is asked.
type counted struct {
	Asker
	mu    sync.Mutex
	words map[fourletter.Word]int
}

func (c *counted) Open(ctx context.Context, addr string, word fourletter.Word) (io.ReadCloser, error) {
	c.mu.Lock()
	c.words[word]++
	c.mu.Unlock()
	return c.Asker.Open(ctx, addr, word)
}

func TestEnsembleAdvice(t *testing.T) {
	for name, tc := range map[string]struct {
		conf string
		want string
	}{
		"not whitelisted": {"conf is not executed because it is not in the whitelist.", "4lw.commands.whitelist"},
		"before 3.5":      {"clientPort=2181\nserverId=1\nelectionAlg=3\n", "before 3.5"},
		"ClickHouse":      {"server_id=1\ntcp_port=9181\n", "ClickHouse Keeper"},
		"not serving":     {notServing, "as soon as it serves"},
	} {
		t.Run(name, func(t *testing.T) {
			client := servers{"zk-1:2181": {fourletter.Conf: tc.conf}}
			e := startEnsemble(t, EnsembleOptions{Client: whitelisted{client}})
			pageOfEnsemble(t, e)
			if got := e.LastRound(); !strings.Contains(got.Advice, tc.want) || got.Source != NoSource {
				t.Errorf("advice %q from %s for %s", got.Advice, got.Source, got.Problem)
			}
		})
	}
}

// whitelisted turns the text of a refused word into its error, as the client does.
type whitelisted struct{ Asker }

func (w whitelisted) Open(ctx context.Context, addr string, word fourletter.Word) (io.ReadCloser, error) {
	reply, err := w.Asker.Open(ctx, addr, word)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(reply)
	if strings.Contains(string(text), "not in the whitelist") {
		return nil, &fourletter.Error{Word: word, Addr: addr, Reason: fourletter.NotWhitelisted}
	}
	return io.NopCloser(bytes.NewReader(text)), err
}

func TestNewEnsembleRefuses(t *testing.T) {
	for name, o := range map[string]EnsembleOptions{
		"address":          {Addr: "zk"},
		"negative timeout": {Addr: "zk:1", Timeout: -1},
		"member twice":     {Addr: "zk:1", Members: append(numbered(2), Member{ID: 1, Addr: "b:1"})},
		"member's address": {Addr: "zk:1", Members: []Member{{ID: 1, Addr: "b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			o.Logger = log.NewNopLogger()
			if e, err := NewEnsemble(o); err == nil {
				e.Close()
				t.Error("accepted")
			}
		})
	}
}

func TestEnsembleIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := startEnsemble(t, EnsembleOptions{
			Client: servers{"zk-1:2181": {fourletter.Srvr: hangs}}, Members: numbered(1), Timeout: time.Hour,
		})
		var scrape sync.WaitGroup
		scrape.Go(func() { _, _ = e.Gather(t.Context()) })
		synctest.Wait()
		e.Close() // Ends the round, or the bubble is stuck.
		scrape.Wait()
		if _, err := e.Gather(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("error %v, want ErrClosed", err)
		}
	})
}
