package main

import (
	"errors"

	"gopkg.in/alecthomas/kingpin.v2"

	"zkwarden/audit/policy"
	"zkwarden/internal/cli"
)

// policyFlags say what is audited, and how much of it.
func (f *flags) policyFlags(c *kingpin.CmdClause) {
	c.Flag("audit.path", "Record every change of this znode and of everything below it. Repeatable. Nothing is audited without it or --audit.policy-file.").PlaceHolder("PATH").
		StringsVar(&f.run.Audit.Paths)
	c.Flag("audit.level", "How much of the znodes of --audit.path is recorded: data, the default, is their contents with whatever secrets are in them; metadata is sizes and keyed digests without content, as by default in the rules of a policy file.").PlaceHolder("LEVEL").
		EnumVar((*string)(&f.run.Audit.Level), string(policy.LevelData), string(policy.LevelMetadata))
	c.Flag("audit.policy-file", "YAML file with rules for what is recorded, how much of it, and what is masked; in the place of --audit.path. Read again at SIGHUP and POST /-/reload.").PlaceHolder("FILE").
		StringVar(&f.run.Audit.PolicyFile)
	c.Flag("audit.instance", "Audit only where this regular expression matches the whole host name, for pods that share one template; everywhere by default.").PlaceHolder("REGEXP").
		StringVar(&f.run.Audit.Instance)
}

// checkPolicyFlags reports what check can't look at. What is wrong with a
// policy file is a part of its report.
func (f *flags) checkPolicyFlags() error {
	a := f.run.Audit
	if err := a.CheckFlags(); err != nil {
		return err
	}
	if len(a.Paths) > 0 {
		_, err := policy.ForPaths(a.Paths, policy.LevelData, nil)
		return err
	}
	if len(f.explained) > 0 && a.PolicyFile == "" {
		return errors.New("--path is explained by a policy: give --audit.policy-file or --audit.path")
	}
	return nil
}

// policyFile returns what reads the policy file, or nil without one.
func (f *flags) policyFile() func() (*policy.Policy, error) {
	if f.run.Audit.PolicyFile == "" {
		return nil
	}
	return f.run.Audit.Rules
}

func (f *flags) explainOptions() cli.ExplainOptions {
	a := f.run.Audit
	return cli.ExplainOptions{Policy: a.Rules, Source: a.Source(), Paths: f.explained}
}
