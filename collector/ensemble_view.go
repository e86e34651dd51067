package collector

import (
	"bytes"
	"slices"
	"strconv"
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

// listed tells whether the ensemble knows this member. One that it doesn't know
// may be of another ensemble, with its own leader and zxids.
func (m memberView) listed() bool { return !m.Unlisted }

// ensembleView is what the members said, as far as they did.
type ensembleView struct {
	list    memberList
	members []memberView
	hint    hint
}

// hint is who leads, as somebody else says than the leader.
type hint struct {
	known bool
	fresh bool // It was said in this round.
	id    int64
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

// leads tells whether this is a leader, who votes: ZooKeeper elects nobody else.
func (m memberView) leads() bool { return m.state == Leader && m.votes() }

// unheard tells whether this is a voter that said nothing, and so might lead.
func (m memberView) unheard() bool { return m.votes() && !m.up }

// silence is what is known of a leader with leaderServes=no, whose replies are
// those of a server without quorum.
type silence struct {
	found    bool  // There is one.
	certain  bool  // Which of the members it is.
	id       int64 // Of the leader, or of any of those that can't be told apart.
	possible bool  // There may be one, or else the leader is among those that said nothing.
}

// silent looks for such a leader. Followers serve only while they follow, so
// where none of the members leads, and one that is up and silent makes those that
// take part a quorum, it leads them; unless the leader is one that can't be
// reached from here. That is then for the hint to tell.
func (v ensembleView) silent(taking map[int64]bool) silence {
	if len(taking) == 0 || v.count(func(m memberView) bool { return m.leads() || m.state == Standalone }) > 0 {
		return silence{}
	}
	var candidates []int64
	for _, m := range v.members {
		if m.votes() && m.state == NotServing &&
			v.list.isQuorum(func(other Member) bool { return other.ID == m.ID || taking[other.ID] }) {
			candidates = append(candidates, m.ID)
		}
	}
	named := v.hint.known && slices.Contains(candidates, v.hint.id)
	certain := len(candidates) == 1 || v.hint.fresh
	switch {
	case len(candidates) == 0:
		return silence{}
	case named:
		return silence{found: true, certain: certain, id: v.hint.id}
	case v.count(memberView.unheard) == 0:
		return silence{found: true, certain: len(candidates) == 1, id: candidates[0]}
	}
	return silence{possible: true}
}

// open tells whether the answers leave a question that a witness may know about.
func (v ensembleView) open() bool {
	_, s := v.taking()
	return s.possible || s.found && !s.certain
}

// health is what the members' answers amount to.
type health struct {
	leaders       int  // That are seen.
	silentLeaders int  // Of leaders, those that serve no clients.
	open          bool // Whether it can't be told which of several leads.
	voters        int
	serving       int  // Voters that serve clients as part of the quorum.
	decided       bool // Whether it can be told if there is a quorum.
	quorum        bool
	counted       bool // Whether all voters could be asked.
	tolerable     int
}

// led tells whether the number of leaders is known: a quorum has one, seen or not.
func (h health) led() bool { return h.leaders > 0 || h.decided && !h.quorum }

// bounded tells whether tolerable is known.
func (h health) bounded() bool { return h.counted && h.decided && !h.open }

// taking returns the ids of the voters that take part in the quorum, and what is
// known of a leader among them that says nothing of it.
func (v ensembleView) taking() (map[int64]bool, silence) {
	ids := map[int64]bool{}
	for _, m := range v.members {
		if m.inQuorum() {
			ids[m.ID] = true
		}
	}
	s := v.silent(ids)
	if s.found {
		ids[s.id] = true
	}
	return ids, s
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
		leaders: v.count(memberView.leads),
		open:    silent.possible,
		voters:  v.list.voters(),
		serving: v.count(memberView.inQuorum),
		quorum:  v.list.isQuorum(in),
		counted: len(mute) == 0,
	}
	if silent.found {
		h.leaders, h.silentLeaders = h.leaders+1, 1
	}
	h.decided = h.quorum || h.counted && !h.open
	if !h.decided && !h.counted {
		// Enough of the others may be up. One that serves says that they are.
		possible := v.list.isQuorum(func(m Member) bool { return taking[m.ID] || mute[m.ID] })
		h.quorum = len(taking) > 0 && possible
		h.decided = h.quorum || !possible && !h.open
	}
	if h.bounded() {
		h.tolerable = v.list.tolerable(in)
	}
	return h
}

// epochs returns the number of epochs that the members' last zxids are of, and
// the highest of the zxids.
func (v ensembleView) epochs() (n int, highest uint64) {
	seen := map[uint64]bool{}
	for _, m := range v.members {
		if m.hasZxid && m.listed() {
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

// parseZxid reads a zxid as srvr has it. ClickHouse Keeper prints it in decimals
// or, in later releases, in hexadecimals of which 0 has none.
func parseZxid(text string) (zxid uint64, ok bool) {
	if text == "0x" {
		return 0, true
	}
	zxid, err := strconv.ParseUint(text, 0, 64)
	return zxid, err == nil
}
