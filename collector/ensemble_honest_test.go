package collector

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"zkwarden/internal/fourletter"
)

// A leader that serves no clients is remembered once the answers of all have
// proven it, so that it is known still when a member dies; and forgotten when
// another leads.
func TestSilentLeaderIsRemembered(t *testing.T) {
	all := servers{}
	answer := func(one, two, three script) {
		all["zk-1:2181"], all["zk-2:2181"], all["zk-3:2181"] = one, two, three
	}
	e := startEnsemble(t, EnsembleOptions{Client: all, Members: numbered(3)})
	follower, silent := says("follower", "0x1"), says("", "")
	dead := script{}

	answer(follower, silent, follower)
	wants(t, pageOfEnsemble(t, e), "leaders 1", "leaders_not_serving 1", "quorum 1", "failures_tolerable 1")
	answer(follower, silent, dead)
	wants(t, pageOfEnsemble(t, e), "leaders 1", "leaders_not_serving 1", "quorum 1", "failures_tolerable 0")
	answer(dead, silent, dead)
	wants(t, pageOfEnsemble(t, e), "leaders 0", "quorum 0")
	answer(follower, silent, says("leader", "0x1"))
	wants(t, pageOfEnsemble(t, e), "leaders 1", "leaders_not_serving 0", "quorum 1")
	answer(follower, silent, dead)
	lacks(t, pageOfEnsemble(t, e), "leaders", "leaders_not_serving", "quorum")
}

// witness answers for an AdminServer.
type witness struct {
	who   Leadership
	err   error
	asked int
}

func (w *witness) Leader(ctx context.Context) (Leadership, error) {
	w.asked++
	return w.who, cmp.Or(ctx.Err(), w.err)
}

// What the members leave open, the AdminServer can settle; it isn't asked about
// anything else, and says nothing against what they say themselves.
func TestEnsembleWitness(t *testing.T) {
	follower, silent := says("follower", "0x1"), says("", "")
	for name, tc := range map[string]struct {
		says   []script
		who    Leadership
		err    error
		wants  []string
		lacks  []string
		unused bool
	}{
		"names it": {
			says: []script{follower, silent, {}}, who: Leadership{ID: 2},
			wants: []string{"leaders 1", "leaders_not_serving 1", "quorum 1", "failures_tolerable 0"},
		},
		"is it": {
			says: []script{silent, follower, {}}, who: Leadership{Self: true, ID: 1},
			wants: []string{"leaders 1", "leaders_not_serving 1", "quorum 1"},
		},
		"names one that can't be reached": {says: []script{follower, silent, {}}, who: Leadership{ID: 3}, lacks: []string{"leaders", "quorum"}},
		"names nobody":                    {says: []script{follower, silent, {}}, who: Leadership{ID: -1}, lacks: []string{"leaders", "quorum"}},
		"isn't there":                     {says: []script{follower, silent, {}}, err: errors.New("refused"), lacks: []string{"leaders", "quorum"}},
		"all is said":                     {says: []script{follower, silent, says("leader", "0x1")}, who: Leadership{ID: 2}, wants: []string{"leaders 1", "leaders_not_serving 0"}, unused: true},
		"all is proven":                   {says: []script{follower, silent, follower}, who: Leadership{ID: 3}, wants: []string{"leaders 1", "leaders_not_serving 1"}, unused: true},
		"no quorum anyway":                {says: []script{silent, {}, {}}, who: Leadership{Self: true, ID: 1}, wants: []string{"leaders 0", "quorum 0"}, unused: true},
	} {
		t.Run(name, func(t *testing.T) {
			all := servers{}
			for i, member := range numbered(3) {
				all[member.Addr] = tc.says[i]
			}
			w := &witness{who: tc.who, err: tc.err}
			e := startEnsemble(t, EnsembleOptions{Client: all, Members: numbered(3), Witness: w})
			page := pageOfEnsemble(t, e)
			wants(t, page, tc.wants...)
			lacks(t, page, tc.lacks...)
			if used := w.asked > 0; used == tc.unused {
				t.Errorf("asked %d times", w.asked)
			}
		})
	}
}

