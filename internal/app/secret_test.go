package app

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-zookeeper/zk"

	"zkwarden/audit"
	"zkwarden/internal/zktest"
)

const (
	plantedSecret = "p1anted-s3cr3t-of-the-test"
	keptText      = "n0-secret-at-all"
)

const secretPolicy = `
rules:
  - {name: nothing, path: /s/none/**, level: none}
  - {name: sizes, path: /s/metadata/**}
  - name: masked
    path: /s/masked/**
    level: data
    redact:
      json_keys: ["*pass*"]
      properties_keys: ["*pass*"]
      patterns: ['token (\S+)']
  - {name: yaml, path: /s/yaml/*, level: data, redact: {yaml_keys: [password]}}
  - {name: end, path: /s/end/*, level: data}
`

// secretsAt are data with a secret, and what may be told of them.
func secretsAt(round string) map[string]string {
	s := plantedSecret
	return map[string]string{
		"/s/none/a":            s,
		"/s/metadata/text":     s,
		"/s/metadata/long":     strings.Repeat(s+" ", 10_000),
		"/s/metadata/bin":      "\xff" + s,
		"/s/masked/json":       `{"a": "` + keptText + `", "p\u0061ssword": {"old": ["` + s + `"]}, "round": "` + round + `"}`,
		"/s/masked/long":       `{"a": "` + keptText + strings.Repeat("x", 5000) + `", "password": "` + s + `"}`,
		"/s/masked/broken":     `{"a": "b", "password": "` + s + `"`,
		"/s/masked/properties": "a=" + keptText + "\ndb.passw\\u006frd = \\\n  " + s + "\n#password=" + s,
		"/s/masked/pattern":    keptText + " token " + s,
		"/s/yaml/a":            "a: " + keptText + "\nb:\n  - password: |\n      " + s + "\n",
		"/s/yaml/alias":        "a: &a " + s + "\npassword: *a\n",
	}
}

// shapes are the ways in which a secret could be written down.
func shapes(secret string) map[string][]byte {
	md, sha := md5.Sum([]byte(secret)), sha1.Sum([]byte(secret))
	sha2, sha5 := sha256.Sum256([]byte(secret)), sha512.Sum512([]byte(secret))
	found := map[string][]byte{"plain": []byte(secret), "hex": []byte(hex.EncodeToString([]byte(secret)))}
	for name, sum := range map[string][]byte{"MD5": md[:], "SHA-1": sha[:], "SHA-256": sha2[:], "SHA-512": sha5[:]} {
		found[name], found[name+" in base64"] = []byte(hex.EncodeToString(sum)), []byte(base64.StdEncoding.EncodeToString(sum))
	}
	for shift := range 3 { // It may stand anywhere in what is encoded.
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + secret))
		found[fmt.Sprintf("base64 at %d", shift)] = []byte(encoded[4 : len(encoded)-4])
	}
	return found
}

// TestSecretIsNowhere: what the policy forbids is in no file, log, page or
// stdout that the process ever wrote, over changes, a reload, a kill, restarts
// and another key.
func TestSecretIsNowhere(t *testing.T) {
	addr := zktest.Start(t, zktest.Options{}).Server(1).Addr()
	conn := client(t, addr)
	for _, path := range []string{"/s", "/s/none", "/s/metadata", "/s/masked", "/s/yaml", "/s/end"} {
		mustCreate(t, conn, path, "", 0)
	}
	dir := t.TempDir()
	w := &secretWatch{t: t, conn: conn, dir: filepath.Join(dir, "audit"), stdout: filepath.Join(dir, "stdout"), policy: filepath.Join(dir, "policy.yaml"), binary: binary(t), addr: addr}
	overwrite(t, w.policy, secretPolicy)
	hash := sha1.Sum([]byte("user:" + plantedSecret))
	id := "user:" + base64.StdEncoding.EncodeToString(hash[:])
	acl := append(zk.WorldACL(zk.PermAll), zk.ACL{Perms: zk.PermAll, Scheme: "digest", ID: id})

	first := w.start()
	w.change("first", acl)
	w.look(first)
	if status, body := post(t, first.url+"/-/reload"); status != http.StatusOK {
		t.Fatalf("reload: %d %s", status, body)
	}
	w.change("reloaded", acl)
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, log := first.end()
	w.told("log of the killed process", []byte(log))

	overwrite(t, filepath.Join(w.dir, digestKeyFile), strings.Repeat("ab", 32)+"\n")
	second := w.start()
	w.change("restarted", acl)
	w.look(second)
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	status, log := second.end()
	if w.told("log", []byte(log)); status != 0 {
		t.Errorf("exit status %d: %s", status, log)
	}
	w.files()
	w.visible()
}

