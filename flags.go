package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/version"
	"gopkg.in/alecthomas/kingpin.v2"

	"zkwarden/audit"
	"zkwarden/audit/policy"
	"zkwarden/audit/sink/webhook"
	"zkwarden/collector"
	"zkwarden/internal/app"
	"zkwarden/internal/cli"
	"zkwarden/internal/fourletter"
)

const about = `A sidecar for Apache ZooKeeper. It exposes the four-letter words of the server beside it as Prometheus metrics, and records every change of the znodes under given paths as tamper-evident audit events.

Every flag can also be given in the environment: --zookeeper.address is ZKWARDEN_ZOOKEEPER_ADDRESS. Repeatable flags take one value a line there.

  zkwarden --zookeeper.address=127.0.0.1:2181
  zkwarden --ensemble.name=prod --audit.path=/kafka/config --audit.dir=/var/lib/zkwarden
  zkwarden tree /kafka --stat`

// flags holds what the command line says. Flags of the connection and of the
// log stand on the application, so that they work before and after any command.
type flags struct {
	app      *kingpin.Application
	answer   bytes.Buffer // What --help or --version prints.
	answered bool         // Whether one of them was all that was asked.

	addresses []string
	tls       bool
	tlsFiles  fourletter.TLSFiles
	authFile  string
	timeout   time.Duration
	ensemble  string
	minTLS    string
	logLevel  string
	logFormat string

	runCommand *kingpin.CmdClause
	run        app.Options

	members         []string // As given.
	ensembleMembers []collector.Member
	ensembleTimeout time.Duration

	treeCommand *kingpin.CmdClause
	tree        cli.TreeOptions

	watchCommand *kingpin.CmdClause
	watch        cli.WatchOptions

	healthCommand *kingpin.CmdClause
	health        cli.HealthOptions

	dashboardsCommand *kingpin.CmdClause
	dashboardsDir     string

	checkClause *kingpin.CmdClause

	verify    verifyFlags
	log       logFlags
	txnlog    txnlogFlags
	explained []string
}

func newFlags() *flags {
	f := &flags{app: kingpin.New("zkwarden", about)}
	f.app.Version(version.Print("zkwarden"))
	f.app.UsageTemplate(usageTemplate)
	f.app.UsageWriter(&f.answer) // It panics when it cannot write.
	f.app.ErrorWriter(io.Discard)
	f.app.Terminate(func(int) { f.answered = true })
	f.app.DefaultEnvars()
	f.app.HelpFlag.Short('h')
	// An image or a chart may well set ZKWARDEN_VERSION for itself.
	f.app.HelpFlag.NoEnvar()
	f.app.VersionFlag.NoEnvar()
	f.connection()
	f.ensembleFlags()
	f.runFlags()
	f.journalFlags()
	f.exporterFlags()
	f.treeFlags()
	f.watchFlags()
	f.logFlags()
	f.verifyFlags()
	f.txnlogFlags()
	f.checkFlags()
	f.healthFlags()
	f.dashboardsFlags()
	nameCulprits(f.app)
	return f
}

func (f *flags) connection() {
	f.app.Flag("zookeeper.address", "ZooKeeper servers as host:port, repeatable or separated by commas. The first is the one that /metrics describes, and sessions prefer it.").
		Default("127.0.0.1:2181").StringsVar(&f.addresses)
	f.app.Flag("zookeeper.tls", "Speak TLS to ZooKeeper.").BoolVar(&f.tls)
	f.app.Flag("zookeeper.tls-ca-file", "PEM file with the authorities that sign the servers' certificates; the system's by default. Read again at every connect, like the other two.").PlaceHolder("FILE").
		StringVar(&f.tlsFiles.CAFile)
	f.app.Flag("zookeeper.tls-cert-file", "PEM file with the client certificate.").PlaceHolder("FILE").StringVar(&f.tlsFiles.CertFile)
	f.app.Flag("zookeeper.tls-key-file", "PEM file with the client certificate's key.").PlaceHolder("FILE").StringVar(&f.tlsFiles.KeyFile)
	f.app.Flag("zookeeper.tls-server-name", "Name that the servers' certificates must have; the host that is dialled by default.").PlaceHolder("NAME").
		StringVar(&f.tlsFiles.ServerName)
	f.app.Flag("zookeeper.tls-min-version", "Oldest version of TLS to speak: 1.0, 1.1, 1.2 or 1.3.").
		Default("1.2").EnumVar(&f.minTLS, "1.0", "1.1", "1.2", "1.3")
	f.app.Flag("zookeeper.tls-insecure-skip-verify", "Believe any certificate. Whoever is in between can then answer in ZooKeeper's place.").
		BoolVar(&f.tlsFiles.InsecureSkipVerify)
	f.app.Flag("zookeeper.auth-file", "File with a line scheme:auth for each credential that sessions present, as in digest:user:password. Read again at every connect.").PlaceHolder("FILE").
		StringVar(&f.authFile)
	f.app.Flag("zookeeper.timeout", "How long a scrape of the server may take, and how long a command waits for a session.").
		Default("3s").DurationVar(&f.timeout)
	f.app.Flag("ensemble.name", "Name of the ensemble, written to every audit record. Required for auditing.").PlaceHolder("NAME").StringVar(&f.ensemble)
	f.app.Flag("log.level", "Least severe messages to log: debug, info, warn or error.").
		Default("info").EnumVar(&f.logLevel, "debug", "info", "warn", "error")
	f.app.Flag("log.format", "Format of the log, which goes to stderr: logfmt or json.").
		Default("logfmt").EnumVar(&f.logFormat, "logfmt", "json")
}

