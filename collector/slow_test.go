package collector

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/fourletter"
)

const (
	wchsText = "2 connections watching 3 paths\nTotal watches:4\n"
	enviText = "Environment:\njava.version=17.0.15\njava.vendor=Debian\nos.name=Linux\nos.arch=amd64\nos.version=6.1.0\nuser.name=root\n"
)

// asked returns how often slow words were asked.
func asked(server *slow, word fourletter.Word) int { return server.times()[word] }

func TestSlowWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slow{replies: script{fourletter.Mntr: mntrText, fourletter.Wchs: wchsText, fourletter.Isro: "rw", fourletter.Envi: enviText}}
		c := start(t, Options{Client: server, SlowInterval: 10 * time.Second})
		age := func() string { return lineOf(t, c, `zookeeper_word_age_seconds{word="wchs"} `) }
		expect := func(when string, times int) {
			t.Helper()
			if got := asked(server, fourletter.Wchs); got != times {
				t.Errorf("%s: asked %d times, want %d", when, got, times)
			}
		}
		wants(t, get(t, c, ""), "zookeeper_data_watches 4", "zookeeper_read_only 0",
			`zookeeper_environment_info{java_vendor="Debian",java_version="17.0.15",os_arch="amd64",os_name="Linux",os_version="6.1.0"} 1`,
			`zookeeper_word_success{word="wchs"} 1`, `zookeeper_word_success{word="conf"} 0`,
			`zookeeper_word_failure{reason="refused",word="conf"} 1`)
		time.Sleep(4 * time.Second)
		wants(t, get(t, c, ""), "zookeeper_data_watches 4",
			`zookeeper_word_failure{reason="refused",word="conf"} 1`)
		expect("within the interval", 1)
		if got := age(); got != "4" {
			t.Errorf("age %s, want 4", got)
		}
		time.Sleep(6 * time.Second)
		wants(t, get(t, c, ""), "zookeeper_data_watches 4")
		expect("after the interval", 2)

		server.set(fourletter.Mntr, strings.Replace(mntrText, "leader", "follower", 1))
		get(t, c, "")
		expect("after a change of role", 3)

		server.set(fourletter.Mntr, notServing)
		page := get(t, c, "")
		expect("while not serving", 3)
		lacks(t, page, "zookeeper_data_watches", "zookeeper_environment_info", "zookeeper_word_age_seconds")
	})
}

// lineOf returns what follows start on the page of c.
func lineOf(t *testing.T, c *Collector, start string) string {
	t.Helper()
	for line := range strings.Lines(raw(t, c, "")) {
		if after, ok := strings.CutPrefix(line, start); ok {
			return strings.TrimSpace(after)
		}
	}
	t.Errorf("page lacks %s", start)
	return ""
}

// A slow word that hangs holds up the one scrape in its interval that asks it,
// and none beyond its time.
func TestSlowWordHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slow{replies: script{fourletter.Mntr: mntrText, fourletter.Srvr: srvrText}, after: map[fourletter.Word]time.Duration{fourletter.Wchs: time.Hour}}
		c := start(t, Options{Client: server})
		for i, want := range []time.Duration{DefaultTimeout, 0, 0} {
			begin := time.Now()
			wants(t, get(t, c, ""), "zookeeper_znodes 5", `zookeeper_word_failure{reason="timeout",word="wchs"} 1`)
			if took := time.Since(begin); took != want {
				t.Errorf("scrape %d took %s, want %s", i, took, want)
			}
		}
	})
}

// A hung mntr takes nothing from the words beside it: srvr tells what the server
// is, and the slow words have as much time as mntr.
func TestHungMntrStarvesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slow{
			replies: script{fourletter.Srvr: srvrText, fourletter.Wchs: wchsText},
			after:   map[fourletter.Word]time.Duration{fourletter.Mntr: time.Hour, fourletter.Wchs: DefaultTimeout - 1},
		}
		c := start(t, Options{Client: server, Words: []fourletter.Word{fourletter.Wchs}})
		begin := time.Now()
		wants(t, get(t, c, ""), `zookeeper_word_failure{reason="timeout",word="mntr"} 1`, "zookeeper_znodes 6",
			`zookeeper_word_success{word="wchs"} 1`, "zookeeper_data_watches 4")
		if took := time.Since(begin); took != DefaultTimeout {
			t.Errorf("took %s, want %s", took, DefaultTimeout)
		}
	})
}

// When mntr and srvr disagree, it serves nobody, and what is kept from before is
// out of date.
func TestNothingIsKeptOfAServerThatServesNobody(t *testing.T) {
	server := &slow{replies: script{fourletter.Mntr: mntrText, fourletter.Srvr: srvrText, fourletter.Wchs: wchsText}}
	c := start(t, Options{Client: server})
	wants(t, get(t, c, ""), "zookeeper_data_watches 4")
	server.set(fourletter.Mntr, notServing)
	page := get(t, c, "")
	only(t, page, NotServing)
	lacks(t, page, "zookeeper_data_watches")
}

