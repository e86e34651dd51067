package cli

import (
	"context"
	"strings"
	"time"

	"github.com/go-kit/log"

	"zkwarden/collector"
	"zkwarden/internal/fourletter"
)

// soon is how long before its end a certificate is something to act upon.
const soon = 14 * 24 * time.Hour

// serverLook is what the server said.
type serverLook struct {
	status     collector.Status
	handshakes *collector.Handshakes
	cons       error // Why cons is not answered, where the exporter would not ask it.
}

func lookAtServer(ctx context.Context, o CheckOptions, witness collector.Witness) (serverLook, error) {
	look := serverLook{handshakes: collector.NewHandshakes(o.Dialer)}
	client := &fourletter.Client{Dialer: look.handshakes}
	c, err := collector.New(collector.Options{
		Addr: o.Addr, Client: client, Timeout: o.Timeout, Logger: log.NewNopLogger(), Cons: o.Cons, Witness: witness,
	})
	if err != nil {
		return look, err
	}
	defer func() { _ = c.Close() }() // Always nil.
	if look.status, err = c.Look(ctx); err != nil {
		return look, err
	}
	if !o.Cons && look.status.State.Serving() {
		ctx, cancel := context.WithTimeout(ctx, o.Timeout)
		defer cancel()
		_, look.cons = client.Ask(ctx, o.Addr, fourletter.Cons)
	}
	return look, ctx.Err()
}

// server reports on the server; silent is set when it leads and serves nobody.
func (r *report) server(o CheckOptions, look serverLook, silent bool) {
	r.title("Server %s", o.Addr)
	if look.status.Up {
		r.good("answers: ZooKeeper %s, %s", orUnknown(look.status.Version), look.status.State)
	}
	if silent {
		r.note("take leaderServes=no out of zoo.cfg if its metrics matter more than the load of clients",
			"it leads and serves no clients (leaderServes=no): it answers no words while it leads")
	} else {
		r.words(look.status)
	}
	attributed := o.Audit.asked() && o.Audit.Attribution // The report on the auditor tells more.
	if reason, failed := fourletter.ReasonOf(look.cons); failed && !attributed {
		r.note("add cons to 4lw.commands.whitelist in zoo.cfg before you use --collector.cons",
			"cons: %s; it is only asked with --collector.cons", reason)
	}
	if o.Dialer.TLS != nil {
		r.tls(o.Dialer.TLS, look.handshakes)
	}
}

// words reports those that failed, once for each reason.
func (r *report) words(status collector.Status) {
	var answered []string
	failed := map[fourletter.Reason][]collector.WordStatus{}
	for _, word := range status.Words {
		if word.Reason == "" {
			answered = append(answered, word.Word)
		} else {
			failed[word.Reason] = append(failed[word.Reason], word)
		}
	}
	if len(answered) > 0 {
		r.good("answered: %s", strings.Join(answered, ", "))
	}
	for _, reason := range fourletter.Reasons() {
		words := failed[reason]
		if len(words) == 0 {
			continue
		}
		var names []string
		for _, word := range words {
			names = append(names, word.Word)
		}
		r.bad(words[0].Advice, "%s: %s (%s)", strings.Join(names, ", "), reason, words[0].Detail)
	}
}

func (r *report) tls(files *fourletter.TLSFiles, h *collector.Handshakes) {
	if files.InsecureSkipVerify {
		r.note("drop --zookeeper.tls-insecure-skip-verify and give --zookeeper.tls-ca-file", "certificates are not verified")
	}
	switch ends := h.Expiry(); {
	case ends.IsZero():
	case time.Until(ends) < soon:
		r.note("renew the certificate in the server's ssl.keyStore.location; without client.certReload=true it takes a restart of the server",
			"the served certificate ends %s", ends.UTC().Format(time.DateTime))
	default:
		r.good("the served certificate is good until %s", ends.UTC().Format(time.DateTime))
	}
}

func orUnknown(version string) string {
	if version == "" {
		return "of unknown version"
	}
	return version
}
