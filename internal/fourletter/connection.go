package fourletter

import (
	"bytes"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Connection is what a line of the reply to cons says about one connection.
type Connection struct {
	Peer        netip.AddrPort // Where the client is, never IPv4 in IPv6.
	Session     uint64         // Zero: the connection has none.
	Established time.Time      // When it was made, by the server's clock; zero: not told.
	Queued      int64          // Requests that wait; negative: not told, as by ClickHouse Keeper.
	MaxLatency  int64          // Milliseconds.
}

// ParseConnection reads one line of the reply to cons, and tells whether it is
// one (ZooKeeper 3.4 to 3.9 and ClickHouse Keeper):
//
//	/10.0.0.7:48582[1](queued=0,recved=7,sent=7,sid=0x3,lop=PING,est=1795341889544,...,maxlat=18)
//
// A connection without a session stops after sent. Of a line that is cut there
// is no parenthesis at the end, so that it is none.
func ParseConnection(line []byte) (Connection, bool) {
	peer, fields, ok := bytes.Cut(bytes.TrimSpace(line), []byte("("))
	fields, closed := bytes.CutSuffix(fields, []byte(")"))
	if !ok || !closed {
		return Connection{}, false
	}
	c := Connection{Queued: -1}
	var err error
	if c.Peer, err = parsePeer(string(peer)); err != nil {
		return Connection{}, false
	}
	for field := range bytes.SplitSeq(fields, []byte(",")) {
		key, value, _ := bytes.Cut(field, []byte("="))
		switch string(key) {
		case "sid":
			digits, prefixed := bytes.CutPrefix(value, []byte("0x"))
			if c.Session, err = strconv.ParseUint(string(digits), 16, 64); err != nil || !prefixed {
				return Connection{}, false
			}
		case "queued":
			c.Queued = count(value)
		case "maxlat":
			c.MaxLatency = count(value)
		case "est":
			if ms := count(value); ms > 0 {
				c.Established = time.UnixMilli(ms)
			}
		}
	}
	return c, true
}

// parsePeer reads /10.0.0.7:48582[1], where [1] are the events that the server
// waits for. Java prints IPv6 with or without brackets, depending on its
// release, and a name before the slash when it has looked it up.
func parsePeer(text string) (netip.AddrPort, error) {
	text = text[strings.LastIndexByte(text, '/')+1:]
	if i := strings.LastIndexByte(text, '['); i > 0 {
		text = text[:i]
	}
	host, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i >= 0 {
		host, port = text[:i], text[i+1:]
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"))
	if err != nil {
		return netip.AddrPort{}, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), err
}

// count returns 0 for what is no number or a negative one.
func count(text []byte) int64 {
	v, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0
	}
	return max(0, v)
}