func (f *flags) runFlags() {
	c := f.app.Command("run", "Serve metrics, and audit if there is a path to audit. The audit records go to stdout as JSON lines.").Default()
	f.runCommand = c
	c.Flag("web.listen-address", "Address to serve /metrics and the other pages on.").
		Default(":9141").StringVar(&f.run.Web.ListenAddress)
	c.Flag("web.config.file", "File that turns on TLS and basic auth for the pages, in the format of Prometheus' exporter-toolkit.").PlaceHolder("FILE").
		StringVar(&f.run.Web.ConfigFile)
	c.Flag("web.enable-pprof", "Serve profiles under /debug/pprof/.").BoolVar(&f.run.Web.Pprof)
	f.auditFlags(c)
}

// auditFlags are those of run that check looks at too.
func (f *flags) auditFlags(c *kingpin.CmdClause) {
	f.policyFlags(c)
	c.Flag("audit.dir", "Directory of the journal and of the last known state. It needs a volume of its own.").
		Default("data/").StringVar(&f.run.Audit.Dir)
	c.Flag("audit.digest-key-file", "File with the hexadecimal key of content digests; generated in the audit directory by default.").PlaceHolder("FILE").
		StringVar(&f.run.Audit.DigestKeyFile)
	c.Flag("audit.txnlog-dir", "Directory of the transaction logs of the first server, version-2 or its parent, or auto for what a server on this host says. They are followed where they can be, and tell every change with its content, session and time.").PlaceHolder("DIR").
		StringVar(&f.run.Audit.TxnlogDir)
	c.Flag("audit.sweep-interval", "How often every watched znode is compared with the last known state, which finds changes of ACLs; 0 turns it off.").
		Default("10m").DurationVar(&f.run.Audit.SweepInterval)
	c.Flag("audit.attribution-interval", "How often every member of the ensemble is asked for its clients (cons), so that records say where a session's client is; 0 turns it off.").
		Default("5s").DurationVar(&f.run.Audit.AttributionInterval)
	c.Flag("audit.checkpoint-interval", "How often a record says how far everything that changed is recorded.").
		Default("1m").DurationVar(&f.run.Audit.CheckpointInterval)
	c.Flag("sink.webhook.url", "Post the audit records to this URL, too.").PlaceHolder("URL").StringVar(&f.run.Audit.Webhook.URL)
	c.Flag("sink.webhook.http-config-file", "File with credentials, TLS and proxy for it, in the format of Prometheus' http_config.").PlaceHolder("FILE").
		StringVar(&f.run.Audit.Webhook.HTTPConfigFile)
	c.Flag("sink.webhook.format", "What a request holds: ndjson for one record a line, or array for one JSON array.").
		Default(string(webhook.FormatLines)).EnumVar((*string)(&f.run.Audit.Webhook.Format), string(webhook.FormatLines), string(webhook.FormatArray))
	c.Flag("sink.webhook.timeout", "How long a request may take.").Default("10s").DurationVar(&f.run.Audit.Webhook.Timeout)
}

func (f *flags) treeFlags() {
	c := f.app.Command("tree", "Print the znodes at and below a path, one a line.")
	f.treeCommand = c
	c.Arg("path", "Where to begin.").Default("/").StringVar(&f.tree.Path)
	c.Flag("stat", "Show version, size, number of children, ephemeral owner and times.").BoolVar(&f.tree.Stat)
	c.Flag("depth", "Levels to print below the path; negative for all.").Default("-1").IntVar(&f.tree.Depth)
	c.Flag("json", "Print a JSON object a line, with the whole Stat.").BoolVar(&f.tree.JSON)
}

func (f *flags) watchFlags() {
	c := f.app.Command("watch", "Follow changes live, from now on and without a journal.")
	f.watchCommand = c
	c.Arg("path", "Znodes to follow, with everything below them.").Required().StringsVar(&f.watch.Paths)
	c.Flag("json", "Print a JSON object a line, as the journal would hold it.").BoolVar(&f.watch.JSON)
}

