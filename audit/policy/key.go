package policy

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// minKeyBytes is the shortest digest key that is accepted.
const minKeyBytes = 16

// LoadKey reads a digest key, hexadecimal text, from a file.
func LoadKey(file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read digest key: %w", err)
	}
	key, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("digest key file %s is not hexadecimal", file)
	}
	if len(key) < minKeyBytes {
		return nil, fmt.Errorf("digest key in %s has %d bytes, want at least %d", file, len(key), minKeyBytes)
	}
	return key, nil
}

// LoadOrCreateKey is LoadKey, but makes a random key, readable by the owner
// alone, where the file does not exist.
func LoadOrCreateKey(file string) ([]byte, error) {
	key, err := LoadKey(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	key = make([]byte, 32)
	rand.Read(key) // Never fails: the runtime ends the process instead.
	if err := writeNew(file, hex.EncodeToString(key)+"\n"); err != nil {
		return nil, fmt.Errorf("write digest key: %w", err)
	}
	return key, nil
}

// writeNew is durable when it returns, and leaves a whole file or none when it
// is killed: digests in the journal would mean nothing if the key behind them
// were lost.
func writeNew(file, text string) error {
	unfinished := file + ".new"
	if err := writeSynced(unfinished, text); err != nil {
		return errors.Join(err, os.Remove(unfinished))
	}
	if err := os.Rename(unfinished, file); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func writeSynced(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}
