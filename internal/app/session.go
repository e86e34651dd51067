package app

import (
	"bytes"
	"context"
	"strings"

	"github.com/go-kit/log"

	"zkwarden/audit/watch"
	"zkwarden/internal/fourletter"
)

// Credentials returns how to read the credentials of a session from a file, or
// nil without one.
func Credentials(file string, logger log.Logger) func() ([]watch.Credential, error) {
	if file == "" {
		return nil
	}
	return (&watch.AuthFile{Path: file, Logger: logger}).Credentials
}

// versionOf asks a server for its version by srvr, which every server answers
// that is 3.5.3 or newer. It returns nothing where that fails.
func versionOf(dialer *fourletter.Dialer) func(ctx context.Context, address string) string {
	client := &fourletter.Client{Dialer: dialer}
	return func(ctx context.Context, address string) string {
		text, _ := client.Ask(ctx, address, fourletter.Srvr) // What it did say may be enough.
		return parseVersion(text)
	}
}

// parseVersion finds 3.5.10 in "Zookeeper version: 3.5.10-2-6a5f, built on ...".
func parseVersion(srvr []byte) string {
	line, _, _ := bytes.Cut(srvr, []byte("\n"))
	name, version, found := strings.Cut(string(line), ": ")
	if !found || !strings.HasSuffix(name, " version") {
		return ""
	}
	end := strings.IndexFunc(version, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if end >= 0 {
		version = version[:end]
	}
	if len(version) > maxVersion {
		return ""
	}
	return version
}

// maxVersion is the longest version that is believed.
const maxVersion = 32
