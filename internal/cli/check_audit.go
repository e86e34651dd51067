package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/audit/journal"
	"zkwarden/audit/policy"
	"zkwarden/audit/watch"
	"zkwarden/collector"
	"zkwarden/internal/app"
	"zkwarden/internal/fourletter"
)

// auditor reports on what an auditor with these options needs.
func (r *report) auditor(ctx context.Context, o CheckOptions, ensemble collector.EnsembleStatus) {
	paths := o.Audit.Paths
	if o.Audit.Policy != nil {
		r.title("Auditing by a policy file")
		p := r.policy(o.Audit.Policy)
		if p == nil {
			return
		}
		r.good("fingerprint %s", p.Fingerprint())
		paths = p.Roots()
	}
	r.title("Auditing %s", strings.Join(paths, ", "))
	if o.Audit.Ensemble == "" {
		r.bad("--ensemble.name=NAME", "the ensemble has no name: every record carries it")
	}
	r.auditDir(ctx, o.Audit)
	if o.Audit.DigestKeyFile != "" {
		if _, err := policy.LoadKey(o.Audit.DigestKeyFile); err != nil {
			r.bad("make one with: openssl rand -hex 32", "%v", err)
		}
	}
	r.txnlog(ctx, o)
	if o.Audit.Attribution {
		r.clients(ctx, o, ensemble)
	}
	s, err := openSession(ctx, SessionOptions{Servers: o.Audit.Servers, Timeout: o.Timeout, Dial: o.Dialer.DialContext, Auth: o.Audit.Auth})
	switch {
	case errors.Is(err, errIntroduction):
		r.bad("correct --zookeeper.auth-file: a line scheme:auth for each credential", "no session: %v", err)
		return
	case err != nil:
		r.bad("see what is wrong with the server above; sessions need a server that serves", "no session: %v", err)
		return
	}
	defer s.close()
	r.good("a session can be made")
	if r.readable(ctx, s, paths) {
		r.recursiveWatch(ctx, o, paths)
	}
}

// txnlog reports whether the server's transaction log can be followed.
func (r *report) txnlog(ctx context.Context, o CheckOptions) {
	place := app.TxnlogPlace{Dir: cmp.Or(o.Audit.TxnlogDir, app.TxnlogAuto), Server: o.Addr, Client: &fourletter.Client{Dialer: o.Dialer}}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	found, err := place.Inspect(ctx)
	dir := found.Dir
	const fix = "mount the server's dataLogDir (dataDir where that is not set) read-only, let this user read it, and name it: --audit.txnlog-dir=DIR"
	switch {
	case err == nil && o.Audit.TxnlogDir != "":
		r.good("the transaction log at %s can be read", dir)
	case err == nil:
		r.note("--audit.txnlog-dir="+dir, "the transaction log at %s can be read, and is not followed: it tells who made each change, what and when", dir)
	case o.Audit.TxnlogDir != "":
		r.bad(fix, "the transaction log can't be followed: %s", oneLine(err))
	default:
		r.note(fix, "no transaction log is followed, and none found: %s", oneLine(err))
	}
	if err != nil {
		return
	}
	if !found.Digests {
		r.note("ZooKeeper 3.6 or later, without digest.enabled=false", "the log has no digests: nothing can be verified, and each election is a gap with the reason log_unconfirmed")
	}
	if !found.Snapshots {
		r.note("mount the server's dataDir read-only, too, under the name that conf tells", "no snapshot can be read to verify the log from")
	}
}

// webhook reports on the flags of the webhook. Nothing is posted.
func (r *report) webhook(check func() error) {
	if err := check(); err != nil {
		r.title("Posting records")
		r.bad("correct --sink.webhook.url, and the file of --sink.webhook.http-config-file", "%v", err)
	}
}

// auditDir reports on the directory of the journal, and makes nothing in it.
func (r *report) auditDir(ctx context.Context, o CheckAudit) {
	dir := o.Dir
	switch err := journal.InUse(dir); {
	case errors.Is(err, journal.ErrLocked):
		r.note("all is well if that is the zkwarden of this configuration; another one needs an --audit.dir of its own", "%v", err)
		return
	case err != nil:
		r.bad("give this user the directory, or another --audit.dir", "audit directory %s: %v", dir, err)
		return
	}
	if err := writable(dir); err != nil {
		r.bad("give this user the directory, or another --audit.dir", "audit directory %s can't be written: %v", dir, err)
		return
	}
	if err := inspect(ctx, dir, o.Ensemble); err != nil {
		r.bad("another --audit.dir, or see \"When the journal is refused\" in docs/audit.md; zkwarden verify "+dir+" tells all that is wrong", "the journal would not be continued: %v", err)
		return
	}
	r.good("audit directory %s can be written and is not in use", dir)
}

// inspect returns why the journal in dir would not be continued for an ensemble.
func inspect(ctx context.Context, dir, ensemble string) error {
	last, err := journal.Inspect(dir)
	if err != nil || last == 0 || ensemble == "" {
		return err
	}
	for line, err := range journal.Browse(ctx, dir, journal.BrowseOptions{From: last}) {
		if err != nil {
			return err
		}
		event, err := journal.Decode(line)
		if err == nil && event.Ensemble != ensemble {
			err = fmt.Errorf("it is of the ensemble %q, not of %q: each needs a directory of its own", event.Ensemble, ensemble)
		}
		return err
	}
	return nil
}

