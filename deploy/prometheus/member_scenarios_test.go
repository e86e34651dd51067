package prometheus

import (
	"fmt"
	"strings"
)

// leading are about who leads.
func leading() []told {
	return []told{
		{
			name: "the leader moves and scrapes are apart, so that for a minute two have last been seen to lead",
			ensembles: []*simulated{prod(60).
				set(2, 10, 22, leads).set(1, 12, 0, follows).
				set(3, 20, 32, leads).set(1, 30, 42, leads).set(2, 40, 0, leads).
				epoch("7*10 8*10 9*10 10*10 11*20", "1*5 2*5 1*5 2*5 1*5 2*5 1*5 2*5 1*5 2*15")},
			checks: quiet("5m30s", "6m", "7m", "10m30s", "15m30s", "16m30s", "21m", "29m"),
		},
		{
			name:      "two servers lead, as every view shows, until it ends",
			ensembles: []*simulated{prod(60).set(2, 20, 40, leads)},
			checks:    []exprTest{at("9m"), at("11m"), at("13m", two), at("22m", two), at("27m")},
		},
		{
			name:      "two servers lead that were configured apart, so that no view shows both",
			ensembles: []*simulated{prod(40).set(2, 20, 0, leads).withoutViews()},
			checks:    []exprTest{at("9m"), at("13m", two)},
		},
		{
			name:      "two servers lead and one sidecar is scraped",
			ensembles: []*simulated{prod(40).set(2, 20, 0, leads).scrapedAt(3)},
			checks:    []exprTest{at("9m"), at("13m", two)},
		},
		{
			name:      "the leader serves nobody (leaderServes=no), which is no lost quorum",
			ensembles: []*simulated{prod(60).set(1, 0, 0, notServing)},
			change: func(in *input) {
				for _, name := range []string{"quorum", "leaders", "failures_tolerable"} {
					if strings.HasPrefix(in.Series, "zookeeper_ensemble_"+name) {
						in.Values = "1x59"
					}
				}
			},
			checks: quiet("9m", "29m"),
		},
		{
			name:      "elections follow each other, seven within a quarter of an hour",
			ensembles: []*simulated{prod(200).epoch("7*24 8*4 9*4 10*4 11*4 12*4 13*4 14*152", "3*200")},
			checks:    []exprTest{at("9m"), at("21m30s"), at("24m30s", flapping), at("60m", flapping), at("80m", flapping), at("99m")},
		},
		{
			name: "an idle ensemble after an election: followers in sync stay in the old epoch",
			ensembles: []*simulated{prod(200).
				show(1, "zookeeper_zxid_epoch", "7*20 8*180").show(1, "zookeeper_zxid_sequence", "500*20 0*180").
				show(2, "zookeeper_zxid_epoch", "7*200").show(2, "zookeeper_zxid_sequence", "500*200").
				show(3, "zookeeper_zxid_epoch", "7*200").show(3, "zookeeper_zxid_sequence", "500*200").
				show(1, "zookeeper_ensemble_member_zxid_distance", "0*200", "member", "1").
				show(1, "zookeeper_ensemble_member_zxid_distance", "0*20 -*180", "member", "2").
				show(1, "zookeeper_synced_followers", "2*200").show(1, "zookeeper_synced_non_voting_followers", "0*200")},
			checks: quiet("9m", "20m", "99m"),
		},
	}
}

// disagreeing are about members that are not like the others.
func disagreeing() []told {
	return []told{
		{
			name: "one server stays in the old epoch, and the others have written in the new one",
			ensembles: []*simulated{prod(60).
				show(1, "zookeeper_zxid_epoch", "7*20 8*40").show(1, "zookeeper_zxid_sequence", "500*20 9*40").
				show(2, "zookeeper_zxid_epoch", "7*20 8*40").show(2, "zookeeper_zxid_sequence", "500*20 9*40").
				show(3, "zookeeper_zxid_epoch", "7*60").show(3, "zookeeper_zxid_sequence", "500*60")},
			checks: []exprTest{at("9m"), at("12m"), at("17m", epochs)},
		},
		{
			name: "members disagree about voters and versions",
			ensembles: []*simulated{prod(200).
				show(1, "zookeeper_server_info", "1*200", "version", "3.9.5").
				show(2, "zookeeper_server_info", "1*200", "version", "3.9.5").
				show(3, "zookeeper_server_info", "1*20 -*180", "version", "3.9.5").
				show(3, "zookeeper_server_info", "-*20 1*180", "version", "3.9.6")},
			change: func(in *input) {
				if strings.HasPrefix(in.Series, "zookeeper_ensemble_voters") && strings.Contains(in.Series, "zk-3:") {
					in.Values = "3x19 4x179"
				}
			},
			checks: []exprTest{at("9m"), at("20m"), at("30m", voters), at("60m", voters), at("75m", voters, versions)},
		},
		{
			name:      "a follower is not in sync and lags, and a member that one view sees near is not behind",
			ensembles: []*simulated{lagged(prod(80))},
			checks:    []exprTest{at("9m"), at("17m"), at("22m", unsynced, lagging), at("33m", unsynced, lagging), at("37m")},
		},
		{
			name: "a follower without a vote is no voter in sync",
			ensembles: []*simulated{prod(60).
				show(1, "zookeeper_synced_followers", "2*60").show(1, "zookeeper_synced_non_voting_followers", "0*20 1*40")},
			checks: []exprTest{at("9m"), at("22m", unsynced)},
		},
		{
			name:      "servers before 3.6 don't count the voters among followers in sync",
			ensembles: []*simulated{prod(60).show(1, "zookeeper_synced_followers", "2*20 1*40")},
			checks:    []exprTest{at("9m"), at("22m", unsynced)},
		},
	}
}

// lagged has a member that both views see behind, and one that one of them does.
func lagged(s *simulated) *simulated {
	const distance = "zookeeper_ensemble_member_zxid_distance"
	for i, seen := range [][2]string{{"0*80", "0*80"}, {"0*80", "0*20 2000*40 0*20"}, {"0*20 5000*40 0*20", "0*20 4000*40 0*20"}} {
		member := fmt.Sprint(i + 1)
		s.show(1, distance, seen[0], "member", member).show(2, distance, seen[1], "member", member)
	}
	return s.show(1, "zookeeper_synced_followers", "2*20 1*40 2*20").show(1, "zookeeper_synced_non_voting_followers", "0*80")
}
