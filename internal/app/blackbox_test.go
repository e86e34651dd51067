package app

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/fourletter/fourlettertest"
	"zkwarden/internal/zktest"
)

// maxResident is what no target can make the process exceed, in bytes.
const maxResident = 64 << 20

// Whatever the target does, the page of the shipped binary comes in time and
// says what is wrong, as the page at / does in words; and the process stays
// small.
func TestBadTargets(t *testing.T) {
	zkwarden := binary(t)
	plain := zktest.Start(t, zktest.Options{}).Addrs()[0]
	certs := zktest.Certs(t, zktest.CertOptions{})
	secure := zktest.Start(t, zktest.Options{TLS: certs}).Servers()[0].SecureAddr()
	withTLS := []string{
		"--zookeeper.tls", "--zookeeper.tls-ca-file=" + certs.CA,
		"--zookeeper.tls-cert-file=" + certs.ClientCert, "--zookeeper.tls-key-file=" + certs.ClientKey,
	}
	for name, c := range map[string]struct {
		addr   string
		flags  []string
		up     int
		reason fourletter.Reason
		advice string
	}{
		"refuses":                    {"127.0.0.1:1", nil, 0, fourletter.Refused, "a firewall refuses"},
		"has no name":                {"nowhere.invalid:2181", nil, 0, fourletter.Refused, "look at the DNS"},
		"hangs":                      {fourlettertest.Serve(t, fourlettertest.Hang), nil, 0, fourletter.Timeout, "it is stuck or slow"},
		"closes":                     {fourlettertest.Serve(t, func(net.Conn) {}), nil, 0, fourletter.EmptyReply, "maxClientCnxns"},
		"answers half a line":        {fourlettertest.Serve(t, fourlettertest.Say("zk_version\t3.9.5-8a5b0d4c, bui")), nil, 0, fourletter.Truncated, "changing its role"},
		"floods one line":            {fourlettertest.Serve(t, flood("x")), nil, 0, fourletter.TooLarge, "very many namespaces"},
		"floods many keys":           {fourlettertest.Serve(t, flood("zk_pending_syncs\t1\n")), nil, 1, fourletter.TooLarge, "very many namespaces"},
		"is not ZooKeeper":           {fourlettertest.Serve(t, fourlettertest.Say("HTTP/1.1 400 Bad Request\r\n\r\n")), nil, 0, fourletter.Unparsable, "is not ZooKeeper"},
		"does not serve":             {fourlettertest.Serve(t, fourlettertest.Say("This ZooKeeper instance is not currently serving requests\n")), nil, 1, fourletter.NotServing, "leaderServes=no"},
		"refuses the word":           {fourlettertest.Serve(t, fourlettertest.Say("mntr is not executed because it is not in the whitelist.\n")), nil, 1, fourletter.NotWhitelisted, "4lw.commands.whitelist=mntr,srvr,ruok,conf,isro,wchs,dirs,envi<"},
		"speaks TLS, is asked plain": {secure, nil, 0, fourletter.Timeout, "set --zookeeper.tls"},
		"speaks plain, is asked TLS": {plain, withTLS, 0, fourletter.TLS, "or drop --zookeeper.tls"},
	} {
		t.Run(name, func(t *testing.T) {
			limit, own := patience, patience // A busy machine takes long to read a flood.
			if c.reason == fourletter.Timeout {
				limit, own = time.Second, 3*time.Second // The scraper waits shorter than we would.
			}
			process := startProcess(t, nil, append([]string{
				zkwarden, "--web.listen-address=127.0.0.1:0", "--zookeeper.address=" + c.addr, "--zookeeper.timeout=" + own.String(),
			}, c.flags...)...)
			for range 2 {
				scrape(t, process.url, limit, fmt.Sprintf("zookeeper_up %d", c.up), "zookeeper_serving 0",
					fmt.Sprintf(`zookeeper_word_failure{reason=%q,word="mntr"} 1`, c.reason))
			}
			if status, _ := get(t, process.url+"/-/ready"); status != http.StatusOK {
				t.Errorf("an exporter is not ready, status %d", status)
			}
			page := awaitPage(t, process.url, http.StatusOK, ">"+string(c.reason)+"<")
			if !strings.Contains(page, c.advice) {
				t.Errorf("the page doesn't say %q:\n%s", c.advice, page)
			}
			if rss := peak(t, process.Process.Pid); rss > maxResident {
				t.Errorf("peak of %d MiB, want at most %d", rss>>20, maxResident>>20)
			}
		})
	}
}

