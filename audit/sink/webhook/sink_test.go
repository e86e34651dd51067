package webhook

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"zkwarden/audit"
	"zkwarden/audit/sink/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// endpoint is the far end. Its answer may be replaced by a status, or by a
// connection that is cut within the body.
type endpoint struct {
	*httptest.Server

	mu       sync.Mutex
	received []string
	requests []*http.Request
	cut      bool
	status   func(body string) int // Nil: 200.
	header   http.Header
}

func start(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{header: http.Header{}}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.requests = append(e.requests, r)
	if e.cut {
		_, _ = io.CopyN(io.Discard, r.Body, 10)
		panic(http.ErrAbortHandler)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	maps.Copy(w.Header(), e.header)
	if e.status != nil {
		if code := e.status(string(body)); code != http.StatusOK {
			w.WriteHeader(code)
			fmt.Fprintln(w, "no: ", string(body))
			return
		}
	}
	lines, err := eventsOf(r.Header.Get("Content-Type"), body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	e.received = append(e.received, lines...)
}

// eventsOf reads a body as a receiver would.
func eventsOf(contentType string, body []byte) ([]string, error) {
	var lines []string
	switch contentType {
	case "application/x-ndjson":
		scanner := bufio.NewScanner(bytes.NewReader(body))
		for scanner.Scan() {
			lines = append(lines, scanner.Text())
		}
		return lines, scanner.Err()
	case "application/json":
		var events []json.RawMessage
		err := json.Unmarshal(body, &events)
		for _, event := range events {
			lines = append(lines, string(event))
		}
		return lines, err
	}
	return nil, fmt.Errorf("content type %q", contentType)
}

func (e *endpoint) got() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.received...)
}

func (e *endpoint) set(change func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change()
}

func newSink(t *testing.T, o Options) *Sink {
	t.Helper()
	if o.Format == "" {
		o.Format = FormatLines
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	if o.Logger == nil {
		o.Logger = log.NewNopLogger()
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func TestContract(t *testing.T) {
	for _, format := range []Format{FormatLines, FormatArray} {
		for name, status := range map[string]int{"cut": 0, "status 503": 503, "status 401": 401, "status 302": 302, "status 400": 400} {
			t.Run(fmt.Sprintf("%s %s", format, name), func(t *testing.T) {
				sinktest.Test(t, func(t *testing.T) sinktest.Harness {
					e := start(t)
					s := newSink(t, Options{URL: e.URL, Format: format})
					return sinktest.Harness{Sink: s, Received: e.got, Refuse: func(refuse bool) {
						e.set(func() {
							e.cut = refuse && status == 0
							e.status = nil
							if refuse && status != 0 {
								e.status = func(string) int { return status }
							}
						})
					}}
				})
			})
		}
	}
}

func event(seq uint64, data string) audit.Line {
	return audit.Line{Seq: seq, JSON: fmt.Appendf(nil,
		`{"schema":"zkwarden/v1","seq":%d,"id":"i%d","path":"/a<b>","before":{"size":1,"digest":"d","redaction":"withheld"},"after":{"size":2,"digest":"e","data":%q,"encoding":"utf-8","acl":[{"perms":"r","scheme":"world","id":"anyone"}],"acl_masked":true,"truncated":true,"redaction":"masked"},"prev":"p","hash":"h"}`,
		seq, seq, data)}
}

func bare(seq uint64) string {
	return fmt.Sprintf(`{"schema":"zkwarden/v1","seq":%d,"id":"i%d","path":"/a<b>","before":{"size":1,"digest":"d"},"after":{"size":2,"digest":"e"},"prev":"p","hash":"h","content_removed":true}`, seq, seq)
}

// One event that the endpoint never takes arrives without contents, in its
// place, and holds up nobody.
func TestRefusedEventIsSentWithoutContent(t *testing.T) {
	for _, code := range []int{400, 413, 422} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			e := start(t)
			e.status = func(body string) int {
				if strings.Contains(body, "poison") {
					return code
				}
				return 200
			}
			s := newSink(t, Options{URL: e.URL})
			var lines []audit.Line
			var want []string
			for seq := uint64(1); seq <= 11; seq++ {
				line := event(seq, "fine")
				want = append(want, string(line.JSON))
				if seq == 7 || seq == 8 {
					line = event(seq, "poison")
					want[seq-1] = bare(seq)
				}
				lines = append(lines, line)
			}
			if err := s.Deliver(t.Context(), lines); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, e.got()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if n := testutil.ToFloat64(s.stripped); n != 2 {
				t.Errorf("%v events are counted as stripped, want 2", n)
			}
		})
	}
}

