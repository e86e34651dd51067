package collector

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zkwarden/internal/zktest"
)

// beside returns the view of a sidecar beside the server.
func beside(t *testing.T, server *zktest.Server, o EnsembleOptions) *Ensemble {
	t.Helper()
	o.Addr = server.Addr()
	return startEnsemble(t, o)
}

// awaitLines scrapes until the page has all lines.
func awaitLines(t *testing.T, e *Ensemble, lines ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		page := pageOfEnsemble(t, e)
		missing := ""
		for _, line := range lines {
			if !strings.Contains("\n"+page, "\n"+line+"\n") {
				missing = line
			}
		}
		if missing == "" {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("no page with %s; the last:\n%s", missing, page)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Two of three voters are killed. The sidecar that is left says at once that
// there is no quorum, on its own and after a restart of its own too; nobody
// reports a leader; and all of it recovers by itself.
func TestLiveQuorumLostAndRegained(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 3, Observers: 1, Dynamic: true})
	leader, err := ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	state := func(server *zktest.Server) string { return filepath.Join(dir, fmt.Sprint(server.ID())+".json") }
	views := map[int]*Ensemble{}
	for _, server := range ensemble.Servers() {
		views[server.ID()] = beside(t, server, EnsembleOptions{StateFile: state(server)})
		wants(t, pageOfEnsemble(t, views[server.ID()]), "members 4", "members_reached 4", "voters 3", "voters_serving 3",
			"leaders 1", "quorum 1", "failures_tolerable 1", `membership{source="server"} 1`)
	}

	survivor := ensemble.Server(leader.ID()%3 + 1)
	for _, server := range ensemble.Servers()[:3] {
		if server.ID() != survivor.ID() {
			server.Kill()
		}
	}
	wants(t, pageOfEnsemble(t, views[survivor.ID()]), "quorum 0", "leaders 0", "members 4", "failures_tolerable 0")
	restarted := beside(t, survivor, EnsembleOptions{StateFile: state(survivor)})
	wants(t, pageOfEnsemble(t, restarted), "quorum 0", "leaders 0", "members 4", `membership{source="state"} 1`)
	for _, view := range views {
		wants(t, pageOfEnsemble(t, view), "quorum 0", "leaders 0")
	}

	for _, server := range ensemble.Servers()[:3] {
		if server.ID() != survivor.ID() {
			if err := server.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := ensemble.WaitServing(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, view := range views {
		awaitLines(t, view, "quorum 1", "leaders 1", "voters_serving 3", "failures_tolerable 1", "members_reached 4")
	}
}

// The survivor may be the old leader, which for a moment still says it leads.
// That alone is no quorum.
func TestLiveLeaderAlone(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 3, Dynamic: true})
	leader, err := ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	view := beside(t, leader, EnsembleOptions{})
	wants(t, pageOfEnsemble(t, view), "quorum 1")
	followers, err := ensemble.Followers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range followers {
		server.Kill()
	}
	wants(t, pageOfEnsemble(t, view), "quorum 0")
	awaitLines(t, view, "leaders 0", "quorum 0")
}

func TestLiveLeaderServesNo(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 3, Dynamic: true, Config: map[string]string{"leaderServes": "no"}})
	leader, err := ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []Member
	for _, server := range ensemble.Servers() {
		all = append(all, Member{ID: int64(server.ID()), Addr: server.Addr()})
	}
	// Beside the leader, which never lists the ensemble.
	view := beside(t, leader, EnsembleOptions{Members: all})
	awaitLines(t, view, "quorum 1", "leaders 1", "leaders_not_serving 1", "voters_serving 2", "failures_tolerable 1")
	status := view.LastRound()
	if advice := status.Members[leader.ID()-1].Advice; !status.SilentLeader || !strings.Contains(advice, "leaderServes=no") {
		t.Errorf("advice for the leader: %q", advice)
	}
	followers, err := ensemble.Followers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, server := range followers {
		server.Kill()
	}
	awaitLines(t, view, "quorum 0", "leaders 0", "leaders_not_serving 0")
}

// A voter that hangs, as in a long pause of its Java, delays the page by its own
// deadline.
func TestLiveHungMember(t *testing.T) {
	ensemble := zktest.Start(t, zktest.Options{Servers: 3, Dynamic: true})
	followers, err := ensemble.Followers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leader, err := ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	view := beside(t, leader, EnsembleOptions{Timeout: 2 * time.Second})
	awaitLines(t, view, "members_reached 3")
	if err := followers[0].Pause(); err != nil {
		t.Fatal(err)
	}
	awaitLines(t, view, "quorum 1", "members_reached 2", "voters_serving 2", "failures_tolerable 0")
	begin := time.Now()
	pageOfEnsemble(t, view)
	if took := time.Since(begin); took > 30*time.Second { // Without a deadline it would wait for the resume.
		t.Errorf("took %s with a deadline of 2s", took)
	}
	if err := followers[0].Resume(); err != nil {
		t.Fatal(err)
	}
}

// Groups and weights of a hierarchical quorum: server 3 has no vote, server 1 two.
func TestLiveHierarchicalQuorum(t *testing.T) {
	var all []Member
	ensemble := zktest.Start(t, zktest.Options{Servers: 3, Config: map[string]string{
		"group.1": "1:2:3", "weight.1": "2", "weight.2": "1", "weight.3": "0",
	}})
	for _, server := range ensemble.Servers() {
		all = append(all, Member{ID: int64(server.ID()), Addr: server.Addr()})
	}
	view := beside(t, ensemble.Server(1), EnsembleOptions{Members: all})
	awaitLines(t, view, "voters 2", "members 3", "quorum 1", "voters_serving 2", `membership{source="server"} 1`)
	ensemble.Server(2).Kill()
	ensemble.Server(3).Kill()
	// One of three servers has two of three votes.
	awaitLines(t, view, "quorum 1", "leaders 1", "voters_serving 1", "failures_tolerable 0")
}