// The shipped binary reads its modules again at SIGHUP, and stays alive over
// those that are broken.
func TestHangup(t *testing.T) {
	file := writeModules(t, "modules:\n  a: {}\n")
	process := startProcess(t, nil, binary(t), "--web.listen-address=127.0.0.1:0", "--zookeeper.address=127.0.0.1:1", "--probe.config-file="+file)
	for _, c := range []struct{ text, want string }{
		{"modules: {}\n", "\nzkwarden_config_last_reload_successful 0\n"},
		{"modules:\n  b: {}\n", "\nzkwarden_config_last_reload_successful 1\n"},
	} {
		overwrite(t, file, c.text)
		if err := process.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		awaitPage(t, process.url+"/metrics", http.StatusOK, c.want)
	}
	awaitPage(t, process.url+"/probe?target=127.0.0.1:1&module=b", http.StatusOK, "zookeeper_up 0")
}

// sidecarsOf starts the shipped binary beside every server and returns the URLs
// of their pages by server.
func sidecarsOf(t *testing.T, zkwarden string, ensemble *zktest.Ensemble) map[int]string {
	t.Helper()
	urls := map[int]string{}
	for _, server := range ensemble.Servers() {
		command := []string{zkwarden, "--web.listen-address=127.0.0.1:0", "--zookeeper.address=" + server.Addr()}
		for _, member := range ensemble.Servers() {
			command = append(command, fmt.Sprintf("--ensemble.member=%d=%s", member.ID(), member.Addr()))
		}
		urls[server.ID()] = startProcess(t, nil, command...).url
	}
	return urls
}

// Three sidecars beside three servers; two servers are killed. The sidecar of
// the survivor says at its next scrape that there is no quorum, none reports a
// leader, the landing page tells what to do, and all of it recovers by itself:
// for sidecars that were there before, and for those that never saw a server.
func TestLiveSidecarsLoseQuorum(t *testing.T) {
	zkwarden := binary(t)
	ensemble := zktest.Start(t, zktest.Options{Servers: 3})
	sidecars := sidecarsOf(t, zkwarden, ensemble)
	for _, sidecar := range sidecars {
		has(t, bodyOf(t, sidecar+"/metrics"), "zookeeper_ensemble_quorum 1", "zookeeper_ensemble_leaders 1",
			"zookeeper_ensemble_voters_serving 3", "zookeeper_ensemble_failures_tolerable 1")
	}
	if text := bodyOf(t, sidecars[1]); !strings.Contains(text, "3 of 3 voters serve, 1 more can fail") {
		t.Errorf("landing page:\n%s", text)
	}

	leader, err := ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	survivor := ensemble.Server(leader.ID()%3 + 1)
	for _, server := range ensemble.Servers() {
		if server.ID() != survivor.ID() {
			server.Kill()
		}
	}
	has(t, bodyOf(t, sidecars[survivor.ID()]+"/metrics"), "zookeeper_ensemble_quorum 0")
	for _, sidecar := range sidecars {
		text := bodyOf(t, sidecar+"/metrics")
		has(t, text, "zookeeper_ensemble_quorum 0", "zookeeper_ensemble_leaders 0", `zookeeper_server_state{state="leader"} 0`)
	}
	// For a tick, the survivor may still call itself a follower.
	awaitBody(t, sidecars[survivor.ID()]+"/metrics", "zookeeper_ensemble_voters_serving 0", `zookeeper_server_state{state="not_serving"} 1`)
	text := bodyOf(t, sidecars[survivor.ID()])
	if !strings.Contains(text, "0 of 3 voters serve") || !strings.Contains(text, "check that a majority of the voters is up") {
		t.Errorf("landing page:\n%s", text)
	}
	restartDead(t, ensemble, survivor.ID())
	recovered(t, sidecars)

	for _, server := range ensemble.Servers() {
		server.Kill()
	}
	late := sidecarsOf(t, zkwarden, ensemble)
	for _, sidecar := range late {
		has(t, bodyOf(t, sidecar+"/metrics"), "zookeeper_up 0", "zookeeper_serving 0", "zookeeper_ensemble_quorum 0", "zookeeper_ensemble_leaders 0")
	}
	restartDead(t, ensemble, 0)
	recovered(t, sidecars)
	recovered(t, late)
}

// restartDead starts every server again but the one that is alive.
func restartDead(t *testing.T, ensemble *zktest.Ensemble, alive int) {
	t.Helper()
	for _, server := range ensemble.Servers() {
		if server.ID() != alive {
			if err := server.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// recovered waits until all sidecars say that all is well.
func recovered(t *testing.T, sidecars map[int]string) {
	t.Helper()
	for _, sidecar := range sidecars {
		awaitBody(t, sidecar+"/metrics", "zookeeper_up 1", "zookeeper_serving 1",
			"zookeeper_ensemble_quorum 1", "zookeeper_ensemble_leaders 1", "zookeeper_ensemble_failures_tolerable 1")
	}
}
