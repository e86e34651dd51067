package collector

import (
	"errors"
	"strconv"
	"time"

	"zkwarden/internal/fourletter"
)

// EnsembleStatus is what the last round found, for people.
type EnsembleStatus struct {
	Source  ListSource
	Problem string // Why the server doesn't list the members; empty: it does, or wasn't asked yet.
	Advice  string // What to change, in plain words; empty: nothing.
	Asked   bool   // Whether there was a round yet.
	Quorum  string // yes, no, or unknown.
	Voters  int
	Serving int            // Voters that are seen to serve.
	Leaders int            // That are seen to lead.
	Members []MemberStatus // By id.

	// SilentLeader is set when the leader, one of Leaders, serves no clients
	// (leaderServes=no), so that what it says is no lost quorum.
	SilentLeader bool
	// Tolerable is how many voters can fail before the quorum is lost; -1: not known.
	Tolerable int
}

// MemberStatus is one member of [EnsembleStatus].
type MemberStatus struct {
	Member
	State  State
	Zxid   string // Hexadecimal; empty: not said.
	Took   time.Duration
	Detail string // What went wrong; empty: nothing.
	Advice string // What to change, in plain words; empty: nothing.

	// SilentLeader is set for the one that leads and serves no clients, where it
	// can be told from those in trouble.
	SilentLeader bool
}

// LastRound returns what the last round found. It asks nobody.
func (e *Ensemble) LastRound() EnsembleStatus {
	e.mu.Lock()
	r, list := e.last, e.list
	e.mu.Unlock()
	v := ensembleView{list: list}
	if r != nil {
		v = r.view()
	}
	s := v.status()
	s.Asked, s.Source = r != nil, list.source
	if list.problem != nil {
		s.Problem, s.Advice = list.problem.Error(), listAdvice(list)
	}
	return s
}

func (v ensembleView) status() EnsembleStatus {
	h := v.health()
	s := EnsembleStatus{
		Quorum: "unknown", Voters: h.voters, Serving: h.serving, Leaders: h.leaders, SilentLeader: h.silentLeaders > 0, Tolerable: -1,
	}
	switch {
	case v.list.known() && h.quorum:
		s.Quorum = "yes"
	case v.list.known() && h.decided:
		s.Quorum = "no"
	}
	if h.bounded() {
		s.Tolerable = h.tolerable
	}
	_, silent := v.taking()
	for _, m := range v.members {
		status := MemberStatus{Member: m.Member, State: m.state, Took: m.took}
		status.SilentLeader = silent.certain && m.ID == silent.id
		if m.hasZxid {
			status.Zxid = "0x" + strconv.FormatUint(m.zxid, 16)
		}
		if m.err != nil {
			status.Detail = m.err.Error()
			reason, _ := fourletter.ReasonOf(m.err)
			status.Advice = v.memberAdvice(m, reason, silent)
		}
		if m.Addr == "" {
			status.Detail = "its client address is not known"
			status.Advice = "Add --ensemble.member=" + strconv.FormatInt(m.ID, 10) + "=HOST:PORT, or a client address to server." +
				strconv.FormatInt(m.ID, 10) + " in the dynamic configuration."
		}
		s.Members = append(s.Members, status)
	}
	return s
}

// memberAdvice says what to change when a member doesn't answer.
func (v ensembleView) memberAdvice(m memberView, reason fourletter.Reason, silent silence) string {
	switch {
	case m.Guessed && m.state == Unknown:
		return "The address is a guess: zoo.cfg names no client address of this member, so it is taken to use the same port. " +
			"Add --ensemble.member=" + strconv.FormatInt(m.ID, 10) + "=HOST:PORT if it doesn't."
	case silent.certain && m.ID == silent.id:
		return silentAdvice
	case reason == fourletter.NotServing && silent.found && !silent.certain:
		return "The others are served by a leader that serves no clients itself (leaderServes=no), and this may be it."
	}
	a := addressee{member: m.ID, words: []fourletter.Word{fourletter.Srvr}}
	if m.ID == v.list.self {
		a.member = -1
	}
	return a.advice(m.err)
}

// listAdvice says what to change when the server doesn't list the members.
func listAdvice(list memberList) string {
	reason, _ := fourletter.ReasonOf(list.problem)
	switch {
	case reason == fourletter.NotWhitelisted:
		return "Add conf to 4lw.commands.whitelist in zoo.cfg and restart the server, or give every member as --ensemble.member=ID=HOST:PORT."
	case errors.Is(list.problem, errNoMembership):
		return "ZooKeeper before 3.5, a server in read-only mode, and ClickHouse Keeper don't list the ensemble: give every member as --ensemble.member=ID=HOST:PORT."
	case list.source == FromFlags:
		return "The members are read from the server (conf) as soon as it serves; until then those of --ensemble.member are used, as voters unless they answer as observers."
	case list.known():
		return "The last known members are used."
	}
	return "The members are read from the server (conf) as soon as it serves; --ensemble.member=ID=HOST:PORT tells them beforehand."
}
