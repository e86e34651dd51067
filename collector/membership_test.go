package collector

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	staticConf = "clientPort=2181\nsecureClientPort=-1\ntickTime=500\nserverId=1\nelectionAlg=3\npeerType=0\nmembership: \n" +
		"server.1=0.0.0.0:2888:3888:participant\nserver.2=zk-2:2888:3888:participant\nserver.3=zk-3:2888:3888:observer\nversion=0"
	dynamicConf = "clientPort=2181\nsecureClientPort=2281\nserverId=2\nelectionAlg=3\nmembership: \n" +
		"server.1=zk-1:2888:3888|zk-1b:2888:3888:participant;0.0.0.0:2182\nserver.2=zk-2:2888:3888:participant;2181\n" +
		"server.3=[fd00::3]:2888:3888:participant;[0:0:0:0:0:0:0:0]:2181\nserver.4=zk-4:2888:3888:observer;client-4:2184\nversion=100000003"
	sharedConf = "clientPort=2181\nserverId=1\nelectionAlg=3\nmembership: \nserver.1=127.0.0.1:2888:3888:participant\n" +
		"server.2=127.0.0.1:2889:3889:participant\nserver.3=127.0.0.1:2890:3890:participant\n" +
		"group.1=1:2\ngroup.2=3\nweight.1=2\nweight.2=1\nweight.3=0\nversion=0"
)

func TestMembershipOfConf(t *testing.T) {
	for name, tc := range map[string]struct {
		conf   string
		secure bool
		want   []Member
	}{
		"static configuration, own port assumed": {conf: staticConf, want: []Member{
			{ID: 1, Addr: "own:2181", Weight: 1},
			{ID: 2, Addr: "zk-2:2181", Guessed: true, Weight: 1},
			{ID: 3, Addr: "zk-3:2181", Guessed: true, Weight: 1, Observer: true},
		}},
		"dynamic configuration": {conf: dynamicConf, want: []Member{
			{ID: 1, Addr: "zk-1:2182", Weight: 1},
			{ID: 2, Addr: "own:2181", Weight: 1},
			{ID: 3, Addr: "[fd00::3]:2181", Weight: 1},
			{ID: 4, Addr: "client-4:2184", Weight: 1, Observer: true},
		}},
		"dynamic configuration over TLS": {conf: dynamicConf, secure: true, want: []Member{
			{ID: 1, Addr: "zk-1:2281", Guessed: true, Weight: 1},
			{ID: 2, Addr: "own:2181", Weight: 1},
			{ID: 3, Addr: "[fd00::3]:2281", Guessed: true, Weight: 1},
			{ID: 4, Addr: "client-4:2281", Guessed: true, Weight: 1, Observer: true},
		}},
		"port unification": {conf: staticConf, secure: true, want: []Member{
			{ID: 1, Addr: "own:2181", Weight: 1},
			{ID: 2, Addr: "zk-2:2181", Guessed: true, Weight: 1},
			{ID: 3, Addr: "zk-3:2181", Guessed: true, Weight: 1, Observer: true},
		}},
		"shared host, groups and weights": {conf: sharedConf, want: []Member{
			{ID: 1, Addr: "own:2181", Group: 1, Weight: 2},
			{ID: 2, Group: 1, Weight: 1},
			{ID: 3, Group: 2, Weight: 0},
		}},
		"only a secure port": {conf: strings.Replace(staticConf, "clientPort=2181", "clientPort=-1", 1), want: []Member{
			{ID: 1, Addr: "own:2181", Weight: 1}, {ID: 2, Weight: 1}, {ID: 3, Weight: 1, Observer: true},
		}},
		"server without a group": {conf: strings.Replace(sharedConf, "group.2=3\n", "", 1), want: []Member{
			{ID: 1, Addr: "own:2181", Group: 1, Weight: 2},
			{ID: 2, Group: 1, Weight: 1},
			{ID: 3, Weight: 0},
		}},
		"server without a group, of some weight": {conf: strings.NewReplacer("group.2=3\n", "", "weight.3=0", "weight.3=5").Replace(sharedConf), want: []Member{
			{ID: 1, Addr: "own:2181", Group: 1, Weight: 2},
			{ID: 2, Group: 1, Weight: 1},
			{ID: 3, Weight: 0},
		}},
		"standalone": {conf: "clientPort=2181\nserverId=0\n", want: []Member{{ID: 0, Addr: "own:2181", Weight: 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := membershipOf(tc.conf, tc.secure)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got.members); diff != "" {
				t.Errorf("members (-want +got):\n%s", diff)
			}
		})
	}
}

