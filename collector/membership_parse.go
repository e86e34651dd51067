package collector

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// errNoMembership is returned for servers that belong to an ensemble and don't
// list it: those before ZooKeeper 3.5, any in read-only mode, and ClickHouse Keeper,
// of which it isn't known either if it stands alone.
var errNoMembership = errors.New("the server doesn't list the members of its ensemble")

// plan is what conf says of the ensemble. ZooKeeper 3.5.0 and later list the
// servers, and where they are used the groups and weights, as in zoo.cfg.
type plan struct {
	self       int64  // serverId; 0 of a standalone server.
	port       string // clientPort; "-1" of a server that has only a secure one.
	securePort string // secureClientPort; "-1" or missing without.
	ensemble   bool   // Whether the server belongs to one.
	servers    []planServer
	weights    map[int64]int64
	groups     map[int64]int64 // Server to group.
}

// planServer is a line such as
//
//	server.1=zk-1:2888:3888|zk-1b:2888:3888:participant;0.0.0.0:2181
//
// whose part from the semicolon on is missing where zoo.cfg has a clientPort.
type planServer struct {
	id       int64
	host     string // Of the first quorum address.
	client   string // host:port or port; empty: not said.
	observer bool
}

func planOf(c config) (plan, error) {
	p := plan{
		port: c.values["clientPort"], securePort: c.values["secureClientPort"],
		weights: map[int64]int64{}, groups: map[int64]int64{},
	}
	var err error
	if p.self, err = strconv.ParseInt(c.values["serverId"], 10, 64); err != nil {
		return p, fmt.Errorf("read serverId of conf: %w", err)
	}
	_, p.ensemble = c.values["electionAlg"]
	p.ensemble = p.ensemble || c.keeper
	if err := p.putAll(c.membership); err != nil {
		return p, fmt.Errorf("read membership of conf: %w", err)
	}
	return p, nil
}

// planOfZnode reads what /zookeeper/config holds: the lines that conf has behind
// "membership:". A standalone server has it empty. Which of the servers is asked
// at addr it doesn't say, nor a client port that stands in clientPort, so that
// the port of addr is assumed of all.
func planOfZnode(text []byte, addr string) (plan, error) {
	p := plan{weights: map[int64]int64{}, groups: map[int64]int64{}}
	if len(bytes.TrimSpace(text)) == 0 {
		return p, nil
	}
	p.self, p.ensemble = -1, true
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return p, fmt.Errorf("split address %s: %w", addr, err)
	}
	p.port, p.securePort = port, port
	if len(text) > maxConf {
		return p, fmt.Errorf("read /zookeeper/config: %d bytes are more than %d", len(text), maxConf)
	}
	if err := p.putAll(strings.Fields(string(text))); err != nil {
		return p, fmt.Errorf("read /zookeeper/config: %w", err)
	}
	return p, nil
}

// putAll takes the lines of a membership.
func (p *plan) putAll(lines []string) error {
	if len(lines) > 3*maxMembers+1 {
		return fmt.Errorf("%d lines are more than %d members have", len(lines), maxMembers)
	}
	for _, line := range lines {
		if err := p.put(line); err != nil {
			return fmt.Errorf("line %q: %w", line, err)
		}
	}
	return nil
}

// put takes one line of the membership.
func (p *plan) put(line string) error {
	key, value, _ := strings.Cut(line, "=")
	kind, number, ok := strings.Cut(key, ".")
	if !ok || kind != "server" && kind != "group" && kind != "weight" {
		return nil // The version, or what a later release may add.
	}
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return err
	}
	switch kind {
	case "server":
		p.servers = append(p.servers, serverOf(id, value))
	case "weight":
		p.weights[id], err = strconv.ParseInt(value, 10, 64)
	case "group":
		for text := range strings.SplitSeq(value, ":") {
			server, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return err
			}
			p.groups[server] = id
		}
	}
	return err
}

func serverOf(id int64, value string) planServer {
	peer, client, _ := strings.Cut(value, ";")
	client, _, _ = strings.Cut(client, ";")
	s := planServer{id: id, client: client, observer: strings.HasSuffix(peer, ":observer")}
	first, _, _ := strings.Cut(peer, "|")
	if rest, bracketed := strings.CutPrefix(first, "["); bracketed {
		s.host, _, _ = strings.Cut(rest, "]")
	} else {
		s.host, _, _ = strings.Cut(first, ":")
	}
	return s
}

// membership returns the ensemble as seen by a process that reaches the server
// itself at own, and every server over TLS where secure is set. A standalone
// server is an ensemble of one.
func (p plan) membership(own string, secure bool) (membership, error) {
	m := membership{self: p.self}
	if len(p.servers) == 0 {
		if p.ensemble {
			return membership{}, errNoMembership
		}
		m.members = []Member{{ID: p.self, Addr: own, Weight: 1}}
		return m, m.check()
	}
	for _, server := range p.servers {
		member := Member{ID: server.id, Observer: server.observer, Weight: 1}
		if len(p.groups) > 0 {
			group, grouped := p.groups[server.id]
			member.Group = group
			if weight, ok := p.weights[server.id]; ok {
				member.Weight = weight
			}
			if !grouped {
				member.Weight = 0 // QuorumHierarchical passes over servers without a group.
			}
		}
		if server.id == p.self {
			member.Addr = own
		} else {
			member.Addr, member.Guessed = p.locate(server, secure)
		}
		m.members = append(m.members, member)
	}
	return m, m.check()
}

// locate returns where another server answers words. What conf lists is the
// plain port; the secure one is nobody's to tell, and neither is a plain one that
// stands in clientPort. Servers on hosts of their own are configured alike, so
// the port of this one is assumed of them; where hosts are shared it can't be.
func (p plan) locate(server planServer, secure bool) (addr string, guessed bool) {
	host, port := server.host, p.port
	if server.client != "" {
		clientHost, clientPort, err := net.SplitHostPort(server.client)
		if err != nil {
			clientHost, clientPort = "", server.client
		}
		if ip := net.ParseIP(clientHost); clientHost != "" && (ip == nil || !ip.IsUnspecified()) {
			host = clientHost
		}
		if !secure {
			return join(host, clientPort), false
		}
	}
	if secure && checkPort(p.securePort) == nil {
		port = p.securePort
	}
	hosts := map[string]bool{}
	for _, s := range p.servers {
		hosts[s.host] = true
	}
	if len(hosts) < len(p.servers) {
		return "", false
	}
	addr = join(host, port)
	return addr, addr != ""
}

// join returns host:port, or nothing where one of them can't be dialled.
func join(host, port string) string {
	if host == "" || checkPort(port) != nil {
		return ""
	}
	return net.JoinHostPort(host, port)
}

func checkPort(port string) error {
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("port %q is not a number from 1 to 65535", port)
	}
	return nil
}

func cutMember(text string) (id int64, addr string, ok bool) {
	number, addr, ok := strings.Cut(text, "=")
	id, err := strconv.ParseInt(number, 10, 64)
	return id, addr, ok && err == nil && id >= 0
}
