package app

import (
	"context"
	"time"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
	"github.com/prometheus/client_golang/prometheus"

	"zkwarden/audit/attribution"
	"zkwarden/collector"
)

// membersInterval is how often the view of the ensemble is renewed for the
// auditor's sake, where nobody scrapes it.
const membersInterval = time.Minute

// newActors returns what tells who is behind a session, or nil where that is
// turned off. Its members are those of the view of the ensemble.
func newActors(o Options, e *exporter, reg prometheus.Registerer) *attribution.Attributor {
	if o.Audit.AttributionInterval == 0 {
		return nil
	}
	m := &askable{view: e.ensemble, first: o.ZooKeeper.Addresses[0], logger: o.Logger}
	return attribution.New(attribution.Options{
		Members: m.members, Client: e.asker, Interval: o.Audit.AttributionInterval, Timeout: o.Ensemble.Timeout,
		Logger: o.Logger, Registry: reg,
	})
}

// askable is the members that are asked for their clients.
type askable struct {
	view   *collector.Ensemble
	first  string // The server beside this process.
	logger log.Logger

	looked  time.Time // When the view was renewed here; zero: never.
	missing bool      // Whether it was logged that addresses are not known.
}

// members returns those whose addresses the view knows, or the first server
// where it knows none.
func (m *askable) members(ctx context.Context) []attribution.Member {
	if m.looked.IsZero() || time.Since(m.looked) >= membersInterval {
		m.looked = time.Now()
		_, _ = m.view.Look(ctx) // An error is the end of the process.
	}
	listed := m.view.LastRound().Members
	var known []attribution.Member
	for _, member := range listed {
		if member.Addr != "" {
			known = append(known, attribution.Member{ID: member.ID, Addr: member.Addr})
		}
	}
	if len(known) == 0 {
		known = []attribution.Member{{ID: -1, Addr: m.first}}
	}
	if lacks := len(listed) == 0 || len(known) < len(listed); lacks && !m.missing && ctx.Err() == nil {
		m.missing = true
		level.Warn(m.logger).Log("msg", "not all members are asked for their clients, the addresses of the others are not known", "asked", len(known),
			"fix", "name each as --ensemble.member=ID=HOST:PORT")
	}
	return known
}
