package collector

import (
	"time"

	"zkwarden/internal/fourletter"
)

// Status is what the last round found, for people.
type Status struct {
	Addr  string
	At    time.Time // When the round ended; zero: there was none yet.
	Took  time.Duration
	Up    bool // The server answered something.
	State State

	// SilentLeader is set when the server, which says that it serves nobody, leads
	// all the same (leaderServes=no), so that this is no lost quorum.
	SilentLeader bool

	Version string // Empty: not said.
	Words   []WordStatus
}

// WordStatus is what became of one word.
type WordStatus struct {
	Word   string
	Took   time.Duration
	Reason fourletter.Reason // Empty: it was answered.
	Detail string            // The error; empty: it was answered.
	Advice string            // What to change, in plain words; empty: nothing.
}

// LastRound returns what the last round found. It doesn't ask the server.
func (c *Collector) LastRound() Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

func (c *Collector) status(v view, all *samples, start time.Time) Status {
	s := Status{
		Addr: c.options.Addr, At: time.Now(), Took: time.Since(start), Up: v.up(), State: v.state(all),
		SilentLeader: all.leads,
	}
	if all.version != "" {
		s.Version = versionOf(all.version)
	}
	for _, word := range c.words {
		o, asked := v[word]
		if !asked {
			continue
		}
		w := WordStatus{Word: word.String(), Took: o.took, Reason: o.reason(), Advice: advice(o.reason())}
		if o.err != nil {
			w.Detail = o.err.Error()
		}
		if o.reason() == fourletter.NotServing && s.SilentLeader {
			w.Advice = silentAdvice
		}
		s.Words = append(s.Words, w)
	}
	return s
}

// silentAdvice is for words that a leader with leaderServes=no refuses.
const silentAdvice = "The server leads and serves no clients itself, as leaderServes=no wants it; nothing is wrong."

// advice says what to change when a word fails for this reason.
func advice(reason fourletter.Reason) string {
	switch reason {
	case fourletter.Refused:
		return "Nothing listens at this address: start ZooKeeper, or set --zookeeper.address to its client port."
	case fourletter.Timeout:
		return "The server is stuck or slow, or this is its TLS port: look at its log, or set --zookeeper.tls."
	case fourletter.TLS:
		return "The two sides don't agree on TLS: check --zookeeper.tls, its certificate files, and the port; " +
			"a server that isn't serving yet may also drop handshakes."
	case fourletter.EmptyReply:
		return "The server hung up: it may be starting, not serving, or at its limit of connections (maxClientCnxns, maxCnxns); " +
			"ClickHouse Keeper hangs up on words that its four_letter_word_allow_list lacks."
	case fourletter.Truncated:
		return "The reply was cut: the server may be changing its role; look at its log if this lasts."
	case fourletter.TooLarge:
		return "The reply is too long: the server has very many namespaces; they go when it restarts."
	case fourletter.NotWhitelisted:
		return "Add 4lw.commands.whitelist=mntr,srvr,conf,isro,wchs,dirs,envi to zoo.cfg, with cons where it is asked, and restart the server."
	case fourletter.NotServing:
		return "The server has no quorum, or is a leader with leaderServes=no: check that a majority of the voters is up."
	case fourletter.Unparsable:
		return "What answers is not ZooKeeper: check the address."
	}
	return ""
}
