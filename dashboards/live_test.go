package dashboards

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// answer is that of Prometheus' HTTP API.
type answer struct {
	Status, Error string
	Data          struct {
		Result []struct {
			Metric map[string]string
			Value  []json.RawMessage
			Values [][]json.RawMessage
		}
	}
}

// samples counts what is a number.
func (a answer) samples() int {
	count := 0
	for _, r := range a.Data.Result {
		for _, v := range append(r.Values, r.Value) {
			if len(v) == 2 && !slices.Contains([]string{`"NaN"`, `"+Inf"`, `"-Inf"`}, string(v[1])) {
				count++
			}
		}
	}
	return count
}

// get returns the body of an answer.
func get(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

func ask(ctx context.Context, address string) (answer, error) {
	text, err := get(ctx, address)
	if err != nil {
		return answer{}, err
	}
	var a answer
	if err := json.Unmarshal(text, &a); err != nil {
		return answer{}, err
	}
	if a.Status != "success" {
		return a, fmt.Errorf("prometheus answers %s: %s", a.Status, a.Error)
	}
	return a, nil
}

// span is the time that a dashboard shows.
type span struct {
	begin, end time.Time
	instance   string // As a regular expression.
}

// interpolate does what Grafana does before it sends a query.
func (s span) interpolate(expr string) string {
	return strings.NewReplacer(
		"$__rate_interval", fmt.Sprint(int(4*scrapeInterval/time.Second))+"s",
		"$__range", strconv.Itoa(int(s.end.Sub(s.begin).Seconds()))+"s",
		"$namespace", ".*", "$ensemble", "orders", "$instance", s.instance,
	).Replace(expr)
}

// query asks as Grafana does: for the last values, or for all of the time.
func (s span) query(base, expr string, instant bool) string {
	values := url.Values{"query": {s.interpolate(expr)}}
	if instant {
		values.Set("time", fmt.Sprint(s.end.Unix()))
		return base + "/api/v1/query?" + values.Encode()
	}
	values.Set("start", fmt.Sprint(s.begin.Unix()))
	values.Set("end", fmt.Sprint(s.end.Unix()))
	values.Set("step", fmt.Sprint(scrapeInterval.Seconds()))
	return base + "/api/v1/query_range?" + values.Encode()
}

// TestNoEmptyPanel runs every Prometheus query of every panel and annotation
// against a Prometheus that has scraped a real ensemble through traffic, an
// election and the loss of a server. None may be empty: the lab has what panels
// need that are empty elsewhere, such as TLS and the JVM's pause monitor.
func TestNoEmptyPanel(t *testing.T) {
	l := startLab(t)
	chapter := 8 * time.Second
	if *recordDir != "" {
		chapter = 50 * time.Second // Pictures want more to look at.
	}
	l.story(t, chapter)
	s := span{l.begin.Truncate(time.Second), time.Now().Truncate(time.Second), ".*"}
	l.checkAnswers(t, s)
	if *recordDir != "" {
		l.record(t, s, *recordDir)
	}
}

// story is what happens to the ensemble: traffic, an auditor that is cut off
// for a while, a leader that dies and returns, and traffic until it is told.
func (l *lab) story(t *testing.T, chapter time.Duration) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	driven := make(chan struct{})
	go func() {
		defer close(driven)
		l.drive(ctx, t, 20*time.Millisecond)
	}()
	defer func() { stop(); <-driven }()
	wait(t, chapter)
	l.audited.Refuse(true)
	l.audited.Cut()
	wait(t, chapter/4)
	l.audited.Refuse(false)
	leader, err := l.ensemble.Leader(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leader.Kill()
	wait(t, chapter/2)
	if err := leader.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := l.ensemble.WaitServing(t.Context()); err != nil {
		t.Fatal(err)
	}
	err = await(t.Context(), func(ctx context.Context) bool {
		a, err := ask(ctx, l.prometheus+"/api/v1/query?query="+url.QueryEscape("sum(increase(zkwarden_audit_gaps_total[1m])) > 0 and min(zkwarden_audit_connected) == 1"))
		return err == nil && len(a.Data.Result) > 0
	})
	if err != nil {
		t.Fatalf("no gap is told: %v", err)
	}
	wait(t, chapter)
}

// wait lets scrapes happen: the passing of time is what rates are made of.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

func (l *lab) checkAnswers(t *testing.T, s span) {
	t.Helper()
	asked := 0
	for file, text := range boards(t) {
		b, err := parseBoard(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range b.queries() {
			asked++
			a, err := ask(t.Context(), s.query(l.prometheus, q.expr, q.instant))
			name := file + ": " + q.name
			if err != nil {
				t.Errorf("%s: %v\n%s", name, err, s.interpolate(q.expr))
			} else if a.samples() == 0 {
				t.Errorf("%s is empty: %s", name, s.interpolate(q.expr))
			}
		}
	}
	if asked < 150 {
		t.Errorf("only %d queries were run", asked)
	}
	t.Logf("%d queries over %s", asked, s.end.Sub(s.begin).Round(time.Second))
}

type namedQuery struct {
	name, expr string
	instant    bool
}

func (b board) queries() []namedQuery {
	var all []namedQuery
	for _, p := range b.Panels {
		for _, q := range p.Targets {
			if q.Datasource.Type == "prometheus" {
				all = append(all, namedQuery{p.Title + "/" + q.RefID, q.Expr, q.Instant})
			}
		}
	}
	for _, a := range b.Annotations.List {
		if a.Datasource.Type == "prometheus" {
			all = append(all, namedQuery{"annotation " + a.Name, a.Expr, false})
		}
	}
	return all
}
