package fourletter

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"zkwarden/internal/fourletter/fourlettertest"
)

func TestCauses(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	open, mutual := a.server(false), a.server(true)
	a.issue("old", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(-time.Minute)})
	expired, err := tls.LoadX509KeyPair(a.file("old.crt"), a.file("old.key"))
	if err != nil {
		t.Fatal(err)
	}
	ancient := open.Clone()
	ancient.MaxVersion = tls.VersionTLS12
	ca := a.file("ca.crt")
	for name, tc := range map[string]struct {
		addr  string
		files *TLSFiles
		want  Cause
	}{
		"CA file missing":            {fourlettertest.ServeTLS(t, open, fourlettertest.Say("imok")), &TLSFiles{CAFile: a.file("none")}, BadFiles},
		"another CA":                 {fourlettertest.ServeTLS(t, open, fourlettertest.Say("imok")), &TLSFiles{CAFile: other.file("ca.crt")}, UnknownAuthority},
		"another name":               {fourlettertest.ServeTLS(t, open, fourlettertest.Say("imok")), &TLSFiles{CAFile: ca, ServerName: "x.example"}, WrongName},
		"expired":                    {fourlettertest.ServeTLS(t, &tls.Config{Certificates: []tls.Certificate{expired}}, fourlettertest.Say("imok")), &TLSFiles{CAFile: ca}, Expired},
		"client certificate missing": {fourlettertest.ServeTLS(t, mutual, fourlettertest.Say("imok")), &TLSFiles{CAFile: ca}, ClientCertificate},
		"only an older version":      {fourlettertest.ServeTLS(t, ancient, fourlettertest.Say("imok")), &TLSFiles{CAFile: ca, MinVersion: tls.VersionTLS13}, Version},
		"plain server that answers":  {fourlettertest.Serve(t, fourlettertest.Say("not a handshake\n")), &TLSFiles{CAFile: ca}, NotTLS},
		"plain server that hangs up": {fourlettertest.Serve(t, fourlettertest.HangUp), &TLSFiles{CAFile: ca}, HungUp},
		"server that hangs":          {fourlettertest.Serve(t, fourlettertest.Hang), &TLSFiles{CAFile: ca}, Slow},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := dialAndRead(ctx, &Dialer{TLS: tc.files}, tc.addr)
			if cause, ok := CauseOf(err); !ok || cause != tc.want {
				t.Errorf("cause %q (%t) of %v, want %q", cause, ok, err, tc.want)
			}
		})
	}
}

// dialAndRead reads too: with TLS 1.3 the server refuses a client after the
// client's side of the handshake is done.
func dialAndRead(ctx context.Context, d *Dialer, addr string) error {
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	_, _ = io.WriteString(conn, "ruok")
	_, err = io.ReadAll(conn)
	return err
}

func TestNoCauseWithoutTLS(t *testing.T) {
	for name, err := range map[string]error{
		"nothing":  nil,
		"refused":  &net.OpError{Op: "dial", Err: errors.New("connection refused")},
		"end":      io.EOF,
		"deadline": context.DeadlineExceeded,
	} {
		if cause, ok := CauseOf(err); ok {
			t.Errorf("%s: cause %q", name, cause)
		}
	}
}

func TestMinVersion(t *testing.T) {
	a := newAuthority(t)
	server := a.server(false)
	server.MaxVersion = tls.VersionTLS12
	addr := fourlettertest.ServeTLS(t, server, fourlettertest.Say("imok"))
	for version, want := range map[uint16]Reason{0: "", tls.VersionTLS12: "", tls.VersionTLS13: TLS} {
		client := &Client{Dialer: &Dialer{TLS: &TLSFiles{CAFile: a.file("ca.crt"), MinVersion: version}}}
		_, err := client.Ask(t.Context(), addr, Ruok)
		if got, _ := ReasonOf(err); got != want {
			t.Errorf("minimum %s: reason %q of %v, want %q", tls.VersionName(version), got, err, want)
		}
	}
}