// An event that is refused even without contents is passed over, but an
// endpoint that refuses everything is only waited for.
func TestPassingOver(t *testing.T) {
	e := start(t)
	all := false
	e.status = func(body string) int {
		if all || strings.Contains(body, `"seq":2,`) {
			return 400
		}
		return 200
	}
	var text bytes.Buffer
	s := newSink(t, Options{URL: e.URL, Logger: log.NewLogfmtLogger(&text)})
	if err := s.Deliver(t.Context(), []audit.Line{event(1, "a"), event(2, "b"), event(3, "c")}); err != nil {
		t.Fatal(err)
	}
	again := string(event(1, "a").JSON) // Shows that the endpoint takes others.
	if diff := cmp.Diff([]string{again, again, string(event(3, "c").JSON)}, e.got()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := testutil.ToFloat64(s.passedOver); n != 1 || !strings.Contains(text.String(), "seq=2") {
		t.Errorf("%v events are counted as passed over, want 1; log:\n%s", n, text.String())
	}
	e.set(func() { all = true })
	if err := s.Deliver(t.Context(), []audit.Line{event(4, "a"), event(5, "b"), event(6, "c")}); !errors.Is(err, errRefused) {
		t.Errorf("Deliver() = %v, want that it refuses", err)
	}
	if n := testutil.ToFloat64(s.passedOver); n != 1 {
		t.Errorf("%v events are passed over, and all but 1 at an endpoint that takes none", n)
	}
	e.set(func() { all = false })
	if err := s.Deliver(t.Context(), []audit.Line{event(4, "a"), event(5, "b"), event(6, "c")}); err != nil {
		t.Fatal(err)
	}
}

func TestAnswers(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		code    int
		header  string
		want    string
		refused bool
		wait    time.Duration
	}{
		{200, "", "<nil>", false, 0},
		{204, "7", "<nil>", false, 0},
		{301, "", "post to webhook: status 301 Moved Permanently", false, 0},
		{400, "9", "post to webhook: endpoint refuses the request for good: status 400", true, 0},
		{413, "", "post to webhook: endpoint refuses the request for good: status 413", true, 0},
		{401, "", "post to webhook: status 401 Unauthorized", false, 0},
		{404, "", "post to webhook: status 404 Not Found", false, 0},
		{429, "120", "post to webhook: status 429 Too Many Requests", false, 2 * time.Minute},
		{503, "Tue, 24 Nov 2026 12:01:00 GMT", "post to webhook: status 503 Service Unavailable", false, time.Minute},
		{503, "Tue, 24 Nov 2026 11:00:00 GMT", "post to webhook: status 503 Service Unavailable", false, 0},
		{503, "soon", "post to webhook: status 503 Service Unavailable", false, 0},
		{503, "-5", "post to webhook: status 503 Service Unavailable", false, 0},
		{503, "99999999999999", "post to webhook: status 503 Service Unavailable", false, 0},
	} {
		resp := &http.Response{StatusCode: c.code, Header: http.Header{}}
		resp.Header.Set("Retry-After", c.header)
		err := judge(resp, now)
		if got := fmt.Sprint(err); got != c.want {
			t.Errorf("status %d: %s, want %s", c.code, got, c.want)
		}
		if errors.Is(err, errRefused) != c.refused {
			t.Errorf("status %d: refused for good is not %v", c.code, c.refused)
		}
		var wait time.Duration
		if retry, ok := errors.AsType[*audit.RetryError](err); ok {
			wait = retry.After
		}
		if wait != c.wait {
			t.Errorf("status %d, Retry-After %q: wait %s, want %s", c.code, c.header, wait, c.wait)
		}
	}
}

