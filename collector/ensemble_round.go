package collector

import (
	"context"
	"errors"
	"sync"
	"time"

	"zkwarden/internal/fourletter"
)

// ensembleRound is one asking of all members, shared by every scrape that comes
// while it lasts.
type ensembleRound struct {
	done chan struct{} // Closed when nothing more will come.

	mu      sync.Mutex
	list    memberList
	hint    hint
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
	v := ensembleView{list: r.list, hint: r.hint}
	for i, a := range r.answers {
		v.members = append(v.members, memberView{r.list.members[i], a})
	}
	return v
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