// Where mntr and srvr both hang, ruok still tells that the server is up.
func TestRuokWhereAllElseHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &slow{
			replies: script{fourletter.Ruok: "imok"},
			after:   map[fourletter.Word]time.Duration{fourletter.Mntr: time.Hour, fourletter.Srvr: time.Hour, fourletter.Ruok: DefaultTimeout/2 - 1},
		}
		begin := time.Now()
		wants(t, get(t, start(t, Options{Client: server}), ""), "zookeeper_up 1", `zookeeper_word_success{word="ruok"} 1`,
			`zookeeper_server_state{state="unknown"} 1`, `zookeeper_word_failure{reason="timeout",word="srvr"} 1`)
		if took := time.Since(begin); took != DefaultTimeout {
			t.Errorf("took %s, want %s", took, DefaultTimeout)
		}
	})
}

// A server that takes most of the time to tell what it is, as over a slow TLS,
// leaves half of it to the words all the same, and no more.
func TestLateServer(t *testing.T) {
	for took, want := range map[time.Duration]string{
		DefaultTimeout/2 - 1: `zookeeper_word_success{word="wchs"} 1`,
		time.Hour:            `zookeeper_word_failure{reason="timeout",word="wchs"} 1`,
	} {
		synctest.Test(t, func(t *testing.T) {
			late := DefaultTimeout - time.Millisecond
			server := &slow{
				replies: script{fourletter.Srvr: srvrText, fourletter.Wchs: wchsText},
				after:   map[fourletter.Word]time.Duration{fourletter.Srvr: late, fourletter.Wchs: took},
			}
			begin := time.Now()
			wants(t, get(t, start(t, Options{Client: server, Words: []fourletter.Word{fourletter.Wchs}}), ""), want, `zookeeper_word_success{word="srvr"} 1`)
			if got := time.Since(begin); got > late+DefaultTimeout/2 {
				t.Errorf("took %s", got)
			}
		})
	}
}

// A failed word is asked again soon, less and less often, and never less often
// than a word that is answered; but one that isn't whitelisted is so until the
// server restarts.
func TestFailedSlowWordIsAskedAgain(t *testing.T) {
	for name, tc := range map[string]struct {
		reason fourletter.Reason
		took   time.Duration
		want   []time.Duration // Seconds, in which it is asked.
	}{
		"fails at once":   {fourletter.EmptyReply, 0, []time.Duration{0, 1, 3, 7, 15, 31, 63, 123, 183}},
		"hangs":           {fourletter.Timeout, 3, []time.Duration{0, 6, 15, 30, 57, 108, 171}},
		"not whitelisted": {fourletter.NotWhitelisted, 0, []time.Duration{0, 60, 120, 180}},
	} {
		t.Run(name, func(t *testing.T) {
			begin := time.Unix(1, 0)
			var last kept
			for _, second := range tc.want {
				at := begin.Add(second * time.Second)
				if second > 0 && last.due(time.Minute) != at {
					t.Errorf("due after %s, want %s", last.due(time.Minute).Sub(begin), second*time.Second)
				}
				last = last.after(outcome{
					asked: at, took: tc.took * time.Second, err: &fourletter.Error{Reason: tc.reason},
				}, lastKnown{})
			}
			last = last.after(outcome{asked: begin}, lastKnown{})
			if last.due(time.Minute) != begin.Add(time.Minute) {
				t.Error("an answer after failures is not believed for its time")
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		server := &slow{replies: script{fourletter.Mntr: mntrText, fourletter.Wchs: "garbage\n"}}
		c := start(t, Options{Client: server, SlowInterval: time.Minute})
		wants(t, get(t, c, ""), `zookeeper_word_failure{reason="parse",word="wchs"} 1`)
		server.set(fourletter.Wchs, wchsText)
		time.Sleep(retryInterval)
		wants(t, get(t, c, ""), "zookeeper_data_watches 4", `zookeeper_word_failure{reason="parse",word="wchs"} 0`)
	})
}

// cons is asked only on request, and 3.4 isn't asked for dirs.
func TestWordsThatAreAsked(t *testing.T) {
	for name, tc := range map[string]struct {
		options Options
		mntr    string
		want    map[fourletter.Word]int
	}{
		"default": {Options{}, mntrText, map[fourletter.Word]int{
			fourletter.Mntr: 1, fourletter.Srvr: 1, fourletter.Conf: 1, fourletter.Isro: 1, fourletter.Wchs: 1, fourletter.Dirs: 1, fourletter.Envi: 1,
		}},
		"3.4": {Options{}, strings.Replace(mntrText, "3.9.5", "3.4.14", 1), map[fourletter.Word]int{
			fourletter.Mntr: 1, fourletter.Srvr: 1, fourletter.Conf: 1, fourletter.Isro: 1, fourletter.Wchs: 1, fourletter.Envi: 1,
		}},
		"chosen": {Options{Words: []fourletter.Word{fourletter.Isro}, Cons: true}, mntrText, map[fourletter.Word]int{
			fourletter.Mntr: 1, fourletter.Srvr: 1, fourletter.Isro: 1, fourletter.Cons: 1,
		}},
		"nobody there": {Options{Cons: true}, "", map[fourletter.Word]int{fourletter.Mntr: 1, fourletter.Srvr: 1, fourletter.Ruok: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			server := &slow{replies: script{}}
			if tc.mntr != "" {
				server.replies[fourletter.Mntr] = tc.mntr
			}
			tc.options.Client = server
			get(t, start(t, tc.options), "")
			if diff := cmp.Diff(tc.want, server.times()); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}
