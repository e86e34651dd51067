package zktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// install is what runs a server: a virtual machine and the jars of one version.
type install struct {
	java    string
	jars    string
	version string // what the jars are; Debian's may stand in for Default
}

// bring has fetch.sh put the version into the cache, unless it is there, and
// finds the virtual machine. The script locks the cache against other processes.
func bring(ctx context.Context, version string) (install, error) {
	root, err := repository()
	if err != nil {
		return install{}, err
	}
	script := exec.CommandContext(ctx, filepath.Join(root, "internal", "zktest", "fetch.sh"), version)
	var progress bytes.Buffer
	script.Stderr = &progress
	// A child of the script may hold the pipes after the script was cancelled.
	script.WaitDelay = 5 * time.Second
	stdout, err := script.Output()
	if err != nil {
		return install{}, fmt.Errorf("bring ZooKeeper %s: %w\n%s", version, err, progress.Bytes())
	}
	jars := strings.TrimSpace(string(stdout))
	java, err := findJava()
	if err != nil {
		return install{}, err
	}
	return install{java: java, jars: jars, version: filepath.Base(jars)}, nil
}

// repository finds the root of the module from the working directory, which
// for a test is the directory of its package.
func repository() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find repository: %w", err)
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "internal", "zktest", "fetch.sh")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("find repository: no internal/zktest/fetch.sh at or above %s", start)
		}
	}
}

// findJava prefers JAVA_HOME, as fetch.sh does.
func findJava() (string, error) {
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java := filepath.Join(home, "bin", "java")
		if _, err := os.Stat(java); err == nil {
			return java, nil
		} else if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("find java: %w", err)
		}
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return "", fmt.Errorf("find java: %w", err)
	}
	return java, nil
}