func membershipOf(text string, secure bool) (membership, error) {
	c, err := readConf(strings.NewReader(text))
	if err != nil {
		return membership{}, err
	}
	p, err := planOf(c)
	if err != nil {
		return membership{}, err
	}
	return p.membership("own:2181", secure)
}

// A list that can't be trusted is no list: one member less changes who has a
// majority.
func TestMembershipRefuses(t *testing.T) {
	list := func(lines string) string {
		return "clientPort=2181\nserverId=1\nelectionAlg=3\nmembership: \n" + lines + "version=0"
	}
	for name, text := range map[string]string{
		"cut between two members":     dynamicConf[:strings.Index(dynamicConf, "server.3")],
		"cut within one":              dynamicConf[:strings.Index(dynamicConf, "server.3")+10],
		"ensemble that doesn't list":  "clientPort=2181\nserverId=1\nelectionAlg=3\n",
		"member twice":                list("server.1=a:1:2\nserver.1=b:1:2\n"),
		"id that is no number":        list("server.x=a:1:2\n"),
		"negative id":                 list("server.-1=a:1:2\n"),
		"weight that is no number":    list("server.1=a:1:2\nweight.1=many\n"),
		"negative weight":             list("server.1=a:1:2\ngroup.1=1\nweight.1=-5\n"),
		"group of something":          list("server.1=a:1:2\ngroup.1=1:two\n"),
		"server id that is no number": "clientPort=2181\nserverId=one\n",
		"too many members":            list(strings.Repeat("server.1=a:1:2\n", 5000)),
		"something else":              "HTTP/1.1 400 Bad Request\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := membershipOf(text, false); err == nil {
				t.Errorf("accepted as %+v", got)
			}
		})
	}
}

