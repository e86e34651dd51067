package collector

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/fourletter/fourlettertest"
	"zkwarden/internal/zktest"
)

// The answers are those of real servers.
const (
	adminNotServing = `{"command" : "%s", "error" : "This ZooKeeper instance is not currently serving requests"}`
	adminUnknown    = `{"command" : "leader", "error" : "Unknown command: leader"}`
)

func admin(t *testing.T, answer http.HandlerFunc) *AdminServer {
	t.Helper()
	server := httptest.NewServer(answer)
	t.Cleanup(server.Close)
	return adminAt(t, server.URL)
}

func adminAt(t *testing.T, where string) *AdminServer {
	t.Helper()
	w, err := NewAdminServer(where, "127.0.0.1:2181")
	if err != nil {
		t.Fatal(err)
	}
	return w.(*AdminServer)
}

// commands answers those of the AdminServer.
func commands(answers map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/commands/")
		fmt.Fprint(w, answers[name])
	}
}

func TestAdminServer(t *testing.T) {
	for name, tc := range map[string]struct {
		answers map[string]string
		want    Leadership
	}{
		"leader":    {map[string]string{"leader": `{"is_leader" : true, "leader_id" : 3, "leader_ip" : "10.0.0.3", "command" : "leader", "error" : null}`}, Leadership{Self: true, ID: 3}},
		"follower":  {map[string]string{"leader": `{"is_leader" : false, "leader_id" : 0, "leader_ip" : "", "command" : "leader", "error" : null}`}, Leadership{ID: 0}},
		"no quorum": {map[string]string{"leader": fmt.Sprintf(adminNotServing, "leader")}, Leadership{ID: -1}},
		"leader of 3.5": {map[string]string{
			"leader": adminUnknown, "monitor": `{"version" : "3.5.10-x", "server_state" : "leader", "command" : "monitor", "error" : null}`,
		}, Leadership{Self: true, ID: -1}},
		"follower of 3.5": {map[string]string{
			"leader": adminUnknown, "monitor": `{"version" : "3.5.10-x", "server_state" : "follower", "command" : "monitor", "error" : null}`,
		}, Leadership{ID: -1}},
		"no quorum, of 3.5": {map[string]string{"leader": adminUnknown, "monitor": fmt.Sprintf(adminNotServing, "monitor")}, Leadership{ID: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := admin(t, commands(tc.answers)).Leader(t.Context())
			if err != nil || got != tc.want {
				t.Errorf("%+v and %v, want %+v", got, err, tc.want)
			}
		})
	}
}

