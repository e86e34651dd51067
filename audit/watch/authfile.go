package watch

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-kit/log"
	"github.com/go-kit/log/level"
)

const (
	// maxAuthFile and maxCredentials bound what is read: a server handles each
	// credential of a connection before anything else.
	maxAuthFile    = 64 << 10
	maxCredentials = 32
	// worldReadable is the mode bit that lets everybody read the secrets.
	worldReadable = 0o004
)

// AuthFile reads credentials from a file with a line "scheme:auth" for each;
// empty lines and those that begin with # mean nothing. The file is read at
// every call, so that a secret can be changed while the process runs.
type AuthFile struct {
	Path   string
	Logger log.Logger
	warn   sync.Once
}

// Credentials returns what the file says. An error names the file and the
// line, and never what stands there.
func (f *AuthFile) Credentials() ([]Credential, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, fmt.Errorf("read auth file: %w", err)
	}
	defer file.Close() //nolint:errcheck // It was only read.
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read auth file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&worldReadable != 0 {
		f.warn.Do(func() {
			level.Warn(f.Logger).Log("msg", "everybody on this machine can read the credentials, chmod 600 would do", "file", f.Path, "mode", mode)
		})
	}
	text, err := io.ReadAll(io.LimitReader(file, maxAuthFile+1))
	if err != nil {
		return nil, fmt.Errorf("read auth file: %w", err)
	}
	if len(text) > maxAuthFile {
		return nil, fmt.Errorf("read auth file %s: it has more than %d bytes", f.Path, maxAuthFile)
	}
	return parseCredentials(f.Path, text)
}

func parseCredentials(name string, text []byte) ([]Credential, error) {
	var credentials []Credential
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxAuthFile+1)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		c, err := parseCredential(line)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, n, err)
		}
		if len(credentials) == maxCredentials {
			return nil, fmt.Errorf("%s:%d: more than %d credentials", name, n, maxCredentials)
		}
		credentials = append(credentials, c)
	}
	return credentials, nil // Everything is in memory, and a line is no longer than the file.
}

// parseCredential says what is wrong without a word of the line.
func parseCredential(line string) (Credential, error) {
	scheme, auth, found := strings.Cut(line, ":")
	switch {
	case !utf8.ValidString(line):
		return Credential{}, errors.New("the line is not UTF-8")
	case !found:
		return Credential{}, errors.New("want scheme:auth, as in digest:user:password")
	case !isScheme(scheme):
		return Credential{}, errors.New("the scheme before the first colon is missing or has other characters than letters, digits and -")
	case auth == "":
		return Credential{}, errors.New("nothing follows the scheme")
	case scheme == "digest" && !strings.Contains(auth, ":"):
		return Credential{}, errors.New("want digest:user:password")
	}
	return Credential{Scheme: scheme, Auth: []byte(auth)}, nil
}

func isScheme(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool {
		return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}