// A member that hangs until its deadline leaves the witness time to be asked, for
// it might be the leader.
func TestEnsembleWitnessBesideAHungMember(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := servers{"zk-1:2181": says("", ""), "zk-2:2181": says("follower", "0x1"), "zk-3:2181": {fourletter.Srvr: hangs}}
		w := &witness{who: Leadership{Self: true, ID: 1}}
		e := startEnsemble(t, EnsembleOptions{Client: all, Members: numbered(3), Witness: w})
		begin := time.Now()
		wants(t, pageOfEnsemble(t, e), "leaders 1", "leaders_not_serving 1", "quorum 1", "members_reached 2")
		if took := time.Since(begin); took != DefaultEnsembleTimeout || w.asked != 1 {
			t.Errorf("took %s, and asked %d times", took, w.asked)
		}
	})
}

// Of two that serve nobody only one leads. Which of them the AdminServer knows;
// what it said once is no proof against the one that leads now.
func TestEnsembleWitnessPicksOne(t *testing.T) {
	all := servers{"zk-1:2181": says("follower", "0x1"), "zk-2:2181": says("", ""), "zk-3:2181": says("", "")}
	w := &witness{who: Leadership{ID: 3}}
	e := startEnsemble(t, EnsembleOptions{Client: all, Members: numbered(3), Witness: w})
	picked := func() (ids []int64) {
		wants(t, pageOfEnsemble(t, e), "leaders 1", "leaders_not_serving 1", "quorum 1", "voters_serving 1")
		for _, m := range e.LastRound().Members {
			if m.SilentLeader {
				ids = append(ids, m.ID)
			}
			if sure := strings.Contains(m.Advice, "nothing is wrong"); sure != m.SilentLeader {
				t.Errorf("member %d: %s", m.ID, m.Advice)
			}
		}
		return ids
	}
	if got := picked(); !slices.Equal(got, []int64{3}) {
		t.Errorf("members %v lead, want 3", got)
	}
	w.who, w.err = Leadership{}, errors.New("refused")
	if got := picked(); got != nil {
		t.Errorf("members %v lead, and nobody says so", got)
	}
}

// A server that doesn't know its id, as beside /zookeeper/config, or doesn't say
// it, as 3.5, is told by its address.
func TestEnsembleWitnessWithoutIDs(t *testing.T) {
	all := servers{"zk-1:2181": says("", ""), "zk-2:2181": says("follower", "0x1")}
	e := startEnsemble(t, EnsembleOptions{Client: all, Members: numbered(3), Addr: "zk-1:2181", Witness: &witness{who: Leadership{Self: true, ID: -1}}})
	wants(t, pageOfEnsemble(t, e), "leaders 1", "leaders_not_serving 1", "quorum 1")
}

// A member that the flags give and the ensemble doesn't know may belong to
// another: it is asked, and neither leads this one nor sets its zxids.
func TestUnlistedMember(t *testing.T) {
	all := servers{"zk-1:2181": says("leader", "0x100000005"), "stranger:2181": says("leader", "0x900000009")}
	all["zk-1:2181"][fourletter.Conf] = "clientPort=2181\nserverId=1\nelectionAlg=3\nmembership: \nserver.1=zk-1:2888:3888:participant\nversion=0"
	e := startEnsemble(t, EnsembleOptions{Client: all, Members: []Member{{ID: 9, Addr: "stranger:2181", Weight: 1}}})
	page := pageOfEnsemble(t, e)
	wants(t, page, "members 1", "members_reached 1", "voters 1", "leaders 1", "quorum 1", "epochs 1",
		`member_up{member="9"} 1`, `member_zxid_distance{member="1"} 0`)
	if strings.Contains(page, `member_zxid_distance{member="9"}`) {
		t.Error("the zxids of two ensembles are compared")
	}
	if m := e.LastRound().Members; len(m) != 2 || !m[1].Unlisted {
		t.Errorf("members %+v", m)
	}
}

