package fourletter

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// ErrTLS marks every error of [Dialer.DialContext] that is about TLS: a file
// that can't be read, or a handshake that failed.
var ErrTLS = errors.New("tls")

// errFiles marks those of ErrTLS that came before a connection.
var errFiles = errors.New("prepare")

// TLSFiles says how to speak TLS. The files are PEM and are read again for every
// connection, so that renewed certificates need no restart.
type TLSFiles struct {
	CAFile             string // Roots that sign the server; empty: the roots of the system.
	CertFile           string // Client certificate; empty: none is offered.
	KeyFile            string // Its key; given if and only if CertFile is.
	ServerName         string // Name to verify; empty: the host that is dialled.
	OrHost             bool   // Besides ServerName, the host that is dialled will do.
	InsecureSkipVerify bool   // Believe any server.
	MinVersion         uint16 // As of crypto/tls; 0: TLS 1.2.
}

// ParseTLSVersion reads 1.0, 1.1, 1.2 or 1.3 as a version of crypto/tls. Servers
// on an old Java may speak nothing better than the first two.
func ParseTLSVersion(text string) (uint16, error) {
	for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11, tls.VersionTLS12, tls.VersionTLS13} {
		if tls.VersionName(version) == "TLS "+text {
			return version, nil
		}
	}
	return 0, fmt.Errorf("TLS version %q: want 1.0, 1.1, 1.2 or 1.3", text)
}

// Dialer connects to ZooKeeper, by TCP or by TLS over TCP. The zero Dialer
// speaks TCP. It is safe for concurrent use.
type Dialer struct {
	TLS *TLSFiles // nil: plain TCP.
}

// DialContext connects and, with TLS, completes the handshake within ctx.
// Failures of TLS wrap [ErrTLS]; those of the network are of package net.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	var config *tls.Config
	if d.TLS != nil {
		var err error
		if config, err = d.TLS.config(addr); err != nil {
			return nil, fmt.Errorf("%w: %w: %w", ErrTLS, errFiles, err)
		}
	}
	// A connection lives for one word, so that probes of an idle one are system
	// calls for nothing.
	plain := net.Dialer{KeepAlive: -1}
	conn, err := plain.DialContext(ctx, network, addr)
	if err != nil || config == nil {
		return conn, err
	}
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, fmt.Errorf("%w: handshake with %s: %w", ErrTLS, addr, err)
	}
	return secure, nil
}

func (f *TLSFiles) config(addr string) (*tls.Config, error) {
	config := &tls.Config{ServerName: f.ServerName, InsecureSkipVerify: f.InsecureSkipVerify, MinVersion: f.MinVersion}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("split address %s: %w", addr, err)
	}
	switch {
	case config.ServerName == "":
		config.ServerName = host
	case f.OrHost && !f.InsecureSkipVerify:
		config.InsecureSkipVerify = true // The package can verify one name only.
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return verify(state, config.RootCAs, host, f.ServerName)
		}
	}
	if f.CAFile != "" {
		pem, err := os.ReadFile(f.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read CA file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read CA file %s: no PEM certificate in it", f.CAFile)
		}
	}
	if f.CertFile == "" && f.KeyFile == "" {
		return config, nil
	}
	pair, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read client certificate %s with key %s: %w", f.CertFile, f.KeyFile, err)
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}

// verify is what crypto/tls does by default, with more than one name.
func verify(state tls.ConnectionState, roots *x509.CertPool, names ...string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("server shows no certificate")
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, certificate := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(certificate)
	}
	var err error
	for _, options.DNSName = range names {
		if _, err = state.PeerCertificates[0].Verify(options); err == nil {
			return nil
		}
	}
	return err
}

// ForMembers returns a dialer for the other members of an ensemble. The name in
// ServerName is that of the server beside this process; theirs are the hosts
// that they are dialled by, unless all share one certificate.
func (d *Dialer) ForMembers() *Dialer {
	if d.TLS == nil {
		return d
	}
	files := *d.TLS
	files.OrHost = true
	return &Dialer{TLS: &files}
}
