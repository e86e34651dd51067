package prometheus

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var live = flag.Bool("live", false, "lose the quorum of a real ensemble that a real Prometheus watches; make test-alerts does")

const (
	// firesWithin is how long the loss of a quorum may go unnoticed, of which the
	// alert itself waits for a minute.
	firesWithin = 90 * time.Second
	// liveTimeout bounds the whole test, so that it ends what it has started.
	liveTimeout = 14 * time.Minute
)

// loss is a way to lose the quorum.
type loss struct {
	name          string
	lose, restore func(context.Context, *laboratory) error
}

func losses() []loss {
	majority := func(each func(context.Context, *laboratory, int) error) func(context.Context, *laboratory) error {
		return func(ctx context.Context, l *laboratory) error {
			for id := 1; id <= 2; id++ {
				if err := each(ctx, l, id); err != nil {
					return err
				}
			}
			return nil
		}
	}
	return []loss{
		{
			"two of three are killed",
			majority(func(_ context.Context, l *laboratory, id int) error { l.ensemble.Server(id).Kill(); return nil }),
			majority(func(ctx context.Context, l *laboratory, id int) error { return l.ensemble.Server(id).Restart(ctx) }),
		},
		{
			"two of three are stopped",
			majority(func(_ context.Context, l *laboratory, id int) error { return l.ensemble.Server(id).Pause() }),
			majority(func(_ context.Context, l *laboratory, id int) error { return l.ensemble.Server(id).Resume() }),
		},
		{
			"the network is cut between all three",
			func(_ context.Context, l *laboratory) error { l.cut(l.clients, l.peers); return nil },
			func(_ context.Context, l *laboratory) error { l.mend(l.clients, l.peers); return nil },
		},
		{
			"all three live and none serves",
			func(_ context.Context, l *laboratory) error { l.cut(l.peers); return nil },
			func(_ context.Context, l *laboratory) error { l.mend(l.peers); return nil },
		},
	}
}

// A quorum that is lost is known within 90 seconds, however it is lost; and while
// servers are restarted one by one nothing fires that would wake anybody.
func TestLive(t *testing.T) {
	if !*live {
		t.Skip("it takes eight minutes: make test-alerts")
	}
	ctx, cancel := context.WithTimeout(t.Context(), liveTimeout)
	defer cancel()
	l := newLaboratory(ctx, t)

	t.Run("rolling restart", func(t *testing.T) {
		began := time.Now()
		for _, s := range l.ensemble.Servers() {
			if err := s.Restart(ctx); err != nil {
				t.Fatal(err)
			}
			if err := l.ensemble.WaitServing(ctx); err != nil {
				t.Fatal(err)
			}
			l.await(ctx, t, "every sidecar shows a server that serves", `sum(zookeeper_serving) == 3`)
		}
		// What has begun to wait by now would fire within the longest wait for a page.
		l.await(ctx, t, "pages had their time", fmt.Sprintf("vector(time()) > %d", time.Now().Add(70*time.Second).Unix()))
		if fired := l.fired(ctx, t, began, `severity!="info"`); len(fired) > 0 {
			t.Errorf("fired: %v", fired)
		}
	})
	for _, way := range losses() {
		t.Run(way.name, func(t *testing.T) { l.lose(ctx, t, way) })
	}
}

// lose loses the quorum in one way, and gets it back.
func (l *laboratory) lose(ctx context.Context, t *testing.T, way loss) {
	began := time.Now()
	if err := way.lose(ctx, l); err != nil {
		t.Fatal(err)
	}
	lost := time.Now()
	l.await(ctx, t, "the alert waits", `ALERTS{alertname="ZooKeeperQuorumLost", alertstate="pending"}`)
	l.await(ctx, t, "the alert fires", `ALERTS{alertname="ZooKeeperQuorumLost", alertstate="firing"}`)
	took := time.Since(lost)
	t.Logf("%s: firing after %.0f s", way.name, took.Seconds())
	if took > firesWithin {
		t.Errorf("firing after %s, want %s at most", took, firesWithin)
	}
	if !l.firing(ctx, t, "ZooKeeperQuorumLost") {
		t.Error("/api/v1/alerts has no alert that fires")
	}
	if err := way.restore(ctx, l); err != nil {
		t.Fatal(err)
	}
	if err := l.ensemble.WaitServing(ctx); err != nil {
		t.Fatal(err)
	}
	l.await(ctx, t, "all is well again", `absent(ALERTS{alertstate="firing", severity!="info"}) and on () sum(zookeeper_serving) == 3`)
	want := []string{"ZooKeeperNoLeader", "ZooKeeperQuorumLost"}
	if diff := cmp.Diff(want, l.fired(ctx, t, began, `severity!="info"`)); diff != "" {
		t.Errorf("alerts that fired (-want +got):\n%s", diff)
	}
}

// fired returns the names of alerts that have fired since then, sorted.
func (l *laboratory) fired(ctx context.Context, t *testing.T, since time.Time, which string) []string {
	t.Helper()
	var names []string
	window := int(time.Since(since).Seconds()) + 1
	for _, r := range l.query(ctx, t, fmt.Sprintf(`count by (alertname) (count_over_time(ALERTS{alertstate="firing", %s}[%ds]))`, which, window)) {
		names = append(names, r.Metric["alertname"])
	}
	slices.Sort(names)
	return names
}

// firing tells whether Prometheus' list of alerts has one that fires.
func (l *laboratory) firing(ctx context.Context, t *testing.T, name string) bool {
	t.Helper()
	var answer struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
	}
	l.get(ctx, t, "/api/v1/alerts", &answer)
	for _, a := range answer.Data.Alerts {
		if a.Labels["alertname"] == name && a.State == "firing" {
			return true
		}
	}
	return false
}

// result is one series of an answer.
type result struct {
	Metric map[string]string
	Value  [2]any
}

func (l *laboratory) query(ctx context.Context, t *testing.T, expr string) []result {
	t.Helper()
	var answer struct {
		Status string
		Error  string
		Data   struct{ Result []result }
	}
	l.get(ctx, t, "/api/v1/query?query="+url.QueryEscape(expr), &answer)
	if answer.Status != "success" {
		t.Fatalf("query %s: %s", expr, answer.Error)
	}
	return answer.Data.Result
}

// await returns when the expression has a result.
func (l *laboratory) await(ctx context.Context, t *testing.T, what, expr string) {
	t.Helper()
	ticker := time.NewTicker(500 * time.Millisecond)
	defer ticker.Stop()
	for len(l.query(ctx, t, expr)) == 0 {
		select {
		case <-ctx.Done():
			t.Fatalf("wait until %s: %v; alerts: %v", what, ctx.Err(), l.query(context.WithoutCancel(ctx), t, "ALERTS"))
		case <-ticker.C:
		}
	}
}

func (l *laboratory) get(ctx context.Context, t *testing.T, path string, answer any) {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.prometheus+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(strings.NewReader(string(text))).Decode(answer); err != nil {
		t.Fatalf("read the answer to %s: %v\n%s", path, err, text)
	}
}
