package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"zkwarden/collector"
	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

// checked runs Check and returns what it prints and its error, as text.
func checked(t *testing.T, o CheckOptions) (report, failure string) {
	t.Helper()
	if o.Dialer == nil {
		o.Dialer = &fourletter.Dialer{}
	}
	o.Timeout, o.EnsembleTimeout = 2*time.Second, time.Second
	var out strings.Builder
	if err := Check(t.Context(), o, &out); err != nil {
		failure = err.Error()
	}
	return out.String(), failure
}

func expect(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in:\n%s", part, text)
		}
	}
}

func membersOf(e *zktest.Ensemble) []collector.Member {
	var all []collector.Member
	for _, server := range e.Servers() {
		all = append(all, collector.Member{ID: int64(server.ID()), Addr: server.Addr(), Weight: 1})
	}
	return all
}

func TestLiveCheck(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 3, Observers: 1})
	own := ensemble.Server(1).Addr()

	t.Run("all is well", func(t *testing.T) {
		report, failure := checked(t, CheckOptions{Addr: own, Members: membersOf(ensemble)})
		if failure != "" || strings.Contains(report, "WRONG") || strings.Contains(report, "note") || strings.Contains(report, "Auditing") {
			t.Errorf("%s\n%s", failure, report)
		}
		expect(t, report, "ok     answers: ZooKeeper "+zktest.Default, "answered: mntr, srvr", "members: 4, as the server lists them",
			"member 4 at "+ensemble.Server(4).Addr()+": observer, no vote", "quorum: 3 of 3 voters serve, 1 more can fail")
	})
	t.Run("one host, no client addresses", func(t *testing.T) {
		report, failure := checked(t, CheckOptions{Addr: own})
		expect(t, failure, "3 things would not work")
		expect(t, report, "WRONG  member 2: its client address is not known", "fix: Add --ensemble.member=2=HOST:PORT")
	})
	t.Run("a member too many", func(t *testing.T) {
		members := append(membersOf(ensemble), collector.Member{ID: 9, Addr: own, Weight: 1})
		report, failure := checked(t, CheckOptions{Addr: own, Members: members})
		if failure != "" {
			t.Error(failure)
		}
		expect(t, report, "note   member 9 at "+own+" has no vote in the ensemble of this server", "fix: drop it from --ensemble.member")
	})
	t.Run("members killed", func(t *testing.T) {
		leader, err := ensemble.Leader(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// A follower first, for whom nobody is elected.
		first, second := ensemble.Server(2), ensemble.Server(3)
		if first.ID() == leader.ID() {
			first, second = second, first
		}
		first.Kill()
		report, failure := checked(t, CheckOptions{Addr: own, Members: membersOf(ensemble)})
		expect(t, failure, "one thing would not work")
		expect(t, report, fmt.Sprintf("WRONG  member %d at", first.ID()), "connection refused", "note   quorum, but no voter more may fail",
			fmt.Sprintf("start ZooKeeper, open its client port in the firewall, or give the member's client port as --ensemble.member=%d=HOST:PORT.", first.ID()))
		if strings.Contains(report, "--zookeeper.address") {
			t.Errorf("one's own address is blamed:\n%s", report)
		}
		second.Kill()
		report, failure = checked(t, CheckOptions{Addr: own, Members: membersOf(ensemble)})
		expect(t, failure, "things would not work")
		expect(t, report, "WRONG  no quorum", "fix: start members until a majority of the voters is up")
	})
}

func TestLiveCheckWhitelist(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Config: map[string]string{"4lw.commands.whitelist": "srvr"}})
	report, failure := checked(t, CheckOptions{Addr: ensemble.Server(1).Addr()})
	expect(t, failure, "one thing would not work")
	expect(t, report, "ok     answered: srvr", "mntr, conf, isro, wchs, dirs, envi: not_whitelisted", "members: 1, as /zookeeper/config lists them",
		"restart the server: 4lw.commands.whitelist=mntr,srvr,ruok,conf,isro,wchs,dirs,envi\n", "note   cons: not_whitelisted")
	report, failure = checked(t, CheckOptions{Addr: ensemble.Server(1).Addr(), Cons: true})
	expect(t, failure, "one thing would not work")
	expect(t, report, "dirs, envi, cons: not_whitelisted", "4lw.commands.whitelist=mntr,srvr,ruok,conf,isro,wchs,dirs,envi,cons\n")
}

