package app

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/exporter-toolkit/web"

	"zkwarden/audit/journal"
	"zkwarden/audit/policy"
	"zkwarden/audit/sink/webhook"
	"zkwarden/collector"
	"zkwarden/internal/fourletter"
)

const (
	defaultPort = "2181"
	// stopTimeout bounds the end of auditing, and with stopGrace behind it the
	// whole shutdown. Kubernetes kills after 30 seconds.
	stopTimeout = 10 * time.Second
	stopGrace   = 2 * time.Second
)

// Options is everything that the process can be told.
type Options struct {
	ZooKeeper ZooKeeper
	Ensemble  Ensemble
	Collector collector.Options // What is shown; Addr, Client, Timeout and Logger are those of this struct.
	Probe     Probe
	Web       Web
	Audit     Audit
	Disks     []string // Directories whose disks are watched, beside the auditor's.

	Hangups   <-chan os.Signal // At each the files are read again that can be; nil: at none.
	Stdout    io.Writer        // Receives the journal's lines.
	Progress  func(string)     // Shows one line in place of the one before; "" clears it. Nil: nobody looks.
	Logger    log.Logger       // Already filtered by level.
	WebLogger *slog.Logger     // The same destination, for the web server's library.
}

// ZooKeeper says how to reach the servers.
type ZooKeeper struct {
	Addresses []string // host:port; the first is the one beside this process.
	TLS       *fourletter.TLSFiles
	AuthFile  string        // Credentials of the auditor's session; a line scheme:auth for each. Empty: none.
	Timeout   time.Duration // Of one scrape of the first address.
}

// Web configures the listener.
type Web struct {
	ListenAddress string // host:port, both may be empty or zero.
	ConfigFile    string // TLS and basic auth, in exporter-toolkit's format.
	Pprof         bool   // Whether /debug/pprof/ is served.
}

// Audit configures the auditor; without Paths or PolicyFile there is none.
type Audit struct {
	Ensemble      string // Written to every record.
	Recorder      string // Name of this auditor; the host's.
	Instance      string // Regular expression; where Recorder as a whole does not match there is no auditor. Empty: everywhere.
	Paths         []string
	Level         policy.Level // Of Paths; empty: policy.LevelData.
	PolicyFile    string       // In the place of Paths and Level.
	Dir           string
	DigestKeyFile string // Empty: generated in Dir.
	TxnlogDir     string // Of the transaction logs of the first address's server: version-2 or its parent, or TxnlogAuto. Empty: they are not followed.

	SweepInterval       time.Duration // Zero: no sweep.
	AttributionInterval time.Duration // How often members are asked for their clients, to know who made a change; zero: never.
	CheckpointInterval  time.Duration // Of the records that say how far everything is known.

	Webhook Webhook
	Journal journal.Limits
}

// Webhook is where the records are posted; without URL they are not.
type Webhook struct {
	URL            string
	HTTPConfigFile string
	Format         webhook.Format
	Timeout        time.Duration
}

func (w Webhook) enabled() bool { return w.URL != "" }

// disks returns the directories whose disks are watched, each once.
func (o *Options) disks() []string {
	directories := slices.Clone(o.Disks)
	if o.Audit.enabled() {
		directories = append(directories, o.Audit.Dir)
	}
	slices.Sort(directories)
	return slices.Compact(directories)
}

// Validate reports what cannot work whatever the rest of the world does. It
// reads the web server's configuration, the modules of /probe and the policy.
func (o *Options) Validate() error {
	if len(o.ZooKeeper.Addresses) == 0 {
		return errors.New("no ZooKeeper address is given")
	}
	if o.ZooKeeper.Timeout <= 0 {
		return fmt.Errorf("ZooKeeper timeout %s is not positive", o.ZooKeeper.Timeout)
	}
	if err := CheckListenAddress(o.Web.ListenAddress); err != nil {
		return err
	}
	if err := web.Validate(o.Web.ConfigFile); err != nil {
		return fmt.Errorf("read web config file %s: %w", o.Web.ConfigFile, err)
	}
	if err := o.Probe.validate(o.ZooKeeper.Timeout); err != nil {
		return err
	}
	if err := o.Audit.CheckFlags(); err != nil {
		return err
	}
	if err := o.CheckWebhook(); err != nil {
		return err
	}
	if !o.Audit.enabled() {
		return nil
	}
	if o.Audit.Ensemble == "" {
		return errors.New("auditing needs --ensemble.name: every record carries it")
	}
	if o.Audit.Dir == "" {
		return errors.New("auditing needs --audit.dir")
	}
	if err := o.Audit.checkIntervals(); err != nil {
		return err
	}
	if err := o.Audit.Journal.Validate(); err != nil {
		return err
	}
	_, err := o.Audit.Rules()
	return err
}

// checkIntervals refuses what a typo makes of an interval: taken for zero, it
// would turn the sweep off, and with it the record of every changed ACL. An
// auditor without checkpoints would not say how far everything is recorded.
func (a *Audit) checkIntervals() error {
	switch {
	case a.CheckpointInterval <= 0:
		return fmt.Errorf("--audit.checkpoint-interval: %s is not positive", a.CheckpointInterval)
	case a.SweepInterval < 0:
		return fmt.Errorf("--audit.sweep-interval: %s is negative", a.SweepInterval)
	case a.AttributionInterval < 0:
		return fmt.Errorf("--audit.attribution-interval: %s is negative", a.AttributionInterval)
	}
	return nil
}

// CheckWebhook reports why records could not be posted, whatever the other side
// says.
func (o *Options) CheckWebhook() error {
	switch w := o.Audit.Webhook; {
	case !w.enabled() && w.HTTPConfigFile != "":
		return errors.New("--sink.webhook.http-config-file needs --sink.webhook.url")
	case !w.enabled():
		return nil
	case !o.Audit.asked():
		return errors.New("--sink.webhook.url has no records to post without --audit.path or --audit.policy-file")
	case !o.Audit.enabled():
		return nil // Other hosts audit.
	}
	hook, err := webhook.New(webhookOptions(*o, nil))
	if err != nil {
		return err
	}
	hook.Close()
	return nil
}

// ParseAddresses splits comma separated lists of ZooKeeper servers and adds
// the default client port where none is given.
func ParseAddresses(lists []string) ([]string, error) {
	var addresses []string
	for _, list := range lists {
		for text := range strings.SplitSeq(list, ",") {
			address, err := parseAddress(strings.TrimSpace(text))
			if err != nil {
				return nil, fmt.Errorf("ZooKeeper address %q: %w", text, err)
			}
			addresses = append(addresses, address)
		}
	}
	return addresses, nil
}

func parseAddress(text string) (string, error) {
	if strings.Contains(text, "/") {
		return "", errors.New("want host:port, without scheme or chroot")
	}
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		bare := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")
		if strings.Contains(bare, ":") && net.ParseIP(bare) == nil {
			return "", errors.New("want host:port")
		}
		host, port = bare, defaultPort
	}
	if host == "" {
		return "", errors.New("the host is missing")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("port %q is not a number from 1 to 65535", port)
	}
	return net.JoinHostPort(host, port), nil
}

// CheckListenAddress reports why nothing can listen at the address.
func CheckListenAddress(address string) error {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("listen address %q: want [host]:port", address)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("listen address %q: port %q is not a number from 0 to 65535", address, port)
	}
	return nil
}
