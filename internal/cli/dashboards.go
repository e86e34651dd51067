package cli

import (
	"fmt"
	"io"

	"zkwarden/dashboards"
)

// Dashboards writes the Grafana dashboards into a directory and names the files
// on out.
func Dashboards(dir string, out io.Writer) error {
	paths, err := dashboards.Write(dir)
	for _, path := range paths {
		if _, printErr := fmt.Fprintln(out, path); printErr != nil {
			return printErr
		}
	}
	return err
}
