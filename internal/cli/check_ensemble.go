package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/go-kit/log"

	"zkwarden/collector"
	"zkwarden/internal/app"
	"zkwarden/internal/fourletter"
)

func lookAtEnsemble(ctx context.Context, o CheckOptions, witness collector.Witness) (collector.EnsembleStatus, error) {
	e, err := collector.NewEnsemble(collector.EnsembleOptions{
		Addr: o.Addr, Client: &fourletter.Client{Dialer: o.Dialer.ForMembers()}, Secure: o.Dialer.TLS != nil,
		Timeout: o.EnsembleTimeout, Members: o.Members, Logger: log.NewNopLogger(),
		Witness: witness, Config: app.ConfigZnode{Addr: o.Addr, Dialer: o.Dialer},
	})
	if err != nil {
		return collector.EnsembleStatus{}, err
	}
	defer func() { _ = e.Close() }() // Always nil.
	// The first round learns the roles that the server tells, the second uses them.
	if _, err := e.Look(ctx); err != nil {
		return collector.EnsembleStatus{}, err
	}
	status, err := e.Look(ctx)
	if err != nil {
		return status, err
	}
	return status, ctx.Err()
}

func (r *report) ensemble(status collector.EnsembleStatus) {
	r.title("Ensemble, as seen from here")
	r.list(status)
	for _, member := range status.Members {
		r.member(member)
	}
	r.quorum(status)
}

// list reports where the members come from.
func (r *report) list(status collector.EnsembleStatus) {
	listed := 0
	for _, m := range status.Members {
		if !m.Unlisted {
			listed++
		}
	}
	switch {
	case status.Source == collector.FromZnode:
		r.good("members: %d, as /zookeeper/config lists them, for conf is not whitelisted", listed)
	case status.Problem == "":
		r.good("members: %d, as the server lists them", listed)
	case len(status.Members) == 0:
		r.bad(status.Advice, "the members are not known: %s", status.Problem)
	default:
		r.note(status.Advice, "the server doesn't list the members, so those of --ensemble.member are used, and the weights of their votes are not known: %s", status.Problem)
	}
}

func (r *report) member(m collector.MemberStatus) {
	role := string(m.State)
	if m.Observer {
		role += ", no vote"
	}
	switch {
	case m.Addr == "":
		r.bad(m.Advice, "member %d: %s", m.ID, m.Detail)
	case m.SilentLeader:
		r.note("", "member %d at %s leads and serves no clients (leaderServes=no)", m.ID, m.Addr)
	case m.Detail != "":
		r.bad(m.Advice, "member %d at %s: %s", m.ID, m.Addr, m.Detail)
	case !m.Observer && m.Weight == 0:
		r.note("drop it from --ensemble.member if it isn't meant, or look at the weights in zoo.cfg",
			"member %d at %s has no vote in the ensemble of this server", m.ID, m.Addr)
	case m.Guessed:
		r.note(fmt.Sprintf("--ensemble.member=%d=%s makes it certain", m.ID, m.Addr),
			"member %d at %s: %s; zoo.cfg names no client port for it, so that of this server is assumed", m.ID, m.Addr, role)
	default:
		r.good("member %d at %s: %s", m.ID, m.Addr, role)
	}
}

func (r *report) quorum(status collector.EnsembleStatus) {
	switch {
	case len(status.Members) == 0:
	case status.Leaders > 1:
		r.bad("wait for a few ticks and check again: an old leader steps down by itself", "%d members lead", status.Leaders)
	case status.Quorum == "no":
		r.bad("start members until a majority of the voters is up", "no quorum: %d of %d voters serve", status.Serving, status.Voters)
	case status.Quorum == "unknown" && slices.ContainsFunc(status.Members, func(m collector.MemberStatus) bool { return m.Addr == "" }):
		r.note("", "whether there is a quorum can't be told without the addresses that are missing")
	case status.Quorum == "unknown":
		r.note("let --collector.adminserver name the AdminServer, which knows who leads",
			"whether there is a quorum can't be told: a voter that can't be reached may lead, or one that serves no clients (leaderServes=no)")
	case status.Voters > 2 && status.Tolerable == 0:
		r.note("start the members that are down", "quorum, but no voter more may fail")
	case status.Tolerable > 0:
		r.good("quorum: %d of %d voters serve, %d more can fail", status.Serving, status.Voters, status.Tolerable)
	default:
		r.good("quorum: %d of %d voters serve", status.Serving, status.Voters)
	}
}

// stateFile reports on the file in which the members survive a restart.
func (r *report) stateFile(name string) {
	if err := writable(filepath.Dir(name)); err != nil {
		r.bad("give --ensemble.state-file in a directory that this user can write", "the members don't survive a restart: %v", err)
		return
	}
	switch members, err := collector.CheckState(name); {
	case err == nil:
		r.good("%s remembers %d members", name, members)
	case errors.Is(err, fs.ErrNotExist):
		r.good("%s is made when the server has listed the members", name)
	default:
		r.bad("remove the file: it is made again when the server lists the members", "%s", oneLine(err))
	}
}
