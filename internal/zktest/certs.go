package zktest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// CertFiles are paths of PEM files: a certificate authority of our own, and a
// server's and a client's certificate that it signed. Both are for 127.0.0.1
// and localhost, because a ZooKeeper server checks its clients' names too.
type CertFiles struct {
	CA                    string
	Server, Client        string // key and certificate in one file, as ZooKeeper wants its PEM key stores
	ServerCert, ServerKey string
	ClientCert, ClientKey string
}

// CertOptions change what MakeCerts makes.
type CertOptions struct {
	// ServerNotAfter ends the server certificate's validity, in a day if zero.
	// A time in the past makes one that has expired; the server does not mind.
	ServerNotAfter time.Time
}

// Certs makes certificates for a test, in its temporary directory.
func Certs(t testing.TB, opts CertOptions) *CertFiles {
	t.Helper()
	files, err := MakeCerts(t.TempDir(), opts)
	if err != nil {
		t.Fatalf("make certificates: %v", err)
	}
	return files
}

// MakeCerts writes new certificates and their keys into a directory.
func MakeCerts(dir string, opts CertOptions) (*CertFiles, error) {
	file := func(name string) string { return filepath.Join(dir, name+".pem") }
	files := &CertFiles{
		CA:     file("ca"),
		Server: file("server"), ServerCert: file("server-cert"), ServerKey: file("server-key"),
		Client: file("client"), ClientCert: file("client-cert"), ClientKey: file("client-key"),
	}
	tomorrow := time.Now().Add(24 * time.Hour)
	if opts.ServerNotAfter.IsZero() {
		opts.ServerNotAfter = tomorrow
	}
	ca, err := newAuthority(tomorrow)
	if err != nil {
		return nil, err
	}
	serverCert, serverKey, err := ca.issue("zktest server", x509.ExtKeyUsageServerAuth, opts.ServerNotAfter)
	if err != nil {
		return nil, err
	}
	clientCert, clientKey, err := ca.issue("zktest client", x509.ExtKeyUsageClientAuth, tomorrow)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		path    string
		content []byte
	}{
		{files.CA, encodeCert(ca.cert.Raw)},
		{files.ServerCert, serverCert},
		{files.ServerKey, serverKey},
		{files.Server, append(serverKey, serverCert...)},
		{files.ClientCert, clientCert},
		{files.ClientKey, clientKey},
		{files.Client, append(clientKey, clientCert...)},
	} {
		if err := os.WriteFile(f.path, f.content, 0o600); err != nil {
			return nil, fmt.Errorf("write certificate: %w", err)
		}
	}
	return files, nil
}

// ClientConfig trusts the authority and shows the client's certificate. The
// server's name is taken from the address that is dialled.
func (f *CertFiles) ClientConfig() (*tls.Config, error) {
	ca, err := os.ReadFile(f.CA)
	if err != nil {
		return nil, fmt.Errorf("read certificate authority: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("read certificate authority %s: no certificate in it", f.CA)
	}
	pair, err := tls.LoadX509KeyPair(f.ClientCert, f.ClientKey)
	if err != nil {
		return nil, fmt.Errorf("read client certificate: %w", err)
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{pair}}, nil
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(notAfter time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key of authority: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "zktest authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("sign authority: %w", err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		return nil, fmt.Errorf("parse authority: %w", err)
	}
	return &authority{cert, key}, nil
}

// issue makes a certificate and its key, both as PEM. The key is PKCS #8, the
// only form that ZooKeeper reads.
func (a *authority) issue(name string, usage x509.ExtKeyUsage, notAfter time.Time) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make key of %s: %w", name, err)
	}
	notBefore := time.Now()
	if notAfter.Before(notBefore) {
		notBefore = notAfter
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, fmt.Errorf("make serial number of %s: %w", name, err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name},
		NotBefore: notBefore.Add(-time.Hour), NotAfter: notAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.ParseIP(loopback)},
	}
	raw, err := x509.CreateCertificate(rand.Reader, template, a.cert, private.Public(), a.key)
	if err != nil {
		return nil, nil, fmt.Errorf("sign %s: %w", name, err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return nil, nil, fmt.Errorf("encode key of %s: %w", name, err)
	}
	return encodeCert(raw), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), nil
}

func encodeCert(raw []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
}