// Neither the answer's body nor the URL, which can hold a token, is told.
func TestErrorsTellNoSecrets(t *testing.T) {
	e := start(t)
	e.status = func(string) int { return 500 }
	for _, url := range []string{
		strings.Replace(e.URL, "http://", "http://user:s3cret@", 1) + "/hook?token=s3cret",
		"http://user:s3cret@127.0.0.1:1/hook?token=s3cret",
	} {
		s := newSink(t, Options{URL: url})
		err := s.Deliver(t.Context(), []audit.Line{event(1, "s3cret")})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Deliver() = %v", err)
		}
	}
	// The URL of who issues tokens, and the answer, are within the error of the request.
	refusing := start(t)
	refusing.status = func(string) int { return 403 }
	for _, issuer := range []string{"http://127.0.0.1:1/?token=s3cret", refusing.URL + "/s3cret"} {
		file := filepath.Join(t.TempDir(), "http.yml")
		text := "oauth2: {client_id: id, client_secret: s3cret, token_url: '" + issuer + "', endpoint_params: {x: s3cret}}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := newSink(t, Options{URL: e.URL + "/?token=s3cret", HTTPConfigFile: file})
		err := s.Deliver(t.Context(), []audit.Line{event(1, "s3cret")})
		if err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("Deliver() = %v", err)
		}
	}
	if _, err := New(Options{URL: "ftp://user:s3cret@host"}); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("New() = %v", err)
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	e := start(t)
	e.status = func(string) int { return 302 }
	e.header.Set("Location", e.URL+"/elsewhere")
	s := newSink(t, Options{URL: e.URL})
	if err := s.Deliver(t.Context(), []audit.Line{event(1, "a")}); err == nil || len(e.requests) != 1 {
		t.Errorf("Deliver() = %v after %d requests", err, len(e.requests))
	}
}

func TestHungEndpointCostsOneTimeout(t *testing.T) {
	e := start(t)
	hang := make(chan struct{})
	e.status = func(string) int { <-hang; return 200 }
	defer close(hang)
	s := newSink(t, Options{URL: e.URL, Timeout: 50 * time.Millisecond})
	if err := s.Deliver(t.Context(), []audit.Line{event(1, "a")}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Deliver() = %v", err)
	}
}

// Credentials and authorities come from a file in Prometheus' format, and
// credentials are read again for every request.
func TestHTTPConfig(t *testing.T) {
	e := &endpoint{header: http.Header{}}
	e.Server = httptest.NewTLSServer(e)
	defer e.Close()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: e.Certificate().Raw})))
	write("token", "first\n")
	write("http.yml", "authorization:\n  credentials_file: token\ntls_config:\n  ca_file: ca.pem\n")
	s := newSink(t, Options{URL: e.URL, HTTPConfigFile: filepath.Join(dir, "http.yml"), UserAgent: "zkwarden/test"})
	for i, token := range []string{"first", "second"} {
		write("token", token)
		if err := s.Deliver(t.Context(), []audit.Line{event(uint64(i+1), "a")}); err != nil {
			t.Fatal(err)
		}
		r := e.requests[i]
		if r.Header.Get("Authorization") != "Bearer "+token || r.UserAgent() != "zkwarden/test" || r.Method != http.MethodPost {
			t.Errorf("request %d: %s, headers %v", i, r.Method, r.Header)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "http.yml")
	if err := os.WriteFile(bad, []byte("basic_auht: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := Options{URL: "http://127.0.0.1/", Format: FormatLines, Timeout: time.Second}
	for want, change := range map[string]func(*Options){
		"webhook URL does not begin":      func(o *Options) { o.URL = "127.0.0.1:80" },
		`unknown webhook format "xml"`:    func(o *Options) { o.Format = "xml" },
		"webhook timeout 0s":              func(o *Options) { o.Timeout = 0 },
		"field basic_auht not found":      func(o *Options) { o.HTTPConfigFile = bad },
		"read webhook HTTP configuration": func(o *Options) { o.HTTPConfigFile = bad + ".missing" },
	} {
		o := good
		change(&o)
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New() = %v, want %s", err, want)
		}
	}
}
