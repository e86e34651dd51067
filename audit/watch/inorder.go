package watch

import "github.com/go-zookeeper/zk"

var _ zk.HostProvider = (*InOrder)(nil)

// InOrder makes a client of the library try the servers in the order given,
// beginning with the first after every successful connect, and leaves names to
// be resolved by the dial. The library's own provider resolves once, which TLS
// cannot use, and shuffles. Each client needs one of its own.
type InOrder struct {
	Servers []string // host:port; at least one.
	next    int
}

// Init ignores the list that the library passes: it is shuffled.
func (p *InOrder) Init([]string) error { return nil }

// Len returns the number of servers.
func (p *InOrder) Len() int { return len(p.Servers) }

// Next returns the next server, and whether all were tried.
func (p *InOrder) Next() (server string, retryStart bool) {
	server = p.Servers[p.next%len(p.Servers)]
	retryStart = p.next > 0 && p.next%len(p.Servers) == 0
	p.next++
	return server, retryStart
}

// Connected notes success: the next connect begins with the first server.
func (p *InOrder) Connected() { p.next = 0 }
