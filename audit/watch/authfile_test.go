package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-kit/log"
	"github.com/google/go-cmp/cmp"
)

func TestAuthFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth")
	for name, test := range map[string]struct {
		text string
		want []Credential
		err  string
	}{
		"nothing":             {"", nil, ""},
		"comments and blanks": {"# digest:a:b\n\n  \n", nil, ""},
		"two":                 {"digest:u:p:with:colons\n x509-like:y \r\n", []Credential{{"digest", []byte("u:p:with:colons")}, {"x509-like", []byte("y")}}, ""},
		"no newline":          {"digest:u:p", []Credential{{"digest", []byte("u:p")}}, ""},
		"no colon":            {"# x\nhush", nil, ":2: want scheme:auth"},
		"no scheme":           {":hush", nil, ":1: the scheme"},
		"not a scheme":        {"di gest:u:hush", nil, ":1: the scheme"},
		"no auth":             {"ip:", nil, ":1: nothing follows"},
		"digest without user": {"digest:hush", nil, ":1: want digest:user:password"},
		"not UTF-8":           {"digest:u:hush\xff", nil, ":1: the line is not UTF-8"},
		"too many":            {strings.Repeat("digest:u:hush\n", maxCredentials+1), nil, fmt.Sprintf(":%d: more than", maxCredentials+1)},
		"too large":           {strings.Repeat("#", maxAuthFile+1), nil, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := (&AuthFile{Path: file, Logger: log.NewNopLogger()}).Credentials()
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if (err == nil) != (test.err == "") || err != nil && (!strings.Contains(err.Error(), test.err) || !strings.Contains(err.Error(), file)) {
				t.Errorf("error %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "hush") {
				t.Errorf("the secret is told: %v", err)
			}
		})
	}
	if _, err := (&AuthFile{Path: file + "-none", Logger: log.NewNopLogger()}).Credentials(); err == nil {
		t.Error("a missing file has no credentials")
	}
	secret := Credential{"digest", []byte("hush")}
	if text := fmt.Sprintf("%v %+v %#v %s %q", secret, secret, secret, secret, secret); strings.Contains(text, "hush") || strings.Contains(text, "0x68") {
		t.Errorf("a credential prints as %s", text)
	}
}

func TestModeOfAuthFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "auth")
	for mode, warned := range map[os.FileMode]int{0o600: 0, 0o640: 0, 0o644: 1} {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		book := &logbook{}
		f := &AuthFile{Path: file, Logger: log.NewLogfmtLogger(book)}
		for range 2 {
			if _, err := f.Credentials(); err != nil {
				t.Fatal(err)
			}
		}
		if n := strings.Count(book.String(), "chmod 600"); n != warned {
			t.Errorf("mode %v is warned of %d times", mode, n)
		}
	}
}
