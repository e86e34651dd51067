package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"zkwarden/audit/policy"
	"zkwarden/audit/watch"
	"zkwarden/collector"
	"zkwarden/internal/fourletter"
)

// CheckOptions say what [Check] looks at.
type CheckOptions struct {
	Addr            string // host:port of the server.
	Dialer          *fourletter.Dialer
	Timeout         time.Duration // Of each word, and of the session.
	Members         []collector.Member
	EnsembleTimeout time.Duration
	StateFile       string // Of the members; empty: there is none.
	AdminServer     string // Where the server's AdminServer answers, as of collector.NewAdminServer.
	Cons            bool   // Whether the exporter would ask for cons.
	Audit           CheckAudit
}

// CheckAudit is what an auditor would be told; without Paths or Policy there is
// none.
type CheckAudit struct {
	Ensemble      string
	Paths         []string
	Policy        func() (*policy.Policy, error) // Reads the policy file, in the place of Paths; nil: there is none.
	Dir           string
	DigestKeyFile string                             // Empty: generated in Dir.
	Servers       []string                           // host:port; the session prefers the first.
	Auth          func() ([]watch.Credential, error) // What the session presents; nil is nothing.
	TxnlogDir     string                             // That would be followed, or app.TxnlogAuto; empty: none.
	Attribution   bool                               // Whether it would ask the members for their clients.
	Webhook       func() error                       // Why records could not be posted, whatever the other side says; nil: they are not to be.
}

func (o CheckAudit) asked() bool { return len(o.Paths) > 0 || o.Policy != nil }

// Check asks the server and its ensemble all that the exporter asks, looks at
// what an auditor needs, and prints what works, what would not, and the line of
// configuration that fixes it. It changes nothing. The error says how many
// things would not work.
func Check(ctx context.Context, o CheckOptions, out io.Writer) error {
	r := &report{}
	if err := r.all(ctx, o); err != nil {
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

func (r *report) all(ctx context.Context, o CheckOptions) error {
	witness, err := collector.NewAdminServer(o.AdminServer, o.Addr)
	if err != nil {
		return err
	}
	server, err := lookAtServer(ctx, o, witness)
	if err != nil {
		return err
	}
	ensemble, err := lookAtEnsemble(ctx, o, witness)
	if err != nil {
		return err
	}
	r.server(o, server, leadsInSilence(server.status, ensemble))
	r.ensemble(ensemble)
	if o.StateFile != "" {
		r.stateFile(o.StateFile)
	}
	if o.Audit.asked() {
		r.auditor(ctx, o, ensemble)
	}
	if o.Audit.Webhook != nil {
		r.webhook(o.Audit.Webhook)
	}
	return ctx.Err()
}

// leadsInSilence tells whether the server is the leader that serves no clients
// (leaderServes=no), whose words are those of a server without quorum: its
// AdminServer says so, or it is the only one of the members that it can be.
func leadsInSilence(server collector.Status, ensemble collector.EnsembleStatus) bool {
	idle, leads := 0, false
	for _, m := range ensemble.Members {
		if m.State == collector.NotServing {
			idle++
			leads = m.SilentLeader
		}
	}
	return server.SilentLeader || server.State == collector.NotServing && idle == 1 && leads
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
