package collector

import (
	"bytes"
	"cmp"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"zkwarden/internal/fourletter"
)

// otherClients is the label value of all addresses beyond Options.ConsTop.
const otherClients = "other"

// maxAddresses is how many client addresses are told apart; those that come
// later in the reply are counted together.
const maxAddresses = 20_000

// connections is what cons says, summed up. No session id is kept: with its
// password, an id is the session.
type connections struct {
	clients     map[netip.Addr]int
	beyond      int // Connections of addresses that are not told apart.
	sessionless int
	queued      int64
	queues      bool      // Whether queued is told; ClickHouse Keeper doesn't.
	latency     int64     // Milliseconds.
	oldest      time.Time // Zero: no session.
}

// readCons reads a reply to cons: one line a connection. The last line is blank.
func readCons(r io.Reader, s *samples, _ string) (int, error) {
	all := connections{clients: map[netip.Addr]int{}}
	lines := 0
	err := eachLine(r, func(line []byte) {
		switch line = bytes.TrimSpace(line); {
		case len(line) == 0:
		case all.take(line):
			lines++
		default:
			s.unparsable++
		}
	}, func() { s.unparsable++ })
	if err == nil && lines == 0 {
		// The connection that asks is always among them.
		err = errGarbage
	}
	if err != nil {
		return lines, err
	}
	all.put(s, time.Now())
	return lines, nil
}

// take reads one line and tells whether it is a connection.
func (c *connections) take(line []byte) bool {
	one, ok := fourletter.ParseConnection(line)
	if !ok {
		return false
	}
	addr := one.Peer.Addr().WithZone("")
	if _, known := c.clients[addr]; known || len(c.clients) < maxAddresses {
		c.clients[addr]++
	} else {
		c.beyond++
	}
	if one.Session == 0 {
		c.sessionless++
	}
	if one.Queued >= 0 {
		c.queued, c.queues = c.queued+one.Queued, true
	}
	c.latency = max(c.latency, one.MaxLatency)
	if at := one.Established; !at.IsZero() && (c.oldest.IsZero() || at.Before(c.oldest)) {
		c.oldest = at
	}
	return true
}

// put adds the sums to s.
func (c *connections) put(s *samples, now time.Time) {
	addrs := slices.SortedFunc(maps.Keys(c.clients), func(a, b netip.Addr) int {
		return cmp.Or(cmp.Compare(c.clients[b], c.clients[a]), a.Compare(b))
	})
	number := func(key string, v int64) { s.putOf(fourletter.Cons, key, strconv.FormatInt(v, 10)) }
	number("clients", int64(len(addrs)))
	number("sessionless", int64(c.sessionless))
	if c.queues {
		number("queued", c.queued)
	}
	number("latency", c.latency)
	if !c.oldest.IsZero() {
		number("oldest", max(0, now.Sub(c.oldest).Milliseconds()))
	}
	if len(addrs) > 0 {
		number("largest", int64(c.clients[addrs[0]]))
	}
	rest := c.beyond
	for i, addr := range addrs {
		if i < s.limits.consTop {
			s.putEntry(fourletter.Cons, "connections", addr.String(), float64(c.clients[addr]))
		} else {
			rest += c.clients[addr]
		}
	}
	if rest > 0 {
		s.putEntry(fourletter.Cons, "connections", otherClients, float64(rest))
	}
}
