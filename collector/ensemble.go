package collector

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	dto "github.com/prometheus/client_model/go"

	"zkwarden/internal/fourletter"
)

const (
	// DefaultEnsembleTimeout bounds a round where [EnsembleOptions.Timeout] is 0.
	DefaultEnsembleTimeout = time.Second
	// membershipInterval is how long a list of members is believed before the
	// server is asked again. Reconfigurations are rare, and conf costs a connection.
	membershipInterval = time.Minute
)

// EnsembleOptions describes whose members an [Ensemble] asks.
type EnsembleOptions struct {
	Addr      string // host:port of the server beside this process.
	Client    Asker
	Secure    bool          // Client speaks TLS, so that members are asked on their secure ports.
	Timeout   time.Duration // Of a round, and so of each member; 0: DefaultEnsembleTimeout.
	Members   []Member      // Ids and addresses that are known beforehand; they win over what the server says.
	StateFile string        // Where the last good list of members survives a restart; empty: nowhere.
	Logger    log.Logger
}

// Ensemble asks every member of an ensemble for its role and zxid, as seen from
// here. It asks nothing on its own: every scrape starts a round, or shares the
// one in flight. Members are asked in parallel, each by its own connection, so
// that one that hangs costs the others nothing. It is safe for concurrent use.
type Ensemble struct {
	options EnsembleOptions

	ctx    context.Context // Of the rounds; ends with Close.
	cancel context.CancelFunc
	rounds sync.WaitGroup

	mu      sync.Mutex
	current *ensembleRound // nil: none in flight.
	last    *ensembleRound // nil: there was none yet.
	list    memberList

	saved membership // What the state file holds; of the one refresh at a time.
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
	Remembered ListSource = "state"  // The state file.
	NoSource   ListSource = "none"   // Nothing is known.
)

// ListSources returns every source there is, always in the same order.
func ListSources() []ListSource { return []ListSource{FromFlags, FromServer, Remembered, NoSource} }

// NewEnsemble returns the view of an ensemble, which the caller closes. It
// doesn't connect. A state file that can't be used is logged and passed over.
func NewEnsemble(o EnsembleOptions) (*Ensemble, error) {
	if _, _, err := net.SplitHostPort(o.Addr); err != nil {
		return nil, fmt.Errorf("parse server address %q: %w", o.Addr, err)
	}
	if o.Timeout < 0 {
		return nil, fmt.Errorf("ensemble timeout %s is negative", o.Timeout)
	}
	if o.Timeout == 0 {
		o.Timeout = DefaultEnsembleTimeout
	}
	e := &Ensemble{options: o}
	flags, err := given(o.Members)
	if err != nil {
		return nil, err
	}
	e.list = memberList{membership: flags, source: NoSource}
	if flags.known() {
		e.list.source, e.list.observed = FromFlags, true
	}
	if err := e.recall(); err != nil {
		level.Warn(o.Logger).Log("msg", "last known members of the ensemble are not used", "err", err)
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e, nil
}

// Close ends the round in flight and waits for its goroutines.
func (e *Ensemble) Close() error {
	e.mu.Lock()
	e.cancel()
	e.mu.Unlock()
	e.rounds.Wait()
	return nil
}

// Gather asks all members and returns what is known when the round or ctx ends,
// whichever is first. The only error is [ErrClosed].
func (e *Ensemble) Gather(ctx context.Context) ([]*dto.MetricFamily, error) {
	r, err := e.look(ctx)
	if err != nil {
		return nil, err
	}
	return r.view().families(), nil
}

// Addresses returns where the members answer words, as far as they are known.
// Where none is, it asks for them, within ctx.
func (e *Ensemble) Addresses(ctx context.Context) []string {
	list := e.members()
	if !list.known() {
		if _, err := e.look(ctx); err == nil {
			list = e.members()
		}
	}
	var all []string
	for _, member := range list.members {
		if member.Addr != "" {
			all = append(all, member.Addr)
		}
	}
	return all
}

// look returns a round that has ended, or as much of it as ctx allows.
func (e *Ensemble) look(ctx context.Context) (*ensembleRound, error) {
	r, err := e.join()
	if err != nil {
		return nil, err
	}
	select {
	case <-r.done:
	case <-ctx.Done():
	}
	return r, nil
}

// join returns the round in flight, or starts one.
func (e *Ensemble) join() (*ensembleRound, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return nil, ErrClosed
	}
	if e.current == nil {
		r := &ensembleRound{done: make(chan struct{}), list: e.list}
		e.current = r
		e.rounds.Go(func() { e.run(r) })
	}
	return e.current, nil
}

