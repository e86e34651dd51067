package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-kit/log"

	"zkwarden/collector"
	"zkwarden/internal/fourletter"
)

// soon is how long before its end a certificate is something to act upon.
const soon = 14 * 24 * time.Hour

// CheckOptions say what [Check] looks at.
type CheckOptions struct {
	Addr            string // host:port of the server.
	Dialer          *fourletter.Dialer
	Timeout         time.Duration // Of each word.
	Members         []collector.Member
	EnsembleTimeout time.Duration
}

// Check asks the server and its ensemble all that the exporter asks, and prints
// what works, what would not, and the line of configuration that fixes it. The
// error says how many things would not work.
func Check(ctx context.Context, o CheckOptions, out io.Writer) error {
	r := &report{}
	if err := r.server(ctx, o); err != nil {
		return err
	}
	if err := r.ensemble(ctx, o); err != nil {
		return err
	}
	if _, err := io.WriteString(out, r.text.String()); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	switch r.wrong {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("check of %s: one thing would not work", o.Addr)
	}
	return fmt.Errorf("check of %s: %d things would not work", o.Addr, r.wrong)
}

// report is what Check prints. What servers say is escaped.
type report struct {
	text  strings.Builder
	wrong int
}

func (r *report) title(format string, args ...any) {
	fmt.Fprintf(&r.text, "%s\n", printable(fmt.Sprintf(format, args...)))
}

func (r *report) good(format string, args ...any) {
	fmt.Fprintf(&r.text, "  ok     %s\n", printable(fmt.Sprintf(format, args...)))
}

// note says what works otherwise than one may think.
func (r *report) note(fix, format string, args ...any) {
	fmt.Fprintf(&r.text, "  note   %s\n", printable(fmt.Sprintf(format, args...)))
	r.fix(fix)
}

func (r *report) bad(fix, format string, args ...any) {
	r.wrong++
	fmt.Fprintf(&r.text, "  WRONG  %s\n", printable(fmt.Sprintf(format, args...)))
	r.fix(fix)
}

func (r *report) fix(text string) {
	if text != "" {
		fmt.Fprintf(&r.text, "         fix: %s\n", printable(text))
	}
}

func (r *report) server(ctx context.Context, o CheckOptions) error {
	handshakes := collector.NewHandshakes(o.Dialer)
	c, err := collector.New(collector.Options{
		Addr: o.Addr, Client: &fourletter.Client{Dialer: handshakes}, Timeout: o.Timeout, Logger: log.NewNopLogger(),
	})
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }() // Always nil.
	status, err := c.Look(ctx)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.title("Server %s", o.Addr)
	if status.Up {
		r.good("answers: ZooKeeper %s, %s", orUnknown(status.Version), status.State)
	}
	r.words(status)
	if o.Dialer.TLS != nil {
		r.tls(o.Dialer.TLS, handshakes)
	}
	return nil
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
	if cause := h.LastCause(); cause != "" {
		r.bad(tlsAdvice(cause), "TLS failed: %s", cause)
	}
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

// tlsAdvice says what to change when TLS fails for this cause.
func tlsAdvice(cause fourletter.Cause) string {
	switch cause {
	case fourletter.BadFiles:
		return "check --zookeeper.tls-ca-file, --zookeeper.tls-cert-file and --zookeeper.tls-key-file: each must be readable PEM"
	case fourletter.NotTLS, fourletter.HungUp:
		return "set --zookeeper.address to the server's secureClientPort, or drop --zookeeper.tls; a server that isn't serving may also hang up"
	case fourletter.Slow:
		return "check that --zookeeper.address is the server's secureClientPort; raise --zookeeper.timeout if the server is far away"
	case fourletter.Expired:
		return "renew the certificate in the server's ssl.keyStore.location and restart the server; check this machine's clock"
	case fourletter.UnknownAuthority:
		return "set --zookeeper.tls-ca-file to the authority that signed the server's certificate"
	case fourletter.WrongName:
		return "set --zookeeper.tls-server-name to a name in the server's certificate, or --zookeeper.address to one"
	case fourletter.ClientCertificate:
		return "set --zookeeper.tls-cert-file and --zookeeper.tls-key-file to a certificate that the server's ssl.trustStore.location trusts, or ssl.clientAuth=none in zoo.cfg"
	case fourletter.Version:
		return "set --zookeeper.tls-min-version=1.0, or ssl.enabledProtocols=TLSv1.2,TLSv1.3 in zoo.cfg"
	}
	return "look at the server's log"
}

func (r *report) ensemble(ctx context.Context, o CheckOptions) error {
	e, err := collector.NewEnsemble(collector.EnsembleOptions{
		Addr: o.Addr, Client: &fourletter.Client{Dialer: o.Dialer.ForMembers()}, Secure: o.Dialer.TLS != nil,
		Timeout: o.EnsembleTimeout, Members: o.Members, Logger: log.NewNopLogger(),
	})
	if err != nil {
		return err
	}
	defer func() { _ = e.Close() }() // Always nil.
	// The first round learns the roles that the server tells, the second uses them.
	if _, err := e.Look(ctx); err != nil {
		return err
	}
	status, err := e.Look(ctx)
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.title("Ensemble, as seen from here")
	r.list(status)
	for _, member := range status.Members {
		r.member(member, status)
	}
	r.quorum(status)
	return nil
}

// list reports where the members come from.
func (r *report) list(status collector.EnsembleStatus) {
	switch {
	case status.Problem == "":
		r.good("the server lists %d members", len(status.Members))
	case len(status.Members) == 0:
		r.bad(status.Advice, "the members are not known: %s", status.Problem)
	default:
		r.note(status.Advice, "the server doesn't list the members, so every one of --ensemble.member counts alike: %s", status.Problem)
	}
}

func (r *report) member(m collector.MemberStatus, status collector.EnsembleStatus) {
	role := string(m.State)
	if m.Observer {
		role += ", no vote"
	}
	switch {
	case m.Addr == "":
		r.bad(m.Advice, "member %d: %s", m.ID, m.Detail)
	case m.Detail != "" && m.State == collector.NotServing && status.SilentLeader:
		r.note("", "member %d at %s serves no clients: %s", m.ID, m.Addr, m.Advice)
	case m.Detail != "":
		r.bad(m.Advice, "member %d at %s: %s", m.ID, m.Addr, m.Detail)
	case status.Source == collector.FromServer && !m.Observer && m.Weight == 0:
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
	case status.Quorum == "unknown":
		r.note("", "whether there is a quorum can't be told without the addresses that are missing")
	case status.Voters > 2 && status.Tolerable == 0:
		r.note("start the members that are down", "quorum, but no voter more may fail")
	case status.Tolerable > 0:
		r.good("quorum: %d of %d voters serve, %d more can fail", status.Serving, status.Voters, status.Tolerable)
	default:
		r.good("quorum: %d of %d voters serve", status.Serving, status.Voters)
	}
}

func orUnknown(version string) string {
	if version == "" {
		return "of unknown version"
	}
	return version
}
