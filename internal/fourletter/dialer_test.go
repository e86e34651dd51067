package fourletter

import (
	"context"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"zkwarden/internal/fourletter/fourlettertest"
)

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	a.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	a.write("empty.crt", nil)
	other := newAuthority(t)
	open, mutual := fourlettertest.ServeTLS(t, a.server(false), fourlettertest.Say("imok")), fourlettertest.ServeTLS(t, a.server(true), fourlettertest.Say("imok"))
	plain := fourlettertest.Serve(t, fourlettertest.HangUp)
	mute := fourlettertest.Serve(t, fourlettertest.Hang)
	ca := a.file("ca.crt")
	for name, tc := range map[string]struct {
		addr  string
		files *TLSFiles
		want  Reason // Empty: the word is answered.
	}{
		"own CA":                      {open, &TLSFiles{CAFile: ca}, ""},
		"server name":                 {open, &TLSFiles{CAFile: ca, ServerName: "zk.example"}, ""},
		"any server":                  {open, &TLSFiles{InsecureSkipVerify: true}, ""},
		"client certificate":          {mutual, &TLSFiles{CAFile: ca, CertFile: a.file("client.crt"), KeyFile: a.file("client.key")}, ""},
		"client certificate missing":  {mutual, &TLSFiles{CAFile: ca}, TLS},
		"other name":                  {open, &TLSFiles{CAFile: ca, ServerName: "other.example"}, TLS},
		"other name, or the host":     {open, &TLSFiles{CAFile: ca, ServerName: "other.example", OrHost: true}, ""},
		"server name, not the host":   {strings.Replace(open, "127.0.0.1", "localhost", 1), &TLSFiles{CAFile: ca, ServerName: "zk.example", OrHost: true}, ""},
		"neither name nor host":       {strings.Replace(open, "127.0.0.1", "localhost", 1), &TLSFiles{CAFile: ca, ServerName: "other.example", OrHost: true}, TLS},
		"either name, other CA":       {open, &TLSFiles{CAFile: other.file("ca.crt"), ServerName: "zk.example", OrHost: true}, TLS},
		"other CA":                    {open, &TLSFiles{CAFile: other.file("ca.crt")}, TLS},
		"CA of the system":            {open, &TLSFiles{}, TLS},
		"CA file missing":             {open, &TLSFiles{CAFile: a.file("none.crt")}, TLS},
		"CA file empty":               {open, &TLSFiles{CAFile: a.file("empty.crt")}, TLS},
		"key missing":                 {open, &TLSFiles{CAFile: ca, CertFile: a.file("client.crt")}, TLS},
		"plain server, cuts":          {plain, &TLSFiles{CAFile: ca}, TLS},
		"plain server, answers text":  {fourlettertest.Serve(t, fourlettertest.Say("not a handshake\n")), &TLSFiles{CAFile: ca}, TLS},
		"server that hangs":           {mute, &TLSFiles{CAFile: ca}, Timeout},
		"plain word to a TLS server":  {open, nil, Timeout},
		"plain word to a mute server": {mute, nil, Timeout},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			client := &Client{Dialer: &Dialer{TLS: tc.files}}
			got, err := client.Ask(ctx, tc.addr, Ruok)
			if reason, _ := ReasonOf(err); reason != tc.want {
				t.Fatalf("reason %q of %v, want %q", reason, err, tc.want)
			}
			if err == nil && string(got) != "imok" {
				t.Errorf("reply %q, want imok", got)
			}
		})
	}
}

// A renewed CA counts from the next connection on.
func TestTLSFilesAreReadForEveryDial(t *testing.T) {
	a, other := newAuthority(t), newAuthority(t)
	addr := fourlettertest.ServeTLS(t, a.server(false), fourlettertest.Say("imok"))
	client := &Client{Dialer: &Dialer{TLS: &TLSFiles{CAFile: other.file("ca.crt")}}}
	_, err := client.Ask(t.Context(), addr, Ruok)
	if !errors.Is(err, ErrTLS) {
		t.Fatalf("error %v, want one of TLS", err)
	}
	pem, err := os.ReadFile(a.file("ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	other.write("ca.crt", pem)
	if _, err := client.Ask(t.Context(), addr, Ruok); err != nil {
		t.Errorf("after the CA file was renewed: %v", err)
	}
}
