package prometheus

import "strings"

// losing are the ways to lose the quorum.
func losing() []told {
	return []told{
		{
			name:      "every pod is gone, and nothing is left to scrape",
			ensembles: []*simulated{prod(21).all(20, 0, gone)},
			checks:    []exprTest{at("9m"), at("10m30s"), at("12m30s", lost), at("2h", lost)},
		},
		{
			name:      "every process is gone, and the sidecars are left",
			ensembles: []*simulated{prod(60).all(20, 0, down)},
			checks:    []exprTest{at("9m"), at("12m30s", lost), at("17m", lost, missing+"*3")},
		},
		{
			name:      "three processes live and none serves, until they do",
			ensembles: []*simulated{prod(60).all(20, 40, notServing)},
			checks:    []exprTest{at("9m"), at("10m30s"), at("12m30s", lost, noLeader), at("20m", lost, noLeader), at("21m", lost, noLeader), at("24m")},
		},
		{
			name:      "the network is cut between all of them, so that each view sees its own server",
			ensembles: []*simulated{prod(60).all(20, 0, notServing).cutAt(1, 20, 1).cutAt(2, 20, 2).cutAt(3, 20, 3)},
			checks:    []exprTest{at("9m"), at("12m30s", lost, noLeader), at("29m", lost, noLeader)},
		},
		{
			name:      "only the minority is left to scrape, for all that can be seen from here",
			ensembles: []*simulated{prod(60).set(1, 20, 0, gone).set(2, 20, 0, gone).set(3, 20, 0, notServing).cutAt(3, 20, 3)},
			checks:    []exprTest{at("9m"), at("12m30s", lost, noLeader)},
		},
		{
			name:      "a fresh start finds no quorum, and the members were never known",
			ensembles: []*simulated{prod(60).all(0, 0, notServing).withoutViews()},
			checks:    []exprTest{at("30s"), at("2m", lost, noLeader), at("20m", lost, noLeader)},
		},
		{
			name: "targets of /probe have no view: one voter is down while an observer serves, then a second one",
			ensembles: []*simulated{simulate(labelled("prod"), 3, 1, 60).withoutViews().
				set(3, 20, 0, down).set(2, 40, 0, down).set(1, 40, 0, notServing).set(4, 40, 0, notServing).
				show(1, "zookeeper_quorum_size", "3*40 -*20").show(4, "zookeeper_quorum_size", "3*40 -*20")},
			checks: []exprTest{at("9m"), at("17m", risk, missing), at("23m", lost, noLeader, missing), at("29m", lost, noLeader, missing+"*2")},
		},
		{
			name:      "a server that stands alone is a quorum until it is gone",
			ensembles: []*simulated{simulate(labelled("prod"), 1, 0, 60).set(1, 20, 0, gone)},
			checks:    []exprTest{at("9m"), at("12m30s", lost)},
		},
		{
			name: "two ensembles in one Prometheus share the job and differ in a label; the other one loses its quorum",
			ensembles: []*simulated{
				prod(60).epoch("7*60", "9*60").version("3.9.5"),
				simulate(labelled("test"), 3, 0, 60).all(20, 0, notServing).epoch("37*60", "9*60").version("3.9.4"),
			},
			checks: []exprTest{at("9m"), at("12m30s", lost+"@test", noLeader+"@test"), at("29m", lost+"@test", noLeader+"@test")},
		},
		{
			name: "two ensembles only differ in their jobs, and one is gone",
			ensembles: []*simulated{
				simulate(map[string]string{"job": "zk-prod"}, 3, 0, 60).all(20, 0, gone),
				simulate(map[string]string{"job": "zk-test"}, 5, 0, 60),
			},
			checks: []exprTest{at("9m"), at("12m30s", lost+"@")},
		},
	}
}

// epoch shows the same zxids of all voters.
func (s *simulated) epoch(epochs, sequences string) *simulated {
	for id := 1; id <= s.voters; id++ {
		s.show(id, "zookeeper_zxid_epoch", epochs).show(id, "zookeeper_zxid_sequence", sequences)
	}
	return s
}

func (s *simulated) version(version string) *simulated {
	for id := 1; id <= s.voters; id++ {
		s.show(id, "zookeeper_server_info", "1*60", "version", version)
	}
	return s
}

