// Package dashboards holds the Grafana dashboards as JSON, one file each, for
// import, for provisioning and for the command that writes them.
//
// The files are made by the command build in this directory; the tests hold
// them to what docs/dashboards.md says of them.
package dashboards

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:generate go run ./build

//go:embed *.json
var files embed.FS

// Files returns the dashboards; their names end in .json.
func Files() fs.FS { return files }

// Write writes the dashboards into a directory, which it makes if there is none,
// and returns their paths. Files of the same names are replaced.
func Write(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make directory for dashboards: %w", err)
	}
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, fmt.Errorf("list dashboards: %w", err)
	}
	var written []string
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return written, fmt.Errorf("read dashboard: %w", err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return written, fmt.Errorf("write dashboard: %w", err)
		}
		written = append(written, path)
	}
	return written, nil
}
