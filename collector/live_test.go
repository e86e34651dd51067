package collector

import (
	"context"
	"strings"
	"testing"
	"time"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

func live(t *testing.T, server *zktest.Server) *Collector {
	t.Helper()
	return start(t, Options{Addr: server.Addr()})
}

// await scrapes until the server is in the state, and returns the page.
func await(t *testing.T, c *Collector, state State) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		page := get(t, c, "")
		if strings.Contains(page, `zookeeper_server_state{state="`+string(state)+`"} 1`) {
			return page
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no page with state %s; the last:\n%s", state, page)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// only fails the test unless the page has this state, and no other, at 1.
func only(t *testing.T, page string, state State) {
	t.Helper()
	for _, s := range States() {
		want := `zookeeper_server_state{state="` + string(s) + `"} 0`
		if s == state {
			want = `zookeeper_server_state{state="` + string(s) + `"} 1`
		}
		wants(t, page, want)
	}
}

func TestLiveEnsemble(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 3, Observers: 1})
	leader, err := ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	write(t, ensemble.Addrs()).Close()
	for _, server := range ensemble.Servers() {
		c, state := live(t, server), Follower
		switch {
		case server.Observer():
			state = Observer
		case server.ID() == leader.ID():
			state = Leader
		}
		page := get(t, c, "")
		only(t, page, state)
		lint(t, c)
		wants(t, page, "zookeeper_up 1", "zookeeper_serving 1", `zookeeper_server_info{version="`+zktest.Default+`"} 1`,
			"zookeeper_zxid_epoch 1", "zookeeper_quorum_size 3", "zkwarden_mntr_unknown_keys 0", "zkwarden_reply_unparsable_values 0")
	}
	t.Run("without quorum", func(t *testing.T) { withoutQuorum(t, ensemble) })
}

// withoutQuorum kills all voters but one, which must never look like a leader.
func withoutQuorum(t *testing.T, ensemble *zktest.Ensemble) {
	left := live(t, ensemble.Server(1))
	ensemble.Server(2).Kill()
	ensemble.Server(3).Kill()
	page := await(t, left, NotServing)
	only(t, page, NotServing)
	wants(t, page, "zookeeper_up 1", "zookeeper_serving 0", `zookeeper_word_failure{reason="not_serving",word="mntr"} 1`)
	if got := left.LastRound(); got.State != NotServing || !strings.Contains(got.Words[0].Advice, "quorum") {
		t.Errorf("status %+v", got)
	}

	killed := get(t, live(t, ensemble.Server(2)), "")
	only(t, killed, Unknown)
	wants(t, killed, "zookeeper_up 0", "zookeeper_serving 0", `zookeeper_word_failure{reason="refused",word="srvr"} 1`)

	if err := ensemble.Server(2).Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ensemble.WaitServing(t.Context()); err != nil {
		t.Fatal(err)
	}
	wants(t, get(t, left, ""), "zookeeper_serving 1", `zookeeper_word_success{word="mntr"} 1`)
}

func TestLiveStandalone(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{})
	c := live(t, ensemble.Server(1))
	only(t, get(t, c, ""), Standalone)

	t.Run("paused", func(t *testing.T) {
		if err := ensemble.Server(1).Pause(); err != nil {
			t.Fatal(err)
		}
		page := get(t, c, "0.5")
		if err := ensemble.Server(1).Resume(); err != nil {
			t.Fatal(err)
		}
		only(t, page, Unknown)
		wants(t, page, "zookeeper_up 0", `zookeeper_word_failure{reason="timeout",word="mntr"} 1`)
	})
}

func TestLiveReadOnly(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 3, JVM: []string{"-Dreadonlymode.enabled=true"}})
	ensemble.Server(2).Kill()
	ensemble.Server(3).Kill()
	page := await(t, live(t, ensemble.Server(1)), ReadOnly)
	only(t, page, ReadOnly)
	wants(t, page, "zookeeper_up 1", "zookeeper_serving 1", `zookeeper_word_success{word="mntr"} 1`)
}

// With only srvr in the whitelist, as ZooKeeper has it by default since 3.5.3,
// the essentials are still there.
func TestLiveWhitelist(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Config: map[string]string{"4lw.commands.whitelist": "srvr"}})
	c := live(t, ensemble.Server(1))
	page := get(t, c, "")
	only(t, page, Standalone)
	wants(t, page, "zookeeper_up 1", "zookeeper_serving 1", "zookeeper_znodes 5", "zookeeper_outstanding_requests 0",
		`zookeeper_word_failure{reason="not_whitelisted",word="mntr"} 1`, `zookeeper_word_success{word="srvr"} 1`)
	if !strings.Contains(page, "\nzookeeper_packets_received_total ") || !strings.Contains(page, "\nzookeeper_connections ") {
		t.Error("page lacks packets or connections")
	}
	if got := c.LastRound().Words[0].Advice; !strings.Contains(got, "4lw.commands.whitelist=mntr,srvr") {
		t.Errorf("advice %q", got)
	}
}

func TestLiveTLS(t *testing.T) {
	certs := zktest.Certs(t, zktest.CertOptions{})
	ensemble := zktest.Start(t, zktest.Options{TLS: certs})
	server := ensemble.Server(1)
	mutual := &fourletter.TLSFiles{CAFile: certs.CA, CertFile: certs.ClientCert, KeyFile: certs.ClientKey}
	for name, tc := range map[string]struct {
		addr  string
		files *fourletter.TLSFiles
		want  string
	}{
		"with a client certificate": {server.SecureAddr(), mutual, `zookeeper_word_success{word="mntr"} 1`},
		"without":                   {server.SecureAddr(), &fourletter.TLSFiles{CAFile: certs.CA}, `zookeeper_word_failure{reason="tls",word="mntr"} 1`},
		"plain to the secure port":  {server.SecureAddr(), nil, `zookeeper_word_failure{reason="timeout",word="mntr"} 1`},
		"TLS to the plain port":     {server.Addr(), mutual, `zookeeper_word_failure{reason="tls",word="mntr"} 1`},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, Options{Addr: tc.addr, Client: &fourletter.Client{Dialer: &fourletter.Dialer{TLS: tc.files}}})
			wants(t, get(t, c, "2"), tc.want)
		})
	}
}

// The Prometheus provider prints mntr in another form, which must not make the
// page invalid.
func TestLivePrometheusProvider(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Prometheus: true})
	c := live(t, ensemble.Server(1))
	if _, err := gathererOnce(t, c); err != nil {
		t.Errorf("page is inconsistent: %v", err)
	}
	wants(t, get(t, c, ""), "zookeeper_up 1", `zookeeper_server_state{state="standalone"} 1`, "zookeeper_looking_total 0")
}
