package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/common/config"

	"zkwarden/audit"
)

// Format says how the lines of one request are put together.
type Format string

// The formats of a request's body.
const (
	FormatLines Format = "ndjson" // One event a line.
	FormatArray Format = "array"  // One JSON array of events.
)

// maxAnswer is how much of an answer is read so that the connection can be
// used again.
const maxAnswer = 64 << 10

// Options configures a sink.
type Options struct {
	URL            string
	HTTPConfigFile string // In Prometheus' http_config format: credentials, TLS, proxy. Empty: none of these.
	Format         Format
	Timeout        time.Duration // Of one request.
	UserAgent      string

	// Later yields the durable lines behind a seq, each valid until the next
	// one. They are looked at where the endpoint refuses a line and is not
	// known to take another; some may be gone by then. Nil: there are none.
	Later func(ctx context.Context, seq uint64) iter.Seq2[audit.Line, error]

	Logger   log.Logger
	Registry prometheus.Registerer // Nil registers no metrics.
}

var _ audit.Sink = (*Sink)(nil)

// Sink posts to one endpoint. One goroutine uses it at a time.
type Sink struct {
	Options
	client *http.Client

	done  uint64 // The last line that the endpoint has, or that was passed over.
	taken []byte // An event that the endpoint took, or nothing yet.
	tried uint64 // The last of the later events that were tried in search of one.
	body  []byte

	stripped, passedOver prometheus.Counter
}

// New checks the options and reads the configuration file; it sends nothing.
func New(o Options) (*Sink, error) {
	parsed, err := url.Parse(o.URL)
	if err != nil || parsed.Scheme != "http" && parsed.Scheme != "https" || parsed.Host == "" {
		return nil, errors.New("webhook URL does not begin with http://HOST or https://HOST") // It may hold a credential.
	}
	if o.Format != FormatLines && o.Format != FormatArray {
		return nil, fmt.Errorf("unknown webhook format %q, want %q or %q", o.Format, FormatLines, FormatArray)
	}
	if o.Timeout <= 0 {
		return nil, fmt.Errorf("webhook timeout %s is not positive", o.Timeout)
	}
	cfg := config.DefaultHTTPClientConfig
	if o.HTTPConfigFile != "" {
		loaded, _, err := config.LoadHTTPConfigFile(o.HTTPConfigFile)
		if err != nil {
			return nil, fmt.Errorf("read webhook HTTP configuration %s: %w", o.HTTPConfigFile, err)
		}
		cfg = *loaded
	}
	if o.Later == nil {
		o.Later = func(context.Context, uint64) iter.Seq2[audit.Line, error] {
			return func(func(audit.Line, error) bool) {}
		}
	}
	cfg.FollowRedirects = false // Following one would turn the POST into a GET.
	client, err := config.NewClientFromConfig(cfg, "webhook", config.WithUserAgent(o.UserAgent))
	if err != nil {
		return nil, fmt.Errorf("set up webhook client: %w", err)
	}
	counter := func(name, help string) prometheus.Counter {
		return promauto.With(o.Registry).NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	return &Sink{
		Options: o, client: client,
		stripped:   counter("zkwarden_webhook_stripped_total", "Events sent without their contents because the endpoint refused them with these."),
		passedOver: counter("zkwarden_webhook_passed_over_total", "Events that the endpoint refused even without contents. They are in the journal only."),
	}, nil
}

// Close gives up idle connections.
func (s *Sink) Close() { s.client.CloseIdleConnections() }

// Deliver implements [audit.Sink]. The error is an [audit.RetryError] when the
// endpoint said how long to wait.
func (s *Sink) Deliver(ctx context.Context, lines []audit.Line) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for len(lines) > 0 && lines[0].Seq <= s.done {
		lines = lines[1:]
	}
	if len(lines) == 0 {
		return nil
	}
	return s.deliver(ctx, lines)
}

// deliver halves what is refused, which ends with single events.
func (s *Sink) deliver(ctx context.Context, lines []audit.Line) error {
	if len(lines) == 1 {
		return s.single(ctx, lines[0])
	}
	err := s.post(ctx, lines)
	switch {
	case err == nil:
		last := lines[len(lines)-1]
		s.done, s.taken = last.Seq, append(s.taken[:0], last.JSON...)
		return nil
	case !errors.Is(err, errRefused):
		return err
	}
	half := len(lines) / 2
	if err := s.deliver(ctx, lines[:half]); err != nil {
		return err
	}
	return s.deliver(ctx, lines[half:])
}

// post sends one request and judges the answer.
func (s *Sink) post(ctx context.Context, lines []audit.Line) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	s.body = s.Format.compose(s.body[:0], lines)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(s.body))
	if err != nil {
		return fmt.Errorf("post to webhook: %w", redact(err))
	}
	req.Header.Set("Content-Type", s.Format.contentType())
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("post to webhook: %w", redact(err))
	}
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // Only to use the connection again.
	resp.Body.Close()
	return judge(resp, time.Now())
}

// redact drops the URLs that HTTP clients put around their errors: that of the
// request, and within it that of who issues its token. Of what the latter
// answered, which would follow on lines of its own, it leaves the first line.
func redact(err error) error {
	for {
		wrapped, ok := errors.AsType[*url.Error](err)
		if !ok {
			break
		}
		err = wrapped.Err
	}
	if line, _, more := strings.Cut(err.Error(), "\n"); more {
		return errors.New(line)
	}
	return err
}

func (f Format) contentType() string {
	if f == FormatArray {
		return "application/json"
	}
	return "application/x-ndjson"
}

func (f Format) compose(body []byte, lines []audit.Line) []byte {
	if f == FormatLines {
		for _, line := range lines {
			body = append(append(body, line.JSON...), '\n')
		}
		return body
	}
	separator := "[\n"
	for _, line := range lines {
		body = append(append(body, separator...), line.JSON...)
		separator = ",\n"
	}
	return append(body, "\n]\n"...)
}
