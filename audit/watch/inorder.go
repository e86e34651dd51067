package watch

import (
	"time"

	"github.com/go-zookeeper/zk"
)

// settled is how long a connection must have lived for the first server to be
// preferred again: one that accepts sessions and fails at once would be tried
// for ever.
const settled = time.Minute

var _ zk.HostProvider = (*InOrder)(nil)

// InOrder makes a client of the library try the servers in the order given,
// beginning with the first after a connection that lived for a minute, and
// leaves names to be resolved by the dial. The library's own provider resolves once, which TLS
// cannot use, and shuffles. Each client needs one of its own.
type InOrder struct {
	Servers []string // host:port; at least one.
	next    int
	since   time.Time // When the last connection succeeded; zero once it was followed up.
}

// Init ignores the list that the library passes: it is shuffled.
func (p *InOrder) Init([]string) error { return nil }

// Len returns the number of servers.
func (p *InOrder) Len() int { return len(p.Servers) }

// Next returns the next server, and whether all were tried.
func (p *InOrder) Next() (server string, retryStart bool) {
	if !p.since.IsZero() {
		if time.Since(p.since) >= settled {
			p.next = 0
		}
		p.since = time.Time{}
	}
	server = p.Servers[p.next%len(p.Servers)]
	retryStart = p.next > 0 && p.next%len(p.Servers) == 0
	p.next++
	return server, retryStart
}

// Connected notes success.
func (p *InOrder) Connected() { p.since = time.Now() }
