package collector

import (
	"errors"
	"sync"
	"time"

	"zkwarden/internal/fourletter"
)

// outcome is what became of one word.
type outcome struct {
	word  fourletter.Word
	took  time.Duration
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

// words returns the words that a round can ask, in the order of the page.
func words() []fourletter.Word {
	return []fourletter.Word{fourletter.Mntr, fourletter.Srvr, fourletter.Ruok}
}

// round is one asking of all words, shared by every scrape that comes while it
// lasts. Its outcomes arrive one by one, so that a scrape whose time is up can
// still show what came in time.
type round struct {
	done chan struct{} // Closed when nothing more will come.

	mu       sync.Mutex
	outcomes []outcome
}

func (r *round) put(o outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes = append(r.outcomes, o)
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
	for _, word := range []fourletter.Word{fourletter.Mntr, fourletter.Srvr} {
		if _, ok := v[word]; !ok {
			v[word] = outcome{word: word, err: &fourletter.Error{
				Word: word, Addr: addr, Reason: fourletter.Timeout, Err: errors.New("not answered within the time of the scrape"),
			}}
		}
	}
}

// said returns what all words said together. mntr goes first; srvr, which can't
// be forbidden, fills in what mntr left out.
func (v view) said(t *table) *samples {
	all := newSamples(t)
	for _, word := range words() {
		if said := v[word].said; said != nil {
			all.fill(said)
		}
	}
	return all
}

// state returns the role of the server. One word that says it isn't serving
// outweighs another that names a role: better late than a leader too many.
func (v view) state(all *samples) State {
	for _, o := range v {
		if o.reason() == fourletter.NotServing {
			return NotServing
		}
	}
	return stateOf(all.state)
}
