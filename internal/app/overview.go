package app

import (
	"fmt"
	"time"

	"github.com/prometheus/common/version"

	"zkwarden/audit/journal"
	"zkwarden/audit/recorder"
	"zkwarden/collector"
)

const (
	// stalledAfter is how old the watermark may be: replies to pings confirm it
	// every few seconds. The alert ZkwardenAuditStalled has the same.
	stalledAfter = 2 * time.Minute
	// silentAfter is how long a sink may take over a delivery that it does not
	// say has failed.
	silentAfter = 30 * time.Second
)

// overview is what the landing page shows.
type overview struct {
	Version  string
	Scrape   collector.Status
	Members  collector.EnsembleStatus
	Audit    *auditOverview
	Instance string // The hosts that audit, where this one does not.
	NotReady string
}

type auditOverview struct {
	Ensemble  string
	Paths     []string
	Policy    string // Where the rules come from.
	Print     string // Fingerprint of the policy in force; empty: none is yet.
	Dir       string
	Connected string // Empty while connected, else the reason.
	Txnlog    string // How the transaction log is used; empty: it is not to be.
	TxnlogBad bool   // Whether it should be, and is not.
	Watermark finding
	Znodes    int
	Hidden    finding // The znodes that cannot be read.
	Records   uint64
	Sinks     []sinkFinding
}

// finding is a state in words, and whether somebody should do something.
type finding struct {
	Text string
	Bad  bool
}

type sinkFinding struct {
	Name string
	finding
}

func (a *App) overview() overview {
	o := overview{Version: version.Info(), Scrape: a.exporter.server.LastRound(), Members: a.exporter.ensemble.LastRound()}
	if err := a.Ready(); err != nil {
		o.NotReady = err.Error()
	}
	options := a.options.Audit
	if !options.enabled() {
		if options.asked() {
			o.Instance = options.Instance
		}
		return o
	}
	o.Audit = &auditOverview{Ensemble: options.Ensemble, Paths: options.Paths, Policy: options.Source(), Dir: options.Dir}
	auditor := a.auditor.Load()
	if auditor == nil {
		o.Audit.Connected = errOpening.Error()
		return o
	}
	current := auditor.scope.current.Load()
	o.Audit.Paths, o.Audit.Print = current.Roots(), current.Fingerprint()
	o.Audit.Znodes = auditor.mirror.Len()
	now, state := time.Now(), auditor.record.State()
	o.Audit.Watermark, o.Audit.Hidden = watermarkFinding(state, now), hiddenFinding(state)
	pumps := make([]journal.PumpState, len(auditor.sinks))
	for i, s := range auditor.sinks {
		pumps[i] = s.pump.State()
	}
	o.Audit.Records, _ = auditor.journal.Durable() // Behind what the sinks have, or some would have more than there is.
	for i, s := range auditor.sinks {
		o.Audit.Sinks = append(o.Audit.Sinks, sinkFinding{s.name, deliveryFinding(pumps[i], o.Audit.Records, now)})
	}
	o.Audit.Txnlog, o.Audit.TxnlogBad = auditor.txnlogStatus()
	if err := auditor.source.Err(); err != nil {
		o.Audit.Connected = err.Error()
	}
	return o
}

func watermarkFinding(s recorder.State, now time.Time) finding {
	if s.Confirmed.IsZero() {
		return finding{Text: "not confirmed since the start"}
	}
	age := now.Sub(s.Confirmed)
	return finding{
		Text: fmt.Sprintf("everything through zxid %v is recorded, confirmed %s ago", s.Watermark, max(age, 0).Round(time.Second)),
		Bad:  age > stalledAfter,
	}
}

func hiddenFinding(s recorder.State) finding {
	if s.Unreadable == 0 {
		return finding{Text: "none"}
	}
	return finding{Text: fmt.Sprintf("%d cannot be read, their changes may go unseen", s.Unreadable), Bad: true}
}

// deliveryFinding says how far a sink is in a journal of so many records. The
// errors of sinks name no credentials.
func deliveryFinding(s journal.PumpState, records uint64, now time.Time) finding {
	f := finding{Text: fmt.Sprintf("record %d of %d", s.Acked, records)}
	if lag := records - s.Acked; lag > 0 {
		f.Text += fmt.Sprintf(", %d wait", lag)
	}
	if s.Since.IsZero() || s.Err == nil && now.Sub(s.Since) <= silentAfter {
		return f
	}
	f.Bad = true
	f.Text += "; not accepted since " + s.Since.UTC().Format("2006-01-02 15:04:05 MST")
	if s.Err != nil {
		f.Text += ": " + s.Err.Error()
	}
	return f
}