// secretWatch plays with an auditor, and looks at everything that it tells.
type secretWatch struct {
	t                                 *testing.T
	conn                              *zk.Conn
	dir, stdout, policy, binary, addr string
}

func (w *secretWatch) start() *child {
	w.t.Helper()
	stdout, err := os.OpenFile(w.stdout, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		w.t.Fatal(err)
	}
	defer stdout.Close()
	c := startProcess(w.t, stdout, w.binary, "--log.level=debug", "--web.listen-address=127.0.0.1:0", "--web.enable-pprof",
		"--zookeeper.address="+w.addr, "--ensemble.name=test", "--audit.dir="+w.dir, "--audit.policy-file="+w.policy)
	awaitPage(w.t, c.url+"/-/ready", http.StatusOK, "ready")
	return c
}

// change creates, sets and deletes znodes with secrets, and waits until the
// last of it is printed.
func (w *secretWatch) change(round string, acl []zk.ACL) {
	t := w.t
	t.Helper()
	for path, data := range secretsAt(round) {
		if _, err := w.conn.Create(path, []byte(data), 0, acl); err != nil {
			t.Fatalf("create %s: %v", path, err)
		}
		if _, err := w.conn.Set(path, []byte(data+"\n"), -1); err != nil {
			t.Fatalf("set %s: %v", path, err)
		}
		if _, err := w.conn.SetACL(path, acl, -1); err != nil {
			t.Fatalf("set ACL of %s: %v", path, err)
		}
	}
	w.mirrored()
	for path := range secretsAt(round) {
		if err := w.conn.Delete(path, -1); err != nil {
			t.Fatalf("delete %s: %v", path, err)
		}
	}
	mustCreate(t, w.conn, "/s/end/"+round, "end", 0)
	deadline := time.After(patience)
	for {
		text, err := os.ReadFile(w.stdout)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(text, []byte("/s/end/"+round)) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("the end of round %s is not printed:\n%s", round, text)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// mirrored waits until the mirror's file has what is known now.
func (w *secretWatch) mirrored() {
	file := filepath.Join(w.dir, mirrorFile)
	deadline := time.After(patience)
	for {
		text, err := os.ReadFile(file)
		if err == nil && bytes.Contains(text, []byte("/s/masked/json")) {
			w.files()
			return
		}
		select {
		case <-deadline:
			w.t.Fatalf("the mirror does not know of the changes: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (w *secretWatch) told(where string, text []byte) {
	w.t.Helper()
	hash := sha1.Sum([]byte("user:" + plantedSecret))
	for name, secret := range map[string]string{"the secret": plantedSecret, "the ACL's hash": base64.StdEncoding.EncodeToString(hash[:])} {
		for shape, bare := range shapes(secret) {
			if bytes.Contains(text, bare) {
				w.t.Errorf("%s has %s, %s", where, name, shape)
			}
		}
	}
}

func (w *secretWatch) files() {
	w.t.Helper()
	err := filepath.WalkDir(w.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		w.told(path, text)
		return err
	})
	if err != nil {
		w.t.Error(err)
	}
	text, err := os.ReadFile(w.stdout)
	if err != nil {
		w.t.Error(err)
	}
	w.told("stdout", text)
}

// look reads every page.
func (w *secretWatch) look(c *child) {
	w.t.Helper()
	for _, page := range []string{
		"/", "/metrics", "/-/healthy", "/-/ready", "/-/reload", "/nothing", "/probe?target=" + w.addr, "/probe?debug=true&target=" + w.addr,
		"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1",
	} {
		_, body := get(w.t, c.url+page)
		w.told("page "+page, []byte(body))
	}
}

// visible checks that the test has seen what may be seen: records of every
// znode, and what is no secret.
func (w *secretWatch) visible() {
	lines := journalLines(w.t, w.dir)
	changes := map[string]int{}
	for _, e := range changesOf(decodeAll(w.t, lines)) {
		if e.Path == "/s/none/a" {
			w.t.Errorf("%s is recorded", e.Path)
		}
		if e.Op == audit.OpDataChanged && e.After != nil {
			changes[e.Path]++
		}
		if e.After == nil || e.After.Encoding == "" {
			continue
		}
		if shown := e.After.Data; strings.HasPrefix(e.Path, "/s/masked/") && !strings.Contains(shown, keptText) || strings.HasPrefix(e.Path, "/s/metadata/") {
			w.t.Errorf("%s is recorded with %.200q", e.Path, shown)
		}
		if e.Path == "/s/masked/json" && !strings.Contains(e.After.Data, `"p\u0061ssword": "***", "round"`) {
			w.t.Errorf("%s is recorded with %.200q", e.Path, e.After.Data)
		}
	}
	for path := range secretsAt("") {
		if path != "/s/none/a" && changes[path] == 0 {
			w.t.Errorf("no change of %s is recorded", path)
		}
	}
}
