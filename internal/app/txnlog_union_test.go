package app

import (
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"zkwarden/audit"
	"zkwarden/audit/guarantee"
	"zkwarden/internal/zktest"
)

// Leaders die while an auditor beside each member follows its log. Each journal
// keeps every guarantee, so it is exact outside of its declared gaps; together
// they have an exact record of every change, by its id, but where no log could be
// followed, as when digests leave open how an epoch ended. It goes on for minutes
// when all tests are asked for.
func TestTransactionLogsTogether(t *testing.T) {
	_, seed := modelSettings(t)
	t.Logf("%s=%d repeats this run's choices", seedEnv, seed)
	duration := 8 * time.Second
	if os.Getenv("ZKWARDEN_TEST") == "all" {
		duration = 3 * time.Minute
	}
	ensemble := zktest.Start(t, zktest.Options{Servers: 3, Config: modelConfig()})
	const root = "/model"
	admin := client(t, ensemble.Addrs()...)
	mustCreate(t, admin, root, "", 0)
	f := &faults{t: t, rng: rand.New(rand.NewPCG(seed, 0)), ensemble: ensemble}
	auditors := auditorsBeside(f, root)
	f.auditor = auditors[0]
	kills := 0
	runModel(f, root, seed, duration, func() {
		f.wait(2 * time.Second) // A member that is sent a snapshot at every turn has no log to follow.
		f.killLeader()
		kills++
	})
	mustCreate(t, admin, root+"/final", "", 0)
	_, stat, err := admin.Exists(root + "/final")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range auditors {
		a.stdout.await(t, "checkpoint behind the last change", func(e audit.Event) bool {
			return e.Kind == audit.KindCheckpoint && e.Zxid >= audit.Zxid(stat.Czxid)
		})
	}
	for _, a := range auditors {
		a.stop()
		f.auditor = a
		judgeModel(t, f, root, 1)
	}
	t.Logf("%d leaders were killed", kills)
	compareUnion(t, f, auditors, truth(t, ensemble, root))
}

// auditorsBeside starts an auditor of root beside each member, and returns them
// when each follows the log of its own.
func auditorsBeside(f *faults, root string) []*modelAuditor {
	var auditors []*modelAuditor
	for n, server := range f.ensemble.Servers() {
		addrs := slices.Concat(f.ensemble.Addrs()[n:], f.ensemble.Addrs()[:n])
		a := &modelAuditor{t: f.t, spec: childSpec{Dir: f.t.TempDir(), Addrs: addrs, Path: root, Txnlog: server.TxnLogDir()}}
		a.start()
		f.t.Cleanup(func() { _ = a.cmd.Process.Kill(); _ = a.cmd.Wait() })
		auditors = append(auditors, a)
	}
	for _, a := range auditors {
		a.stdout.await(f.t, "lead of the log", func(e audit.Event) bool { return e.Mode == audit.ModeTxnlog })
	}
	return auditors
}

// compareUnion holds the exact records of all journals against the truth, where
// all of them had followed a log by then.
func compareUnion(t *testing.T, f *faults, auditors []*modelAuditor, truth guarantee.Truth) {
	t.Helper()
	from, through := audit.Zxid(0), ^audit.Zxid(0)
	exact, gaps := map[string]audit.Event{}, map[string]int{}
	var away [][]audit.Event // Of each auditor.
	for _, a := range auditors {
		events := decodeAll(t, journalLines(t, a.spec.Dir))
		first := slices.IndexFunc(events, func(e audit.Event) bool { return e.Mode == audit.ModeTxnlog })
		away = append(away, gapsOf(events))
		from, through = max(from, events[first].Zxid), min(through, lastCheckpoint(t, events))
		for _, e := range events {
			switch {
			case e.Kind == audit.KindGap:
				gaps[e.Reason]++
			case e.Kind == audit.KindChange && *e.Exact:
				exact[e.ID] = e
			}
		}
	}
	between := func(zxid audit.Zxid) bool { return zxid > from && zxid <= through }
	led := func(zxid audit.Zxid) bool {
		return slices.ContainsFunc(away, func(gaps []audit.Event) bool {
			return !slices.ContainsFunc(gaps, func(g audit.Event) bool { return zxid > *g.ZxidAfter && zxid <= *g.ZxidUntil })
		})
	}
	committed, unled := map[string]bool{}, 0
	for _, c := range truth.Changes {
		if !between(c.Zxid) {
			continue
		}
		id := audit.Identity{
			Ensemble: truth.Ensemble, Generation: truth.Generation, Path: c.Path, Czxid: c.Czxid,
			Op: c.Op, Counter: int64(c.Counter), Occurrence: c.Birth,
		}.ID()
		committed[id] = true
		switch _, recorded := exact[id]; {
		case recorded:
		case led(c.Zxid):
			t.Errorf("no journal has %v %s %s exactly, id %s", c.Zxid, c.Op, c.Path, id)
		default:
			unled++
		}
	}
	reborn := rebornIn(truth)
	for id, e := range exact {
		if between(e.Zxid) && !committed[id] && !reborn[e.Path][e.Czxid] {
			t.Errorf("a journal has what did not commit: %v %s %s, id %s", e.Zxid, e.Op, e.Path, id)
		}
	}
	t.Logf("%d of %d changes lie behind the beginning of the last lead of a log, %d of them while nobody followed one and exact in no journal; gaps: %v",
		len(committed), len(truth.Changes), unled, gaps)
}

// rebornIn returns, by path and czxid, the znodes that one transaction created
// more than once: who finds such a one by comparing cannot tell which of its
// lives it is, so its ids may be those of none (docs/guarantees.md).
func rebornIn(truth guarantee.Truth) map[string]map[audit.Zxid]bool {
	reborn := map[string]map[audit.Zxid]bool{}
	for _, c := range truth.Changes {
		if c.Birth > 0 {
			if reborn[c.Path] == nil {
				reborn[c.Path] = map[audit.Zxid]bool{}
			}
			reborn[c.Path][c.Czxid] = true
		}
	}
	return reborn
}

// gapsOf returns the gaps, each as long as it took until the log led again.
func gapsOf(events []audit.Event) (gaps []audit.Event) {
	for _, e := range events {
		switch {
		case e.Kind == audit.KindGap:
			gaps = append(gaps, e)
		case e.Mode == audit.ModeTxnlog && len(gaps) > 0:
			last := &gaps[len(gaps)-1]
			last.ZxidUntil = new(max(*last.ZxidUntil, e.Zxid))
		}
	}
	return gaps
}