// warmUp checks until nothing is wrong: the first handshakes of a server may take
// as long as a word waits.
func warmUp(t *testing.T, server *zktest.Server, files *fourletter.TLSFiles) {
	t.Helper()
	for range 5 {
		if _, failure := checked(t, CheckOptions{Addr: server.SecureAddr(), Dialer: &fourletter.Dialer{TLS: files}}); failure == "" {
			return
		}
	}
}

func TestLiveCheckTLS(t *testing.T) {
	certs, other := zktest.Certs(t, zktest.CertOptions{ServerNotAfter: time.Now().Add(90 * 24 * time.Hour)}), zktest.Certs(t, zktest.CertOptions{})
	server := zktest.Start(t, zktest.Options{TLS: certs}).Server(1)
	mutual := fourletter.TLSFiles{CAFile: certs.CA, CertFile: certs.ClientCert, KeyFile: certs.ClientKey}
	warmUp(t, server, &mutual)
	insecure := mutual
	insecure.CAFile, insecure.InsecureSkipVerify = "", true
	for name, tc := range map[string]struct {
		addr  string
		files *fourletter.TLSFiles
		fails bool
		want  string
	}{
		"good":                  {server.SecureAddr(), &mutual, false, "ok     the served certificate is good until"},
		"not verified":          {server.SecureAddr(), &insecure, false, "note   certificates are not verified"},
		"no client certificate": {server.SecureAddr(), &fourletter.TLSFiles{CAFile: certs.CA}, true, "fix: Set --zookeeper.tls-cert-file"},
		"wrong authority":       {server.SecureAddr(), &fourletter.TLSFiles{CAFile: other.CA}, true, "fix: Set --zookeeper.tls-ca-file"},
		"plain port":            {server.Addr(), &mutual, true, "set --zookeeper.address to the server's secureClientPort"},
		"missing file":          {server.SecureAddr(), &fourletter.TLSFiles{CAFile: "none.pem"}, true, "each must be readable PEM"},
		"plain to the TLS port": {server.SecureAddr(), nil, true, "set --zookeeper.tls"},
	} {
		t.Run(name, func(t *testing.T) {
			report, failure := checked(t, CheckOptions{Addr: tc.addr, Dialer: &fourletter.Dialer{TLS: tc.files}})
			if (failure != "") != tc.fails {
				t.Errorf("error %q\n%s", failure, report)
			}
			expect(t, report, tc.want)
		})
	}
}

func TestLiveCheckExpiringCertificate(t *testing.T) {
	certs := zktest.Certs(t, zktest.CertOptions{ServerNotAfter: time.Now().Add(48 * time.Hour)})
	server := zktest.Start(t, zktest.Options{TLS: certs}).Server(1)
	files := &fourletter.TLSFiles{CAFile: certs.CA, CertFile: certs.ClientCert, KeyFile: certs.ClientKey}
	warmUp(t, server, files)
	report, failure := checked(t, CheckOptions{Addr: server.SecureAddr(), Dialer: &fourletter.Dialer{TLS: files}})
	if failure != "" {
		t.Errorf("%s\n%s", failure, report)
	}
	expect(t, report, "note   the served certificate ends", "fix: renew the certificate")
}

// A leader that serves no clients is told apart from a lost quorum.
func TestLiveCheckLeaderServesNo(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 3, Config: map[string]string{"leaderServes": "no"}})
	followers, err := ensemble.Followers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, failure := checked(t, CheckOptions{Addr: followers[0].Addr(), Members: membersOf(ensemble)})
	if failure != "" {
		t.Errorf("%s\n%s", failure, report)
	}
	expect(t, report, "serves no clients", "leaderServes=no", "quorum: 2 of 3 voters serve, 1 more can fail")

	leader, err := ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	report, failure = checked(t, CheckOptions{Addr: leader.Addr(), Members: membersOf(ensemble)})
	if failure != "" {
		t.Errorf("%s\n%s", failure, report)
	}
	expect(t, report, "note   it leads and serves no clients (leaderServes=no)", "quorum: 2 of 3 voters serve")

	// Without a quorum the same words are wrong.
	for _, follower := range followers {
		follower.Kill()
	}
	for deadline := time.Now().Add(time.Minute); ; {
		report, failure = checked(t, CheckOptions{Addr: leader.Addr(), Members: membersOf(ensemble)})
		if strings.Contains(report, "WRONG  no quorum") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s\n%s", failure, report)
		}
	}
	expect(t, report, "WRONG  mntr, srvr: not_serving")
}

