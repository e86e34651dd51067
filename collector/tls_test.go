package collector

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"zkwarden/internal/fourletter"
	"zkwarden/internal/zktest"
)

const expiryName = "zookeeper_tls_certificate_expiry_timestamp_seconds"

// shows fails the test unless the page shows this expiry.
func shows(t *testing.T, page string, expiry time.Time) {
	t.Helper()
	for line := range strings.Lines(page) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), expiryName+" "); ok {
			if got, err := strconv.ParseFloat(value, 64); err != nil || got != float64(expiry.Unix()) {
				t.Errorf("expiry %s, want %d", value, expiry.Unix())
			}
			return
		}
	}
	t.Error("page shows no expiry")
}

// failed fails the test unless every failure so far has this cause.
func failed(t *testing.T, h *Handshakes, cause fourletter.Cause) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.failed) != 1 || h.failed[cause] == 0 {
		t.Errorf("failures %v, want %s alone", h.failed, cause)
	}
}

func watched(t *testing.T, addr string, files *fourletter.TLSFiles) (*Collector, *Handshakes) {
	t.Helper()
	h := NewHandshakes(&fourletter.Dialer{TLS: files})
	// The first handshake of a Java that has just started takes seconds on a busy machine.
	return start(t, Options{Addr: addr, Client: &fourletter.Client{Dialer: h}, Handshakes: h, Timeout: 20 * time.Second}), h
}

func TestLiveHandshakes(t *testing.T) {
	certs, other := zktest.Certs(t, zktest.CertOptions{}), zktest.Certs(t, zktest.CertOptions{})
	server := zktest.Start(t, zktest.Options{TLS: certs}).Server(1)
	mutual := fourletter.TLSFiles{CAFile: certs.CA, CertFile: certs.ClientCert, KeyFile: certs.ClientKey}

	t.Run("good", func(t *testing.T) {
		c, h := watched(t, server.SecureAddr(), &mutual)
		page := get(t, c, "")
		wants(t, page, `zookeeper_word_success{word="mntr"} 1`, `zookeeper_tls_handshake_failures_total{cause="expired"} 0`)
		if h.Expiry().Before(time.Now()) {
			t.Errorf("expiry %s is not in the future", h.Expiry())
		}
		shows(t, page, h.Expiry())
		lint(t, c)
	})
	for name, tc := range map[string]struct {
		addr  string
		files fourletter.TLSFiles
		want  fourletter.Cause
	}{
		"no client certificate": {server.SecureAddr(), fourletter.TLSFiles{CAFile: certs.CA}, fourletter.ClientCertificate},
		"wrong CA":              {server.SecureAddr(), fourletter.TLSFiles{CAFile: other.CA}, fourletter.UnknownAuthority},
		"wrong name":            {server.SecureAddr(), fourletter.TLSFiles{CAFile: certs.CA, ServerName: "x.example"}, fourletter.WrongName},
		"plain port":            {server.Addr(), mutual, fourletter.HungUp},
	} {
		t.Run(name, func(t *testing.T) {
			c, h := watched(t, tc.addr, &tc.files)
			wants(t, get(t, c, ""), `zookeeper_word_failure{reason="tls",word="mntr"} 1`,
				fmt.Sprintf("zookeeper_tls_handshake_failures_total{cause=%q} 3", tc.want)) // mntr, srvr and ruok.
			failed(t, h, tc.want)
		})
	}
	t.Run("renewed client files", func(t *testing.T) { renewedFiles(t, server, certs, other) })
}

// renewedFiles replaces files at run time, which counts from the next scrape on.
func renewedFiles(t *testing.T, server *zktest.Server, good, other *zktest.CertFiles) {
	ca := t.TempDir() + "/ca.pem"
	put := func(from string) {
		t.Helper()
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(ca, text, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	put(other.CA)
	c, _ := watched(t, server.SecureAddr(), &fourletter.TLSFiles{CAFile: ca, CertFile: good.ClientCert, KeyFile: good.ClientKey})
	wants(t, get(t, c, ""), `zookeeper_word_failure{reason="tls",word="mntr"} 1`)
	put(good.CA)
	wants(t, get(t, c, ""), `zookeeper_word_success{word="mntr"} 1`)
}

// An expired certificate is named as the cause, and its expiry is still shown.
func TestLiveExpiredCertificate(t *testing.T) {
	ended := time.Now().Add(-time.Hour).Truncate(time.Second)
	certs := zktest.Certs(t, zktest.CertOptions{ServerNotAfter: ended})
	server := zktest.Start(t, zktest.Options{TLS: certs}).Server(1)
	c, h := watched(t, server.SecureAddr(), &fourletter.TLSFiles{CAFile: certs.CA, CertFile: certs.ClientCert, KeyFile: certs.ClientKey})
	page := get(t, c, "")
	wants(t, page, "zookeeper_up 0", `zookeeper_word_failure{reason="tls",word="mntr"} 1`)
	failed(t, h, fourletter.Expired)
	shows(t, page, ended)
}

// A server with a renewed certificate is seen at the next scrape after it serves
// it, which for ZooKeeper means its restart.
func TestLiveRotatedCertificate(t *testing.T) {
	soon, late := time.Now().Add(time.Hour).Truncate(time.Second), time.Now().Add(48*time.Hour).Truncate(time.Second)
	first, second := zktest.Certs(t, zktest.CertOptions{ServerNotAfter: soon}), zktest.Certs(t, zktest.CertOptions{ServerNotAfter: late})
	ensemble := zktest.Start(t, zktest.Options{TLS: first})
	server := ensemble.Server(1)
	files := fourletter.TLSFiles{InsecureSkipVerify: true, CertFile: first.ClientCert, KeyFile: first.ClientKey}
	c, _ := watched(t, server.SecureAddr(), &files)
	shows(t, get(t, c, ""), soon)
	err := server.Reconfigure(t.Context(), func(o *zktest.Options) {
		rotated := *second
		rotated.CA = first.CA // Our certificate stays good.
		o.TLS = &rotated
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Kill()
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := ensemble.WaitServing(t.Context()); err != nil {
		t.Fatal(err)
	}
	shows(t, get(t, c, ""), late)
}
