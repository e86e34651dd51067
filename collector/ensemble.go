package collector

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	dto "github.com/prometheus/client_model/go"
)

// DefaultEnsembleTimeout bounds a round where [EnsembleOptions.Timeout] is 0.
const DefaultEnsembleTimeout = time.Second

// EnsembleOptions describes whose members an [Ensemble] asks.
type EnsembleOptions struct {
	Addr      string // host:port of the server beside this process.
	Client    Asker
	Secure    bool          // Client speaks TLS, so that members are asked on their secure ports.
	Timeout   time.Duration // Of a round, and so of each member; 0: DefaultEnsembleTimeout.
	Members   []Member      // Ids and addresses that are known beforehand; they win over what the server says.
	StateFile string        // Where the last good list of members survives a restart; empty: nowhere.
	Config    ConfigReader  // Where the members are read from when conf isn't whitelisted; nil: nowhere.
	Witness   Witness       // Who may know of a leader that serves no clients; nil: nobody.
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
	hint    hint // Of a leader that serves no clients, as the last rounds found it.

	saved membership // What the state file holds; of the one refresh at a time.
}

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
		r := &ensembleRound{done: make(chan struct{}), list: e.list, hint: e.hint}
		e.current = r
		e.rounds.Go(func() { e.run(r) })
	}
	return e.current, nil
}

// run asks every member, and the server for its list where that is due. The list
// counts from the next round on, unless this one knows nobody to ask, or the flags
// alone, which don't tell who votes and who belongs to it.
func (e *Ensemble) run(r *ensembleRound) {
	ctx, cancel := context.WithTimeout(e.ctx, e.options.Timeout)
	defer cancel()
	start, list := time.Now(), r.list
	var listed, consulted sync.WaitGroup
	answered := make(chan struct{})
	if e.options.Witness != nil {
		consulted.Go(func() { e.consult(ctx, r, answered) })
	}
	if !time.Now().Before(list.due) {
		if list.known() {
			listed.Go(func() { e.refresh(ctx) })
		} else {
			e.refresh(ctx)
			list = e.members()
		}
	}
	e.askAll(ctx, r, list)
	listed.Wait()
	// With less than half of the time left, what was heard is better kept.
	if fresh := e.members(); list.source == FromFlags && fresh.source != FromFlags && time.Since(start) < e.options.Timeout/2 {
		e.askAll(ctx, r, fresh)
	}
	close(answered)
	consulted.Wait()
	e.finish(r)
}

func (e *Ensemble) askAll(ctx context.Context, r *ensembleRound, list memberList) {
	var asked sync.WaitGroup
	r.begin(list)
	for i, member := range list.members {
		if member.Addr != "" {
			asked.Go(func() { r.put(i, e.ask(ctx, member)) })
		}
	}
	asked.Wait()
}

// consult asks the witness where the members' answers leave open who leads, or
// which of those that serve nobody. A member that hangs, for which it takes a
// witness most, would leave no time for one, so that half of the time is its own.
func (e *Ensemble) consult(ctx context.Context, r *ensembleRound, answered <-chan struct{}) {
	half := time.NewTimer(e.options.Timeout / 2)
	defer half.Stop()
	select {
	case <-answered:
	case <-half.C:
	}
	if !r.view().open() {
		<-answered
	}
	if r.view().open() {
		e.heed(ctx, r)
	}
}

// heed asks the witness.
func (e *Ensemble) heed(ctx context.Context, r *ensembleRound) {
	who, err := e.options.Witness.Leader(ctx)
	if err != nil {
		return // It is there or it isn't; the metrics say what is known without it.
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if who.Self {
		who.ID = r.list.own(e.options.Addr)
	}
	r.hint = hint{known: who.ID >= 0, fresh: true, id: who.ID}
}

func (e *Ensemble) finish(r *ensembleRound) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.current, e.last = nil, r
	if v := r.view(); e.ctx.Err() == nil {
		e.remind(v)
		if e.list.observed {
			e.observe(v)
		}
	}
	close(r.done)
}

// remind keeps who was found to lead without serving, for the day when a member
// that can't be reached would leave it open, and forgets it when another leads.
func (e *Ensemble) remind(v ensembleView) {
	if _, silent := v.taking(); silent.certain {
		e.hint = hint{known: true, id: silent.id}
	} else if v.count(memberView.leads) > 0 {
		e.hint = hint{}
	}
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