func TestFlagsWinOverConf(t *testing.T) {
	m, err := membershipOf(sharedConf, false)
	if err != nil {
		t.Fatal(err)
	}
	m, err = m.withAddresses([]Member{{ID: 2, Addr: "b:2182", Weight: 1}, {ID: 9, Addr: "x:1", Weight: 1}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Member{
		{ID: 1, Addr: "own:2181", Group: 1, Weight: 2},
		{ID: 2, Addr: "b:2182", Group: 1, Weight: 1},
		{ID: 3, Group: 2},
		{ID: 9, Addr: "x:1", Unlisted: true}, // ZooKeeper doesn't know it, so it doesn't vote.
	}
	if diff := cmp.Diff(want, m.members); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
}

// The cases are those of QuorumMaj and QuorumHierarchical.
func TestQuorum(t *testing.T) {
	three := []Member{{ID: 1, Weight: 1}, {ID: 2, Weight: 1}, {ID: 3, Weight: 1}}
	five := append(three[:3:3], Member{ID: 4, Weight: 1}, Member{ID: 5, Weight: 1})
	observed := append(three[:3:3], Member{ID: 4, Weight: 1, Observer: true})
	weighted := []Member{{ID: 1, Weight: 3}, {ID: 2, Weight: 1}, {ID: 3, Weight: 1}, {ID: 4, Weight: 0}}
	sites := []Member{
		{ID: 1, Group: 1, Weight: 1},
		{ID: 2, Group: 1, Weight: 1},
		{ID: 3, Group: 1, Weight: 1},
		{ID: 4, Group: 2, Weight: 1},
		{ID: 5, Group: 2, Weight: 1},
		{ID: 6, Group: 2, Weight: 1},
		{ID: 7, Group: 3, Weight: 1},
		{ID: 8, Group: 3, Weight: 1},
		{ID: 9, Group: 3, Weight: 1},
		{ID: 10, Group: 4, Weight: 0},
	}
	for name, tc := range map[string]struct {
		members   []Member
		in        []int64
		want      bool
		tolerable int
	}{
		"nobody":                          {three, nil, false, 0},
		"one of three":                    {three, []int64{1}, false, 0},
		"two of three":                    {three, []int64{1, 3}, true, 0},
		"all three":                       {three, []int64{1, 2, 3}, true, 1},
		"two of four, one observes":       {observed, []int64{1, 4}, false, 0},
		"half of an even number":          {five[:4], []int64{1, 2}, false, 0},
		"more than half of it":            {five[:4], []int64{1, 2, 3}, true, 0},
		"all of an even number":           {five[:4], []int64{1, 2, 3, 4}, true, 1},
		"five":                            {five, []int64{1, 2, 3, 4, 5}, true, 2},
		"heavy one alone":                 {weighted, []int64{1}, true, 0},
		"light ones and a weightless":     {weighted, []int64{2, 3, 4}, false, 0},
		"heavy one fails first":           {weighted, []int64{1, 2, 3}, true, 0},
		"two of three sites, barely":      {sites, []int64{1, 2, 4, 5}, true, 0},
		"one site whole":                  {sites, []int64{1, 2, 3, 4, 7}, false, 0},
		"all sites":                       {sites, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9}, true, 3},
		"weightless group doesn't count":  {sites, []int64{1, 2, 4, 5, 10}, true, 0},
		"two sites whole, third one dead": {sites, []int64{1, 2, 3, 4, 5, 6}, true, 1},
		"standalone":                      {three[:1], []int64{1}, true, 0},
		"no members":                      {nil, nil, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m := membership{members: tc.members}
			in := func(m Member) bool { return slices.Contains(tc.in, m.ID) }
			if got := m.isQuorum(in); got != tc.want {
				t.Errorf("quorum %t, want %t", got, tc.want)
			}
			if got := m.tolerable(in); got != tc.tolerable {
				t.Errorf("%d failures are tolerable, want %d", got, tc.tolerable)
			}
			if worst := m.worst(in); worst != tc.tolerable {
				t.Errorf("trying all failures finds %d, want %d", worst, tc.tolerable)
			}
		})
	}
}

// worst finds by trying how many failures any quorum survives.
func (m membership) worst(in func(Member) bool) int {
	var live []int64
	for _, member := range m.members {
		if in(member) {
			live = append(live, member.ID)
		}
	}
	fewest := len(live) + 1
	for set := range 1 << len(live) {
		down := map[int64]bool{}
		for i, id := range live {
			if set&(1<<i) != 0 {
				down[id] = true
			}
		}
		if len(down) < fewest && !m.isQuorum(func(member Member) bool { return in(member) && !down[member.ID] }) {
			fewest = len(down)
		}
	}
	return max(0, fewest-1)
}

func TestParseMember(t *testing.T) {
	got, err := ParseMember("3=[::1]:2181")
	if want := (Member{ID: 3, Addr: "[::1]:2181", Weight: 1}); err != nil || got != want {
		t.Errorf("got %+v and %v, want %+v", got, err, want)
	}
	for _, text := range []string{"", "zk:2181", "x=zk:2181", "-1=zk:2181", "1=zk", "1=:2181", "1=zk:0", "1=zk:port", "1="} {
		if got, err := ParseMember(text); err == nil {
			t.Errorf("%q was accepted as %+v", text, got)
		}
	}
}

func FuzzMembership(f *testing.F) {
	f.Add(staticConf)
	f.Add(dynamicConf)
	f.Add(sharedConf)
	f.Fuzz(func(t *testing.T, text string) {
		m, err := membershipOf(text, len(text)%2 == 0)
		if err != nil {
			return
		}
		if len(m.members) == 0 || len(m.members) > maxMembers {
			t.Errorf("%d members", len(m.members))
		}
		all := func(Member) bool { return true }
		if m.tolerable(all) >= max(1, m.voters()) {
			t.Errorf("%d voters can tolerate %d failures", m.voters(), m.tolerable(all))
		}
	})
}
