package collector

import (
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"zkwarden/internal/fourletter"
)

// The flags that renew testdata: the replies of real servers of every version,
// and the pages that come of the replies.
var (
	recording = flag.Bool("record", false, "record the replies of real servers in testdata; implies -update")
	update    = flag.Bool("update", false, "write the pages in testdata")
)

// timed matches the lines that no two pages have in common.
var timed = regexp.MustCompile(`zookeeper_(word_duration|word_age|client_connection_oldest)_seconds`)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script answers words from memory; a word without an answer is refused.
type script map[fourletter.Word]string

// notServing stands for the text of a server that serves nobody.
const notServing = "not serving"

func (s script) Open(_ context.Context, addr string, word fourletter.Word) (io.ReadCloser, error) {
	reply, ok := s[word]
	if !ok {
		return nil, &fourletter.Error{Word: word, Addr: addr, Reason: fourletter.Refused}
	}
	if reply == notServing {
		return nil, &fourletter.Error{Word: word, Addr: addr, Reason: fourletter.NotServing}
	}
	return io.NopCloser(strings.NewReader(reply)), nil
}

// start returns a collector that lives as long as the test.
func start(t testing.TB, o Options) *Collector {
	t.Helper()
	if o.Addr == "" {
		o.Addr = "127.0.0.1:2181"
	}
	if o.Client == nil {
		o.Client = &fourletter.Client{Dialer: &fourletter.Dialer{}}
	}
	if o.Logger == nil {
		o.Logger = log.NewNopLogger()
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// get asks the handler of c for a page and returns its lines, without those that
// tell how long something took.
func get(t testing.TB, c *Collector, timeout string) string {
	t.Helper()
	var out strings.Builder
	for line := range strings.Lines(raw(t, c, timeout)) {
		if !timed.MatchString(line) {
			out.WriteString(line)
		}
	}
	return out.String()
}

// raw asks the handler of c for a page.
func raw(t testing.TB, c *Collector, timeout string) string {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil)
	if timeout != "" {
		request.Header.Set(timeoutHeader, timeout)
	}
	w := httptest.NewRecorder()
	Handler(c, prometheus.NewRegistry()).ServeHTTP(w, request)
	if w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

// pageOf returns the page of a server that answers like this.
func pageOf(t testing.TB, replies script) string {
	t.Helper()
	return get(t, start(t, Options{Client: replies}), "")
}

// wants fails the test for every line that the page lacks.
func wants(t testing.TB, page string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains("\n"+page, "\n"+line+"\n") {
			t.Errorf("page lacks %s", line)
		}
	}
}

// lacks fails the test for every series of the name on the page.
func lacks(t testing.TB, page string, names ...string) {
	t.Helper()
	for line := range strings.Lines(page) {
		for _, name := range names {
			if strings.HasPrefix(line, name+" ") || strings.HasPrefix(line, name+"{") {
				t.Errorf("page has %s", strings.TrimSpace(line))
			}
		}
	}
}
