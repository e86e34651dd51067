package main

import (
	"fmt"
	"io"
	"path"

	"gopkg.in/alecthomas/kingpin.v2"

	"zkwarden/collector"
	"zkwarden/internal/cli"
)

// ensembleFlags stand on the application: check looks at the ensemble too.
func (f *flags) ensembleFlags() {
	f.app.Flag("ensemble.member", "Id of a member of the ensemble and where it answers, repeatable. By default the members are read from the server, which knows no client ports where zoo.cfg says clientPort=.").
		PlaceHolder("ID=HOST:PORT").StringsVar(&f.members)
	f.app.Flag("collector.adminserver", "Where the server's AdminServer answers, which tells a leader that serves no clients (leaderServes=no) from a lost quorum: auto for port 8080 of the server's host, a URL, or off.").
		PlaceHolder("auto").Default(collector.AdminServerAuto).StringVar(&f.run.Ensemble.AdminServer)
	f.app.Flag("ensemble.timeout", "How long each member of the ensemble may take to answer.").Default("1s").DurationVar(&f.ensembleTimeout)
}

func (f *flags) parseMembers() error {
	if _, err := collector.NewAdminServer(f.run.Ensemble.AdminServer, "localhost:2181"); err != nil {
		return fmt.Errorf("--collector.adminserver: %w", err)
	}
	if f.ensembleTimeout <= 0 {
		return fmt.Errorf("--ensemble.timeout: %s is not positive", f.ensembleTimeout)
	}
	seen := map[int64]bool{}
	for _, text := range f.members {
		member, err := collector.ParseMember(text)
		if err != nil {
			return fmt.Errorf("--ensemble.member: %w", err)
		}
		if seen[member.ID] {
			return fmt.Errorf("--ensemble.member: member %d is given twice", member.ID)
		}
		seen[member.ID] = true
		f.ensembleMembers = append(f.ensembleMembers, member)
	}
	return nil
}

// checkCollector reports values that collector would take for its defaults, or
// refuse without the name of the flag.
func (f *flags) checkCollector() error {
	o := f.run.Collector
	for name, value := range map[string]int{"namespaces-max": o.NamespacesMax, "cons-top": o.ConsTop} {
		if value <= 0 {
			return fmt.Errorf("--collector.%s: %d is not positive", name, value)
		}
	}
	if o.SlowInterval <= 0 {
		return fmt.Errorf("--collector.slow-interval: %s is not positive", o.SlowInterval)
	}
	for name, globs := range map[string][]string{"allow": o.NamespacesAllow, "deny": o.NamespacesDeny} {
		for _, glob := range globs {
			if _, err := path.Match(glob, ""); err != nil {
				return fmt.Errorf("--collector.namespaces-%s: %q is no glob", name, glob)
			}
		}
	}
	return nil
}

// exporterFlags are the flags of run that are about metrics.
func (f *flags) exporterFlags() {
	c, o := f.runCommand, &f.run.Collector
	f.askingFlags(c)
	c.Flag("collector.lifetime", "Show minimum, mean, maximum and percentiles over the life of the server too.").BoolVar(&o.Lifetime)
	c.Flag("collector.namespaces-max", "How many top-level znodes to show in metrics by namespace; the others are counted.").
		Default(fmt.Sprint(collector.DefaultNamespacesMax)).IntVar(&o.NamespacesMax)
	c.Flag("collector.namespaces-allow", "Namespaces to show, as a name or glob, repeatable; all by default.").PlaceHolder("GLOB").StringsVar(&o.NamespacesAllow)
	c.Flag("collector.namespaces-deny", "Namespaces not to show, as a name or glob, repeatable.").PlaceHolder("GLOB").StringsVar(&o.NamespacesDeny)
	c.Flag("collector.slow-interval", "How long the answers to conf, isro, wchs, dirs, envi and cons are kept.").
		Default(collector.DefaultSlowInterval.String()).DurationVar(&o.SlowInterval)
	c.Flag("collector.cons-top", "How many client addresses to show; the rest is one.").Default(fmt.Sprint(collector.DefaultConsTop)).IntVar(&o.ConsTop)
	c.Flag("collector.disk", "Directory whose disk is watched, such as the server's dataDir where it is mounted here, repeatable. The audit directory is watched anyway.").
		PlaceHolder("DIRECTORY").StringsVar(&f.run.Disks)
	c.Flag("metrics.compat", "Show metrics under the names of other exporters too: zk for those of mntr.").PlaceHolder("zk").EnumVar(&o.Compat, collector.CompatZK)
	c.Flag("probe.allow", "Targets that /probe may ask, as HOST:PORT, host or glob, repeatable; the members of the ensemble by default.").
		PlaceHolder("GLOB").StringsVar(&f.run.Probe.Allow)
	c.Flag("probe.config-file", "YAML file with the modules of /probe.").PlaceHolder("FILE").StringVar(&f.run.Probe.ConfigFile)
}

// askingFlags are those of run that check looks at too.
func (f *flags) askingFlags(c *kingpin.CmdClause) {
	c.Flag("ensemble.state-file", "File in which the last known members of the ensemble survive a restart; ensemble.json in the audit directory by default, if anything is audited.").
		PlaceHolder("FILE").StringVar(&f.run.Ensemble.StateFile)
	c.Flag("collector.cons", "Ask for connections too, and show them by client address.").BoolVar(&f.run.Collector.Cons)
}

// checkFlags are a part of those of run, with which check is told the same.
func (f *flags) checkFlags() {
	c := f.app.Command("check", "Tell what would not work with this server, and the line of configuration that fixes it.")
	f.checkClause = c
	f.askingFlags(c)
	f.auditFlags(c)
	c.Flag("path", "Explain, without asking a server, which rule of the policy applies to this znode and what would be recorded of it. Repeatable.").
		PlaceHolder("PATH").StringsVar(&f.explained)
}

func (f *flags) checkOptions(stderr io.Writer) cli.CheckOptions {
	o := f.runOptions()
	return cli.CheckOptions{
		Addr: f.addresses[0], Dialer: f.dialer(), Timeout: f.timeout,
		Members: f.ensembleMembers, EnsembleTimeout: f.ensembleTimeout,
		StateFile: o.StateFile(), AdminServer: o.Ensemble.AdminServer, Cons: o.Collector.Cons,
		Audit: cli.CheckAudit{
			Ensemble: f.ensemble, Paths: o.Audit.Paths, Policy: f.policyFile(), Dir: o.Audit.Dir, DigestKeyFile: o.Audit.DigestKeyFile, Servers: f.addresses,
			Auth: f.session(stderr).Auth, Attribution: o.Audit.AttributionInterval > 0,
			TxnlogDir: o.Audit.TxnlogDir, Webhook: o.CheckWebhook,
		},
	}
}