// surviving are the ways to keep the quorum.
func surviving() []told {
	return []told{
		{
			name: "the network is cut between a minority and the quorum: one view has neither, the others know better",
			ensembles: []*simulated{prod(60).set(3, 20, 0, notServing).cutAt(3, 20, 3).cutAt(1, 20, 1, 2).cutAt(2, 20, 1, 2).
				show(1, "zookeeper_synced_followers", "2*20 1*40").show(1, "zookeeper_synced_non_voting_followers", "0*60")},
			checks: []exprTest{at("9m"), at("12m30s"), at("17m", risk), at("22m", risk, unsynced)},
		},
		{
			name:      "one voter is down and an observer serves, which does not count",
			ensembles: []*simulated{simulate(labelled("prod"), 3, 1, 60).set(3, 20, 0, down)},
			checks:    []exprTest{at("9m"), at("17m", risk, missing)},
		},
		{
			name:      "targets of /probe are well",
			ensembles: []*simulated{simulate(labelled("prod"), 3, 1, 60).withoutViews().show(1, "zookeeper_quorum_size", "3*60")},
			checks:    quiet("9m", "29m"),
		},
		{
			name:      "a fresh start finds a quorum",
			ensembles: []*simulated{prod(40).all(0, 2, notServing)},
			checks:    quiet("1m30s", "5m", "19m"),
		},
		{
			name:      "one sidecar is scraped and its server is down, and it sees that the others have a quorum",
			ensembles: []*simulated{prod(60).set(3, 20, 0, down).scrapedAt(3)},
			checks:    []exprTest{at("9m"), at("12m30s"), at("17m", risk, missing)},
		},
		{
			name:      "two sidecars cannot be scraped any more, and the third one sees that all is well",
			ensembles: []*simulated{prod(60)},
			change: func(in *input) {
				if !strings.Contains(in.Series, "zk-3:") {
					in.Values = strings.TrimSuffix(in.Values, "x59") + "x19 stale"
				}
			},
			checks: quiet("9m", "15m", "29m"),
		},
		{
			name: "a rolling restart: each pod is away for 90 seconds and takes 30 more to serve, the leader is the last one",
			ensembles: []*simulated{prod(60).
				set(3, 20, 23, gone).set(3, 23, 24, notServing).set(2, 24, 27, gone).set(2, 27, 29, notServing).
				set(1, 28, 31, gone).set(1, 31, 32, notServing).set(1, 32, 0, follows).
				set(3, 28, 29, notServing).set(3, 29, 0, leads).
				show(1, "zookeeper_zxid_epoch", "7*28 -*4 8*28").show(1, "zookeeper_zxid_sequence", "5000*28 -*4 1*28").
				show(2, "zookeeper_zxid_epoch", "7*24 -*5 8*31").show(2, "zookeeper_zxid_sequence", "5000*24 -*5 1*31").
				show(3, "zookeeper_zxid_epoch", "7*20 -*4 7*4 - 8*31").show(3, "zookeeper_zxid_sequence", "5000*20 -*4 5000*4 - 1*31").
				show(1, "zookeeper_synced_followers", "2*20 1*8 -*32").show(3, "zookeeper_synced_followers", "-*29 1*3 2*28")},
			checks: quiet("9m", "11m", "12m", "13m", "14m", "15m", "16m", "17m", "20m", "25m", "29m"),
		},
		{
			name:      "two voters never tolerate a failure, which is no news",
			ensembles: []*simulated{simulate(labelled("prod"), 2, 0, 60)},
			checks:    quiet("9m", "29m"),
		},
		{
			name:      "one of five is down, and two more may fail",
			ensembles: []*simulated{simulate(labelled("prod"), 5, 0, 60).set(5, 20, 0, down)},
			checks:    []exprTest{at("9m"), at("17m", missing)},
		},
		{
			name:      "one of three is away for twelve minutes, and alerts stay for a while, so that they do not come and go",
			ensembles: []*simulated{prod(60).set(3, 10, 34, down)},
			checks:    []exprTest{at("4m"), at("12m", risk, missing), at("18m", risk, missing), at("20m")},
		},
		{
			name:      "one of three is away for four minutes",
			ensembles: []*simulated{prod(60).set(3, 10, 18, down)},
			checks:    quiet("8m", "9m30s", "12m"),
		},
	}
}
