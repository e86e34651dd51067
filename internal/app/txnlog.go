package app

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/audit"
	"zkwarden/audit/logsource"
	"zkwarden/audit/txnlog"
	"zkwarden/audit/watch"
	"zkwarden/internal/fourletter"
)

// source is what the auditor observes with.
type source interface {
	audit.Source
	Rescope()
	Err() error
	Walked() uint64
	Progress() float64
}

// openSource returns the live source, or one that follows the transaction log
// where it can, and how to end what it leaves open. Every change of an ACL through
// acl is known.
func openSource(o Options, live watch.Options, acl audit.Zxid, dialer *fourletter.Dialer, reg prometheus.Registerer) (source, func()) {
	watching := watch.New(live)
	if o.Audit.TxnlogDir == "" {
		return watching, func() {}
	}
	applied := watch.NewApplied(live)
	place := TxnlogPlace{Dir: o.Audit.TxnlogDir, Server: o.ZooKeeper.Addresses[0], Client: &fourletter.Client{Dialer: dialer}}
	return logsource.New(logsource.Options{
		Locate: place.Locate, Live: watching, Applied: applied, ACL: acl, Logger: log.With(o.Logger, "source", "txnlog"), Registry: reg,
	}), applied.Close
}

// TxnlogAuto stands for the directory that the server itself says it logs to.
const TxnlogAuto = "auto"

// TxnlogPlace finds the directories of a server's transaction logs and
// snapshots.
type TxnlogPlace struct {
	Dir    string // Of the logs: version-2 or its parent, or TxnlogAuto.
	Server string // host:port of the server that writes them.
	Client *fourletter.Client
}

// Locate returns the directories of the logs and of the snapshots. The server
// tells by conf where the latter are; where it does not, or they can't be read
// here, they are looked for beside the logs. An error about TxnlogAuto wraps
// [logsource.ErrNowhere].
func (p TxnlogPlace) Locate(ctx context.Context) (logs, snapshots string, err error) {
	if logs = p.Dir; logs == TxnlogAuto {
		if logs, err = p.find(ctx); err != nil {
			return "", "", fmt.Errorf("%w: %w", logsource.ErrNowhere, err)
		}
	}
	if readableSnapshots(logs) {
		return logs, logs, nil
	}
	text, err := p.Client.Ask(ctx, p.Server, fourletter.Conf)
	if err != nil {
		return logs, logs, nil // Not to know them costs the verification, which is said there.
	}
	if dir := parseConf(text)["dataDir"]; filepath.IsAbs(dir) && readableSnapshots(dir) {
		return logs, dir, nil
	}
	return logs, logs, nil
}

// TxnlogFound is what the files of a server show about following its log.
type TxnlogFound struct {
	Dir       string // Of the logs.
	Digests   bool   // Whether the newest log has digests, as since ZooKeeper 3.6 without digest.enabled=false, or nothing yet.
	Snapshots bool   // Whether there is a snapshot to verify from.
}

// Inspect looks at the files, and returns why they can't be followed.
func (p TxnlogPlace) Inspect(ctx context.Context) (TxnlogFound, error) {
	logs, snapshots, err := p.Locate(ctx)
	if err != nil {
		return TxnlogFound{}, err
	}
	found := TxnlogFound{Dir: logs, Snapshots: readableSnapshots(snapshots)}
	newest, err := newestLog(logs)
	if err != nil {
		return found, err
	}
	read := 0
	for txn, err := range txnlog.Records([]txnlog.File{newest}) {
		if errors.Is(err, txnlog.ErrTorn) {
			break // It is being written.
		}
		if err != nil {
			return found, fmt.Errorf("read transaction log: %w", err)
		}
		found.Digests = txn.HasDigest
		if read++; found.Digests || read == maxInspected {
			break
		}
	}
	found.Digests = found.Digests || read == 0
	return found, nil
}

// maxInspected bounds the transactions in which a digest is looked for: failed
// ones have none.
const maxInspected = 1000

// find asks the server where it logs to. Only its own host has that directory
// under the same name.
func (p TxnlogPlace) find(ctx context.Context) (string, error) {
	host, _, err := net.SplitHostPort(p.Server)
	if err != nil {
		return "", fmt.Errorf("find the server's host: %w", err)
	}
	if ip := net.ParseIP(host); host != "localhost" && !ip.IsLoopback() {
		return "", fmt.Errorf("%s is not on this host by its address", p.Server)
	}
	text, err := p.Client.Ask(ctx, p.Server, fourletter.Conf)
	if err != nil {
		return "", fmt.Errorf("ask %s where it logs to: %w", p.Server, err)
	}
	conf := parseConf(text)
	dir := cmp.Or(conf["dataLogDir"], conf["dataDir"])
	if !filepath.IsAbs(dir) {
		return "", fmt.Errorf("%s says that it logs to %q, which is not absolute", p.Server, dir)
	}
	return dir, readableLogs(dir)
}

func newestLog(dir string) (txnlog.File, error) {
	files, err := txnlog.Logs(dir)
	if err != nil {
		return txnlog.File{}, err
	}
	if len(files) == 0 {
		return txnlog.File{}, fmt.Errorf("%s has no transaction logs", dir)
	}
	return files[len(files)-1], nil
}

func readableLogs(dir string) error {
	newest, err := newestLog(dir)
	if err != nil {
		return err
	}
	file, err := os.Open(newest.Path)
	if err != nil {
		return fmt.Errorf("read transaction log: %w", err)
	}
	return file.Close()
}

func readableSnapshots(dir string) bool {
	files, err := txnlog.Snapshots(dir)
	return err == nil && len(files) > 0
}

// parseConf reads key=value lines.
func parseConf(text []byte) map[string]string {
	conf := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			conf[key] = value
		}
	}
	return conf
}

// mismatch returns why what the transaction log says does not add up, if it is
// followed.
func (a *auditor) mismatch() error {
	if s, ok := a.source.(*logsource.Source); ok {
		return s.Mismatch()
	}
	return nil
}

// txnlogStatus says for the page how the transaction log is used; empty where it
// is not to be.
func (a *auditor) txnlogStatus() (text string, bad bool) {
	s, ok := a.source.(*logsource.Source)
	if !ok {
		return "", false
	}
	switch state := s.Status(); {
	case state.Leading && state.Verified != 0:
		return fmt.Sprintf("followed, verified through zxid %v", state.Verified), false
	case state.Leading:
		return "followed", false
	case state.Err != nil:
		return fmt.Sprintf("not followed: %v", state.Err), true
	}
	return "not followed yet", false
}
