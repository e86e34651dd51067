package cli

import (
	"context"
	"strings"
	"sync"

	"zkwarden/audit/attribution"
	"zkwarden/collector"
	"zkwarden/internal/fourletter"
)

// clients reports which members tell their clients, so that records can say who
// made a change.
func (r *report) clients(ctx context.Context, o CheckOptions, ensemble collector.EnsembleStatus) {
	addrs := reachable(ensemble)
	if len(addrs) == 0 {
		addrs = []string{o.Addr}
	}
	if len(ensemble.Members) == 0 || len(addrs) < len(ensemble.Members) {
		r.note("name each member as --ensemble.member=ID=HOST:PORT",
			"only %s is asked for clients: records of changes by those of other members have no address", strings.Join(addrs, ", "))
	}
	failures := askClients(ctx, o, addrs)
	told := 0
	for i, addr := range addrs {
		switch reason, failed := fourletter.ReasonOf(failures[i]); {
		case !failed:
			told++
		case reason == fourletter.NotWhitelisted:
			r.note("put this line into zoo.cfg, with the words that it has already, and restart the server: "+attribution.Whitelist,
				"%s doesn't tell its clients, for cons is not whitelisted: records of changes by them have no address", addr)
		default:
			r.note("", "%s doesn't tell its clients now (%s): records of changes by them have no address until it does", addr, reason)
		}
	}
	if told == len(addrs) {
		r.good("clients can be told: cons is answered by %d of %d members", told, len(addrs))
	}
}

// reachable returns where the members answer words, as far as that is known.
func reachable(ensemble collector.EnsembleStatus) (addrs []string) {
	for _, m := range ensemble.Members {
		if m.Addr != "" {
			addrs = append(addrs, m.Addr)
		}
	}
	return addrs
}

// askClients asks all members at once, and returns why each did not answer.
func askClients(ctx context.Context, o CheckOptions, addrs []string) []error {
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	failures := make([]error, len(addrs))
	var asked sync.WaitGroup
	for i, addr := range addrs {
		dialer := o.Dialer.ForMembers()
		if addr == o.Addr {
			dialer = o.Dialer
		}
		asked.Go(func() { _, failures[i] = (&fourletter.Client{Dialer: dialer}).Ask(ctx, addr, fourletter.Cons) })
	}
	asked.Wait()
	return failures
}
