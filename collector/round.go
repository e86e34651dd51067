package collector

import (
	"context"
	"errors"
	"sync"
	"time"

	"zkwarden/internal/fourletter"
)

// outcome is what became of one word.
type outcome struct {
	word  fourletter.Word
	asked time.Time
	took  time.Duration     // 0: not asked to its end.
	err   *fourletter.Error // nil: the word was answered.
	heard bool              // The server answered with a text of its own, a refusal included.
	said  *samples          // nil: nothing.
}

func (o outcome) reason() fourletter.Reason {
	if o.err == nil {
		return ""
	}
	return o.err.Reason
}

// state returns the role that the answer alone tells.
func (o outcome) state() State {
	if o.said == nil {
		return Unknown
	}
	return stateOf(o.said.state)
}

// everyRound returns the words that every round asks.
func everyRound() []fourletter.Word {
	return []fourletter.Word{fourletter.Mntr, fourletter.Srvr}
}

// round is one asking of all words, shared by every scrape that comes while it
// lasts. Its outcomes arrive one by one, so that a scrape whose time is up can
// still show what came in time.
type round struct {
	done chan struct{} // Closed when nothing more will come.

	mu       sync.Mutex
	outcomes []outcome
	all      *samples // What all words said together; nil until the round is done.
}

func (r *round) put(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes = append(r.outcomes, o)
}

// end keeps what the words said together. Nothing more is put.
func (r *round) end(all *samples) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = all
}

// view returns the outcomes so far.
func (r *round) view() view {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := view{}
	for _, o := range r.outcomes {
		v[o.word] = o
	}
	return v
}

// run asks the words of one round. None of them waits for another that hangs:
// the slow words begin as soon as mntr or srvr has told what the server is, and
// ruok, which answers even where nothing else does and costs a connection, when
// both have failed or half of the time has passed without a word of either.
func (c *Collector) run(r *round) {
	start := time.Now()
	ctx, cancel := context.WithTimeout(c.ctx, c.options.Timeout)
	defer cancel()
	half := time.NewTimer(c.options.Timeout / 2)
	defer half.Stop()
	var asked sync.WaitGroup
	told := make(chan outcome, len(everyRound()))
	for _, word := range everyRound() {
		asked.Go(func() {
			o := c.ask(ctx, word, "")
			r.put(o)
			told <- o
		})
	}
	slow, ruok := false, false
	askRuok := func() {
		if !ruok && ctx.Err() == nil && !r.view().up() {
			ruok = true
			asked.Go(func() { r.put(c.ask(ctx, fourletter.Ruok, "")) })
		}
	}
	for waiting := len(everyRound()); waiting > 0; {
		select {
		case o := <-told:
			waiting--
			if state := o.state(); !slow && state.Serving() {
				slow = true
				c.askSlow(ctx, r, &asked, lastKnown{state, o.said.version})
			}
		case <-half.C:
			askRuok()
		}
	}
	askRuok()
	asked.Wait()
	c.finish(ctx, r, start)
}

// view holds the outcomes of a round, as far as they are known.
type view map[fourletter.Word]outcome

// up tells whether the server answered any word with a text of its own.
func (v view) up() bool {
	for _, o := range v {
		if o.heard {
			return true
		}
	}
	return false
}

// expire gives a timeout to each word that is asked in every round and has no
// outcome, because the scrape can't wait for it.
func (v view) expire(addr string) {
	for _, word := range everyRound() {
		if _, ok := v[word]; !ok {
			v[word] = outcome{word: word, err: &fourletter.Error{
				Word: word, Addr: addr, Reason: fourletter.Timeout, Err: errors.New("not answered within the time of the scrape"),
			}}
		}
	}
}

// outcome returns what there is of the round, and what the words said together.
func (c *Collector) outcome(r *round) (view, *samples) {
	r.mu.Lock()
	all := r.all
	r.mu.Unlock()
	v := r.view()
	if all == nil {
		v.expire(c.options.Addr)
		all = c.said(v)
	}
	return v, all
}

// said returns what all words said together. mntr goes first; srvr, which can't
// be forbidden, fills in what mntr left out, and so on. What slow words said of a
// server that serves nobody now is out of date.
func (c *Collector) said(v view) *samples {
	all := newSamples(c.table, c.limits)
	for _, word := range everyRound() {
		if said := v[word].said; said != nil {
			all.fill(said)
		}
	}
	if !v.state(all).Serving() {
		return all
	}
	for _, word := range c.options.Words {
		if said := v[word].said; said != nil {
			all.fill(said)
		}
	}
	return all
}

// state returns the role of the server. One word that says it isn't serving
// outweighs another that names a role: better late than a leader too many. Words
// that are kept from an earlier round have no say.
func (v view) state(all *samples) State {
	for _, word := range everyRound() {
		if v[word].reason() == fourletter.NotServing {
			return NotServing
		}
	}
	return stateOf(all.state)
}
