package zktest

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Promtool prepares Prometheus' own checker of metrics and rules to run to its
// end. internal/tools/promtool.sh brings it unless it is there.
func Promtool(ctx context.Context, args ...string) (*exec.Cmd, error) {
	return PrometheusTool(ctx, "promtool", args...)
}

// PrometheusTool is [Promtool] for the others that internal/tools/promtool.sh
// brings: prometheus and amtool.
func PrometheusTool(ctx context.Context, name string, args ...string) (*exec.Cmd, error) {
	root, err := repository()
	if err != nil {
		return nil, err
	}
	script := exec.CommandContext(ctx, filepath.Join(root, "internal", "tools", "promtool.sh"), name)
	var progress bytes.Buffer
	script.Stderr = &progress
	script.WaitDelay = 5 * time.Second
	path, err := script.Output()
	if err != nil {
		return nil, fmt.Errorf("bring %s: %w\n%s", name, err, progress.Bytes())
	}
	return exec.CommandContext(ctx, strings.TrimSpace(string(path)), args...), nil
}
