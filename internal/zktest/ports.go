package zktest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports come from below the range that Linux gives to outgoing connections
// (32768 and up), so that a server finds its own free when it is restarted.
const (
	firstPort = 12000
	lastPort  = 32000
)

// ports of one server. All are chosen, whether its options use them or not.
type ports struct {
	client, quorum, election, secure, admin, metrics int
}

// portPicker hands out each free port once.
type portPicker map[int]bool

func (p portPicker) pick() (ports, error) {
	var chosen ports
	for _, port := range []*int{
		&chosen.client, &chosen.quorum, &chosen.election, &chosen.secure, &chosen.admin, &chosen.metrics,
	} {
		free, err := p.free()
		if err != nil {
			return ports{}, err
		}
		*port = free
	}
	return chosen, nil
}

func (p portPicker) free() (int, error) {
	for range 1000 {
		port := firstPort + rand.IntN(lastPort-firstPort)
		if p[port] {
			continue
		}
		listener, err := net.Listen("tcp", hostPort(port))
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			return 0, fmt.Errorf("close probe of port %d: %w", port, err)
		}
		p[port] = true
		return port, nil
	}
	return 0, fmt.Errorf("no free port found between %d and %d", firstPort, lastPort)
}

func hostPort(port int) string {
	return net.JoinHostPort(loopback, strconv.Itoa(port))
}