// run asks every member, and the server for its list where that is due. The list
// counts from the next round on, unless this one knows nobody to ask.
func (e *Ensemble) run(r *ensembleRound) {
	ctx, cancel := context.WithTimeout(e.ctx, e.options.Timeout)
	defer cancel()
	list := r.list
	var asked sync.WaitGroup
	if !time.Now().Before(list.due) {
		if list.known() {
			asked.Go(func() { e.refresh(ctx) })
		} else {
			e.refresh(ctx)
			list = e.members()
		}
	}
	r.begin(list)
	for i, member := range list.members {
		if member.Addr != "" {
			asked.Go(func() { r.put(i, e.ask(ctx, member)) })
		}
	}
	asked.Wait()
	e.finish(r)
}

func (e *Ensemble) finish(r *ensembleRound) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current, e.last = nil, r
	if e.list.observed && e.ctx.Err() == nil {
		e.observe(r.view())
	}
	close(r.done)
}

// observe takes over who observes from what members say, for lists that don't
// tell. A member that says nothing keeps its last role.
func (e *Ensemble) observe(v ensembleView) {
	e.list.members = slices.Clone(e.list.members) // Rounds hold the old ones.
	for i := range e.list.members {
		for _, m := range v.members {
			if m.ID == e.list.members[i].ID && m.state.Serving() {
				e.list.members[i].Observer = m.state == Observer
			}
		}
	}
}

func (e *Ensemble) members() memberList {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.list
}

// refresh asks the server for its list. Without quorum, which is when the list
// matters most, it doesn't tell, and the last good one stays.
func (e *Ensemble) refresh(ctx context.Context) {
	fresh, err := e.fetch(ctx)
	if err != nil {
		e.keepList(err)
		return
	}
	e.mu.Lock()
	e.list = memberList{membership: fresh, source: FromServer, due: time.Now().Add(membershipInterval)}
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

func (e *Ensemble) fetch(ctx context.Context) (membership, error) {
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
	m, err := p.membership(e.options.Addr, e.options.Secure)
	if err != nil {
		return membership{}, err
	}
	return m.withAddresses(e.options.Members)
}

// memberAnswer is what one member said, or why it didn't.
type memberAnswer struct {
	asked   bool // Whether it has an address.
	up      bool // Whether it said anything of its own.
	state   State
	zxid    uint64
	hasZxid bool
	took    time.Duration
	err     error
}

// ask asks one member for srvr, which can't be forbidden.
func (e *Ensemble) ask(ctx context.Context, member Member) memberAnswer {
	start := time.Now()
	a, err := e.srvr(ctx, member.Addr)
	a.asked, a.took, a.err = true, time.Since(start), err
	if reason, _ := fourletter.ReasonOf(err); reason == fourletter.NotServing {
		a.up, a.state = true, NotServing
	}
	return a
}

func (e *Ensemble) srvr(ctx context.Context, addr string) (memberAnswer, error) {
	a := memberAnswer{state: Unknown}
	reply, err := e.options.Client.Open(ctx, addr, fourletter.Srvr)
	if err != nil {
		return a, err
	}
	defer reply.Close()
	err = eachLine(reply, func(line []byte) {
		if mode, ok := cutLine(line, "Mode: "); ok {
			a.up, a.state = true, stateOf(mode)
		}
		if text, ok := cutLine(line, "Zxid: "); ok {
			a.zxid, a.hasZxid = parseZxid(text)
		}
	}, func() {})
	if err == nil && !a.up {
		err = errGarbage
	}
	return a, err
}

// ensembleRound is one asking of all members, shared by every scrape that comes
// while it lasts.
type ensembleRound struct {
	done chan struct{} // Closed when nothing more will come.

	mu      sync.Mutex
	list    memberList
	answers []memberAnswer // By the order of the list.
}

func (r *ensembleRound) begin(list memberList) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list, r.answers = list, make([]memberAnswer, len(list.members))
	for i, member := range list.members {
		r.answers[i] = memberAnswer{asked: member.Addr != "", state: Unknown}
		if member.Addr != "" {
			r.answers[i].err = errors.New("not answered within the time of the scrape")
		}
	}
}

func (r *ensembleRound) put(i int, a memberAnswer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answers[i] = a
}

// view returns the answers so far.
func (r *ensembleRound) view() ensembleView {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := ensembleView{list: r.list}
	for i, a := range r.answers {
		v.members = append(v.members, memberView{r.list.members[i], a})
	}
	return v
}
