package fourletter

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseConnection(t *testing.T) {
	const session = "(queued=2,recved=7,sent=7,sid=0x300000dbced0000,lop=PING,est=1795341889544,to=10000,lcxid=0x4,lzxid=0x3,lresp=9,llat=0,minlat=0,avglat=5,maxlat=18)"
	const bare = "(queued=0,recved=1,sent=0)"
	whole := func(peer string) Connection {
		return Connection{
			Peer: netip.MustParseAddrPort(peer), Session: 0x300000dbced0000,
			Established: time.UnixMilli(1795341889544), Queued: 2, MaxLatency: 18,
		}
	}
	sessionless := func(peer string) Connection { return Connection{Peer: netip.MustParseAddrPort(peer)} }
	for line, want := range map[string]Connection{
		" /10.0.0.7:48582[1]" + session:               whole("10.0.0.7:48582"),
		" /10.0.0.7:48582[1]" + session + "\r":        whole("10.0.0.7:48582"),
		" /10.0.0.7:48582[0]" + bare:                  sessionless("10.0.0.7:48582"),
		" /[0:0:0:0:0:0:0:1]:48582[1]" + session:      whole("[::1]:48582"),
		" /0:0:0:0:0:0:0:1:48582[1]" + session:        whole("[::1]:48582"),
		" /[fe80:0:0:0:0:0:0:2%eth0]:3[1]" + session:  whole("[fe80::2%eth0]:3"),
		" /fe80:0:0:0:0:0:0:2%2:3[1]" + session:       whole("[fe80::2%2]:3"),
		" /[::ffff:10.0.0.7]:4[1]" + bare:             sessionless("10.0.0.7:4"),
		" client.example.com/10.0.0.7:4[1]" + session: whole("10.0.0.7:4"),
		" localhost/[0:0:0:0:0:0:0:1]:4[1]" + session: whole("[::1]:4"),
		" /10.0.0.7:4[1](queued=0,recved=1,sent=1,sid=0xffffffffffffffff)": {
			Peer: netip.MustParseAddrPort("10.0.0.7:4"), Session: 1<<64 - 1,
		},
		" /10.0.0.7:4[1](queued=-1,recved=1,sid=0x8000000000000001,est=-5)": {
			Peer: netip.MustParseAddrPort("10.0.0.7:4"), Session: 1<<63 + 1,
		},
		// ClickHouse Keeper.
		" 10.0.0.7:52852(recved=0,sent=0)": {Peer: netip.MustParseAddrPort("10.0.0.7:52852"), Queued: -1},
		" [::1]:52042(recved=24,sent=48,sid=0x2,lop=List,est=1660000000000,maxlat=11)": {
			Peer: netip.MustParseAddrPort("[::1]:52042"), Session: 2, Established: time.UnixMilli(1660000000000), Queued: -1, MaxLatency: 11,
		},
	} {
		got, ok := ParseConnection([]byte(line))
		if diff := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); !ok || diff != "" {
			t.Errorf("%q: %t %s", line, ok, diff)
		}
	}
	for _, line := range []string{
		"", " ", "()", "imok", " null[1]" + session, " /10.0.0.7[1]" + session, " /10.0.0.7:[1]" + session,
		" /10.0.0.7:65536[1]" + session, " /10.0.0.7:-1[1]" + session, " /evil\"name:1[1]" + session,
		" /10.0.0.7:48582[1]" + strings.TrimSuffix(session, ")"), // Cut.
		" /10.0.0.7:48582[1](sid=3)", " /10.0.0.7:48582[1](sid=0x)", " /10.0.0.7:48582[1](sid=0xg)",
		" /10.0.0.7:48582[1](sid=-0x3)", " /10.0.0.7:48582[1](sid=0x-3)", " /10.0.0.7:48582[1](sid=0x1ffffffffffffffff)",
	} {
		if got, ok := ParseConnection([]byte(line)); ok {
			t.Errorf("%q is taken for %+v", line, got)
		}
	}
}

// What is read from a line, whatever it is, is an address and can be said in
// another line that reads the same.
func FuzzParseConnection(f *testing.F) {
	f.Add([]byte(" /10.0.0.7:48582[1](queued=2,recved=7,sent=7,sid=0x300000dbced0000,lop=PING,est=1795341889544,to=10000,maxlat=18)"))
	f.Add([]byte(" /[fe80:0:0:0:0:0:0:2%eth0]:3[1](queued=0,recved=1,sent=0)"))
	f.Add([]byte(" host/0:0:0:0:0:0:0:1:2[1](sid=0xffffffffffffffff)"))
	f.Add([]byte(" [::1]:52042(recved=24,sent=48,sid=0x2,lop=List,est=1660000000000,maxlat=11)"))
	f.Fuzz(func(t *testing.T, line []byte) {
		got, ok := ParseConnection(line)
		if !ok {
			return
		}
		if !got.Peer.IsValid() || got.Peer.Addr().Is4In6() {
			t.Fatalf("%q is from %v", line, got.Peer)
		}
		again := fmt.Sprintf(" /%s[1](maxlat=%d", got.Peer, got.MaxLatency)
		if got.Queued >= 0 {
			again += fmt.Sprintf(",queued=%d", got.Queued)
		}
		if got.Session != 0 {
			again += fmt.Sprintf(",sid=0x%x", got.Session)
		}
		if !got.Established.IsZero() {
			again += fmt.Sprintf(",est=%d", got.Established.UnixMilli())
		}
		if second, ok := ParseConnection([]byte(again + ")")); !ok || second != got {
			t.Fatalf("%q is %+v, and %q is %+v, %t", line, got, again, second, ok)
		}
	})
}
