package fourletter

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
)

// Cause says why TLS to a server failed. It is fit for a metric label: the list
// is fixed.
type Cause string

// The causes, in the order of [Causes].
const (
	BadFiles          Cause = "files"              // A file of TLSFiles can't be read or isn't what it should be.
	NotTLS            Cause = "not_tls"            // What answers is no TLS.
	HungUp            Cause = "hung_up"            // The server closed in the middle: a plain port, or it isn't serving and drops handshakes early.
	Slow              Cause = "timeout"            // The context ended before the handshake did.
	Expired           Cause = "expired"            // The server's certificate is not valid now.
	UnknownAuthority  Cause = "unknown_authority"  // Nobody in the CA file signed it.
	WrongName         Cause = "wrong_name"         // It is made for other names.
	Invalid           Cause = "invalid"            // It can't be used for another reason.
	ClientCertificate Cause = "client_certificate" // The server wants a client certificate, or another one.
	Version           Cause = "version"            // No version of TLS suits both sides.
	OtherCause        Cause = "other"
)

// Causes returns every cause there is, always in the same order.
func Causes() []Cause {
	return []Cause{
		BadFiles, NotTLS, HungUp, Slow, Expired, UnknownAuthority, WrongName, Invalid, ClientCertificate, Version, OtherCause,
	}
}

// CauseOf returns why TLS failed with err, which is of [Dialer.DialContext] or
// of a connection that it returned, and whether it was TLS that failed.
func CauseOf(err error) (Cause, bool) {
	if remote, ok := errors.AsType[*net.OpError](err); ok && remote.Op == "remote error" {
		return causeOfAlert(remote.Err.Error()), true
	}
	if !errors.Is(err, ErrTLS) {
		return "", false
	}
	if errors.Is(err, errFiles) {
		return BadFiles, true
	}
	if cause, ok := causeOfCertificate(err); ok {
		return cause, true
	}
	var timeout net.Error
	switch _, noRecord := errors.AsType[tls.RecordHeaderError](err); {
	case noRecord:
		return NotTLS, true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return Slow, true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return HungUp, true
	case strings.Contains(err.Error(), "protocol version"):
		return Version, true
	}
	return OtherCause, true
}

// causeOfCertificate tells what is wrong with the server's certificate.
func causeOfCertificate(err error) (Cause, bool) {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		if invalid.Reason == x509.Expired {
			return Expired, true
		}
		return Invalid, true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return UnknownAuthority, true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return WrongName, true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return Invalid, true
	}
	return "", false
}

// causeOfAlert reads what the server said when it gave up. The alerts of
// crypto/tls have no type of their own.
func causeOfAlert(text string) Cause {
	switch {
	case strings.Contains(text, "certificate"):
		return ClientCertificate
	case strings.Contains(text, "protocol version"):
		return Version
	}
	return OtherCause
}