func (f *flags) healthFlags() {
	c := f.app.Command("health", "Ask the zkwarden of this machine whether it is healthy, for the health checks of containers.")
	f.healthCommand = c
	c.Flag("web.listen-address", "Address that it serves its pages on.").Default(":9141").StringVar(&f.health.ListenAddress)
	c.Flag("ready", "Ask whether it is ready instead.").BoolVar(&f.health.Ready)
}

func (f *flags) dashboardsFlags() {
	f.dashboardsCommand = f.app.Command("dashboards", "Write the Grafana dashboards, as JSON files for import or provisioning.")
	f.dashboardsCommand.Arg("dir", "Where to; it is made if it isn't there, and files of the same names are replaced.").Required().StringVar(&f.dashboardsDir)
}

// parse returns the command that was chosen.
func (f *flags) parse(args []string, stdout io.Writer) (string, error) {
	chosen, err := f.app.Parse(args)
	if f.answered {
		_, err := f.answer.WriteTo(stdout)
		return "", err
	}
	if err == nil && chosen == f.runCommand.FullCommand() && !slices.Contains(args, chosen) {
		// On its way to the default command kingpin forgives a flag whose
		// value is missing; with the command spelled out it does not.
		_, err = f.app.ParseContext(append([]string{chosen}, args...))
	}
	if err != nil {
		return "", usageError{err}
	}
	if err := f.parseMembers(); err != nil {
		return "", usageError{err}
	}
	if f.addresses, err = app.ParseAddresses(f.addresses); err != nil {
		return "", usageError{err}
	}
	if err := errors.Join(f.checkTLS(), f.checkCommand(chosen)); err != nil {
		return "", usageError{err}
	}
	return chosen, nil
}

func (f *flags) checkTLS() error {
	switch {
	case !f.tls && f.tlsFiles != (fourletter.TLSFiles{}):
		return errTLSOff
	case (f.tlsFiles.CertFile == "") != (f.tlsFiles.KeyFile == ""):
		return errTLSPair
	}
	return nil
}

// checkCommand reports what is wrong with a command before it asks a server.
func (f *flags) checkCommand(chosen string) error {
	if f.timeout <= 0 {
		return fmt.Errorf("--zookeeper.timeout: %s is not positive", f.timeout)
	}
	switch chosen {
	case f.runCommand.FullCommand():
		return errors.Join(f.checkCollector(), f.run.Audit.CheckFlags())
	case f.treeCommand.FullCommand():
		if len(f.tree.Path) > 1 {
			f.tree.Path = strings.TrimSuffix(f.tree.Path, "/")
		}
		return audit.ValidatePath(f.tree.Path)
	case f.checkClause.FullCommand():
		return f.checkPolicyFlags()
	case f.watchCommand.FullCommand():
		_, err := policy.ForPaths(f.watch.Paths, policy.LevelData, nil)
		return err
	case f.verify.clause.FullCommand():
		return f.checkVerify()
	case f.log.clause.FullCommand():
		return f.checkLog()
	case f.txnlog.clause.FullCommand():
		return f.checkTxnlog()
	case f.healthCommand.FullCommand():
		if !strings.Contains(f.health.ListenAddress, "://") {
			return app.CheckListenAddress(f.health.ListenAddress)
		}
	}
	return nil
}

func (f *flags) dialer() *fourletter.Dialer {
	if !f.tls {
		return &fourletter.Dialer{}
	}
	files := f.tlsFiles
	files.MinVersion, _ = fourletter.ParseTLSVersion(f.minTLS) // The flag takes nothing else.
	return &fourletter.Dialer{TLS: &files}
}

func (f *flags) session(stderr io.Writer) cli.SessionOptions {
	logger, _ := newLoggers(stderr, f.logLevel, f.logFormat)
	return cli.SessionOptions{
		Servers: f.addresses, Timeout: f.timeout, Dial: f.dialer().DialContext, Auth: app.Credentials(f.authFile, logger),
	}
}

func (f *flags) runOptions() app.Options {
	o := f.run
	o.ZooKeeper = app.ZooKeeper{Addresses: f.addresses, TLS: f.dialer().TLS, AuthFile: f.authFile, Timeout: f.timeout}
	o.Ensemble.Members, o.Ensemble.Timeout = f.ensembleMembers, f.ensembleTimeout
	o.Audit.Ensemble = f.ensemble
	o.Audit.Recorder, _ = os.Hostname() // Without a name the member is empty, which says as much.
	return o
}

func (f *flags) treeOptions(stdout, stderr io.Writer) cli.TreeOptions {
	o := f.tree
	o.Session = f.session(stderr)
	o.Progress = progress(stdout, stderr)
	return o
}

func (f *flags) watchOptions(stdout, stderr io.Writer) cli.WatchOptions {
	o := f.watch
	o.Session = f.session(stderr)
	o.Ensemble = f.ensemble
	o.Color = colored(stdout)
	return o
}

func (f *flags) healthOptions() cli.HealthOptions {
	o := f.health
	o.Timeout = f.timeout
	return o
}
