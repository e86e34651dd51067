// Command build makes the dashboards in the directory above it, from a typed
// description. See package dashboards.
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

// runbooks is where the links to runbooks lead unless the variable of that name
// says otherwise.
const runbooks = "https://github.com/zkwarden/zkwarden/blob/main/docs/runbooks"

func main() {
	dir := flag.String("dir", ".", "where to write the dashboards")
	flag.Parse()
	if err := write(*dir); err != nil {
		fmt.Fprintln(os.Stderr, "build dashboards:", err)
		os.Exit(1)
	}
}

// files returns the dashboards by the names of their files.
func files() map[string]dashboard {
	return map[string]dashboard{
		"fleet.json": fleet(), "ensemble.json": ensemble(), "server.json": server(), "audit.json": audit(), "self.json": self(),
	}
}

func write(dir string) error {
	for name, d := range files() {
		text, err := encode(d)
		if err != nil {
			return fmt.Errorf("encode %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return fmt.Errorf("write dashboard: %w", err)
		}
	}
	return nil
}

func encode(d dashboard) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false) // Expressions are full of < and >.
	encoder.SetIndent("", "  ")
	err := encoder.Encode(d)
	return text.Bytes(), err
}
