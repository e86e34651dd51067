package collector

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/fourletter"
)

func TestSrvr(t *testing.T) {
	type got struct {
		Version, State string
		Zxid           uint64
		Values         int
		Unparsable     int
	}
	for name, tc := range map[string]struct {
		srvr string
		want got
		err  error
	}{
		"leader": {
			srvr: "Zookeeper version: 3.9.5-29, built on 2026-02-11 20:18 UTC\nLatency min/avg/max: 0/0.0/0\nReceived: 12\nSent: 13\n" +
				"Connections: 1\nOutstanding: 0\nZxid: 0x100000008\nMode: leader\nNode count: 11\nProposal sizes last/min/max: 48/48/138\n",
			want: got{Version: "3.9.5", State: "leader", Zxid: 1<<32 + 8, Values: 8},
		},
		"read-only": {
			srvr: "Zookeeper version: 3.8.0-${mvngit.commit.id}, built on 2024\nREAD-ONLY mode; serving only read-only clients\nMode: read-only\n",
			want: got{Version: "3.8.0", State: "read-only"},
		},
		"ClickHouse Keeper": {
			srvr: "ClickHouse Keeper version: v23.4.1.1-testing-abc\nZxid: 36\nMode: follower\nNode count: 4\n",
			want: got{Version: "23.4.1.1", State: "follower", Zxid: 36, Values: 1},
		},
		"ClickHouse Keeper, empty": {srvr: "ClickHouse Keeper version: v26.1.1.1-x\nZxid: 0x\nMode: leader\n", want: got{Version: "26.1.1.1", State: "leader"}},
		"zxid that can't be read":  {srvr: "Mode: leader\nZxid: 0xzz\n", want: got{State: "leader", Unparsable: 1}},
		"sizes that can't be read": {srvr: "Proposal sizes last/min/max: 1/2\n", want: got{Unparsable: 1}},
		"sizes not yet known":      {srvr: "Proposal sizes last/min/max: -1/-1/-1\n", want: got{}},
		"cut":                      {srvr: "Mode: leader\nNode count: 1", want: got{State: "leader"}, err: errTruncated},
		"garbage":                  {srvr: "HTTP/1.1 400 Bad Request\nContent-Type: text\n", want: got{}, err: errGarbage},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSamples(newTable(), testLimits())
			if _, err := readSrvr(strings.NewReader(tc.srvr), s); !errors.Is(err, tc.err) {
				t.Errorf("error %v, want %v", err, tc.err)
			}
			have := got{State: s.state, Zxid: s.zxid, Values: len(shown(s)), Unparsable: s.unparsable}
			if s.version != "" {
				have.Version = versionOf(s.version)
			}
			if diff := cmp.Diff(tc.want, have); diff != "" {
				t.Errorf("samples (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVersionOf(t *testing.T) {
	for text, want := range map[string]string{
		"3.9.3-c26634f34490bb0ea7a09cc51e05ede3b4e320ee, built on 2024-10-17 23:21 UTC": "3.9.3",
		"3.6.1--104dcb3e, built on 04/21/2020 15:01 GMT":                                "3.6.1",
		"3.4.5-cdh4.4.0--1, built on 09/04/2013":                                        "3.4.5",
		"3.10.0-SNAPSHOT-abc":                                                           "3.10.0",
		"v21.11.1.7131-prestable-1":                                                     "21.11.1.7131",
		"":                                                                              "unknown",
		"<html>":                                                                        "unknown",
		strings.Repeat("9", 1000):                                                       "unknown",
	} {
		if got := versionOf(text); got != want {
			t.Errorf("versionOf(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestPeerOf(t *testing.T) {
	for text, want := range map[string][3]string{
		"leading - broadcast":                {"leading", "broadcast", "none"},
		"following - synchronization - diff": {"following", "synchronization", "diff"},
		"observing - broadcast":              {"observing", "broadcast", "none"},
		"looking":                            {"looking", "none", "none"},
		"\xff - \" - {":                      {"unknown", "none", "none"},
	} {
		state, phase, sync := peerOf(text)
		if diff := cmp.Diff(want, [3]string{state, phase, sync}); diff != "" {
			t.Errorf("peerOf(%q) (-want +got):\n%s", text, diff)
		}
	}
}

// FuzzSrvr: whatever a server says, the page can be read by Prometheus.
func FuzzSrvr(f *testing.F) {
	seed(f, fourletter.Srvr)
	f.Add("ClickHouse Keeper version: v23.4.1.1\nZxid: 36\nMode: read-only\n")
	f.Fuzz(func(t *testing.T, reply string) { valid(t, Options{Client: script{fourletter.Srvr: reply}}) })
}
