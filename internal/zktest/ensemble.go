package zktest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
)

// The modes that a server names in its answer to srvr.
const (
	ModeLeader     = "leader"
	ModeFollower   = "follower"
	ModeObserver   = "observer"
	ModeStandalone = "standalone"
	ModeReadOnly   = "read-only"
)

// Ensemble is a set of servers that know each other, or one that stands alone.
type Ensemble struct {
	servers []*Server
	spawner *spawner
	remove  string // a directory of our own, "" if the caller named one
	close   sync.Once
	opts    Options
	version string
}

// Servers are all servers in the order of their ids, killed ones included.
func (e *Ensemble) Servers() []*Server { return append([]*Server(nil), e.servers...) }

// Server is the one with the id, 1 and up. It panics when there is none.
func (e *Ensemble) Server(id int) *Server { return e.servers[id-1] }

// Version is the version that was started. It differs from the one that was
// asked for when Debian's package stands in for Default.
func (e *Ensemble) Version() string { return e.version }

// Addrs are the plain client addresses of all servers, host:port.
func (e *Ensemble) Addrs() []string {
	var addrs []string
	for _, s := range e.servers {
		addrs = append(addrs, s.Addr())
	}
	return addrs
}

// WaitServing returns when every server that is not killed or paused serves
// with a quorum and, in an ensemble, one of them leads: after the death of a
// leader that is when the next one is elected. A read-only server does not
// count as serving. Servers must have srvr whitelisted, which 3.5.3 and later
// always have.
func (e *Ensemble) WaitServing(ctx context.Context) error {
	return until(ctx, "the ensemble serves", func() error {
		_, err := e.roles(ctx)
		return err
	})
}

// Leader waits for the ensemble to serve and returns the server that leads it,
// or the one that stands alone.
func (e *Ensemble) Leader(ctx context.Context) (*Server, error) {
	servers, err := e.inRole(ctx, ModeLeader, ModeStandalone)
	if err != nil {
		return nil, err
	}
	return servers[0], nil
}

// Followers waits for the ensemble to serve and returns the voters that follow.
func (e *Ensemble) Followers(ctx context.Context) ([]*Server, error) {
	return e.inRole(ctx, ModeFollower)
}

func (e *Ensemble) inRole(ctx context.Context, modes ...string) ([]*Server, error) {
	var found []*Server
	err := until(ctx, "the ensemble serves", func() error {
		roles, err := e.roles(ctx)
		if err != nil {
			return err
		}
		found = nil
		for _, s := range e.servers {
			for _, mode := range modes {
				if roles[s] == mode {
					found = append(found, s)
				}
			}
		}
		return nil
	})
	return found, err
}

// roles asks every running server for its mode; an error says who does not
// serve, or that nobody leads.
func (e *Ensemble) roles(ctx context.Context) (map[*Server]string, error) {
	roles := map[*Server]string{}
	for _, s := range e.servers {
		if !s.running() {
			continue
		}
		if err := s.alive(); err != nil {
			return nil, &permanentError{err}
		}
		mode, err := s.Mode(ctx)
		if err != nil {
			return nil, err
		}
		roles[s] = mode
	}
	if e.opts.Config["leaderServes"] == "no" {
		revealLeader(roles)
	}
	return roles, whole(roles)
}

// whole tells what the running servers lack for an ensemble that serves.
func whole(roles map[*Server]string) error {
	leaders := 0
	for s, mode := range roles {
		switch mode {
		case "", ModeReadOnly:
			return fmt.Errorf("server %d does not serve", s.id)
		case ModeLeader, ModeStandalone:
			leaders++
		}
	}
	if leaders != 1 {
		return fmt.Errorf("%d of %d running servers lead", leaders, len(roles))
	}
	return nil
}

// revealLeader finds the leader that leaves clients to its followers: it is the
// only voter that says that it does not serve.
func revealLeader(roles map[*Server]string) {
	var silent []*Server
	for s, mode := range roles {
		if mode == "" && !s.observer {
			silent = append(silent, s)
		}
	}
	if len(silent) == 1 && len(roles) > 1 {
		roles[silent[0]] = ModeLeader
	}
}

// Close kills all servers, reaps them and removes what Launch made. Closing
// twice is allowed.
func (e *Ensemble) Close() error {
	var err error
	e.close.Do(func() {
		for _, s := range e.servers {
			s.Kill()
		}
		e.spawner.close()
		if e.remove != "" {
			err = os.RemoveAll(e.remove)
		}
	})
	if err != nil {
		return fmt.Errorf("remove ensemble: %w", err)
	}
	return nil
}

// lostPort tells whether any server found a port taken.
func (e *Ensemble) lostPort() bool {
	for _, s := range e.servers {
		if s.lostPort() {
			return true
		}
	}
	return false
}

// errPortTaken ends an attempt to launch; the next one takes other ports.
var errPortTaken = errors.New("a port was taken by somebody else")
