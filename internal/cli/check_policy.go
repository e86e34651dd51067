package cli

import (
	"fmt"
	"io"
	"strings"

	"zkwarden/audit"
	"zkwarden/audit/policy"
)

// ExplainOptions say what [Explain] explains.
type ExplainOptions struct {
	Policy func() (*policy.Policy, error) // Reads it; an error has a line for each mistake.
	Source string                         // Where it comes from.
	Paths  []string
}

// Explain prints which rule of a policy applies to each path, which rules were
// tried before it, and what would be recorded. It asks no server. The error
// says how many things are wrong with the policy and the paths.
func Explain(o ExplainOptions, out io.Writer) error {
	r := &report{}
	r.title("Policy of %s", o.Source)
	if p := r.policy(o.Policy); p != nil {
		r.good("fingerprint %s; watched: %s", p.Fingerprint(), strings.Join(p.Roots(), ", "))
		for _, path := range o.Paths {
			r.explain(p, path)
		}
	}
	if _, err := io.WriteString(out, r.text.String()); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	switch r.wrong {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("check of %s: one thing is wrong", o.Source)
	}
	return fmt.Errorf("check of %s: %d things are wrong", o.Source, r.wrong)
}

// policy reads a policy, and reports every mistake in it.
func (r *report) policy(read func() (*policy.Policy, error)) *policy.Policy {
	p, err := read()
	if err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			r.bad("", "%s", line)
		}
		return nil
	}
	return p
}

func (r *report) explain(p *policy.Policy, path string) {
	r.title("%s", path)
	if err := audit.ValidatePath(path); err != nil {
		r.bad("", "%v", err)
		return
	}
	trials := p.Explain(path)
	for _, trial := range trials {
		r.step("rules[%d] %q: %s", trial.Index, trial.Rule.Name, trial.Reason)
	}
	switch last := trials[len(trials)-1]; {
	case !last.Matches:
		r.good("not recorded and not read: no rule matches")
	case last.Rule.Level == policy.LevelNone:
		r.good("not recorded and not read, by rule %q", last.Rule.Name)
	default:
		r.good("recorded by rule %q, level %s: %s", last.Rule.Name, last.Rule.Level, last.Rule.Records())
	}
}

func (r *report) step(format string, args ...any) {
	fmt.Fprintf(&r.text, "         %s\n", printable(fmt.Sprintf(format, args...)))
}