// Whatever answers at that port may be something else. It costs bounded time and
// bytes, and what it says is no answer.
func TestNoAdminServer(t *testing.T) {
	real := `{"is_leader" : true, "leader_id" : 3, "command" : "leader", "error" : null}`
	for name, answer := range map[string]http.HandlerFunc{
		"not found":    http.NotFound,
		"another site": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>hello</html>") },
		"another API":  func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"is_leader" : true, "leader_id" : 3}`) },
		"half of it":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, real[:30]) },
		"no leader":    commands(map[string]string{"leader": `{"command" : "leader", "error" : null}`}),
		"negative id":  commands(map[string]string{"leader": `{"is_leader" : true, "leader_id" : -3, "command" : "leader"}`}),
		"a huge answer": func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, `{"x" : "`+strings.Repeat("x", 2*maxAdmin)+`", `+real[1:])
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				fmt.Fprint(w, real)
				return
			}
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
		"a server error": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, real, http.StatusInternalServerError) },
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := admin(t, answer).Leader(t.Context()); err == nil {
				t.Errorf("believed: %+v", got)
			}
		})
	}
	for name, addr := range map[string]string{
		"nothing listens": fourlettertest.Closed(t), "hangs": fourlettertest.Serve(t, fourlettertest.Hang),
		"hangs midway": fourlettertest.Serve(t, fourlettertest.HangAfter("HTTP/1.1 200 OK\r\n\r\n{")), "floods": fourlettertest.Serve(t, fourlettertest.Flood(strings.Repeat("x", 1<<16), 1<<30)),
	} {
		t.Run(name, func(t *testing.T) {
			begin, s := time.Now(), adminAt(t, "http://"+addr)
			if got, err := s.Leader(t.Context()); err == nil {
				t.Errorf("believed: %+v", got)
			}
			if took := time.Since(begin); took > 4*adminTimeout {
				t.Errorf("took %s", took)
			}
		})
	}
}

// One that didn't answer is left alone for a while, and asked again after that.
func TestAdminServerIsLeftAlone(t *testing.T) {
	asked, up := 0, false
	s := admin(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		if !up {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, adminNotServing, "leader")
	})
	for range 3 {
		if _, err := s.Leader(t.Context()); err == nil {
			t.Error("no error")
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times in a row", asked)
	}
	for _, want := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
		s.quiet = time.Time{}
		if _, err := s.Leader(t.Context()); err == nil {
			t.Error("no error")
		}
		if got := time.Until(s.quiet).Round(time.Second); got != want*time.Second {
			t.Errorf("left alone for %s, want %s", got, want*time.Second)
		}
	}
	asked, up = 1, true
	s.quiet = time.Time{}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Leader(over); err == nil {
		t.Error("no error")
	}
	for range 2 {
		if _, err := s.Leader(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if asked != 3 {
		t.Errorf("asked %d times, want it asked again", asked)
	}
}

func TestNewAdminServer(t *testing.T) {
	for where, want := range map[string]string{
		AdminServerAuto:                  "http://zk:8080/commands",
		"http://10.0.0.1:9090":           "http://10.0.0.1:9090/commands",
		"https://zk:8443/admin/commands": "https://zk:8443/admin/commands",
	} {
		w, err := NewAdminServer(where, "zk:2181")
		if err != nil {
			t.Fatal(err)
		}
		if got := w.(*AdminServer).url; got != want {
			t.Errorf("%s: %s, want %s", where, got, want)
		}
	}
	for _, where := range []string{AdminServerOff, ""} {
		if w, err := NewAdminServer(where, "zk:2181"); w != nil || err != nil {
			t.Errorf("%q: %v and %v, want none", where, w, err)
		}
	}
	for _, where := range []string{"yes", "localhost:8080", "ftp://zk", "http://", "http://u:secret@zk/", "http://zk/?x=y", "http://zk:a"} {
		if w, err := NewAdminServer(where, "zk:2181"); err == nil {
			t.Errorf("%q is accepted as %v", where, w)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error tells the password: %v", err)
		}
	}
}

// A server that serves nobody is never a leader; one whose AdminServer says that
// it leads is no lost quorum either.
func TestWitness(t *testing.T) {
	replies := script{fourletter.Mntr: notServing, fourletter.Srvr: notServing}
	for name, tc := range map[string]struct {
		replies script
		witness witness
		want    string
		asked   int
		silent  bool
	}{
		"leads":       {replies, witness{who: Leadership{Self: true, ID: 1}}, "zookeeper_leader_not_serving 1", 1, true},
		"doesn't":     {replies, witness{who: Leadership{ID: 2}}, "zookeeper_leader_not_serving 0", 1, false},
		"can't tell":  {replies, witness{err: http.ErrServerClosed}, "", 1, false},
		"it serves":   {script{fourletter.Mntr: mntrText}, witness{who: Leadership{Self: true, ID: 1}}, "", 0, false},
		"can't reach": {script{}, witness{who: Leadership{Self: true, ID: 1}}, "", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, Options{Client: tc.replies, Witness: &tc.witness, Compat: CompatZK})
			page := get(t, c, "")
			if tc.want == "" {
				lacks(t, page, "zookeeper_leader_not_serving")
			} else {
				wants(t, page, tc.want, `zookeeper_server_state{state="not_serving"} 1`, `zookeeper_server_state{state="leader"} 0`, "zookeeper_serving 0")
				wants(t, page, fmt.Sprintf("zk_server_leader %v", truth(tc.silent)))
			}
			if tc.witness.asked != tc.asked {
				t.Errorf("asked %d times, want %d", tc.witness.asked, tc.asked)
			}
			status := c.LastRound()
			if status.SilentLeader != tc.silent {
				t.Errorf("status %+v", status)
			}
			if advice := status.Words[0].Advice; strings.Contains(advice, "nothing is wrong") != tc.silent {
				t.Errorf("advice %q", advice)
			}
		})
	}
}

// Real leaders with leaderServes=no, as one sidecar beside each sees them: the
// leader's own, and a follower's that can't reach the other follower.
func TestLiveAdminServer(t *testing.T) {
	versions := []string{zktest.Default}
	if long() {
		versions = []string{"3.5.10", "3.6.4", "3.7.2", "3.8.6", zktest.Default}
	}
	for _, version := range versions {
		t.Run(version, func(t *testing.T) { liveAdminServer(t, version) })
	}
}

func liveAdminServer(t *testing.T, version string) {
	ensemble := zktest.Start(t, zktest.Options{Version: version, Servers: 3, Admin: true, Config: map[string]string{"leaderServes": "no"}})
	leader, err := ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	followers, err := ensemble.Followers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var members []Member
	for _, server := range ensemble.Servers() {
		members = append(members, Member{ID: int64(server.ID()), Addr: server.Addr()})
	}
	beside := start(t, Options{Addr: leader.Addr(), Witness: adminAt(t, "http://"+leader.AdminAddr())})
	// Jetty takes its time for the first answer on a busy machine.
	says := func(line string) string {
		deadline := time.After(time.Minute)
		for {
			page := get(t, beside, "")
			if strings.Contains(page, "\n"+line+"\n") {
				return page
			}
			select {
			case <-deadline:
				t.Fatalf("no page with %s; the last:\n%s", line, page)
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	wants(t, says("zookeeper_leader_not_serving 1"), "zookeeper_serving 0", `zookeeper_server_state{state="not_serving"} 1`)
	if !beside.LastRound().SilentLeader {
		t.Errorf("status %+v", beside.LastRound())
	}

	followers[0].Kill()
	blind := startEnsemble(t, EnsembleOptions{Addr: followers[1].Addr(), Members: members})
	page := pageOfEnsemble(t, blind)
	lacks(t, page, "leaders", "quorum")
	for _, at := range []*zktest.Server{leader, followers[1]} {
		if version == "3.5.10" && at != leader {
			continue // It tells nobody who leads it.
		}
		e := startEnsemble(t, EnsembleOptions{Addr: at.Addr(), Members: members, Witness: adminAt(t, "http://"+at.AdminAddr())})
		awaitLines(t, e, "leaders 1", "leaders_not_serving 1", "quorum 1", "failures_tolerable 0")
	}

	followers[1].Kill()
	says("zookeeper_leader_not_serving 0")
}