// configZnode is /zookeeper/config.
type configZnode struct {
	text  string
	err   error
	asked int
}

func (c *configZnode) ReadConfig(context.Context) ([]byte, error) {
	c.asked++
	return []byte(c.text), c.err
}

// Where conf isn't whitelisted the members are read from the znode, seldom; and
// only there.
func TestMembersFromTheZnode(t *testing.T) {
	const refused = "conf is not executed because it is not in the whitelist."
	const config = "server.1=zk-1:2888:3888:participant;0.0.0.0:2181\nserver.2=zk-2:2888:3888:participant;0.0.0.0:2181\n" +
		"server.3=zk-3:2888:3888:observer;0.0.0.0:2181\nversion=100000000"
	three := servers{"zk-1:2181": says("leader", "0x1"), "zk-2:2181": says("follower", "0x1"), "zk-3:2181": says("observer", "0x1")}
	for name, tc := range map[string]struct {
		conf  string
		znode configZnode
		wants []string
		asked int
	}{
		"dynamic": {refused, configZnode{text: config}, []string{
			`membership{source="znode"} 1`, "members 3", "voters 2", "members_reached 3", "leaders 1", "quorum 1",
		}, 1},
		"static, the port of the own server assumed": {
			refused,
			configZnode{text: strings.ReplaceAll(config, ";0.0.0.0:2181", "")},
			[]string{`membership{source="znode"} 1`, "members_reached 3", "quorum 1"},
			1,
		},
		"standalone":     {refused, configZnode{}, []string{`membership{source="znode"} 1`, "members 1", "members_reached 1"}, 1},
		"unreadable":     {refused, configZnode{err: errors.New("no session")}, []string{`membership{source="none"} 1`}, 1},
		"garbage":        {refused, configZnode{text: "server.1=zk-1\nserver.x=y\n"}, []string{`membership{source="none"} 1`}, 1},
		"lists nobody":   {refused, configZnode{text: "version=100000000"}, []string{`membership{source="none"} 1`}, 1},
		"conf will do":   {staticConf, configZnode{text: config}, []string{`membership{source="server"} 1`}, 0},
		"nothing serves": {notServing, configZnode{text: config}, []string{`membership{source="none"} 1`}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			all := servers{}
			for addr, answers := range three {
				all[addr] = maps.Clone(answers)
			}
			all["zk-1:2181"][fourletter.Conf] = tc.conf
			znode := tc.znode
			e := startEnsemble(t, EnsembleOptions{Client: whitelisted{all}, Config: &znode})
			for range 3 {
				wants(t, pageOfEnsemble(t, e), tc.wants...)
			}
			if znode.asked != tc.asked {
				t.Errorf("the znode was read %d times, want %d", znode.asked, tc.asked)
			}
			if problem := e.LastRound().Problem; znode.err != nil && !strings.Contains(problem, "whitelist") {
				t.Errorf("problem %q", problem)
			}
		})
	}
}

// The session that reading the znode takes is two writes of the ensemble.
func TestZnodeIsReadSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := servers{"zk-1:2181": says("leader", "0x1")}
		all["zk-1:2181"][fourletter.Conf] = "conf is not executed because it is not in the whitelist."
		znode := &configZnode{text: "server.1=zk-1:2888:3888:participant;0.0.0.0:2181\nversion=0"}
		e := startEnsemble(t, EnsembleOptions{Client: whitelisted{all}, Config: znode})
		for range 40 { // For twenty minutes.
			wants(t, pageOfEnsemble(t, e), "members 1")
			time.Sleep(30 * time.Second)
		}
		if znode.asked != 2 {
			t.Errorf("read %d times, want once in ten minutes", znode.asked)
		}
	})
}
