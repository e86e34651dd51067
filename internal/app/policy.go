package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"time"

	"zkwarden/audit/policy"
)

// adoptTimeout bounds how long a reload waits for the recorder.
const adoptTimeout = 10 * time.Second

// asked reports whether auditing is asked for, here or elsewhere.
func (a Audit) asked() bool { return len(a.Paths) > 0 || a.PolicyFile != "" }

// enabled reports whether this process audits.
func (a Audit) enabled() bool {
	instance, err := a.instance()
	return a.asked() && err == nil && (a.Instance == "" || instance.MatchString(a.Recorder))
}

// instance compiles the expression, which is for the whole of a name.
func (a Audit) instance() (*regexp.Regexp, error) {
	if _, err := regexp.Compile(a.Instance); err != nil {
		return nil, fmt.Errorf("--audit.instance: %w", err)
	}
	return regexp.Compile("^(?:" + a.Instance + ")$")
}

// CheckFlags reports flags that contradict each other.
func (a Audit) CheckFlags() error {
	switch _, err := a.instance(); {
	case err != nil:
		return err
	case a.PolicyFile != "" && len(a.Paths) > 0:
		return errors.New("--audit.path and --audit.policy-file exclude each other: put the path into the file")
	case a.PolicyFile != "" && a.Level != "":
		return errors.New("--audit.level is for --audit.path: the policy file has a level in every rule")
	}
	return nil
}

// Source says where the rules come from.
func (a Audit) Source() string {
	if a.PolicyFile != "" {
		return a.PolicyFile
	}
	return "--audit.path at level " + string(a.level())
}

func (a Audit) level() policy.Level {
	if a.Level == "" {
		return policy.LevelData
	}
	return a.Level
}

// Rules makes the policy without its key: it can tell what would be recorded,
// but not record it.
func (a Audit) Rules() (*policy.Policy, error) { return a.policy(nil) }

// policy makes the policy that the flags and the policy file say.
func (a Audit) policy(key []byte) (*policy.Policy, error) {
	if a.PolicyFile != "" {
		return policy.Load(a.PolicyFile, key)
	}
	return policy.ForPaths(a.Paths, a.level(), key)
}

// digestKey reads the key, and makes one where none is given.
func (a Audit) digestKey() ([]byte, error) {
	if a.DigestKeyFile != "" {
		return policy.LoadKey(a.DigestKeyFile)
	}
	return policy.LoadOrCreateKey(filepath.Join(a.Dir, digestKeyFile))
}

// loadPolicy reads the policy and the digest key.
func (a Audit) loadPolicy() (*policy.Policy, error) {
	key, err := a.digestKey()
	if err != nil {
		return nil, err
	}
	return a.policy(key)
}

// inForce is the policy as a source asks for it, which may change at any time.
type inForce struct{ current atomic.Pointer[policy.Policy] }

// Roots returns the subtrees to watch.
func (s *inForce) Roots() []string { return s.current.Load().Roots() }

// Wants reports whether path is recorded.
func (s *inForce) Wants(path string) bool { return s.current.Load().Wants(path) }

// Leads reports whether something below path may be recorded.
func (s *inForce) Leads(path string) bool { return s.current.Load().Leads(path) }

// same reports whether p is what is in force, under the same key.
func (s *inForce) same(p *policy.Policy) bool {
	current := s.current.Load()
	return current.Fingerprint() == p.Fingerprint() && current.KeyFingerprint() == p.KeyFingerprint()
}

// adopter takes over another policy while it works: the recorder.
type adopter interface {
	Adopt(ctx context.Context, p *policy.Policy) error
}

// rescoper reads its scope anew while it works: the source.
type rescoper interface{ Rescope() }

// adopt puts another policy into force, unless it is the same. The recorder
// goes first: what the old policy let through is cut down before anything that
// only the new one lets through is seen.
func (s *inForce) adopt(record adopter, source rescoper, p *policy.Policy) error {
	if s.same(p) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), adoptTimeout)
	defer cancel()
	if err := record.Adopt(ctx, p); err != nil {
		return fmt.Errorf("adopt policy: %w", err)
	}
	s.current.Store(p)
	source.Rescope()
	return nil
}

// readAgain reads all files that a running process can take over, and uses
// them if nothing is wrong with any.
func (a *App) readAgain() error {
	probes := a.exporter.probes
	modules, err := probes.told.modules(probes.timeout)
	current, policyErr := a.policyAgain()
	if err := errors.Join(err, policyErr); err != nil {
		return err
	}
	if current != nil {
		if err := a.auditor.Load().adopt(current); err != nil {
			return err
		}
	}
	probes.use(modules)
	return nil
}

// policyAgain is nil where nothing is audited.
func (a *App) policyAgain() (*policy.Policy, error) {
	if !a.options.Audit.enabled() {
		return nil, nil
	}
	if a.auditor.Load() == nil {
		return nil, errOpening
	}
	return a.options.Audit.loadPolicy()
}

// adopt puts another policy into force.
func (a *auditor) adopt(p *policy.Policy) error { return a.scope.adopt(a.record, a.source, p) }
