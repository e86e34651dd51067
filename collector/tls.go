package collector

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"time"

	dto "github.com/prometheus/client_model/go"

	"zkwarden/internal/fourletter"
)

// Handshakes dials with TLS and tells what comes of it: when the served
// certificate expires, also where that is why the handshake fails, and failures
// by cause. A server may go on serving an old certificate after its files were
// renewed, which nothing but a handshake shows. It is safe for concurrent use.
type Handshakes struct {
	dialer fourletter.ConnDialer

	mu     sync.Mutex
	ends   time.Time // Zero: no certificate was seen yet.
	failed map[fourletter.Cause]uint64
	cause  fourletter.Cause // Of the last failure; empty: there was none.
}

// NewHandshakes returns a dialer that watches over those of dialer.
func NewHandshakes(dialer fourletter.ConnDialer) *Handshakes {
	return &Handshakes{dialer: dialer, failed: map[fourletter.Cause]uint64{}}
}

// DialContext connects as the dialer does.
func (h *Handshakes) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := h.dialer.DialContext(ctx, network, addr)
	if err != nil {
		h.fail(err)
		return nil, err
	}
	if secure, ok := conn.(*tls.Conn); ok {
		h.served(secure.ConnectionState().PeerCertificates)
	}
	return handshaken{conn, h}, nil
}

// handshaken is a connection whose first read may still tell that the handshake
// failed: with TLS 1.3 the server judges our certificate last.
type handshaken struct {
	net.Conn
	h *Handshakes
}

// Read reads from the connection.
func (c handshaken) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if err != nil {
		c.h.fail(err)
	}
	return n, err
}

func (h *Handshakes) fail(err error) {
	cause, ok := fourletter.CauseOf(err)
	if !ok {
		return
	}
	if refused, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		h.served(refused.UnverifiedCertificates)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failed[cause]++
	h.cause = cause
}

func (h *Handshakes) served(chain []*x509.Certificate) {
	if len(chain) == 0 {
		return
	}
	ends := chain[0].NotAfter
	for _, certificate := range chain[1:] {
		if certificate.NotAfter.Before(ends) {
			ends = certificate.NotAfter
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ends = ends
}

// Expiry returns when the certificate that the server served last expires, or
// the zero time when there was none yet.
func (h *Handshakes) Expiry() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ends
}

// LastCause returns why the last failure was one; empty: there was none.
func (h *Handshakes) LastCause() fourletter.Cause {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.cause
}

// families returns what the handshakes so far have told.
func (h *Handshakes) families() []*dto.MetricFamily {
	h.mu.Lock()
	defer h.mu.Unlock()
	g := newGathered()
	if !h.ends.IsZero() {
		g.put(expiryMetric, gaugeSeries(float64(h.ends.Unix())))
	}
	causes := fourletter.Causes()
	failures := make([]*dto.Metric, 0, len(causes))
	for _, cause := range causes {
		count := float64(h.failed[cause])
		failures = append(failures, &dto.Metric{
			Label: []*dto.LabelPair{label("cause", string(cause))}, Counter: &dto.Counter{Value: &count},
		})
	}
	g.put(handshakesMetric, failures...)
	return g.all
}
