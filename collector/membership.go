package collector

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"slices"
)

// maxMembers bounds an ensemble. ZooKeeper keeps a server's id in one byte of
// every session id that it hands out.
const maxMembers = 256

// Member is one server of an ensemble.
type Member struct {
	ID       int64  `json:"id"`
	Addr     string `json:"addr,omitempty"` // host:port where it answers words; empty: not known.
	Guessed  bool   `json:"guessed,omitempty"`
	Observer bool   `json:"observer,omitempty"`
	Group    int64  `json:"group"`  // Of a hierarchical quorum; 0 where there are no groups.
	Weight   int64  `json:"weight"` // Of its vote; 0: it doesn't count.

	// Unlisted is set for a member of the flags that the ensemble's own list lacks.
	Unlisted bool `json:"unlisted,omitempty"`
}

// votes tells whether ZooKeeper counts this member towards a quorum.
func (m Member) votes() bool { return !m.Observer && m.Weight > 0 }

// membership is who belongs to an ensemble.
type membership struct {
	self    int64 // Id of the server beside this process; -1: not known.
	members []Member
}

// own returns the id of the server beside this process, which answers at addr;
// -1: not known.
func (m membership) own(addr string) int64 {
	if m.self >= 0 {
		return m.self
	}
	for _, member := range m.members {
		if member.Addr == addr {
			return member.ID
		}
	}
	return -1
}

func (m membership) known() bool { return len(m.members) > 0 }

func (m membership) equal(other membership) bool {
	return m.self == other.self && slices.Equal(m.members, other.members)
}

// given returns the membership that flags describe. Who observes is found out by
// asking, until the server's own list says so.
func given(members []Member) (membership, error) {
	m := membership{self: -1, members: slices.Clone(members)}
	for i := range m.members {
		m.members[i].Weight = 1
	}
	return m, m.check()
}

// check sorts the members and reports what can't be an ensemble.
func (m *membership) check() error {
	if len(m.members) > maxMembers {
		return fmt.Errorf("%d members are more than ZooKeeper can have: %d", len(m.members), maxMembers)
	}
	slices.SortFunc(m.members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	for i, member := range m.members {
		switch {
		case i > 0 && m.members[i-1].ID == member.ID:
			return fmt.Errorf("member %d is given twice", member.ID)
		case member.ID < 0 || member.Weight < 0:
			return fmt.Errorf("member %d with weight %d: neither can be negative", member.ID, member.Weight)
		case member.Addr == "":
			continue
		}
		if _, _, err := net.SplitHostPort(member.Addr); err != nil {
			return fmt.Errorf("parse address of member %d: %w", member.ID, err)
		}
	}
	return nil
}

// withAddresses returns the members of m with the addresses that flags give,
// and the flags' members that m lacks, which are asked, and count for nothing:
// ZooKeeper doesn't know them.
func (m membership) withAddresses(flags []Member) (membership, error) {
	out := membership{self: m.self, members: slices.Clone(m.members)}
	for _, flag := range flags {
		i := slices.IndexFunc(out.members, func(have Member) bool { return have.ID == flag.ID })
		if i < 0 {
			out.members = append(out.members, Member{ID: flag.ID, Addr: flag.Addr, Unlisted: true})
			continue
		}
		out.members[i].Addr, out.members[i].Guessed = flag.Addr, false
	}
	return out, out.check()
}

// voters returns how many members vote.
func (m membership) voters() int {
	n := 0
	for _, member := range m.members {
		if member.votes() {
			n++
		}
	}
	return n
}

// isQuorum tells whether the members for which in is true are a quorum, as
// QuorumMaj and QuorumHierarchical count it: more than half of the weight in
// more than half of the groups that have any. Without groups and weights that is
// a majority of the voters.
func (m membership) isQuorum(in func(Member) bool) bool {
	live, groups := 0, m.groups()
	for _, group := range groups {
		if group.spare(in) > 0 {
			live++
		}
	}
	return live > len(groups)/2
}

// tolerable returns how many of the members for which in is true can fail, the
// worst ones first, before the rest is no quorum; 0 also where there is none.
func (m membership) tolerable(in func(Member) bool) int {
	groups := m.groups()
	var costs []int // For each live group, how many of its voters it takes to break it.
	for _, group := range groups {
		if group.spare(in) > 0 {
			costs = append(costs, group.cost(in))
		}
	}
	slices.Sort(costs)
	breaks, failures := len(costs)-len(groups)/2, 0
	for _, cost := range costs[:max(0, breaks)] {
		failures += cost
	}
	return max(0, failures-1)
}

// votingGroup holds the voters of one group, the heaviest first.
type votingGroup []Member

func (m membership) groups() map[int64]votingGroup {
	groups := map[int64]votingGroup{}
	for _, member := range m.members {
		if member.votes() {
			groups[member.Group] = append(groups[member.Group], member)
		}
	}
	for _, group := range groups {
		slices.SortFunc(group, func(a, b Member) int { return cmp.Compare(b.Weight, a.Weight) })
	}
	return groups
}

// spare returns by how much the weight of the members for which in is true
// exceeds half of the group's. ZooKeeper rounds the half down.
func (g votingGroup) spare(in func(Member) bool) int64 {
	var all, have int64
	for _, member := range g {
		all += member.Weight
		if in(member) {
			have += member.Weight
		}
	}
	return have - all/2
}

// cost returns how many of the members for which in is true must fail, the
// heaviest first, until the group has no majority.
func (g votingGroup) cost(in func(Member) bool) int {
	n, spare := 0, g.spare(in)
	for _, member := range g {
		if spare <= 0 {
			break
		}
		if in(member) {
			spare -= member.Weight
			n++
		}
	}
	return n
}

// ParseMember reads ID=HOST:PORT, as --ensemble.member has it.
func ParseMember(text string) (Member, error) {
	var m Member
	id, addr, ok := cutMember(text)
	if !ok {
		return m, fmt.Errorf("ensemble member %q: want ID=HOST:PORT", text)
	}
	host, port, err := net.SplitHostPort(addr)
	if err == nil && host == "" {
		err = errors.New("the host is missing")
	}
	if err == nil {
		err = checkPort(port)
	}
	if err != nil {
		return m, fmt.Errorf("ensemble member %q: %w", text, err)
	}
	return Member{ID: id, Addr: addr, Weight: 1}, nil
}
