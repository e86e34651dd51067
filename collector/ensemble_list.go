package collector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/go-kit/log/level"

	"zkwarden/internal/fourletter"
)

const (
	// membershipInterval is how long a list of members is believed before the
	// server is asked again. Reconfigurations are rare, and conf costs a connection.
	membershipInterval = time.Minute
	// znodeInterval is the same for the list in /zookeeper/config, which costs a
	// session, and so two writes of the ensemble.
	znodeInterval = 10 * time.Minute
)

// ConfigReader reads /zookeeper/config from the server, where ZooKeeper 3.5.0
// and later list the members. It needs a session, which ends before it returns.
type ConfigReader interface {
	ReadConfig(ctx context.Context) ([]byte, error)
}

// memberList is the membership in use and where it comes from.
type memberList struct {
	membership

	source   ListSource
	due      time.Time // When to ask the server for its list again.
	problem  error     // Why it didn't when it was asked last; nil: it did.
	observed bool      // Roles are as answered, not as configured.
}

// ListSource says where a list of members comes from.
type ListSource string

// The sources, in the order of ListSources.
const (
	FromFlags  ListSource = "flags"  // --ensemble.member alone.
	FromServer ListSource = "server" // conf, with the addresses of the flags.
	FromZnode  ListSource = "znode"  // /zookeeper/config, with the addresses of the flags.
	Remembered ListSource = "state"  // The state file.
	NoSource   ListSource = "none"   // Nothing is known.
)

// ListSources returns every source there is, always in the same order.
func ListSources() []ListSource {
	return []ListSource{FromFlags, FromServer, FromZnode, Remembered, NoSource}
}

func (e *Ensemble) members() memberList {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.list
}

// refresh asks the server for its list. Without quorum, which is when the list
// matters most, it doesn't tell, and the last good one stays.
func (e *Ensemble) refresh(ctx context.Context) {
	fresh, source, err := e.fetch(ctx)
	if err != nil {
		e.keepList(err)
		return
	}
	interval := membershipInterval
	if source == FromZnode {
		interval = znodeInterval
	}
	e.mu.Lock()
	e.list = memberList{membership: fresh, source: source, due: time.Now().Add(interval)}
	e.mu.Unlock()
	if fresh.equal(e.saved) {
		return
	}
	level.Info(e.options.Logger).Log("msg", "members of the ensemble are known", "members", len(fresh.members), "voters", fresh.voters())
	if err := e.remember(fresh); err != nil {
		level.Warn(e.options.Logger).Log("msg", "members of the ensemble would be forgotten at a restart", "err", err)
		return
	}
	e.saved = fresh
}

// keepList notes why the server doesn't tell its list. What only a restart of the
// server can change is asked again at leisure, the rest with the next round.
func (e *Ensemble) keepList(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list.problem = err
	reason, _ := fourletter.ReasonOf(err)
	if reason == fourletter.NotWhitelisted || errors.Is(err, errNoMembership) {
		e.list.due = time.Now().Add(membershipInterval)
	}
}

// fetch asks for conf, and where that is not whitelisted for /zookeeper/config.
func (e *Ensemble) fetch(ctx context.Context) (membership, ListSource, error) {
	m, err := e.fromConf(ctx)
	source := FromServer
	if reason, _ := fourletter.ReasonOf(err); reason == fourletter.NotWhitelisted && e.options.Config != nil {
		source = FromZnode
		var problem error
		if m, problem = e.fromZnode(ctx); problem == nil {
			err = nil
		} else {
			err = fmt.Errorf("%w; %w", err, problem)
		}
	}
	if err != nil {
		return membership{}, NoSource, err
	}
	m, err = m.withAddresses(e.options.Members)
	return m, source, err
}

func (e *Ensemble) fromConf(ctx context.Context) (membership, error) {
	reply, err := e.options.Client.Open(ctx, e.options.Addr, fourletter.Conf)
	if err != nil {
		return membership{}, err
	}
	defer reply.Close()
	c, err := readConf(reply)
	if err != nil {
		return membership{}, err
	}
	p, err := planOf(c)
	if err != nil {
		return membership{}, err
	}
	return p.membership(e.options.Addr, e.options.Secure)
}

func (e *Ensemble) fromZnode(ctx context.Context) (membership, error) {
	text, err := e.options.Config.ReadConfig(ctx)
	if err != nil {
		return membership{}, err
	}
	p, err := planOfZnode(text, e.options.Addr)
	if err != nil {
		return membership{}, err
	}
	return p.membership(e.options.Addr, e.options.Secure)
}
