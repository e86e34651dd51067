package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"gopkg.in/alecthomas/kingpin.v2"

	"zkwarden/audit"
	"zkwarden/audit/policy"
	"zkwarden/internal/cli"
)

const aboutTxnlog = `Tell from transaction logs and snapshots what happened to znodes, or how the tree was. No server is asked; one may run meanwhile.

  zkwarden txnlog /var/lib/zookeeper --path=/app/config --op=deleted --since=1d
  zkwarden txnlog /var/lib/zookeeper --session=0x100001b2c4d0003 --content
  zkwarden txnlog /data /datalog --at=2026-11-20T10:00:00Z --stat
  zkwarden txnlog /data /datalog --diff=0x100000005..0x10000002a
  zkwarden txnlog log.100000001 --json

Prints changes unless --at or --diff asks for something else, with what is doubtful about them on stderr.`

var (
	errAtAndDiff   = errors.New("--at and --diff exclude each other")
	errOfChanges   = errors.New("--op, --session, --since, --until and --content are for changes, not for --at and --diff")
	errStatAtNone  = errors.New("--stat goes with --at")
	errTextOfJSON  = errors.New("--content and --stat are for people, --json for programs: choose one")
	errZeroHistory = errors.New("--ensemble.generation: generations begin with 1")
)

// txnlogFlags holds what the command line says about txnlog.
type txnlogFlags struct {
	clause                 *kingpin.CmdClause
	options                cli.TxnlogOptions
	since, until, at, diff string
	level                  string
	ops, sessions          []string
}

func (f *flags) txnlogFlags() {
	c, l := f.app.Command("txnlog", aboutTxnlog), &f.txnlog
	l.clause = c
	c.Arg("file", "Directories with the logs and snapshots of one server (dataDir and dataLogDir, or version-2 within), or single files.").Required().StringsVar(&l.options.Files)
	c.Flag("path", "Only this znode and everything below it, or the znodes that a glob such as /kafka/*/config or /kafka/**/topics matches. Repeatable.").
		PlaceHolder("GLOB").StringsVar(&l.options.Filter.Paths)
	c.Flag("op", "Only this operation, repeatable: created, data_changed, acl_changed or deleted.").PlaceHolder("OP").
		EnumsVar(&l.ops, string(audit.OpCreated), string(audit.OpDataChanged), string(audit.OpACLChanged), string(audit.OpDeleted))
	c.Flag("session", "Only changes by this session, or of ephemeral znodes that belong to it, repeatable; hexadecimal with 0x.").PlaceHolder("ID").StringsVar(&l.sessions)
	c.Flag("since", "Only changes made at or after this time, by the leader's clock: 2006-01-02T15:04:05Z, 2006-01-02, or 2h ago as 2h.").PlaceHolder("TIME").StringVar(&l.since)
	c.Flag("until", "Only changes made before this time.").PlaceHolder("TIME").StringVar(&l.until)
	c.Flag("content", "Show the content before and after each change as a unified diff.").BoolVar(&l.options.Contents)
	c.Flag("at", "Print the tree as it was behind this transaction, or at this time.").PlaceHolder("ZXID|TIME").StringVar(&l.at)
	c.Flag("stat", "With --at: show version, size, number of children, ephemeral owner and times.").BoolVar(&l.options.Stat)
	c.Flag("diff", "Print what differs between two moments, each a zxid or a time.").PlaceHolder("A..B").StringVar(&l.diff)
	c.Flag("level", "How much of contents to print: data, or metadata for their sizes.").
		Default(string(policy.LevelData)).EnumVar(&l.level, string(policy.LevelMetadata), string(policy.LevelData))
	c.Flag("json", "Print an audit event a line, as the journal would hold it but for what only a journal has; with --at, a znode a line.").BoolVar(&l.options.JSON)
	c.Flag("skip-damaged", "Go on behind what is damaged, and tell of it. Otherwise it is a failure.").BoolVar(&l.options.SkipDamaged)
	c.Flag("ensemble.generation", "With --ensemble.name and --json: the generation of the auditor's records, which their ids depend on; its start record tells it.").
		Default("1").Uint64Var(&l.options.Generation)
	c.Flag("audit.digest-key-file", "File with the auditor's digest key, to print the digests that its records have; none are printed otherwise.").PlaceHolder("FILE").
		StringVar(&l.options.KeyFile)
}

func (f *flags) checkTxnlog() error {
	l := &f.txnlog
	o := &l.options
	o.Ensemble, o.Level = f.ensemble, policy.Level(l.level)
	elsewhere := l.at != "" || l.diff != ""
	switch {
	case l.at != "" && l.diff != "":
		return errAtAndDiff
	case elsewhere && (l.since != "" || l.until != "" || len(l.ops) > 0 || len(l.sessions) > 0 || o.Contents):
		return errOfChanges
	case o.Stat && l.at == "":
		return errStatAtNone
	case o.JSON && (o.Contents || o.Stat):
		return errTextOfJSON
	case o.Generation == 0:
		return errZeroHistory
	}
	now := time.Now()
	if l.at != "" {
		moment, err := cli.ParseMoment(l.at, now)
		if err != nil {
			return fmt.Errorf("--at: %w", err)
		}
		o.At = &moment
	}
	if l.diff != "" {
		moments, err := cli.ParseMoments(l.diff, now)
		if err != nil {
			return fmt.Errorf("--diff: %w", err)
		}
		o.Diff = &moments
	}
	o.Filter.Ops = as[audit.Op](l.ops)
	return parseFilter(&o.Filter, l.sessions, l.since, l.until, now)
}

// txnlogOptions returns the options, and stdout as it has to be written to.
func (f *flags) txnlogOptions(stdout, stderr io.Writer) (cli.TxnlogOptions, io.Writer) {
	o := f.txnlog.options
	o.Color = colored(stdout)
	stdout, o.Warnings, o.Progress = besideProgress(stdout, stderr)
	return o, stdout
}
