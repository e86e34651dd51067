package policy

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLoadKey(t *testing.T) {
	const good = "000102030405060708090a0b0c0d0e0f"
	for name, test := range map[string]struct{ text, problem string }{
		"bare":               {good, ""},
		"blanks around it":   {" " + good + "\r\n", ""},
		"upper case, longer": {strings.ToUpper(good) + "FF", ""},
		"empty":              {"", "has 0 bytes, want at least 16"},
		"too short":          {good[2:], "has 15 bytes, want at least 16"},
		"half a byte":        {good + "f", "is not hexadecimal"},
		"not hexadecimal":    {"hunter2 hunter2 hunter2 hunter2!", "is not hexadecimal"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
				t.Fatal(err)
			}
			// What is there already is used or refused, never replaced.
			for source, load := range map[string]func(string) ([]byte, error){"LoadKey": LoadKey, "LoadOrCreateKey": LoadOrCreateKey} {
				key, err := load(file)
				switch {
				case test.problem == "" && (err != nil || !bytes.HasPrefix(key, []byte{0, 1, 2, 3})):
					t.Errorf("%s() = %x, %v", source, key, err)
				case test.problem != "" && (err == nil || !strings.Contains(err.Error(), file) || !strings.HasSuffix(err.Error(), test.problem)):
					t.Errorf("%s() = %v, want %s ... %s", source, err, file, test.problem)
				case err != nil && strings.Contains(err.Error(), "hunter2"):
					t.Errorf("%s() tells the key: %v", source, err)
				}
			}
			if text, err := os.ReadFile(file); err != nil || string(text) != test.text {
				t.Errorf("the file was changed to %q, %v", text, err)
			}
		})
	}
}

func TestLoadKeyMissing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if _, err := LoadKey(file); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), file) {
		t.Errorf("LoadKey() = %v", err)
	}
	if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("LoadKey made the file: %v", err)
	}
}

func TestLoadOrCreateKey(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "key")
	made, err := LoadOrCreateKey(file)
	if err != nil || len(made) != 32 {
		t.Fatalf("LoadOrCreateKey() = %d bytes, %v", len(made), err)
	}
	for range 2 {
		if again, err := LoadOrCreateKey(file); err != nil || !bytes.Equal(again, made) {
			t.Errorf("the key changed to %x, %v", again, err)
		}
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("left in the directory: %v, %v", left, err)
	}
	other, err := LoadOrCreateKey(filepath.Join(t.TempDir(), "key"))
	if err != nil || bytes.Equal(other, made) {
		t.Errorf("two keys are equal: %v", err)
	}
}

// TestLoadOrCreateKeyBehindAKill: the run before was killed while it wrote.
func TestLoadOrCreateKeyBehindAKill(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file+".new", []byte("00"), 0o600); err != nil {
		t.Fatal(err)
	}
	made, err := LoadOrCreateKey(file)
	if err != nil || len(made) != 32 {
		t.Fatalf("LoadOrCreateKey() = %d bytes, %v", len(made), err)
	}
	if again, err := LoadKey(file); err != nil || !bytes.Equal(again, made) {
		t.Errorf("the key changed to %x, %v", again, err)
	}
}

func TestLoadOrCreateKeyWhereNothingCanBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "missing", "key")
	if _, err := LoadOrCreateKey(file); err == nil || !strings.HasPrefix(err.Error(), "write digest key: ") {
		t.Errorf("LoadOrCreateKey() = %v", err)
	}
}
