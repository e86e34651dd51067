package collector

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zkwarden/internal/fourletter"
)

// failure is an ask that ended for this reason.
func failure(reason fourletter.Reason, cause error) error {
	return &fourletter.Error{Word: fourletter.Mntr, Addr: "zk-1:2181", Reason: reason, Err: cause}
}

// There is advice for every reason, and it names what to type or where to look.
func TestAdvice(t *testing.T) {
	for _, reason := range fourletter.Reasons() {
		for _, member := range []int64{-1, 2} {
			if (addressee{member: member}).advice(failure(reason, nil)) == "" {
				t.Errorf("no advice for %s of %d", reason, member)
			}
		}
	}
	own := addressee{member: -1, words: []fourletter.Word{fourletter.Mntr, fourletter.Srvr, fourletter.Cons}}
	late := &net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}
	for name, tc := range map[string]struct {
		err  error
		want []string
		not  string
	}{
		"refused":         {failure(fourletter.Refused, nil), []string{"start ZooKeeper", "firewall", "--zookeeper.address"}, "--ensemble.member"},
		"no such host":    {failure(fourletter.Refused, &net.DNSError{Err: "no such host"}), []string{"DNS", "--zookeeper.address"}, "firewall"},
		"no connection":   {failure(fourletter.Timeout, late), []string{"the host is down", "a firewall drops the packets", "--zookeeper.tls"}, "stuck"},
		"no answer":       {failure(fourletter.Timeout, context.DeadlineExceeded), []string{"stuck", "firewall", "--zookeeper.tls"}, "down"},
		"not whitelisted": {failure(fourletter.NotWhitelisted, nil), []string{"zoo.cfg", "restart the server: 4lw.commands.whitelist=mntr,srvr,cons"}, ""},
		"TLS port":        {failure(fourletter.TLS, errors.New("the port speaks TLS")), []string{"set --zookeeper.tls", "clientPort"}, ""},
		"not serving":     {failure(fourletter.NotServing, nil), []string{"quorum", "leaderServes=no"}, ""},
		"too many":        {failure(fourletter.EmptyReply, nil), []string{"maxClientCnxns"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := own.advice(tc.err)
			for _, part := range tc.want {
				if !strings.Contains(got, part) {
					t.Errorf("advice %q lacks %q", got, part)
				}
			}
			if tc.not != "" && strings.Contains(got, tc.not) {
				t.Errorf("advice %q has %q", got, tc.not)
			}
		})
	}
}

// There is advice for every cause of a failed handshake.
func TestTLSAdvice(t *testing.T) {
	seen := map[string]bool{}
	for _, cause := range fourletter.Causes() {
		got := addressee{member: -1}.tlsAdvice(cause)
		if got == "" || seen[got] && cause != fourletter.HungUp {
			t.Errorf("advice %q for %s", got, cause)
		}
		seen[got] = true
	}
}

// What is wrong with another member is not mended at the address of one's own
// server.
func TestMemberAdvice(t *testing.T) {
	other := addressee{member: 2, words: []fourletter.Word{fourletter.Srvr}}
	for _, reason := range fourletter.Reasons() {
		if got := other.advice(failure(reason, nil)); strings.Contains(got, "--zookeeper.address") {
			t.Errorf("advice %q for %s of another member", got, reason)
		}
	}
	e := startEnsemble(t, EnsembleOptions{
		Client:  servers{"zk-1:2181": says("leader", "0x1")},
		Members: []Member{{ID: 1, Addr: "zk-1:2181"}, {ID: 2, Addr: "zk-2:2181"}},
	})
	pageOfEnsemble(t, e)
	got := e.LastRound().Members[1].Advice
	for _, part := range []string{"start ZooKeeper", "firewall", "--ensemble.member=2=HOST:PORT"} {
		if !strings.Contains(got, part) {
			t.Errorf("advice %q lacks %q", got, part)
		}
	}
}

// The line that the docs tell to paste is the one that is needed, and their
// example of check says what check says.
func TestAdviceOfTheDocs(t *testing.T) {
	words := append(append(everyRound(), fourletter.Ruok), DefaultWords()...)
	advice := addressee{member: -1, words: words}.advice(failure(fourletter.NotWhitelisted, nil))
	for file, want := range map[string]string{
		"README.md":        "\n" + whitelist(words) + "\n",
		"docs/ensemble.md": "         fix: " + advice + "\n",
	} {
		text, err := os.ReadFile(filepath.Join("..", file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s lacks %q", file, want)
		}
	}
}
