package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strings"
	"testing"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"zkwarden/audit"
)

// durable is a journal as Options.Later has it, of lines that can be added.
type durable struct{ lines []audit.Line }

// append adds the next line and returns it alone, as a delivery.
func (d *durable) append(data string) []audit.Line {
	d.lines = append(d.lines, event(uint64(len(d.lines)+1), data))
	return d.lines[len(d.lines)-1:]
}

// later spoils a line as soon as it is no longer valid.
func (d *durable) later(_ context.Context, seq uint64) iter.Seq2[audit.Line, error] {
	return func(yield func(audit.Line, error) bool) {
		for _, line := range d.lines[seq:] {
			text := bytes.Clone(line.JSON)
			more := yield(audit.Line{Seq: line.Seq, JSON: text}, nil)
			clear(text)
			if !more {
				return
			}
		}
	}
}

// poisoned refuses bodies with the events of these seqs, even without contents.
func poisoned(seqs ...uint64) func(body string) int {
	return func(body string) int {
		for _, seq := range seqs {
			if strings.Contains(body, fmt.Sprintf(`"seq":%d,`, seq)) {
				return http.StatusUnprocessableEntity
			}
		}
		return http.StatusOK
	}
}

// seqs returns which events arrived, as "2" or "3 bare".
func (e *endpoint) seqs(t *testing.T) []string {
	t.Helper()
	var got []string
	for _, text := range e.got() {
		var seq uint64
		if _, err := fmt.Sscanf(text, `{"schema":"zkwarden/v1","seq":%d`, &seq); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if strings.Contains(text, `"content_removed":true`) {
			got = append(got, fmt.Sprint(seq, " bare"))
		} else {
			got = append(got, fmt.Sprint(seq))
		}
	}
	return got
}

// The first event of a run may be one that the endpoint never takes, and the
// only one of its delivery: it is passed over as soon as there is another one
// that is taken. A sink after a restart knows no more than one before it.
func TestFirstEventRefused(t *testing.T) {
	e := start(t)
	e.status = poisoned(1, 2, 4, 5)
	var text bytes.Buffer
	journal := &durable{}
	first := newSink(t, Options{URL: e.URL, Later: journal.later, Logger: log.NewLogfmtLogger(&text)})
	alone := journal.append("start")
	if err := first.Deliver(t.Context(), alone); !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "takes no record") {
		t.Errorf("Deliver() of the only event there is = %v, want that nothing is taken", err)
	}
	journal.append("mode")
	third := journal.append("change")
	if err := first.Deliver(t.Context(), alone); err != nil {
		t.Fatalf("the first event: %v", err)
	}
	if n := testutil.ToFloat64(first.passedOver); n != 1 || !strings.Contains(text.String(), "even without contents") || !strings.Contains(text.String(), "seq=1 ") {
		t.Errorf("%v events are counted as passed over, want 1; log:\n%s", n, text.String())
	}
	if err := first.Deliver(t.Context(), append(journal.lines[1:2:2], third...)); err != nil {
		t.Fatal(err)
	}
	if n := testutil.ToFloat64(first.passedOver); n != 2 {
		t.Errorf("%v events are counted as passed over, want 2", n)
	}

	second := newSink(t, Options{URL: e.URL, Later: journal.later})
	fourth := journal.append("start")
	journal.append("mode")
	journal.append("change")
	if err := second.Deliver(t.Context(), fourth); err != nil {
		t.Fatalf("the first event after a restart: %v", err)
	}
	if err := second.Deliver(t.Context(), journal.lines[4:]); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"3", "3", // Found behind 1, and shown to be taken still for 2.
		"3",
		"6", "6", "6",
	}
	if diff := cmp.Diff(want, e.seqs(t)); diff != "" {
		t.Errorf("events at the endpoint (-want +got):\n%s", diff)
	}
}

// An endpoint that refuses everything gets everything once it is mended. Each
// delivery costs it no more than a few requests, whatever the journal holds.
func TestEverythingRefused(t *testing.T) {
	for _, code := range []int{400, 401, 404, 422} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			e := start(t)
			e.status = func(string) int { return code }
			journal := &durable{}
			for range 2 * maxOthers {
				journal.append("data")
			}
			s := newSink(t, Options{URL: e.URL, Later: journal.later})
			for range 5 {
				before := len(e.requests)
				if err := s.Deliver(t.Context(), journal.lines); err == nil {
					t.Fatal("Deliver() = nil for lines that nobody took")
				}
				if sent, most := len(e.requests)-before, 10+2*maxOthers; sent > most {
					t.Errorf("%d requests, want at most %d", sent, most)
				}
			}
			e.set(func() { e.status = nil })
			if err := s.Deliver(t.Context(), journal.lines); err != nil {
				t.Fatal(err)
			}
			var want []string
			for _, line := range journal.lines {
				want = append(want, string(line.JSON))
			}
			if diff := cmp.Diff(want, e.got()); diff != "" {
				t.Errorf("events at the endpoint (-want +got):\n%s", diff)
			}
			if n := testutil.ToFloat64(s.passedOver); n != 0 {
				t.Errorf("%v events are passed over at an endpoint that took none", n)
			}
		})
	}
}