// writable returns why no file can be made in dir, or dir itself if it is
// missing. What it makes to find out, it removes.
func writable(dir string) error {
	for {
		info, err := os.Stat(dir)
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%s is not a directory", dir)
		}
		if err == nil {
			break
		}
		parent := filepath.Dir(filepath.Clean(dir))
		if !errors.Is(err, fs.ErrNotExist) || parent == dir {
			return err
		}
		dir = parent
	}
	file, err := os.CreateTemp(dir, ".zkwarden-check-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// readable reports on the znodes that are audited, and returns whether the
// session may ask anything at all.
func (r *report) readable(ctx context.Context, s *session, paths []string) bool {
	for _, path := range paths {
		var stat *zk.Stat
		err := s.read(ctx, func(conn *zk.Conn) (err error) {
			_, stat, err = conn.Get(path)
			return err
		})
		switch {
		case err == nil:
			r.good("%s can be read; it has %d children", path, stat.NumChildren)
		case errors.Is(err, zk.ErrNoNode):
			r.note("", "%s doesn't exist: it is audited from when it is created", path)
		case errors.Is(err, zk.ErrNoAuth):
			r.bad(fmt.Sprintf("name a credential that may read it in --zookeeper.auth-file, or add world:anyone:r to its ACL (zkCli.sh: getAcl %s, then setAcl with all of it); what is below has ACLs of its own", path),
				"%s can't be read: its ACL doesn't let this session", path)
		case errors.Is(err, watch.ErrAuthDemanded):
			r.bad("name a credential in --zookeeper.auth-file, or use a client certificate, where enforce.auth.schemes lists digest or x509; where the server takes SASL alone, take sessionRequireClientSASLAuth out of zoo.cfg, or sasl as the only one of enforce.auth.schemes; what is past, zkwarden txnlog tells from its transaction logs without a session",
				"the server demands that sessions log in, and SASL is not spoken here")
			return false
		default:
			r.bad("look at the server's log", "read %s: %v", path, err)
		}
	}
	return true
}

// recursiveWatch reports whether the server takes the watches of an auditor, by
// starting one that wants nothing of what it sees.
func (r *report) recursiveWatch(ctx context.Context, o CheckOptions, paths []string) {
	mode, err := watchOnce(ctx, o, paths)
	switch {
	case err == nil && mode == audit.ModeRecursive:
		r.good("the server takes persistent recursive watches")
	case err == nil:
		r.note("upgrade to ZooKeeper 3.6 or newer; from there on take zookeeper.watchManagerName=org.apache.zookeeper.server.watch.WatchManagerOptimized out of the server's Java options",
			"the server has no persistent recursive watches: every znode gets watches of its own, and what changes faster than they are set anew is counted, not told apart")
	default:
		r.bad("look at the server's log", "the watches are not confirmed: %s", oneLine(err))
	}
}

// fallbackTime is how much longer it takes to find out about a server that has
// no recursive watches: it hangs up over the question, and is connected to
// again after a pause.
const fallbackTime = 5 * time.Second

// watchOnce sets the watches and returns how the source observes when the
// server has confirmed them, or says why not.
func watchOnce(ctx context.Context, o CheckOptions, paths []string) (mode string, err error) {
	followed, err := policy.ForPaths(paths, policy.LevelData, nil)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout+fallbackTime)
	source := watch.New(watch.Options{
		Servers: o.Audit.Servers, SessionTimeout: sessionTimeout, Timeout: o.Timeout, Logger: log.NewNopLogger(),
		Dial: o.Dialer.DialContext, Auth: o.Audit.Auth,
	})
	seen := make(chan audit.Observation)
	go func() {
		defer close(seen)
		_ = source.Run(ctx, 0, watchOnly(followed.Roots()), nothingKnown{}, seen) // It ends with ctx.
	}()
	defer func() {
		cancel()
		for range seen {
			// Nothing that it sees is of interest, but it may wait for a reader.
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return "", cmp.Or(source.Err(), ctx.Err())
		case o, more := <-seen:
			if !more {
				return "", source.Err()
			}
			if m, ok := o.(audit.Mode); ok {
				return m.Name, nil
			}
		}
	}
}

// watchOnly is a scope of which nothing is read.
type watchOnly []string

// Roots returns the subtrees to watch.
func (w watchOnly) Roots() []string { return w }

// Wants reports that no znode is wanted.
func (watchOnly) Wants(string) bool { return false }

// Leads reports that no znode is looked at.
func (watchOnly) Leads(string) bool { return false }

// nothingKnown is the memory of an auditor that has none.
type nothingKnown struct{}

// Settle has nothing to wait for.
func (nothingKnown) Settle(context.Context) error { return nil }

// Walk yields nothing.
func (nothingKnown) Walk(string, int) iter.Seq2[string, audit.Stat] {
	return func(func(string, audit.Stat) bool) {}
}

// oneLine is the text of an error that may have several lines.
func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
