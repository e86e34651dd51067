package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zkwarden/internal/fourletter"
)

func writeModules(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "modules.yml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestModules(t *testing.T) {
	file := writeModules(t, `
modules:
  small: {words: [mntr, srvr], timeout: 500ms}
  default:
    lifetime: true
  secure:
    words: [conf, cons]
    tls: {ca_file: ca.pem, cert_file: c.pem, key_file: c.key, server_name: zk, min_version: "1.3", insecure_skip_verify: true}
  system: {tls: {}}
`)
	got, err := readModules(file, 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]module{
		"small":   {timeout: 500 * time.Millisecond, words: []fourletter.Word{}},
		"default": {timeout: 3 * time.Second, lifetime: true},
		"secure": {timeout: 3 * time.Second, words: []fourletter.Word{fourletter.Conf}, cons: true, tls: &fourletter.TLSFiles{
			CAFile: "ca.pem", CertFile: "c.pem", KeyFile: "c.key", ServerName: "zk", MinVersion: 0x304, InsecureSkipVerify: true,
		}},
		"system": {timeout: 3 * time.Second, tls: &fourletter.TLSFiles{}},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(module{})); diff != "" {
		t.Errorf("modules (-want +got):\n%s", diff)
	}
}

// Every mistake is named at once, each with its line.
func TestModulesMistakes(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"empty file":       {"", "1: want modules, have nothing"},
		"no modules":       {"modules: {}\n", "1: want at least one module below modules"},
		"several mistakes": {"modules:\n  a:\n    timeout: soon\n    wrods: []\n  a: {}\nextra: 1\n", "3: want a positive duration such as 5s, have \"soon\"\n4: unknown field wrods\n5: a is given twice\n6: unknown field extra"},
		"negative timeout": {"modules:\n  a: {timeout: -1s}\n", "2: want a positive duration such as 5s, have \"-1s\""},
		"forbidden word":   {"modules:\n  a:\n    words:\n    - mntr\n    - srst\n", "5: \"srst\" is no four-letter word that may be asked"},
		"word twice":       {"modules:\n  a: {words: [conf, conf]}\n", "2: conf is given twice"},
		"words are text":   {"modules:\n  a: {words: conf}\n", "2: want a list of four-letter words"},
		"flag is text":     {"modules:\n  a: {lifetime: maybe}\n", "2: want true or false"},
		"flag is null":     {"modules:\n  a: {lifetime: }\n", "2: want true or false"},
		"half a pair":      {"modules:\n  a:\n    tls:\n      cert_file: c\n", "4: cert_file and key_file belong together"},
		"TLS version":      {"modules:\n  a: {tls: {min_version: 2}}\n", `2: TLS version "2": want 1.0, 1.1, 1.2 or 1.3`},
		"module is null":   {"modules:\n  a:\n", "2: want a mapping"},
		"two documents":    {"modules:\n  a: {}\n---\nmodules:\n  b: {}\n", "3: want one document, this is another"},
		"no name":          {"modules:\n  \"\": {}\n", "2: want a module with a name"},
		"list as name":     {"modules:\n  [a]: {}\n", "2: want a name as key"},
		"unknown in tls":   {"modules:\n  a:\n    tls: {ca: x}\n", "3: unknown field ca"},
		"file is a list":   {"modules:\n  a:\n    tls: {ca_file: [x]}\n", "3: want a text"},
		"file is null":     {"modules:\n  a:\n    tls:\n      key_file:\n      cert_file: c\n", "4: want a text\n4: cert_file and key_file belong together"},
		"key alone":        {"modules:\n  a:\n    tls: {key_file: k}\n", "3: cert_file and key_file belong together"},
		"TLS is a flag":    {"modules:\n  a: {tls: true}\n", "2: want a mapping"},
		"merge":            {"modules:\n  a: &x {timeout: 1s}\n  b:\n    <<: *x\n", "4: unknown field <<"},
		"timeout of zero":  {"modules:\n  a: {timeout: 0s}\n", "2: want a positive duration such as 5s, have \"0s\""},
		"word is a list":   {"modules:\n  a: {words: [[conf]]}\n", "2: \"\" is no four-letter word that may be asked"},
		"alias":            {"modules:\n  a: &x {timeout: 1s}\n  b: *x\n", "3: want a mapping"},
		"list":             {"- modules\n", "1: want a mapping"},
	} {
		t.Run(name, func(t *testing.T) {
			file := writeModules(t, tc.text)
			_, err := readModules(file, time.Second)
			if err == nil {
				t.Fatal("accepted")
			}
			got := strings.ReplaceAll(err.Error(), file+":", "")
			if got != tc.want {
				t.Errorf("error %q, want %q", got, tc.want)
			}
		})
	}
	long := writeModules(t, "modules: {a: {}}\n"+strings.Repeat("#\n", maxModulesFile/2))
	if _, err := readModules(long, time.Second); err == nil || err.Error() != long+" has more than 1048576 bytes" {
		t.Errorf("error %v for a file that is too long", err)
	}
	if _, err := readModules(writeModules(t, "modules: [\n"), time.Second); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("error %v for broken YAML, want its line", err)
	}
	if _, err := readModules(filepath.Join(t.TempDir(), "none"), time.Second); err == nil {
		t.Error("a file that doesn't exist was read")
	}
}

func FuzzModules(f *testing.F) {
	f.Add("modules:\n  a: {timeout: 1s, words: [conf], tls: {min_version: \"1.2\"}}\n")
	f.Add("modules: *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		modules, err := readModules(writeModules(t, text), time.Second)
		if err == nil && len(modules) == 0 {
			t.Error("no modules and no error")
		}
	})
}
