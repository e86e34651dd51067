package collector

import (
	"bytes"
	"errors"
	"strconv"
	"time"

	"zkwarden/internal/fourletter"
)

// memberView is a member and what it said.
type memberView struct {
	Member
	memberAnswer
}

// inQuorum tells whether this is a voter that takes part, as far as it says.
func (m memberView) inQuorum() bool {
	switch m.state {
	case Leader, Follower, Standalone:
		return m.votes()
	}
	return false
}

// ensembleView is what the members said, as far as they did.
type ensembleView struct {
	list    memberList
	members []memberView
}

// count returns the number of members for which is is true.
func (v ensembleView) count(is func(memberView) bool) int {
	n := 0
	for _, m := range v.members {
		if is(m) {
			n++
		}
	}
	return n
}

// taking returns the ids of the voters that take part in the quorum: those that
// say so, and the silent leader.
func (v ensembleView) taking() (ids map[int64]bool, silentLeader bool) {
	ids = map[int64]bool{}
	for _, m := range v.members {
		if m.inQuorum() {
			ids[m.ID] = true
		}
	}
	if id, ok := v.silentLeader(ids); ok {
		ids[id] = true
		return ids, true
	}
	return ids, false
}

// silentLeader finds a leader with leaderServes=no. Its replies are those of a
// server without quorum, but for those of the others: followers serve only while
// they follow, so where none of the members leads, and one that is up and silent
// makes the followers a quorum, it leads them. Several such can't be told apart,
// and any of them will do for the count.
func (v ensembleView) silentLeader(taking map[int64]bool) (id int64, ok bool) {
	if len(taking) == 0 || v.count(func(m memberView) bool { return m.state == Leader || m.state == Standalone }) > 0 {
		return 0, false
	}
	for _, m := range v.members {
		if m.votes() && m.state == NotServing &&
			v.list.isQuorum(func(other Member) bool { return other.ID == m.ID || taking[other.ID] }) {
			return m.ID, true
		}
	}
	return 0, false
}

// health is what the members' answers amount to.
type health struct {
	leaders       int
	silentLeaders int // Of leaders, those found by silentLeader.
	voters        int
	serving       int  // Voters that serve clients as part of the quorum.
	decided       bool // Whether it can be told if there is a quorum.
	quorum        bool
	counted       bool // Whether all voters could be asked, so that tolerable is known.
	tolerable     int
}

func (v ensembleView) health() health {
	taking, silent := v.taking()
	in := func(m Member) bool { return taking[m.ID] }
	mute := map[int64]bool{} // Voters that nobody can ask.
	for _, m := range v.members {
		if m.votes() && !m.asked {
			mute[m.ID] = true
		}
	}
	h := health{
		leaders: v.count(func(m memberView) bool { return m.state == Leader }),
		voters:  v.list.voters(),
		serving: v.count(memberView.inQuorum),
		quorum:  v.list.isQuorum(in),
		counted: len(mute) == 0,
	}
	if silent {
		h.leaders, h.silentLeaders = h.leaders+1, 1
	}
	h.decided = h.quorum || h.counted
	if !h.decided {
		// Enough of the others may be up. One that serves says that they are.
		h.quorum = len(taking) > 0 && v.list.isQuorum(func(m Member) bool { return taking[m.ID] || mute[m.ID] })
		h.decided = h.quorum || !v.list.isQuorum(func(m Member) bool { return taking[m.ID] || mute[m.ID] })
	}
	if h.counted {
		h.tolerable = v.list.tolerable(in)
	}
	return h
}

// epochs returns the number of epochs that the members' last zxids are of, and
// the highest of the zxids.
func (v ensembleView) epochs() (n int, highest uint64) {
	seen := map[uint64]bool{}
	for _, m := range v.members {
		if m.hasZxid {
			seen[m.zxid>>32] = true
			highest = max(highest, m.zxid)
		}
	}
	return len(seen), highest
}

// distance returns by how many transactions a zxid is behind the highest one. It
// is not known across epochs: a follower that is in sync keeps the zxid of the
// old epoch until the first write of the new one.
func distance(zxid, highest uint64) (uint64, bool) {
	return highest - zxid, zxid>>32 == highest>>32
}

func cutLine(line []byte, name string) (value string, ok bool) {
	rest, ok := bytes.CutPrefix(line, []byte(name))
	return string(rest), ok
}

func parseZxid(text string) (zxid uint64, ok bool) {
	zxid, err := strconv.ParseUint(text, 0, 64)
	return zxid, err == nil
}

// EnsembleStatus is what the last round found, for people.
type EnsembleStatus struct {
	Source  ListSource
	Problem string // Why the server doesn't list the members; empty: it does, or wasn't asked yet.
	Advice  string // What to change, in plain words; empty: nothing.
	Asked   bool   // Whether there was a round yet.
	Quorum  string // yes, no, or unknown.
	Voters  int
	Serving int
	Leaders int
	Members []MemberStatus // By id.

	// SilentLeader is set when the leader serves no clients (leaderServes=no).
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
	if h.counted {
		s.Tolerable = h.tolerable
	}
	for _, m := range v.members {
		status := MemberStatus{Member: m.Member, State: m.state, Took: m.took}
		if m.hasZxid {
			status.Zxid = "0x" + strconv.FormatUint(m.zxid, 16)
		}
		if m.err != nil {
			status.Detail = m.err.Error()
			reason, _ := fourletter.ReasonOf(m.err)
			status.Advice = v.memberAdvice(m, reason, h)
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
func (v ensembleView) memberAdvice(m memberView, reason fourletter.Reason, h health) string {
	switch {
	case m.Guessed && m.state == Unknown:
		return "The address is a guess: zoo.cfg names no client address of this member, so it is taken to use the same port. " +
			"Add --ensemble.member=" + strconv.FormatInt(m.ID, 10) + "=HOST:PORT if it doesn't."
	case reason == fourletter.NotServing && h.silentLeaders > 0:
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
		return "ZooKeeper before 3.5, and a server in read-only mode, don't list the ensemble: give every member as --ensemble.member=ID=HOST:PORT."
	case list.known():
		return "The last known members are used."
	}
	return "The members are read from the server (conf) as soon as it serves; --ensemble.member=ID=HOST:PORT tells them beforehand."
}