// Where a member can't be reached, only an AdminServer tells a leader that serves
// no clients from a server without quorum.
func TestLiveCheckAdminServer(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 3, Admin: true, Config: map[string]string{"leaderServes": "no"}})
	leader, err := ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	followers, err := ensemble.Followers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Jetty takes its time for the first answer on a busy machine.
	check := func(at *zktest.Server, adminServer string, await string) (report, failure string) {
		for deadline := time.Now().Add(time.Minute); ; {
			report, failure = checked(t, CheckOptions{Addr: at.Addr(), Members: membersOf(ensemble), AdminServer: adminServer})
			if strings.Contains(report, await) {
				return report, failure
			}
			if time.Now().After(deadline) {
				t.Fatalf("no %q: %s\n%s", await, failure, report)
			}
		}
	}
	url := func(s *zktest.Server) string { return "http://" + s.AdminAddr() }
	const leads = "note   it leads and serves no clients (leaderServes=no)"

	if report, failure := check(leader, url(leader), leads); failure != "" {
		t.Errorf("%s\n%s", failure, report)
	}
	followers[0].Kill()
	report, failure := check(leader, url(leader), leads)
	expect(t, failure, "one thing would not work") // The member that is dead.
	expect(t, report, "leads and serves no clients", "note   quorum, but no voter more may fail")
	member := fmt.Sprintf("note   member %d at %s leads and serves no clients", leader.ID(), leader.Addr())
	report, _ = check(followers[1], url(followers[1]), member)
	expect(t, report, "note   quorum, but no voter more may fail")
	report, _ = check(leader, collector.AdminServerOff, "WRONG  mntr, srvr: not_serving")
	if strings.Contains(report, "WRONG  no quorum") || strings.Contains(report, "leads and serves") {
		t.Errorf("what nobody can know is said:\n%s", report)
	}
	expect(t, report, "whether there is a quorum can't be told: a voter that can't be reached may lead", "those of --ensemble.member are used")
	followers[1].Kill()
	// For a moment the leader believes that it still leads.
	report, _ = check(leader, url(leader), "WRONG  mntr, srvr: not_serving")
	expect(t, report, "WRONG  no quorum")
}

// A member that serves nobody is the leader, or it is in trouble.
func TestSilentLeaderIsOneMember(t *testing.T) {
	member := func(id int64, state collector.State) collector.MemberStatus {
		return collector.MemberStatus{
			Member: collector.Member{ID: id, Addr: "zk:2181", Weight: 1}, State: state, Detail: "it says that it serves nobody", SilentLeader: id == 2,
		}
	}
	status := collector.EnsembleStatus{SilentLeader: true, Members: []collector.MemberStatus{
		member(1, collector.Follower), member(2, collector.NotServing), member(3, collector.Follower),
	}}
	own := collector.Status{State: collector.NotServing}
	if !leadsInSilence(own, status) || leadsInSilence(collector.Status{State: collector.Unknown}, status) {
		t.Error("the silent leader is not told apart")
	}
	status.Members = append(status.Members, member(4, collector.NotServing))
	if leadsInSilence(own, status) {
		t.Error("one of two is taken for the leader")
	}
	own.SilentLeader = true
	if !leadsInSilence(own, status) || !leadsInSilence(own, collector.EnsembleStatus{}) {
		t.Error("the AdminServer is not believed")
	}
	for i, want := range map[int]int{1: 0, 3: 1} {
		r := &report{}
		if r.member(status.Members[i]); r.wrong != want {
			t.Errorf("member %d: %d wrong, want %d:\n%s", i+1, r.wrong, want, &r.text)
		}
	}
}