// An endpoint that is mended may refuse a single event still. That it takes
// others is found among those that it refused before, without a new one.
func TestMendedForAllButOne(t *testing.T) {
	e := start(t)
	e.status = func(string) int { return http.StatusBadRequest }
	journal := &durable{}
	for range 3 {
		journal.append("data")
	}
	s := newSink(t, Options{URL: e.URL, Later: journal.later})
	if err := s.Deliver(t.Context(), journal.lines); !errors.Is(err, errRefused) {
		t.Fatalf("Deliver() = %v, want that it refuses", err)
	}
	e.set(func() { e.status = poisoned(1) })
	if err := s.Deliver(t.Context(), journal.lines); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2", "2", "3"}, e.seqs(t)); diff != "" {
		t.Errorf("events at the endpoint (-want +got):\n%s", diff)
	}
}

// Whatever number of events the endpoint refuses in a row, one behind them
// that it takes is found, some deliveries later.
func TestManyRefusedInARow(t *testing.T) {
	e := start(t)
	e.status = func(body string) int {
		if strings.Contains(body, "idle") || strings.Contains(body, "content_removed") {
			return http.StatusBadRequest
		}
		return http.StatusOK
	}
	journal := &durable{}
	for range 3*maxOthers + 1 {
		journal.append("idle")
	}
	s := newSink(t, Options{URL: e.URL, Later: journal.later})
	tries := 0
	for ; s.Deliver(t.Context(), journal.lines[:1]) != nil; tries++ {
		if tries == 3 {
			journal.append("change")
		}
		if tries > 20 {
			t.Fatal("the event that is taken is never found")
		}
	}
	last := fmt.Sprint(len(journal.lines))
	if err := s.Deliver(t.Context(), journal.lines[1:]); err != nil {
		t.Fatal(err)
	}
	if got := e.seqs(t); got[0] != last || got[len(got)-1] != last {
		t.Errorf("events at the endpoint: %v, want no other than %s", got, last)
	}
	if n := testutil.ToFloat64(s.passedOver); n != 3*maxOthers+1 {
		t.Errorf("%v events are passed over, want %d", n, 3*maxOthers+1)
	}
}

// What an endpoint refuses while it is out of order, it gets: that it takes
// another event now says nothing about a refusal before.
func TestMendedBetweenTwoEvents(t *testing.T) {
	e := start(t)
	requests := 0
	e.status = func(string) int {
		if requests++; requests <= 2 {
			return http.StatusBadRequest
		}
		return http.StatusOK
	}
	journal := &durable{}
	journal.append("a")
	journal.append("b")
	s := newSink(t, Options{URL: e.URL, Later: journal.later})
	if err := s.Deliver(t.Context(), journal.lines[:1]); err != nil {
		t.Fatal(err)
	}
	if err := s.Deliver(t.Context(), journal.lines[1:]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"2", "1", "2"}, e.seqs(t)); diff != "" {
		t.Errorf("events at the endpoint (-want +got):\n%s", diff)
	}
	if n := testutil.ToFloat64(s.passedOver); n != 0 {
		t.Errorf("%v events are passed over, want 0", n)
	}
}

// An endpoint may refuse what it has already; it is known to take others by a
// later event then, if need be without contents.
func TestTakenEventIsRefusedNow(t *testing.T) {
	e := start(t)
	seen := map[string]bool{}
	e.status = func(body string) int {
		if seen[body] || poisoned(2)(body) != http.StatusOK || strings.Contains(body, "poison") {
			return http.StatusBadRequest
		}
		seen[body] = true
		return http.StatusOK
	}
	journal := &durable{}
	journal.append("a")
	journal.append("b")
	journal.append("poison")
	s := newSink(t, Options{URL: e.URL, Later: journal.later})
	if err := s.Deliver(t.Context(), journal.lines[:2]); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"1", "3 bare"}, e.seqs(t)); diff != "" {
		t.Errorf("events at the endpoint (-want +got):\n%s", diff)
	}
}

// The search for another event ends with what is wrong meanwhile, and nothing
// is passed over for that.
func TestSearchFails(t *testing.T) {
	broken := errors.New("segment is gone")
	for name, c := range map[string]struct {
		status int
		later  error
		want   string
	}{
		"endpoint": {status: http.StatusServiceUnavailable, want: "post to webhook: status 503 Service Unavailable"},
		"journal":  {status: http.StatusOK, later: broken, want: "look for a record that the webhook takes: segment is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			e := start(t)
			e.status = func(body string) int {
				if poisoned(1)(body) != http.StatusOK {
					return http.StatusBadRequest
				}
				return c.status
			}
			s := newSink(t, Options{URL: e.URL, Later: func(context.Context, uint64) iter.Seq2[audit.Line, error] {
				return func(yield func(audit.Line, error) bool) { yield(event(2, "b"), c.later) }
			}})
			if err := s.Deliver(t.Context(), []audit.Line{event(1, "a")}); err == nil || err.Error() != c.want {
				t.Errorf("Deliver() = %v, want %s", err, c.want)
			}
			if n := testutil.ToFloat64(s.passedOver); n != 0 {
				t.Errorf("%v events are passed over, want 0", n)
			}
		})
	}
}
