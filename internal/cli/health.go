package cli

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// HealthOptions say which process [Health] asks for what.
type HealthOptions struct {
	ListenAddress string        // The process's --web.listen-address, or a URL up to the port; a missing or wildcard host means this machine.
	Ready         bool          // Ask for readiness instead of health.
	Timeout       time.Duration // For the whole answer.
}

// Health returns nil when the zkwarden of this machine answers that it is
// healthy, or ready. Whether it serves TLS is found out, so that a container's
// health check needs no configuration of its own.
//
// A process that asks for credentials or a client certificate is alive, which
// is all that health means; of its readiness that says nothing.
func Health(ctx context.Context, o HealthOptions) error {
	base, err := healthURL(o.ListenAddress)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true,
		// The question carries no secret and the answer is one bit from this
		// machine. Its certificate is made for the names that others call it by.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if o.Ready {
		base.Path = "/-/ready"
	} else {
		base.Path = "/-/healthy"
	}
	status, body, err := get(ctx, client, base)
	if err == nil && status == http.StatusBadRequest && base.Scheme == "http" {
		// That is how a TLS listener answers plain HTTP.
		base.Scheme = "https"
		status, body, err = get(ctx, client, base)
	}
	switch refused := asksForCertificate(err); {
	case err == nil && status/100 == 2:
		return nil
	case !o.Ready && (status == http.StatusUnauthorized || refused):
		return nil
	case refused, status == http.StatusUnauthorized:
		return fmt.Errorf("ask %s: it asks for credentials, so its readiness stays unknown", base)
	case err != nil:
		return fmt.Errorf("ask %s: %w", base, err)
	}
	return fmt.Errorf("ask %s: status %d: %s", base, status, printable(body))
}

// healthURL turns what a process listens on into where it can be asked.
func healthURL(listen string) (*url.URL, error) {
	u := &url.URL{Scheme: "http", Host: listen}
	if strings.Contains(listen, "://") {
		var err error
		if u, err = url.Parse(listen); err != nil {
			return nil, fmt.Errorf("parse listen address: %w", err)
		}
		if u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("listen address %s: only TCP can be asked", listen)
		}
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		return nil, fmt.Errorf("parse listen address: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		// A wildcard listener takes IPv4 too, whichever family it is written in.
		host = "127.0.0.1"
	}
	return &url.URL{Scheme: u.Scheme, Host: net.JoinHostPort(host, port)}, nil
}

// get returns the status and the first line of the answer, cut to what fits a log.
func get(ctx context.Context, client *http.Client, u *url.URL) (status int, body string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, "", err
	}
	response, err := client.Do(request)
	if err != nil {
		// The client's error repeats method and URL, which the caller adds.
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err
		}
		return 0, "", err
	}
	defer response.Body.Close()
	start, err := io.ReadAll(io.LimitReader(response.Body, 512))
	if err != nil {
		return 0, "", fmt.Errorf("read answer: %w", err)
	}
	line, _, _ := bytes.Cut(start, []byte("\n"))
	return response.StatusCode, string(line), nil
}

// asksForCertificate reports whether the other side ended a TLS handshake
// because it wants to know who asks.
func asksForCertificate(err error) bool {
	remote, ok := errors.AsType[*net.OpError](err)
	return ok && remote.Op == "remote error" && strings.Contains(remote.Err.Error(), "certificate")
}
